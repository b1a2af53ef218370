/* spent.mjs - the table of what money went to, by one dimension at a time; each row leads to what it was spent on. */
import { html } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as format from '../../lib/format.mjs';
import { Box, Table, Tabs } from '../../parts/table.mjs';
import { DIMENSIONS } from './sources.mjs';

export const sumOf = (rows, f) => rows.reduce((t, r) => (r[f] === undefined ? t : (t ?? 0) + r[f]), undefined);
export const per = (a, b) => (a !== undefined && b > 0 ? a / b : undefined);
const number = (v) => v !== undefined && format.value('', v);
const badge = (n) => n > 0 && html`<span class="badge warn">${format.count(n)}</span>`;

function columns(title, total) {
    const cached = (r) => (r.cacheRead !== undefined ? per(100 * r.cacheRead, r.inputAll) : undefined);
    const share = (r) => per(100 * (r.cost ?? 0), total);
    return [
        { id: 'name', title, of: (r) => r.name || '(none)' },
        { id: 'cost', title: 'Cost', n: true, of: (r) => r.cost, cell: (r) => (r.cost > 0 || !(r.unpriced > 0) ? r.cost !== undefined && format.usd(r.cost) : 'not known'), bar: true },
        { id: 'share', title: 'Share', n: true, of: share, cell: (r) => share(r) !== undefined && format.value('percent', share(r)) },
        { id: 'calls', title: 'Requests', n: true, of: (r) => r.calls, cell: (r) => r.calls !== undefined && format.count(r.calls) },
        { id: 'each', title: 'A request', n: true, of: (r) => per(r.cost, r.calls), cell: (r) => per(r.cost, r.calls) > 0 && format.value('usd', r.cost / r.calls) },
        { id: 'input', title: 'Tokens in', n: true, of: (r) => r.inputAll, cell: (r) => number(r.inputAll) },
        { id: 'cached', title: 'From caches', n: true, of: cached, cell: (r) => cached(r) !== undefined && format.value('percent', cached(r)) },
        { id: 'output', title: 'Tokens out', n: true, of: (r) => r.output, cell: (r) => number(r.output) },
        { id: 'unpriced', title: 'Unpriced', title_long: 'Requests to models that have no price', n: true, of: (r) => r.unpriced || undefined, cell: (r) => badge(r.unpriced) },
        { id: 'untold', title: 'Usage not told', title_long: 'Requests whose answer told no tokens', n: true, of: (r) => r.untold || undefined, cell: (r) => badge(r.untold) },
    ];
}

const WORDS = { model: 'gen_ai.request.model', tool: 'gen_ai.tool.name', service: 'service' };

/* Where a row leads: an agent to its page, an MCP server to its page, the others to their traces. */
function target(by, row) {
    if (by === 'agent') return { page: 'agents', agent: row.name };
    if (by === 'mcp') return { page: 'mcp', server: row.name };
    if (by === 'backend') return { page: 'lb' };
    const word = `${WORDS[by]}=${row.name}`;
    return { page: 'traces', q: /[\s"]/.test(word) ? JSON.stringify(word) : word };
}

export function Spent({ source, sources, state, go }) {
    const dimensions = DIMENSIONS.filter((d) => source.by[d.id]?.some((r) => r.name !== ''));
    const chosen = dimensions.find((d) => d.id === state.by) ?? dimensions[0];
    if (!chosen) return null;
    const rows = source.by[chosen.id].filter((r) => r.cost > 0 || r.unpriced > 0 || r.calls > 0);
    const linked = chosen.id !== 'workflow';
    const acts = html`${sources.length > 1 && html`<select aria-label="Counted from" value=${source.id} onChange=${(e) => go({ source: e.target.value }, true)}>${sources.map((s) => html`<option key=${s.id} value=${s.id}>${s.title}</option>`)}</select>`}
        <${Tabs} label="By" tabs=${dimensions.map((d) => [d.id, d.title])} tab=${chosen.id} go=${({ tab }) => go({ by: tab }, true)} />`;
    return html`<${Box} title="Spent on" about=${source.about} acts=${acts}>
        <${Table} keys caption=${'Cost by ' + chosen.title.toLowerCase()} columns=${columns(chosen.title, sumOf(rows, 'cost'))} rows=${rows} order=${state.order} sort=${(order) => go({ order }, true)} rowKey=${(r) => r.name}
            href=${linked && ((r) => address.write(address.next(state, target(chosen.id, r))))} open=${(r) => go(target(chosen.id, r))} limit=${50} /><//>`;
}
