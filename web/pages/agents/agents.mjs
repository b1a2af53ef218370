/* agents.mjs - the page at /agents: who calls whom, how each agent does, what hangs; or one agent with its peers, tools, models, traces. */
import { html, useMemo } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { rowsOf } from '../../lib/prom.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Graph } from '../../parts/graph.mjs';
import { Charts } from '../../parts/panels.mjs';
import { Box, Table, Tabs, To } from '../../parts/table.mjs';
import { Tiles } from '../../parts/tiles.mjs';
import { Agent } from './agent.mjs';
import { agentPanels } from './panels.mjs';

const NODES = 60; /* more than that nobody can read; the table has them all */
const OPS = 'vedette_genai_operations_total{kind="agent"}';
const TOOK = 'vedette_genai_operation_duration_seconds_bucket{kind="agent"}';

export const columnsOf = {
    runs: `sum by (name) (increase(${OPS}[$w] anchored))`,
    failed: `sum by (name) (increase(vedette_genai_operations_total{kind="agent",status!="ok"}[$w] anchored))`,
    p50: `histogram_quantile(0.5, sum by (le, name) (increase(${TOOK}[$w])))`,
    p95: `histogram_quantile(0.95, sum by (le, name) (increase(${TOOK}[$w])))`,
};
const spentOf = {
    cost: 'sum by (agent) (increase(vedette_genai_cost_usd_total[$w] anchored))',
    calls: 'sum by (agent) (increase(vedette_genai_requests_total[$w] anchored))',
    tokens: 'sum by (agent) (increase(vedette_genai_tokens_total[$w] anchored))',
    unpriced: 'sum by (agent) (increase(vedette_genai_unpriced_requests_total[$w] anchored))',
};
/* What agents report of themselves, without spans: records by POST /api/v1/agents/tasks, or metrics of OpenTelemetry's names. */
const toldOf = {
    throughput: 'sum by (agent_id) (agent_task_throughput_per_hour)',
    quality: 'avg by (agent_id) (agent_task_quality_score)',
    memory: 'sum by (agent_id) (agent_memory_bytes)',
};
const metricsOf = {
    calls: 'sum by (gen_ai_agent_name) (increase(gen_ai_client_requests_total[$w]))',
    callsFailed: 'sum by (gen_ai_agent_name) (increase(gen_ai_client_requests_total{status="error"}[$w]))',
    tokens: 'sum by (gen_ai_agent_name) (increase(gen_ai_client_tokens_total[$w]))',
    cost: 'sum by (gen_ai_agent_name) (increase(gen_ai_client_cost_usd_total[$w]))',
};

/* Everything known of each agent in one row, from whichever way it came. */
async function load(span, signal) {
    const [map, ops, spent, told, metrics, running] = await Promise.all([
        api.ask('/api/v1/services/map', { by: 'agent', start: span.start, end: span.end }, signal),
        rowsOf(['name'], columnsOf, span, signal),
        rowsOf(['agent'], spentOf, span, signal),
        rowsOf(['agent_id'], toldOf, span, signal),
        rowsOf(['gen_ai_agent_name'], metricsOf, span, signal),
        api.ask('/api/v1/traces', { status: 'running', start: span.start, end: span.end, limit: 100 }, signal),
    ]);
    const agents = new Map();
    const add = (name, what) => name && agents.set(name, { ...what, ...agents.get(name), name });
    for (const n of map.nodes) if (n.kind === 'agent') add(n.name, { spans: n.span_count, spanErrors: n.error_count });
    for (const { name, ...what } of ops) add(name, what);
    for (const { agent, ...what } of spent) add(agent, what);
    for (const { agent_id: id, ...what } of told) add(id, what);
    for (const { gen_ai_agent_name: name, ...what } of metrics) add(name, what);
    const stalls = running.traces.filter((t) => t.running_count > 0).map((t) => ({ ...t, age: span.end - t.start }));
    for (const t of stalls) {
        const a = agents.get(t.agent);
        if (a) a.stalled = Math.max(a.stalled ?? 0, t.age);
    }
    return { map, agents: [...agents.values()], stalls };
}

const success = (a) => (a.runs > 0 ? 100 * (1 - (a.failed ?? 0) / a.runs) : a.calls > 0 && a.callsFailed !== undefined ? 100 * (1 - a.callsFailed / a.calls) : undefined);
const seconds = (v) => v !== undefined && format.value('seconds', v);
const number = (v) => v !== undefined && format.value('', v);

