/* breakers.mjs - what state the circuit breaker of each backend was in, over time: a strip of stretches, and each change in a table. */
import { html, useState } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { Box, Table } from '../../parts/table.mjs';

const STATES = ['closed', 'half_open', 'open'];
const WORDS = { closed: 'closed', half_open: 'half open', open: 'open' };
const BADGES = { closed: 'badge', half_open: 'badge warn', open: 'badge bad' };

/* The series of a state set -> stretches [{from, to, state}] of each backend. A step without a sample ends a stretch. */
export function stretchesOf(matrix, step) {
    const backends = new Map();
    for (const { metric, values } of matrix)
        for (const [t, v] of values ?? []) {
            if (Number(v) !== 1 || !STATES.includes(metric.state)) continue;
            const at = backends.get(metric.backend_id) ?? new Map();
            const worse = STATES.indexOf(metric.state) > STATES.indexOf(at.get(t) ?? 'closed') || !at.has(t);
            if (worse) at.set(t, metric.state);
            backends.set(metric.backend_id, at);
        }
    return [...backends].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, at]) => {
        const stretches = [];
        for (const t of [...at.keys()].sort((a, b) => a - b)) {
            const last = stretches[stretches.length - 1];
            if (last && last.state === at.get(t) && t - last.to < step / 2) last.to = t + step;
            else stretches.push({ from: t, to: t + step, state: at.get(t) });
        }
        return { name, stretches };
    });
}

export async function loadBreakers(span, signal) {
    const [data] = await api.queryRange('max by (backend_id, state) (load_balancer_circuit_breaker_state) == 1', span, { signal });
    return stretchesOf(data.result, span.step);
}

function Strip({ row, span }) {
    const length = span.end + span.step - span.start;
    const now = row.stretches[row.stretches.length - 1];
    return html`<div class="strip"><span class="name">${row.name}</span><span class="lanes" aria-hidden="true">${row.stretches.map(
        (s) => html`<i key=${s.from} class=${s.state} title=${`${WORDS[s.state]} from ${format.moment(s.from)} for ${format.value('seconds', s.to - s.from)}`}
            style=${{ left: (100 * (s.from - span.start)) / length + '%', width: (100 * (s.to - s.from)) / length + '%' }}></i>`,
    )}</span><span class=${BADGES[now.state]}>${WORDS[now.state]}</span></div>`;
}

const CHANGES = [
    { id: 'when', title: 'From', of: (c) => c.from, cell: (c) => format.moment(c.from) },
    { id: 'name', title: 'Backend', of: (c) => c.name },
    { id: 'state', title: 'State', of: (c) => WORDS[c.state], cell: (c) => html`<span class=${BADGES[c.state]}>${WORDS[c.state]}</span>` },
    { id: 'for', title: 'For', n: true, of: (c) => c.to - c.from, cell: (c) => format.value('seconds', c.to - c.from) },
];

export function Breakers({ rows, span }) {
    const [asTable, setAsTable] = useState(false);
    if (rows.length === 0) return null;
    const changes = rows.flatMap((r) => r.stretches.map((s) => ({ ...s, name: r.name })));
    return html`<${Box} title="Circuit breakers" about=${html`<span class="states"><i class="closed"></i>closed <i class="half_open"></i>half open <i class="open"></i>open</span>`}
        acts=${html`<button aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>Table</button>`}>
        ${asTable
            ? html`<${Table} caption="Changes of breakers" columns=${CHANGES} rows=${changes} order="-when" rowKey=${(c) => c.name + '\0' + c.from} limit=${50} />`
            : html`<div class="strips">${rows.map((r) => html`<${Strip} key=${r.name} row=${r} span=${span} />`)}
                <div class="strip when"><span></span><span class="lanes"><time>${format.clock(span.start, false)}</time><time>${format.clock((span.start + span.end) / 2, false)}</time><time>${format.clock(span.end, false)}</time></span><span></span></div></div>`}<//>`;
}
