/* kg.mjs - the page at /kg: snapshots of agents' knowledge graphs, one of them, two compared; and the graph that the server itself keeps. */
import { html, useMemo, useState } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Box, Table, Tabs, To } from '../../parts/table.mjs';
import { Compared } from './compared.mjs';
import { Entities } from './entities.mjs';
import { Snapshot } from './snapshot.mjs';

const TABS = [
    ['snapshots', 'Snapshots'],
    ['entities', 'Neighbours and paths'],
];
const LISTED = 200;

const meanOf = (scores) => {
    const all = Object.values(scores ?? {}).filter(Number.isFinite);
    return all.length > 0 ? all.reduce((a, b) => a + b, 0) / all.length : undefined;
};

const COLUMNS = [
    { id: 'graph', title: 'Graph', of: (s) => s.graph_id, about: (s) => [s.task_id, s.service].filter(Boolean).join(' · ') },
    { id: 'when', title: 'When', of: (s) => s.timestamp, cell: (s) => format.moment(s.timestamp) },
    { id: 'nodes', title: 'Nodes', n: true, of: (s) => s.node_count ?? undefined, cell: (s) => s.node_count !== null && format.count(s.node_count), bar: true },
    { id: 'edges', title: 'Edges', n: true, of: (s) => s.edge_count ?? undefined, cell: (s) => s.edge_count !== null && format.count(s.edge_count) },
    { id: 'thoughts', title: 'Active thoughts', n: true, of: (s) => s.active_thoughts?.length || undefined },
    { id: 'steps', title: 'Steps', title_long: 'Of the reasoning path', n: true, of: (s) => s.reasoning_path?.length || undefined },
    { id: 'confidence', title: 'Confidence', title_long: 'The mean of its scores', n: true, of: (s) => meanOf(s.confidence_scores), cell: (s) => meanOf(s.confidence_scores) !== undefined && format.value('', meanOf(s.confidence_scores)) },
    { id: 'said', title: 'Said', of: (s) => (typeof s.message === 'string' ? s.message : JSON.stringify(s.message ?? '')) },
];

/* Two of the list, chosen one after the other. */
function Comparer({ list, go }) {
    const [a, setA] = useState(list[1]?.id ?? ''),
        [b, setB] = useState(list[0]?.id ?? '');
    if (list.length < 2) return null;
    const choice = (label, v, set) => html`<label class="check">${label} <select aria-label=${`Compare ${label.toLowerCase()}`} value=${v} onChange=${(e) => set(e.target.value)}>${list.map((s) => html`<option key=${s.id} value=${s.id}>${s.graph_id} ${format.clock(s.timestamp)}</option>`)}</select></label>`;
    return html`<div class="ways kgways">${choice('From', a, setA)}${choice('to', b, setB)}<button disabled=${!a || !b || a === b} onClick=${() => go({ snapshot: a, compare: b })}>Compare</button></div>`;
}

function List({ state, go, span, setBusy }) {
    const { answer, error } = useAsk((signal) => api.ask('/api/v1/kgot/snapshots', { start: span.start, end: span.end, limit: LISTED }, signal), [span.start, span.end], setBusy);
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    if (!answer) return null;
    if (answer.snapshots.length === 0)
        return html`<div class="result blank"><p>No snapshot of a knowledge graph in this time range.</p><p class="soft">They come with log records (kgot_snapshot) or by POST /api/v1/kgot/events.</p></div>`;
    return html`<${Box} title="Snapshots" about=${answer.truncated ? 'the newest' : ''} acts=${html`<${Comparer} key=${answer.snapshots[0].id} list=${answer.snapshots} go=${go} />`}>
        <${Table} keys caption="Snapshots" columns=${COLUMNS} rows=${answer.snapshots} order=${state.order} sort=${(order) => go({ order }, true)} rowKey=${(s) => s.id}
            href=${(s) => address.write(address.next(state, { snapshot: s.id }))} open=${(s) => go({ snapshot: s.id })} /><//>`;
}

export function Page({ state, go, now, setBusy }) {
    const span = useMemo(() => address.span({ ...state, step: '' }, now), [state.from, state.to, state.range, now]);
    const back = html`<${To} href=${address.write(address.next(state, { snapshot: '', compare: '' }))} follow=${() => go({ snapshot: '', compare: '' })}>Snapshots<//>`;
    if (state.snapshot && state.compare)
        return html`<h1 class="crumbs">${back} <span>/</span> two compared</h1><${Compared} key=${state.snapshot + state.compare} a=${state.snapshot} b=${state.compare} setBusy=${setBusy} />`;
    if (state.snapshot) return html`<${Snapshot} key=${state.snapshot} id=${state.snapshot} back=${back} go=${go} setBusy=${setBusy} />`;
    return html`<h1 class="unseen">Knowledge graph</h1>
        <div class="bar"><${Tabs} label="Knowledge graph" tabs=${TABS} tab=${state.tab} go=${go} /></div>
        ${state.tab === 'entities' ? html`<${Entities} state=${state} go=${go} setBusy=${setBusy} />` : html`<${List} state=${state} go=${go} span=${span} setBusy=${setBusy} />`}`;
}
