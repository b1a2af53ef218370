/* lb.mjs - the page at /lb: backends side by side, their breakers over time, how requests are spread, pools and caches. */
import { html, useMemo } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as format from '../../lib/format.mjs';
import { numbersOf, rowsOf } from '../../lib/prom.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Charts } from '../../parts/panels.mjs';
import { Box, Table } from '../../parts/table.mjs';
import { Tiles } from '../../parts/tiles.mjs';
import { Breakers, loadBreakers } from './breakers.mjs';
import { lbPanels } from './panels.mjs';

const OK = 'status=~"success|ok|completed|[123].."';
const grown = (series, by = 'backend_id') => `sum by (${by}) (increase(${series}[$w] anchored))`;
const took = (q) => `histogram_quantile(${q}, sum by (le, backend_id) (increase(load_balancer_request_duration_seconds_bucket[$w])))`;
const gauge = (series, by = 'backend_id', how = 'avg') => `${how} by (${by}) (load_balancer_${series})`;

const backendOf = {
    requests: grown('load_balancer_requests_total'),
    succeeded: grown(`load_balancer_requests_total{${OK}}`),
    p50: took(0.5),
    p95: took(0.95),
    cost: grown('load_balancer_total_cost_usd'),
    quality: gauge('quality_score'),
    healthy: gauge('backend_health', 'backend_id', 'min'),
    used: gauge('backend_utilization_percent'),
    open: 'max by (backend_id) (load_balancer_circuit_breaker_state{state="open"})',
    half: 'max by (backend_id) (load_balancer_circuit_breaker_state{state="half_open"})',
    trips: grown('load_balancer_circuit_breaker_trips_total'),
    score: gauge('cost_efficiency_score'),
    inFlight: gauge('requests_in_flight', 'backend_id', 'sum'),
};
const algorithmOf = {
    requests: grown('load_balancer_requests_total', 'algorithm'),
    succeeded: grown(`load_balancer_requests_total{${OK}}`, 'algorithm'),
    chosen: grown('load_balancer_algorithm_selection_total', 'algorithm'),
    score: gauge('algorithm_effectiveness_score', 'algorithm'),
};
const poolOf = { total: gauge('pool_size_total', 'pool', 'max'), available: gauge('pool_size_available', 'pool', 'max'), unavailable: gauge('pool_size_unavailable', 'pool', 'max'), used: gauge('pool_utilization_percent', 'pool') };
const connectionsOf = { active: gauge('connection_pool_active', 'backend_id', 'sum'), idle: gauge('connection_pool_idle', 'backend_id', 'sum'), used: gauge('connection_pool_utilization_percent'), waiting: gauge('connection_queue_size', 'backend_id', 'sum') };
const cacheOf = {
    hits: grown('load_balancer_cache_hits_total', 'cache_type'),
    misses: grown('load_balancer_cache_misses_total', 'cache_type'),
    size: gauge('cache_size_bytes', 'cache_type', 'max'),
    gain: gauge('cache_performance_gain_percent', 'cache_type'),
    evicted: grown('load_balancer_cache_evictions_total', 'cache_type'),
};

async function load(span, signal) {
    const [backends, algorithms, pools, connections, caches, whole, breakers] = await Promise.all([
        rowsOf(['backend_id'], backendOf, span, signal),
        rowsOf(['algorithm'], algorithmOf, span, signal),
        rowsOf(['pool'], poolOf, span, signal),
        rowsOf(['backend_id'], connectionsOf, span, signal),
        rowsOf(['cache_type'], cacheOf, span, signal),
        numbersOf({ p95: 'histogram_quantile(0.95, sum by (le) (increase(load_balancer_request_duration_seconds_bucket[$w])))', spread: 'avg(load_balancer_load_distribution_score)' }, span, signal),
        loadBreakers(span, signal),
    ]);
    return { backends: backends.filter((b) => b.backend_id !== ''), algorithms: algorithms.filter((a) => a.algorithm !== ''), pools, connections, caches: caches.filter((c) => c.cache_type !== ''), whole, breakers };
}

/* ---- tables ---- */

const failedOf = (b) => (b.requests > 0 ? 100 * (1 - (b.succeeded ?? 0) / b.requests) : undefined);
const percent = (v, limit) => v !== undefined && html`<span class=${v > limit ? 'badge bad' : ''}>${format.value('percent', v)}</span>`;
const seconds = (v) => v !== undefined && format.value('seconds', v);
const number = (v) => v !== undefined && format.value('', v);
const whole = (v) => v !== undefined && format.count(v);