function columns(length) {
    const per = (n) => (n === undefined ? undefined : (n / length) * 60);
    return [
        { id: 'name', title: 'Agent', of: (a) => a.name },
        { id: 'runs', title: 'Runs', n: true, of: (a) => a.runs, cell: (a) => a.runs !== undefined && format.count(a.runs) },
        { id: 'rate', title: 'Per minute', n: true, of: (a) => per(a.runs), cell: (a) => number(per(a.runs)), bar: true },
        { id: 'success', title: 'Success', n: true, of: success, cell: (a) => success(a) !== undefined && html`<span class=${success(a) < 95 ? 'badge bad' : ''}>${format.value('percent', success(a))}</span>` },
        { id: 'p50', title: 'p50', n: true, of: (a) => a.p50, cell: (a) => seconds(a.p50) },
        { id: 'p95', title: 'p95', n: true, of: (a) => a.p95, cell: (a) => seconds(a.p95), bar: true },
        { id: 'calls', title: 'Model calls', n: true, of: (a) => a.calls, cell: (a) => number(a.calls) },
        { id: 'tokens', title: 'Tokens', n: true, of: (a) => a.tokens, cell: (a) => number(a.tokens) },
        { id: 'cost', title: 'Cost', n: true, of: (a) => a.cost, cell: (a) => a.cost !== undefined && format.usd(a.cost) + (a.unpriced > 0 ? ' + unpriced' : ''), bar: true },
        { id: 'perrun', title: 'Cost a run', n: true, of: (a) => (a.runs > 0 && a.cost !== undefined ? a.cost / a.runs : undefined), cell: (a) => a.runs > 0 && a.cost !== undefined && format.value('usd', a.cost / a.runs) },
        { id: 'throughput', title: 'Tasks an hour', n: true, of: (a) => a.throughput, cell: (a) => number(a.throughput) },
        { id: 'quality', title: 'Quality', n: true, of: (a) => a.quality, cell: (a) => number(a.quality) },
        { id: 'memory', title: 'Memory', n: true, of: (a) => a.memory, cell: (a) => a.memory !== undefined && format.value('bytes', a.memory) },
        { id: 'stalled', title: 'Stalled', n: true, of: (a) => a.stalled, cell: (a) => a.stalled !== undefined && html`<span class="badge run">${seconds(a.stalled)}</span>` },
    ];
}

/* ---- the graph ---- */

/* The map's own numbers of nodes are those of one answer only; names are the same in the next. */
export function graphOf(map) {
    const busy = new Map();
    for (const e of map.edges) for (const id of [e.from_id, e.to_id]) busy.set(id, (busy.get(id) ?? 0) + e.calls);
    const key = (n) => `${n.kind}\0${n.name}`;
    const kept = [...map.nodes].sort((a, b) => (busy.get(b.id) ?? 0) - (busy.get(a.id) ?? 0) || (a.name < b.name ? -1 : 1)).slice(0, NODES);
    const keyOf = new Map(kept.map((n) => [n.id, key(n)]));
    const percent = (v) => format.value('percent', 100 * v);
    const nodes = kept.map((n) => ({ id: key(n), name: n.name, kind: n.kind, bad: n.error_rate > 0.05, note: n.kind + (n.error_rate > 0 ? ` · ${percent(n.error_rate)} errors` : '') }));
    const edges = map.edges
        .filter((e) => keyOf.has(e.from_id) && keyOf.has(e.to_id))
        .map((e) => ({
            from: keyOf.get(e.from_id),
            to: keyOf.get(e.to_id),
            weight: e.calls,
            bad: e.error_rate,
            note: `${format.count(e.calls)} calls${e.error_count > 0 ? `, ${percent(e.error_rate)} errors` : ''}`,
        }));
    return { nodes, edges, more: map.nodes.length - kept.length };
}

const EDGE_COLUMNS = [
    { id: 'from', title: 'From', of: (e) => e.from },
    { id: 'to', title: 'To', of: (e) => e.to },
    { id: 'calls', title: 'Calls', n: true, of: (e) => e.calls, cell: (e) => format.count(e.calls), bar: true },
    { id: 'errors', title: 'Errors', n: true, of: (e) => e.error_rate, cell: (e) => html`<span class=${e.error_rate > 0.05 ? 'badge bad' : ''}>${format.value('percent', 100 * e.error_rate)}</span>` },
    { id: 'p50', title: 'p50', n: true, of: (e) => e.latency_ms?.p50, cell: (e) => format.value('seconds', e.latency_ms?.p50 / 1000) },
    { id: 'p95', title: 'p95', n: true, of: (e) => e.latency_ms?.p95, cell: (e) => format.value('seconds', e.latency_ms?.p95 / 1000), bar: true },
];

