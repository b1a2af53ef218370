/* pages.mjs - the table of pages: where each lives, what its address says besides the time, and how it is loaded.
 *
 * A page is a folder of pages/ whose module exports `Page`, a component with the props
 *     {state, go, now, renew, setBusy, say, openGuide}
 * state: the address as address.mjs reads it: page, range, from, to, refresh, and each of `params`, always a string;
 * go(patch, instead): to another address; what is not in the patch stays, but params never go to another page;
 * now: seconds since 1970, renewed every `refresh`; setBusy: the turning arrow while something is loaded.
 *
 * timeless: the page has no use for a time range, so none is offered; it stays in the address for the way back.
 * `path` may end in one /:param. The server must know each path too: src/tell/page.c. */

export const PAGES = [
    {
        id: 'overview',
        path: '/',
        title: 'Overview',
        key: 'o',
        range: '15m',
        refresh: '5s',
        params: { host: '' },
        load: () => import('./pages/overview/overview.mjs'),
    },
    {
        id: 'agents',
        path: '/agents',
        title: 'Agents',
        key: 'w',
        range: '1h',
        refresh: '30s',
        params: { agent: '', node: '', tab: '', order: '-runs', eorder: '-calls' },
        load: () => import('./pages/agents/agents.mjs'),
    },
    {
        id: 'mcp',
        path: '/mcp',
        title: 'MCP and tools',
        key: 'm',
        range: '1h',
        refresh: '30s',
        params: { server: '', order: '-calls', torder: '-calls' },
        load: () => import('./pages/mcp/mcp.mjs'),
    },
    {
        id: 'traces',
        path: '/traces',
        title: 'Traces',
        key: 't',
        range: '1h',
        refresh: 'off',
        params: { q: '', order: '-start', why: '' },
        load: () => import('./pages/traces/traces.mjs'),
    },
    {
        id: 'trace',
        path: '/traces/:trace',
        title: 'Trace',
        under: 'traces' /* not in the list of pages; that one stands for it */,
        timeless: true,
        range: '1h',
        refresh: 'off',
        params: { trace: '', span: '', tab: 'timeline' },
        load: () => import('./pages/trace/trace.mjs'),
    },
    {
        id: 'compare',
        path: '/compare',
        title: 'Two traces',
        under: 'traces',
        timeless: true,
        range: '1h',
        refresh: 'off',
        params: { a: '', b: '' },
        load: () => import('./pages/traces/compare.mjs'),
    },
    {
        id: 'logs',
        path: '/logs',
        title: 'Logs',
        key: 'l',
        range: '1h',
        refresh: 'off',
        params: { q: '', tab: 'lines', live: '' },
        load: () => import('./pages/logs/logs.mjs'),
    },
    {
        id: 'alerts',
        path: '/alerts',
        title: 'Alerts',
        key: 'a',
        timeless: true,
        range: '1h',
        refresh: '10s',
        params: { q: '', tab: 'active' },
        load: () => import('./pages/alerts/alerts.mjs'),
    },
    {
        id: 'lb',
        path: '/lb',
        title: 'Load balancer',
        key: 'b',
        range: '1h',
        refresh: '10s',
        params: { order: '-rate' },
        load: () => import('./pages/lb/lb.mjs'),
    },
    {
        id: 'cost',
        path: '/cost',
        title: 'Cost',
        key: 'c',
        range: '24h',
        refresh: '1m',
        params: { by: 'model', source: '', order: '-cost' },
        load: () => import('./pages/cost/cost.mjs'),
    },
    {
        id: 'explore',
        path: '/explore',
        title: 'Explore',
        key: 'e',
        range: '1h',
        refresh: 'off',
        params: { q: '', tab: 'graph', step: '' },
        load: () => import('./pages/explore/explore.mjs'),
    },
];

export const pageOf = (id) => PAGES.find((p) => p.id === id);