const stateOf = (b) => (b.open > 0 ? 'open' : b.half > 0 ? 'half open' : b.open === 0 ? 'closed' : undefined);
const STATE_CLASS = { open: 'badge bad', 'half open': 'badge warn', closed: 'badge' };

function backendColumns(length) {
    return [
        { id: 'name', title: 'Backend', of: (b) => b.backend_id },
        { id: 'healthy', title: 'Health', of: (b) => (b.healthy === undefined ? undefined : b.healthy > 0 ? 'up' : 'down'), cell: (b) => b.healthy !== undefined && html`<span class=${b.healthy > 0 ? 'badge good' : 'badge bad'}>${b.healthy > 0 ? 'up' : 'down'}</span>` },
        { id: 'state', title: 'Breaker', of: stateOf, cell: (b) => stateOf(b) && html`<span class=${STATE_CLASS[stateOf(b)]}>${stateOf(b)}</span>` },
        { id: 'rate', title: 'Requests', n: true, of: (b) => b.requests, cell: (b) => b.requests !== undefined && format.value('/s', b.requests / length), bar: true },
        { id: 'failed', title: 'Failed', n: true, of: failedOf, cell: (b) => percent(failedOf(b), 5) },
        { id: 'p50', title: 'p50', n: true, of: (b) => b.p50, cell: (b) => seconds(b.p50) },
        { id: 'p95', title: 'p95', n: true, of: (b) => b.p95, cell: (b) => seconds(b.p95), bar: true },
        { id: 'cost', title: 'Cost', n: true, of: (b) => b.cost, cell: (b) => b.cost !== undefined && format.usd(b.cost) },
        { id: 'each', title: 'A request', n: true, of: (b) => (b.requests > 0 && b.cost !== undefined ? b.cost / b.requests : undefined), cell: (b) => b.requests > 0 && b.cost !== undefined && format.value('usd', b.cost / b.requests) },
        { id: 'quality', title: 'Quality', n: true, of: (b) => b.quality, cell: (b) => number(b.quality) },
        { id: 'score', title: 'Value for money', title_long: 'Cost efficiency, 1 is the best backend', n: true, of: (b) => b.score, cell: (b) => number(b.score) },
        { id: 'used', title: 'Used', n: true, of: (b) => b.used, cell: (b) => percent(b.used, 90) },
        { id: 'inFlight', title: 'In flight', n: true, of: (b) => b.inFlight, cell: (b) => whole(b.inFlight) },
        { id: 'trips', title: 'Trips', title_long: 'How often the breaker opened', n: true, of: (b) => b.trips, cell: (b) => whole(b.trips) },
    ];
}

const ALGORITHMS = [
    { id: 'name', title: 'Algorithm', of: (a) => a.algorithm },
    { id: 'requests', title: 'Requests', n: true, of: (a) => a.requests ?? a.chosen, cell: (a) => whole(a.requests ?? a.chosen), bar: true },
    { id: 'failed', title: 'Failed', n: true, of: failedOf, cell: (a) => percent(failedOf(a), 5) },
    { id: 'score', title: 'Effectiveness', n: true, of: (a) => a.score, cell: (a) => number(a.score) },
];
const POOLS = [
    { id: 'name', title: 'Pool', of: (p) => p.pool || 'all' },
    { id: 'total', title: 'Backends', n: true, of: (p) => p.total, cell: (p) => whole(p.total) },
    { id: 'available', title: 'Available', n: true, of: (p) => p.available, cell: (p) => p.available !== undefined && html`<span class=${p.available < p.total ? 'badge warn' : ''}>${whole(p.available)}</span>` },
    { id: 'unavailable', title: 'Unavailable', n: true, of: (p) => p.unavailable, cell: (p) => p.unavailable !== undefined && html`<span class=${p.unavailable > 0 ? 'badge bad' : ''}>${whole(p.unavailable)}</span>` },
    { id: 'used', title: 'Used', n: true, of: (p) => p.used, cell: (p) => percent(p.used, 90) },
];
const CONNECTIONS = [
    { id: 'name', title: 'Backend', of: (c) => c.backend_id || 'all' },
    { id: 'active', title: 'Active', n: true, of: (c) => c.active, cell: (c) => whole(c.active), bar: true },
    { id: 'idle', title: 'Idle', n: true, of: (c) => c.idle, cell: (c) => whole(c.idle) },
    { id: 'waiting', title: 'Waiting', n: true, of: (c) => c.waiting, cell: (c) => c.waiting !== undefined && html`<span class=${c.waiting > 0 ? 'badge warn' : ''}>${whole(c.waiting)}</span>` },
    { id: 'used', title: 'Used', n: true, of: (c) => c.used, cell: (c) => percent(c.used, 90) },
];
const rateOf = (c) => (c.hits + c.misses > 0 ? (100 * c.hits) / (c.hits + c.misses) : undefined);
const CACHES = [
    { id: 'name', title: 'Cache', of: (c) => c.cache_type },
    { id: 'rate', title: 'Hits', n: true, of: rateOf, cell: (c) => rateOf(c) !== undefined && format.value('percent', rateOf(c)), bar: true },
    { id: 'asked', title: 'Asked', n: true, of: (c) => (c.hits ?? 0) + (c.misses ?? 0), cell: (c) => whole((c.hits ?? 0) + (c.misses ?? 0)) },
    { id: 'gain', title: 'Time saved', n: true, of: (c) => c.gain, cell: (c) => c.gain !== undefined && format.value('percent', c.gain) },
    { id: 'size', title: 'Size', n: true, of: (c) => c.size, cell: (c) => c.size !== undefined && format.value('bytes', c.size) },
    { id: 'evicted', title: 'Evicted', n: true, of: (c) => c.evicted, cell: (c) => whole(c.evicted) },
];

