/* drawn.mjs - a graph of knowledge as it is drawn: the nodes with most edges when there are too many, and all of it as tables. */
import { html, useMemo, useState } from '../../vendor/preact.mjs';
import * as format from '../../lib/format.mjs';
import { Graph } from '../../parts/graph.mjs';
import { Box, Table } from '../../parts/table.mjs';

const DRAWN = 150;

/* nodes: [{id, type, name, kind}], links: [{source, target, type, weight, kind}]; kind is added, removed or changed in a difference. */
export function drawn(nodes, links) {
    const degree = new Map();
    for (const l of links) for (const id of [l.source, l.target]) degree.set(id, (degree.get(id) ?? 0) + 1);
    const known = new Map(nodes.map((n) => [n.id, n]));
    for (const id of degree.keys()) if (!known.has(id)) known.set(id, { id });
    const all = [...known.values()].map((n) => ({ ...n, degree: degree.get(n.id) ?? 0 }));
    const kept = [...all].sort((a, b) => Boolean(b.kind) - Boolean(a.kind) || b.degree - a.degree || (a.id < b.id ? -1 : 1)).slice(0, DRAWN);
    const ids = new Set(kept.map((n) => n.id));
    return {
        all,
        more: all.length - kept.length,
        nodes: kept.map((n) => ({ id: n.id, name: n.name ?? n.id, kind: n.kind ?? 'entity', note: [n.type, n.kind].filter(Boolean).join(', ') })),
        edges: links.filter((l) => ids.has(l.source) && ids.has(l.target)).map((l) => ({ from: l.source, to: l.target, weight: l.weight, kind: l.kind, note: l.type ?? '' })),
    };
}

const NODES = [
    { id: 'name', title: 'Node', of: (n) => n.name ?? n.id, about: (n) => (n.name && n.name !== n.id ? n.id : '') },
    { id: 'type', title: 'Type', of: (n) => n.type ?? '' },
    { id: 'kind', title: 'Change', of: (n) => n.kind ?? '' },
    { id: 'degree', title: 'Edges', n: true, of: (n) => n.degree, bar: true },
];
const LINKS = [
    { id: 'source', title: 'From', of: (l) => l.source },
    { id: 'type', title: 'Edge', of: (l) => l.type ?? '' },
    { id: 'target', title: 'To', of: (l) => l.target },
    { id: 'kind', title: 'Change', of: (l) => l.kind ?? '' },
    { id: 'weight', title: 'Weight', n: true, of: (l) => l.weight, cell: (l) => l.weight !== undefined && format.value('', l.weight) },
];

export function Drawn({ title, nodes, links, truncated, choose }) {
    const [asTable, setAsTable] = useState(false),
        [chosen, setChosen] = useState('');
    const graph = useMemo(() => drawn(nodes, links), [nodes, links]);
    if (graph.all.length === 0) return null;
    return html`<${Box} title=${title} about=${`${format.count(graph.all.length)} nodes, ${format.count(links.length)} edges${graph.more > 0 ? `; the ${DRAWN} with most edges are drawn` : ''}${truncated ? '; there are more' : ''}`}
        acts=${html`<button aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>Table</button>`}>
        ${asTable
            ? html`<div class="halves"><${Table} caption=${title + ': nodes'} columns=${NODES} rows=${graph.all} order="-degree" rowKey=${(n) => n.id} />
                <${Table} caption=${title + ': edges'} columns=${LINKS} rows=${links.map((l, i) => ({ ...l, i }))} order="source" rowKey=${(l) => l.i} /></div>`
            : html`<${Graph} kind="spread" nodes=${graph.nodes} edges=${graph.edges} label=${`${title}: ${graph.nodes.length} nodes`} chosen=${chosen} choose=${choose ?? setChosen} />`}<//>`;
}
