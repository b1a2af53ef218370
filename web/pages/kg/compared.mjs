/* compared.mjs - what changed from one snapshot to another: nodes, edges, thoughts, the path, how sure. */
import { html, useMemo } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Box, Table } from '../../parts/table.mjs';
import { Tiles } from '../../parts/tiles.mjs';
import { Drawn } from './drawn.mjs';

const KINDS = ['added', 'removed', 'changed'];
const marked = (difference) => KINDS.flatMap((kind) => (difference[kind] ?? []).map((x) => ({ ...(x.after ?? x), kind })));

const SCORES = [
    { id: 'name', title: 'Score', of: (s) => s.name },
    { id: 'before', title: 'Before', n: true, of: (s) => s.before, cell: (s) => s.before !== undefined && format.value('', s.before) },
    { id: 'after', title: 'After', n: true, of: (s) => s.after, cell: (s) => s.after !== undefined && format.value('', s.after) },
    { id: 'delta', title: 'Change', n: true, of: (s) => s.delta, cell: (s) => s.delta !== undefined && (s.delta > 0 ? '+' : '') + format.value('', s.delta) },
];

const scoresOf = (d) => [
    ...Object.entries(d.changed ?? {}).map(([name, s]) => ({ name, ...s })),
    ...Object.entries(d.added ?? {}).map(([name, after]) => ({ name, after })),
    ...Object.entries(d.removed ?? {}).map(([name, before]) => ({ name, before })),
];

function Steps({ title, of }) {
    const rows = [...(of.same ?? []).map((t) => ['', t]), ...(of.removed ?? []).map((t) => ['removed', t]), ...(of.added ?? []).map((t) => ['added', t])];
    if (rows.length === 0) return null;
    return html`<${Box} title=${title}><ul class="steps">${rows.map(([kind, t], i) => html`<li key=${i} class=${kind}>${kind && html`<span class="badge">${kind}</span> `}${t}</li>`)}</ul><//>`;
}

export function Compared({ a, b, setBusy }) {
    const { answer: d, error } = useAsk((signal) => api.ask('/api/v1/kgot/compare', { a, b }, signal), [a, b], setBusy);
    const nodes = useMemo(() => (d ? marked(d.nodes) : []), [d]),
        links = useMemo(() => (d ? marked(d.edges) : []), [d]);
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    if (!d) return null;
    const scores = scoresOf(d.confidence_scores),
        path = d.reasoning_path;
    const change = (c) => (c.before === null || c.after === null ? undefined : `${format.count(c.before)} → ${format.count(c.after)}`);
    return html`<${Tiles} label="Compared" tiles=${[
            { title: 'From', text: format.clock(d.a.timestamp), about: d.a.graph_id },
            { title: 'To', text: format.clock(d.b.timestamp), about: d.b.graph_id },
            { title: 'Nodes', text: change(d.node_count), about: d.graphs_compared ? `${d.nodes.same} the same` : '' },
            { title: 'Edges', text: change(d.edge_count), about: d.graphs_compared ? `${d.edges.same} the same` : '' },
            { title: 'Common steps', v: path.common_steps, about: `of ${path.before.length} and ${path.after.length}` },
        ]} />
        ${d.graphs_compared && nodes.length + links.length === 0 && html`<div class="result blank good"><p>Both graphs are the same.</p></div>`}
        ${!d.graphs_compared && html`<p class="soft">One of the two came without a graph that can be read: only figures and texts are compared.</p>`}
        <${Drawn} title="What changed" nodes=${nodes} links=${links} />
        <div class="halves">
            <${Steps} title="Path of reasoning" of=${{ same: path.before.slice(0, path.common_steps), removed: path.removed, added: path.added }} />
            <${Steps} title="Active thoughts" of=${d.active_thoughts} />
            ${scores.length > 0 && html`<${Box} title="Confidence"><${Table} caption="Confidence" columns=${SCORES} rows=${scores} order="name" rowKey=${(s) => s.name} /><//>`}</div>`;
}
