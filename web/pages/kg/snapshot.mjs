/* snapshot.mjs - one snapshot: its graph, the path of its reasoning, its thoughts, how sure it was. */
import { html } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Box } from '../../parts/table.mjs';
import { Tiles } from '../../parts/tiles.mjs';
import { Drawn } from './drawn.mjs';

const NONE = [];
export const words = (v) => (typeof v === 'string' ? v : JSON.stringify(v));

export function Scores({ scores }) {
    const rows = Object.entries(scores ?? {}).filter(([, v]) => Number.isFinite(v));
    if (rows.length === 0) return null;
    return html`<${Box} title="Confidence"><dl class="scores">${rows.map(
        ([name, v]) => html`<div key=${name}><dt>${name}</dt><dd><meter min="0" max="1" value=${Math.min(Math.max(v, 0), 1)} aria-label=${name}></meter> ${format.value('', v)}</dd></div>`,
    )}</dl><//>`;
}

export function Snapshot({ id, back, go, setBusy }) {
    const { answer: s, error } = useAsk((signal) => api.ask('/api/v1/kgot/snapshots/' + encodeURIComponent(id), {}, signal), [id], setBusy);
    if (error) return html`<h1 class="crumbs">${back}</h1><p class="note bad" role="alert">${error.message}</p>`;
    if (!s) return html`<h1 class="crumbs">${back}</h1>`;
    const path = s.reasoning_path ?? NONE,
        thoughts = s.active_thoughts ?? NONE;
    return html`<h1 class="crumbs">${back} <span>/</span> ${s.graph_id}</h1>
        <${Tiles} label=${s.graph_id} tiles=${[
            { title: 'When', text: format.clock(s.timestamp), about: format.moment(s.timestamp) },
            { title: 'Nodes', v: s.node_count ?? undefined },
            { title: 'Edges', v: s.edge_count ?? undefined },
            path.length > 0 && { title: 'Steps of reasoning', v: path.length },
            s.task_id && { title: 'Task', text: s.task_id },
        ]} />
        ${s.message && html`<p class="soft said-with">${words(s.message)}</p>`}
        <div class="ways">${s.trace_id && html`<button onClick=${() => go({ page: 'trace', trace: s.trace_id })}>Trace</button>`}
            ${s.task_id && html`<button onClick=${() => go({ page: 'logs', q: JSON.stringify('task_id=' + s.task_id) })}>Logs of the task</button>`}
            ${s.correlation_id && html`<button onClick=${() => go({ page: 'logs', q: JSON.stringify('correlation_id=' + s.correlation_id) })}>Logs of the correlation</button>`}</div>
        ${s.graph ? html`<${Drawn} title="Graph" nodes=${s.graph.nodes} links=${s.graph.links} truncated=${s.graph.truncated} />` : html`<div class="result blank"><p>${s.has_graph ? 'The graph is of a format that is not drawn.' : 'The snapshot came without its graph.'}</p></div>`}
        <div class="halves">
            ${path.length > 0 && html`<${Box} title="Path of reasoning"><ol class="steps">${path.map((p, i) => html`<li key=${i}>${words(p)}</li>`)}</ol><//>`}
            ${thoughts.length > 0 && html`<${Box} title="Active thoughts"><ul class="steps">${thoughts.map((t, i) => html`<li key=${i}>${words(t)}</li>`)}</ul><//>`}
            <${Scores} scores=${s.confidence_scores} /></div>`;
}
