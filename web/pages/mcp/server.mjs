/* server.mjs - one MCP server: its methods and tools, its charts, slow and failed calls as traces. */
import { html, useMemo } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { quote, rowsOf } from '../../lib/prom.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Charts } from '../../parts/panels.mjs';
import { Box, Table } from '../../parts/table.mjs';
import { Tiles } from '../../parts/tiles.mjs';
import { TraceList } from '../../parts/tracelist.mjs';
import { messagesBy, redColumns } from './mcp.mjs';
import { mcpPanels } from './panels.mjs';

const LOOKED_AT = 200,
    SHOWN = 8;

/* A server is named by an attribute of its messages, or it is the service that answers them: the first that finds something. */
async function examples(server, span, signal) {
    const ask = { start: span.start, end: span.end, limit: LOOKED_AT };
    const ways = [{ attribute: ['mcp.method.name', 'mcp.server.name=' + server] }, { attribute: ['mcp.method.name'], service: server }, { attribute: ['mcp.method.name', 'server.address=' + server] }];
    for (const way of ways) {
        const { traces } = await api.ask('/api/v1/traces', { ...ask, ...way }, signal);
        if (traces.length > 0) {
            const failed = await api.ask('/api/v1/traces', { ...ask, ...way, status: 'error', limit: SHOWN }, signal);
            return { traces, failed: failed.traces, word: way.service ? `service=${server}` : way.attribute[1] };
        }
    }
    return { traces: [], failed: [], word: '' };
}

async function load(server, span, signal) {
    const only = `mcp_server=${quote(server)}`;
    const [rows, found, why] = await Promise.all([
        rowsOf(['method', 'tool'], messagesBy(['method', 'tool'], only), span, signal),
        examples(server, span, signal),
        rowsOf(['status', 'error_type', 'tool'], { calls: `sum by (status, error_type, tool) (increase(mcp_requests_total{${only},status!="ok"}[$w] anchored))` }, span, signal),
    ]);
    return { rows: rows.filter((r) => r.calls > 0), why: why.filter((r) => r.calls > 0), ...found };
}

const WHY = [
    { id: 'type', title: 'Error', of: (w) => w.error_type || '(no type)', about: (w) => (w.status === 'tool_error' ? 'the tool said no' : 'the call failed') },
    { id: 'tool', title: 'Tool', of: (w) => w.tool },
    { id: 'calls', title: 'Times', n: true, of: (w) => w.calls, cell: (w) => format.count(w.calls), bar: true },
];

export function Server({ known, span, state, go, rest }) {
    const server = state.server,
        length = span.end - span.start;
    const { answer, error } = useAsk((signal) => load(server, span, signal), [server, span.start, span.end], rest.setBusy);
    const slow = useMemo(() => [...(answer?.traces ?? [])].filter((t) => t.duration_ms !== null).sort((a, b) => b.duration_ms - a.duration_ms).slice(0, SHOWN), [answer]);
    if (!known && answer && answer.traces.length === 0) return html`<div class="result blank"><p>Nothing is known of this server in this time range.</p></div>`;
    const share = (n) => (known.calls > 0 ? (100 * (n ?? 0)) / known.calls : undefined);
    const tiles = known
        ? [
              { title: 'Calls', v: known.calls },
              { title: 'Failed', unit: 'percent', v: share(known.failed), tone: share(known.failed) > 5 ? 'bad' : '' },
              !known.recorded && { title: 'Tool said no', unit: 'percent', v: share(known.refused), tone: share(known.refused) > 5 ? 'bad' : '' },
              { title: 'p50', unit: 'seconds', v: known.p50 },
              { title: 'p95', unit: 'seconds', v: known.p95 },
              { title: 'p99', unit: 'seconds', v: known.p99 },
              { title: 'Accuracy', unit: 'percent', v: known.accuracy },
              { title: 'Cost', unit: 'usd', v: known.cost },
          ]
        : [];
    const cells = [{ id: 'tool', title: 'Tool', of: (r) => r.tool || '(none)', about: (r) => r.method }, ...redColumns(length)];
    return html`<${Tiles} tiles=${tiles} label=${server} />
        ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
        ${answer?.rows.length > 0 && html`<${Box} title="Tools and methods"><${Table} keys caption="Tools and methods" columns=${cells} rows=${answer.rows} order=${state.order} sort=${(order) => go({ order }, true)} rowKey=${(r) => r.method + '\0' + r.tool}
            href=${(r) => '/traces?q=' + encodeURIComponent(wordOf(r))} open=${(r) => go({ page: 'traces', q: wordOf(r) })} /><//>`}
        <${Charts} ...${rest} state=${state} go=${go} id="server" title=${server + ' over time'} panels=${mcpPanels(server)} />
        <div class="halves">
            ${answer?.why.length > 0 && html`<${Box} title="Why calls fail"><${Table} caption="Errors by type" columns=${WHY} rows=${answer.why} order="-calls" rowKey=${(w) => w.status + w.error_type + '\0' + w.tool} limit=${12} /><//>`}
            <${TraceList} title="Slowest traces with it" about=${`of the newest ${LOOKED_AT}`} traces=${slow} order="-took" go=${go} />
            <${TraceList} title="Failed traces with it" about="newest first" traces=${answer?.failed ?? []} order="-start" go=${go} />
        </div>
        ${answer?.word && html`<div class="ways"><button onClick=${() => go({ page: 'traces', q: JSON.stringify(answer.word) })}>All its traces</button></div>`}`;
}

const wordOf = (r) => (r.tool ? JSON.stringify('gen_ai.tool.name=' + r.tool) : JSON.stringify('mcp.method.name=' + r.method));
