/* mcp.mjs - the page at /mcp: MCP servers side by side, or one of them: its methods and tools, slow and failed examples.
 *
 * A call that fails and a tool that says no are two things: "failed" is the transport or the server, "tool said no" an answer that was
 * an error. Where both sides of a call report, the client's figures count. */
import { html, useMemo } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as format from '../../lib/format.mjs';
import { rowsOf } from '../../lib/prom.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Charts } from '../../parts/panels.mjs';
import { Box, Table, To } from '../../parts/table.mjs';
import { Tiles } from '../../parts/tiles.mjs';
import { Server } from './server.mjs';
import { mcpPanels } from './panels.mjs';

/* of: f('side="client"') -> an expression; the other side where the client does not report. */
const eitherSide = (of) => `${of('side="client"')} or ${of('side!="client"')}`;

/* RED of messages, apart by `labels`; only: a selector that narrows. */
export function messagesBy(labels, only = '') {
    const by = labels.join(', '),
        more = only && ',' + only;
    const count = (status) => eitherSide((side) => `sum by (${by}) (increase(mcp_requests_total{${side}${status}${more}}[$w] anchored))`);
    const took = (q) => eitherSide((side) => `histogram_quantile(${q}, sum by (le, ${by}) (increase(mcp_operation_duration_seconds_bucket{${side}${more}}[$w])))`);
    return { calls: count(''), failed: count(',status="error"'), refused: count(',status="tool_error"'), p50: took(0.5), p95: took(0.95), p99: took(0.99) };
}

const spentOf = {
    cost: 'sum by (mcp_server) (increase(vedette_genai_cost_usd_total{mcp_server!=""}[$w] anchored))',
    tokens: 'sum by (mcp_server) (increase(vedette_genai_tokens_total{mcp_server!=""}[$w] anchored))',
};
/* Records of POST /api/v1/mcp/metrics and of rag_mcp_metrics in logs. */
const recordedOf = {
    accuracy: 'avg by (mcp_id) (mcp_accuracy_percent)',
    prompt: 'sum by (mcp_id) (increase(mcp_prompt_tokens_sum[$w])) / sum by (mcp_id) (increase(mcp_prompt_tokens_count[$w]))',
    completion: 'sum by (mcp_id) (increase(mcp_completion_tokens_sum[$w])) / sum by (mcp_id) (increase(mcp_completion_tokens_count[$w]))',
    calls: 'sum by (mcp_id) (increase(mcp_requests_total{mcp_id!=""}[$w] anchored))',
    failed: 'sum by (mcp_id) (increase(mcp_requests_total{mcp_id!="",status!~"ok|success"}[$w] anchored))',
    p50: 'histogram_quantile(0.5, sum by (le, mcp_id) (increase(mcp_latency_ms_bucket{mcp_id!=""}[$w]))) / 1000',
    p95: 'histogram_quantile(0.95, sum by (le, mcp_id) (increase(mcp_latency_ms_bucket{mcp_id!=""}[$w]))) / 1000',
    p99: 'histogram_quantile(0.99, sum by (le, mcp_id) (increase(mcp_latency_ms_bucket{mcp_id!=""}[$w]))) / 1000',
    cost: 'sum by (mcp_id) (increase(mcp_cost_usd_total[$w] anchored))',
};

async function load(span, signal) {
    const [messages, spent, recorded, tools] = await Promise.all([
        rowsOf(['mcp_server'], messagesBy(['mcp_server'], 'mcp_id=""'), span, signal),
        rowsOf(['mcp_server'], spentOf, span, signal),
        rowsOf(['mcp_id'], recordedOf, span, signal),
        rowsOf(['mcp_server', 'tool'], messagesBy(['mcp_server', 'tool'], 'mcp_id="",tool!=""'), span, signal),
    ]);
    const servers = new Map();
    const add = (name, what) => servers.set(name, { ...what, ...servers.get(name), name });
    for (const { mcp_server: name, ...what } of [...messages, ...spent]) add(name, what);
    for (const { mcp_id: name, ...what } of recorded) if (name !== '') add(name, { ...what, recorded: true });
    return { servers: [...servers.values()].filter((s) => s.calls > 0 || s.accuracy !== undefined), tools: tools.filter((t) => t.calls > 0) };
}

const seconds = (v) => v !== undefined && format.value('seconds', v);
const share = (n, of) => (of > 0 ? (100 * (n ?? 0)) / of : undefined);
const percent = (v, limit) => v !== undefined && html`<span class=${v > limit ? 'badge bad' : ''}>${format.value('percent', v)}</span>`;