function Small({ title, columns, rows, order, of }) {
    const known = rows.filter((r) => columns.slice(1).some((c) => c.of(r) !== undefined && c.of(r) !== ''));
    if (known.length === 0) return null;
    return html`<${Box} title=${title}><${Table} caption=${title} columns=${columns} rows=${known} order=${order} rowKey=${(r) => r[of]} limit=${12} /><//>`;
}

/* ---- the page ---- */

function tilesOf({ backends, whole: all }, length) {
    const sum = (f) => backends.reduce((t, b) => (b[f] === undefined ? t : (t ?? 0) + b[f]), undefined);
    const requests = sum('requests'),
        known = backends.filter((b) => b.healthy !== undefined),
        up = known.filter((b) => b.healthy > 0).length,
        open = backends.filter((b) => b.open > 0).length;
    return [
        known.length > 0 && { title: 'Backends up', text: `${up} of ${known.length}`, tone: up < known.length ? 'bad' : 'good' },
        { title: 'Requests', unit: '/s', v: requests / length },
        { title: 'Failed', unit: 'percent', v: failedOf({ requests, succeeded: sum('succeeded') }), tone: failedOf({ requests, succeeded: sum('succeeded') }) > 5 ? 'bad' : '' },
        { title: 'p95', unit: 'seconds', v: all.p95 },
        { title: 'Cost', unit: 'usd', v: sum('cost') },
        backends.some((b) => b.open !== undefined) && { title: 'Open breakers', v: open, tone: open > 0 ? 'bad' : '' },
        { title: 'Evenly spread', v: all.spread, about: '1 is even' },
    ];
}

export function Page({ state, go, now, setBusy }) {
    const span = useMemo(() => address.span({ ...state, step: '' }, now), [state.from, state.to, state.range, now]);
    const { answer, error } = useAsk((signal) => load(span, signal), [span.start, span.end], setBusy);
    const length = span.end - span.start;
    return html`<h1 class="unseen">Load balancer</h1>
        ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
        ${answer && answer.backends.length === 0 && html`<div class="result blank"><p>No load balancer reports in this time range.</p>
            <p class="soft">It sends its requests to POST /api/v1/lb/requests, or metrics that begin with load_balancer_.</p></div>`}
        ${answer && answer.backends.length > 0 && html`<${Tiles} tiles=${tilesOf(answer, length)} label="Load balancer" />
            <${Box} title="Backends" about="press a column to rank by it"><${Table} keys caption="Backends" columns=${backendColumns(length)} rows=${answer.backends} order=${state.order} sort=${(order) => go({ order }, true)} rowKey=${(b) => b.backend_id} /><//>
            <${Breakers} rows=${answer.breakers} span=${span} />
            <${Charts} now=${now} setBusy=${setBusy} state=${state} go=${go} id="lb" title="Load balancer over time" panels=${lbPanels} />
            <div class="halves">
                <${Small} title="Algorithms" columns=${ALGORITHMS} rows=${answer.algorithms} order="-requests" of="algorithm" />
                <${Small} title="Pools" columns=${POOLS} rows=${answer.pools} order="-total" of="pool" />
                <${Small} title="Connections" columns=${CONNECTIONS} rows=${answer.connections} order="-active" of="backend_id" />
                <${Small} title="Caches" columns=${CACHES} rows=${answer.caches} order="-asked" of="cache_type" /></div>`}`;
}