function CallMap({ map, state, go }) {
    const graph = useMemo(() => graphOf(map), [map]);
    const choose = (id) => {
        const [kind, name] = id.split('\0');
        go(kind === 'agent' ? { agent: name, node: '' } : { node: state.node === id ? '' : id }, kind !== 'agent');
    };
    const asTable = state.tab === 'edges';
    return html`<${Box} title="Who calls whom" about=${`${map.nodes.length} nodes, ${map.edges.length} edges${graph.more > 0 ? `; the ${NODES} busiest are drawn` : ''}${map.truncated ? '; only the newest spans' : ''}`}
        acts=${html`<${Tabs} label="Who calls whom" tabs=${[['', 'Graph'], ['edges', 'Table']]} tab=${state.tab} go=${(p) => go(p, true)} />`}>
        ${asTable
            ? html`<${Table} caption="Calls between agents, tools and models" columns=${EDGE_COLUMNS} rows=${map.edges} order=${state.eorder} sort=${(eorder) => go({ eorder }, true)} rowKey=${(e) => e.from_id + ' ' + e.to_id} />`
            : html`<${Graph} ...${graph} label=${`Graph of ${graph.nodes.length} agents, tools and models`} chosen=${state.node} choose=${choose} />`}<//>`;
}

/* ---- the page ---- */

export function Stalls({ stalls, go }) {
    if (stalls.length === 0) return null;
    const cells = [
        { id: 'what', title: 'What runs', of: (t) => t.root_name || t.trace_id, about: (t) => t.agent },
        { id: 'age', title: 'For', n: true, of: (t) => t.age, cell: (t) => html`<span class="badge run">${format.value('seconds', t.age)}</span>` },
        { id: 'spans', title: 'Running spans', n: true, of: (t) => t.running_count },
        { id: 'start', title: 'Since', of: (t) => t.start, cell: (t) => format.moment(t.start) },
    ];
    return html`<${Box} title="Still running" about="spans that have begun and not ended, the oldest first"><${Table} caption="Traces with running spans" columns=${cells} rows=${stalls} order="-age" rowKey=${(t) => t.trace_id}
        href=${(t) => '/traces/' + t.trace_id} open=${(t) => go({ page: 'trace', trace: t.trace_id })} limit=${10} /><//>`;
}

function All({ answer, span, state, go, rest }) {
    const { map, agents, stalls } = answer,
        length = span.end - span.start;
    const sum = (f) => agents.reduce((t, a) => (a[f] === undefined ? t : (t ?? 0) + a[f]), undefined);
    const runs = sum('runs'),
        failed = sum('failed') ?? 0;
    const tiles = [
        { title: 'Agents', v: agents.length },
        { title: 'Runs', v: runs },
        runs > 0 && { title: 'Failed runs', unit: 'percent', v: (100 * failed) / runs, tone: failed / runs > 0.05 ? 'bad' : '' },
        { title: 'Model calls', v: sum('calls') },
        { title: 'Cost', unit: 'usd', v: sum('cost') },
        stalls.length > 0 && { title: 'Longest still running', unit: 'seconds', v: Math.max(...stalls.map((t) => t.age)), tone: 'warn' },
    ];
    const href = (a) => address.write(address.next(state, { agent: a.name }));
    if (agents.length === 0 && map.nodes.length === 0)
        return html`<div class="result blank"><p>No agent in this time range.</p><p class="soft">Agents are seen by spans that name one (gen_ai.agent.name and its relatives), by metrics that carry one, or by POST /api/v1/agents/tasks.</p></div>`;
    return html`<${Tiles} tiles=${tiles} label="All agents" />
        ${map.edges.length > 0 && html`<${CallMap} map=${map} state=${state} go=${go} />`}
        <${Box} title="Agents" about=${`in ${address.duration(Math.round(length))}`}><${Table} keys caption="Agents" columns=${columns(length)} rows=${agents} order=${state.order} sort=${(order) => go({ order }, true)}
            rowKey=${(a) => a.name} href=${href} open=${(a) => go({ agent: a.name })} /><//>
        <${Stalls} stalls=${stalls} go=${go} />
        <${Charts} ...${rest} state=${state} go=${go} id="agents" title="Agents over time" panels=${agentPanels()} />`;
}

export function Page({ state, go, now, setBusy }) {
    const span = useMemo(() => address.span({ ...state, step: '' }, now), [state.from, state.to, state.range, now]);
    const { answer, error } = useAsk((signal) => load(span, signal), [span.start, span.end], setBusy);
    const rest = { now, setBusy };
    return html`<h1 class=${state.agent ? 'crumbs' : 'unseen'}>${state.agent ? html`<${To} href=${address.write(address.next(state, { agent: '' }))} follow=${() => go({ agent: '' })}>Agents<//> <span>/</span> ${state.agent}` : 'Agents and workflows'}</h1>
        ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
        ${answer && (state.agent ? html`<${Agent} key=${state.agent} answer=${answer} span=${span} state=${state} go=${go} rest=${rest} />` : html`<${All} answer=${answer} span=${span} state=${state} go=${go} rest=${rest} />`)}`;
}
