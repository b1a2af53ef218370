/* entities.mjs - the graph that the server keeps of all entities it was told of: who is next to one, and the shortest way to another. */
import { html, useMemo } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Box } from '../../parts/table.mjs';
import { Tiles } from '../../parts/tiles.mjs';
import { Drawn } from './drawn.mjs';

const NEIGHBOURS = 100,
    HOPS = 6;

function Ask({ state, go }) {
    const submit = (e) => {
        e.preventDefault();
        const [entity, target] = [...e.currentTarget.querySelectorAll('input')].map((box) => box.value.trim());
        if (entity) go({ entity, target });
    };
    return html`<form class="line" role="search" onSubmit=${submit}>
        <input data-search aria-label="Entity" type="text" spellcheck="false" autocomplete="off" placeholder="id of an entity" defaultValue=${state.entity} />
        <input aria-label="Path to" type="text" spellcheck="false" autocomplete="off" placeholder="path to (may be empty)" defaultValue=${state.target} />
        <button class="primary">Show</button></form>`;
}

function Neighbours({ id, go, setBusy }) {
    const { answer, error } = useAsk((signal) => api.ask('/api/v1/kg/neighbors', { entity_id: id, limit: NEIGHBOURS }, signal), [id], setBusy);
    const nodes = useMemo(() => (answer ? [{ ...answer.entity, kind: 'changed' }, ...answer.neighbors] : []), [answer]);
    const links = useMemo(
        () => (answer ? answer.neighbors.map((n) => ({ source: n.direction === 'out' ? id : n.id, target: n.direction === 'out' ? n.id : id, type: n.edge_type, weight: n.weight })) : []),
        [answer],
    );
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    if (!answer) return null;
    return html`<${Drawn} title=${'Next to ' + id} nodes=${nodes} links=${links} truncated=${answer.total > answer.count} choose=${(other) => other && other !== id && go({ entity: other, target: '' })} />`;
}

function Path({ from, to, setBusy }) {
    const { answer, error } = useAsk((signal) => api.ask('/api/v1/kg/path', { source_id: from, target_id: to, max_hops: HOPS }, signal), [from, to], setBusy);
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    if (!answer) return null;
    if (!answer.found) return html`<div class="result blank"><p>No path of at most ${answer.max_hops} steps leads from ${from} to ${to}.</p></div>`;
    return html`<${Box} title="Shortest path" about=${`${answer.length} steps`}><ol class="steps path">${answer.path.map(
        (p, i) => html`<li key=${i}>${p.edge_type && html`<span class="badge">${p.edge_type}</span> `}<b>${p.name ?? p.id}</b> <small class="soft">${p.type ?? ''}</small></li>`,
    )}</ol><//>`;
}

export function Entities({ state, go, setBusy }) {
    const { answer: stats } = useAsk((signal) => api.ask('/api/v1/kg/stats', {}, signal), []);
    return html`<${Tiles} label="The server's graph" tiles=${[
            { title: 'Entities', v: stats?.entities, about: stats ? `of ${format.value('', stats.max_entities)}` : '' },
            { title: 'Edges', v: stats?.edges, about: stats ? `of ${format.value('', stats.max_edges)}` : '' },
            { title: 'Memory', unit: 'bytes', v: stats?.bytes },
            { title: 'Snapshots', v: stats?.snapshots },
            stats?.entities_dropped > 0 && { title: 'Entities dropped', v: stats.entities_dropped, tone: 'warn', about: 'the oldest go first' },
        ]} />
        <${Ask} key=${state.entity + '\0' + state.target} state=${state} go=${go} />
        ${state.entity && state.target && html`<${Path} key=${'path ' + state.entity + '\0' + state.target} from=${state.entity} to=${state.target} setBusy=${setBusy} />`}
        ${state.entity && html`<${Neighbours} key=${'next ' + state.entity} id=${state.entity} go=${go} setBusy=${setBusy} />`}`;
}