export function redColumns(length) {
    return [
        { id: 'calls', title: 'Calls', n: true, of: (r) => r.calls, cell: (r) => r.calls !== undefined && format.count(r.calls), bar: true },
        { id: 'rate', title: 'Rate', n: true, of: (r) => r.calls / length, cell: (r) => r.calls !== undefined && format.value('/s', r.calls / length) },
        { id: 'failed', title: 'Failed', title_long: 'The call itself failed', n: true, of: (r) => share(r.failed, r.calls), cell: (r) => percent(share(r.failed, r.calls), 5) },
        { id: 'refused', title: 'Tool said no', title_long: 'The call went through, and its answer is an error', n: true, of: (r) => (r.recorded ? undefined : share(r.refused, r.calls)), cell: (r) => !r.recorded && percent(share(r.refused, r.calls), 5) },
        { id: 'p50', title: 'p50', n: true, of: (r) => r.p50, cell: (r) => seconds(r.p50) },
        { id: 'p95', title: 'p95', n: true, of: (r) => r.p95, cell: (r) => seconds(r.p95), bar: true },
        { id: 'p99', title: 'p99', n: true, of: (r) => r.p99, cell: (r) => seconds(r.p99) },
    ];
}

const serverColumns = (length) => [
    { id: 'name', title: 'Server', of: (s) => s.name },
    ...redColumns(length),
    { id: 'accuracy', title: 'Accuracy', n: true, of: (s) => s.accuracy, cell: (s) => s.accuracy !== undefined && format.value('percent', s.accuracy) },
    { id: 'prompt', title: 'Prompt tokens', n: true, of: (s) => s.prompt, cell: (s) => s.prompt !== undefined && format.value('', s.prompt) },
    { id: 'completion', title: 'Completion tokens', n: true, of: (s) => s.completion, cell: (s) => s.completion !== undefined && format.value('', s.completion) },
    { id: 'cost', title: 'Cost', title_long: 'Of model calls beneath its tools', n: true, of: (s) => s.cost, cell: (s) => s.cost !== undefined && format.usd(s.cost) },
];

const toolColumns = (length) => [{ id: 'tool', title: 'Tool', of: (t) => t.tool, about: (t) => t.mcp_server }, ...redColumns(length)];

function All({ answer, span, state, go, rest }) {
    const { servers, tools } = answer,
        length = span.end - span.start;
    if (servers.length === 0)
        return html`<div class="result blank"><p>No MCP message in this time range.</p><p class="soft">Messages are spans with mcp.method.name; records of one's own go to POST /api/v1/mcp/metrics.</p></div>`;
    const sum = (f) => servers.reduce((t, s) => t + (s[f] ?? 0), 0),
        calls = sum('calls');
    const slowest = Math.max(...servers.map((s) => s.p95 ?? 0));
    const tiles = [
        { title: 'Servers', v: servers.length },
        { title: 'Tools', v: tools.length || undefined },
        { title: 'Calls', v: calls },
        { title: 'Failed', unit: 'percent', v: share(sum('failed'), calls), tone: sum('failed') / calls > 0.05 ? 'bad' : '' },
        { title: 'Tool said no', unit: 'percent', v: share(sum('refused'), calls), tone: sum('refused') / calls > 0.05 ? 'bad' : '' },
        { title: 'Slowest p95', unit: 'seconds', v: slowest || undefined, about: servers.find((s) => s.p95 === slowest)?.name },
    ];
    const href = (s) => address.write(address.next(state, { server: s }));
    return html`<${Tiles} tiles=${tiles} label="All MCP servers" />
        <${Box} title="Servers" about=${`in ${address.duration(Math.round(length))}`}><${Table} keys caption="MCP servers" columns=${serverColumns(length)} rows=${servers} order=${state.order} sort=${(order) => go({ order }, true)}
            rowKey=${(s) => s.name} href=${(s) => href(s.name)} open=${(s) => go({ server: s.name })} /><//>
        ${tools.length > 0 && html`<${Box} title="Tools" about="the busiest, failing or slowest first: press a column"><${Table} caption="Tools" columns=${toolColumns(length)} rows=${tools} order=${state.torder} sort=${(torder) => go({ torder }, true)}
            rowKey=${(t) => t.mcp_server + '\0' + t.tool} href=${(t) => href(t.mcp_server)} open=${(t) => go({ server: t.mcp_server })} limit=${25} /><//>`}
        <${Charts} ...${rest} state=${state} go=${go} id="mcp" title="MCP over time" panels=${mcpPanels()} />`;
}

export function Page({ state, go, now, setBusy }) {
    const span = useMemo(() => address.span({ ...state, step: '' }, now), [state.from, state.to, state.range, now]);
    const { answer, error } = useAsk((signal) => load(span, signal), [span.start, span.end], setBusy);
    const rest = { now, setBusy };
    return html`<h1 class=${state.server ? 'crumbs' : 'unseen'}>${state.server ? html`<${To} href=${address.write(address.next(state, { server: '' }))} follow=${() => go({ server: '' })}>MCP<//> <span>/</span> ${state.server}` : 'MCP and tools'}</h1>
        ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
        ${answer && !state.server && html`<${All} answer=${answer} span=${span} state=${state} go=${go} rest=${rest} />`}
        ${answer && state.server && html`<${Server} key=${state.server} known=${answer.servers.find((s) => s.name === state.server)} span=${span} state=${state} go=${go} rest=${rest} />`}`;
}
