/* tracelist.mjs - a few traces as a small table that leads to them; nothing when there are none. */
import { html } from '../vendor/preact.mjs';
import * as format from '../lib/format.mjs';
import { costText } from '../lib/spend.mjs';
import { Box, Table } from './table.mjs';

const COLUMNS = [
    { id: 'name', title: 'Trace', of: (t) => t.root_name || t.trace_id, about: (t) => [t.agent, t.service].filter(Boolean).join(' · ') },
    { id: 'took', title: 'Duration', n: true, of: (t) => t.duration_ms ?? undefined, cell: (t) => (t.duration_ms === null ? 'running' : format.value('seconds', t.duration_ms / 1000)), bar: true },
    { id: 'cost', title: 'Cost', n: true, of: (t) => (t.model_calls > 0 ? t.total_cost_usd : undefined), cell: costText },
    { id: 'errors', title: 'Errors', n: true, of: (t) => t.error_count, cell: (t) => (t.error_count > 0 ? html`<span class="badge bad">${format.count(t.error_count)}</span>` : '0') },
    { id: 'start', title: 'Began', n: true, of: (t) => t.start, cell: (t) => `${format.day(t.start)} ${format.clock(t.start)}` },
];

export function TraceList({ title, about, traces, order, go, limit }) {
    if (traces.length === 0) return null;
    return html`<${Box} title=${title} about=${about}><${Table} caption=${title} columns=${COLUMNS} rows=${traces} order=${order} rowKey=${(t) => t.trace_id} limit=${limit}
        href=${(t) => '/traces/' + t.trace_id} open=${(t) => go({ page: 'trace', trace: t.trace_id })} /><//>`;
}
