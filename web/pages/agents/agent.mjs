/* agent.mjs - one agent: figures, who calls it and whom it calls, its charts, its slowest, failed and newest traces, its recorded tasks. */
import { html, useMemo } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { optional } from '../../lib/prom.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Graph } from '../../parts/graph.mjs';
import { Charts } from '../../parts/panels.mjs';
import { Box, Table } from '../../parts/table.mjs';
import { Tiles } from '../../parts/tiles.mjs';
import { TraceList } from '../../parts/tracelist.mjs';
import { Stalls, graphOf } from './agents.mjs';
import { agentPanels } from './panels.mjs';

const LOOKED_AT = 200;

async function load(agent, span, signal) {
    const ask = { agent, start: span.start, end: span.end };
    const [traces, failed, errors, tasks] = await Promise.all([
        api.ask('/api/v1/traces', { ...ask, limit: LOOKED_AT }, signal),
        api.ask('/api/v1/traces', { ...ask, status: 'error', limit: 8 }, signal),
        api.ask('/api/v1/traces/analysis', { ...ask, limit: 8 }, signal),
        optional(api.ask('/api/v1/logs', { event: 'vedette.agent.task', field: `agent_id=${agent}`, start: span.start, end: span.end, limit: 20 }, signal)),
    ]);
    return { traces: traces.traces, failed: failed.traces, analysis: errors, tasks: tasks?.logs ?? [] };
}

function Peers({ map, agent, go }) {
    const mine = useMemo(() => {
        const node = map.nodes.find((n) => n.kind === 'agent' && n.name === agent);
        const edges = map.edges.filter((e) => node && (e.from_id === node.id || e.to_id === node.id));
        const ids = new Set(edges.flatMap((e) => [e.from_id, e.to_id]));
        return { nodes: map.nodes.filter((n) => ids.has(n.id)), edges };
    }, [map, agent]);
    const graph = useMemo(() => graphOf(mine), [mine]);
    if (mine.edges.length === 0) return null;
    const kindOf = new Map(mine.nodes.map((n) => [n.id, n.kind]));
    const rows = mine.edges.map((e) => (e.to === agent && kindOf.get(e.to_id) === 'agent' ? { ...e, way: 'calls it', other: e.from, kind: kindOf.get(e.from_id) } : { ...e, way: 'is called', other: e.to, kind: kindOf.get(e.to_id) }));
    const cells = [
        { id: 'other', title: 'Who', of: (e) => e.other, about: (e) => `${e.kind} ${e.way}` },
        { id: 'calls', title: 'Calls', n: true, of: (e) => e.calls, cell: (e) => format.count(e.calls), bar: true },
        { id: 'errors', title: 'Errors', n: true, of: (e) => e.error_rate, cell: (e) => html`<span class=${e.error_rate > 0.05 ? 'badge bad' : ''}>${format.value('percent', 100 * e.error_rate)}</span>` },
        { id: 'p50', title: 'p50', n: true, of: (e) => e.latency_ms?.p50, cell: (e) => format.value('seconds', e.latency_ms.p50 / 1000) },
        { id: 'p95', title: 'p95', n: true, of: (e) => e.latency_ms?.p95, cell: (e) => format.value('seconds', e.latency_ms.p95 / 1000), bar: true },
    ];
    const choose = (id) => {
        const [kind, name] = id.split('\0');
        if (kind === 'agent' && name !== agent) go({ agent: name });
        else if (kind === 'model') go({ page: 'traces', q: wordOf('gen_ai.request.model', name) });
        else if (kind === 'tool') go({ page: 'traces', q: wordOf('gen_ai.tool.name', name) });
    };
    return html`<${Box} title="Peers, tools, models"><${Graph} ...${graph} label=${'What ' + agent + ' calls and who calls it'} choose=${choose} />
        <${Table} caption="Peers, tools and models" columns=${cells} rows=${rows} order="-calls" rowKey=${(e) => e.from_id + ' ' + e.to_id} /><//>`;
}

const wordOf = (key, value) => (/[\s"]/.test(value) ? JSON.stringify(`${key}=${value}`) : `${key}=${value}`);

function Tasks({ tasks }) {
    if (tasks.length === 0) return null;
    const cells = [
        { id: 'time', title: 'When', of: (t) => t.time, cell: (t) => format.moment(t.time) },
        { id: 'task', title: 'Task', of: (t) => String(t.attributes?.task_id ?? ''), about: (t) => t.attributes?.task_type },
        { id: 'done', title: 'Success', of: (t) => String(t.attributes?.success ?? t.attributes?.status ?? '') },
        { id: 'took', title: 'Took', n: true, of: (t) => t.attributes?.duration_ms, cell: (t) => t.attributes?.duration_ms !== undefined && format.value('seconds', t.attributes.duration_ms / 1000) },
    ];
    return html`<${Box} title="Recorded tasks"><${Table} caption="Tasks the agent recorded" columns=${cells} rows=${tasks} order="-time" rowKey=${(t) => t.time_ns ?? t.time} /><//>`;
}

export function Agent({ answer, span, state, go, rest }) {
    const agent = state.agent,
        known = answer.agents.find((a) => a.name === agent);
    const own = useAsk((signal) => load(agent, span, signal), [agent, span.start, span.end], rest.setBusy);
    const slow = useMemo(() => [...(own.answer?.traces ?? [])].filter((t) => t.duration_ms !== null).sort((a, b) => b.duration_ms - a.duration_ms).slice(0, 8), [own.answer]);
    const stalls = answer.stalls.filter((t) => t.agent === agent);
    if (!known && own.answer && own.answer.traces.length === 0)
        return html`<div class="result blank"><p>Nothing is known of this agent in this time range.</p></div>`;
    const tiles = known
        ? [
              { title: 'Runs', v: known.runs },
              known.runs > 0 && { title: 'Failed', unit: 'percent', v: (100 * (known.failed ?? 0)) / known.runs, tone: (known.failed ?? 0) / known.runs > 0.05 ? 'bad' : '' },
              { title: 'p50', unit: 'seconds', v: known.p50 },
              { title: 'p95', unit: 'seconds', v: known.p95 },
              { title: 'Model calls', v: known.calls },
              { title: 'Tokens', v: known.tokens },
              { title: 'Cost', unit: 'usd', v: known.cost, about: known.unpriced > 0 ? `${format.count(known.unpriced)} calls unpriced` : '' },
              { title: 'Quality', v: known.quality },
          ]
        : [];
    return html`<${Tiles} tiles=${tiles} label=${agent} />
        ${own.error && html`<p class="note bad" role="alert">${own.error.message}</p>`}
        <${Stalls} stalls=${stalls} go=${go} />
        <${Peers} map=${answer.map} agent=${agent} go=${go} />
        <${Charts} ...${rest} state=${state} go=${go} id="agent" title=${agent + ' over time'} panels=${agentPanels(agent)} />
        <div class="halves">
            <${TraceList} title="Slowest" about=${`of the newest ${LOOKED_AT}`} traces=${slow} order="-took" go=${go} />
            <${TraceList} title="Failed" about="newest first" traces=${own.answer?.failed ?? []} order="-start" go=${go} />
        </div>
        <${Tasks} tasks=${own.answer?.tasks ?? []} />
        <div class="ways"><button onClick=${() => go({ page: 'traces', q: wordOf('agent', agent) })}>All its traces</button><button onClick=${() => go({ page: 'logs', q: wordOf('gen_ai.agent.name', agent) })}>Logs</button></div>`;
}
