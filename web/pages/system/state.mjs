/* state.mjs - the server now: figures, charts, components, routes by how slow they are, and what was refused or dropped. */
import { html } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { numbersOf, rowsOf } from '../../lib/prom.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Charts } from '../../parts/panels.mjs';
import { Box, Table } from '../../parts/table.mjs';
import { Tiles } from '../../parts/tiles.mjs';
import { systemPanels } from './panels.mjs';

const LISTED = 25;

const figures = {
    memory: 'max(process_resident_memory_bytes{job="vedette"})',
    limit: 'max(vedette_memory_limit_bytes)',
    disk: 'sum(vedette_store_disk_bytes)',
    series: 'sum(vedette_store_active_series)',
    samples: 'sum(rate(vedette_store_samples_total[1m]))',
    refused: 'sum(increase(vedette_http_refused_total[$w] anchored))',
    late: 'sum(increase(vedette_rule_group_iterations_missed_total[$w] anchored))',
};
const routeOf = {
    requests: 'sum by (route) (increase(vedette_http_requests_total[$w] anchored))',
    failed: 'sum by (route) (increase(vedette_http_requests_total{code=~"5.."}[$w] anchored))',
    mean: 'sum by (route) (increase(vedette_http_request_duration_seconds_sum[$w])) / sum by (route) (increase(vedette_http_request_duration_seconds_count[$w]))',
    p99: 'histogram_quantile(0.99, sum by (le, route) (increase(vedette_http_request_duration_seconds_bucket[$w])))',
};
/* Series of one answer must differ without their name, so each counter is asked for by itself. */
const DROPS = ['vedette_http_refused_total', 'vedette_rows_rejected_total', 'vedette_alerts_dropped_total', 'vedette_log_tail_lost_total', 'vedette_memory_refused_total', 'vedette_query_memory_refused_total', 'vedette_span_metrics_skipped_total', 'vedette_derived_overflow_total', 'vedette_graph_unpaired_total'];

async function dropsOf(span, signal) {
    const each = await Promise.all(DROPS.map(async (name) => (await rowsOf(['reason'], { n: `sum by (reason) (increase(${name}[$w] anchored))` }, span, signal)).map((r) => ({ ...r, name }))));
    return each.flat().filter((r) => r.n > 0);
}

async function load(span, signal) {
    const [health, own, routes, drops, ingest, info, build] = await Promise.all([
        fetch('/health', { signal }).then((r) => r.json()),
        numbersOf(figures, span, signal),
        rowsOf(['route'], routeOf, span, signal),
        dropsOf(span, signal),
        rowsOf(['protocol'], { bytes: 'sum by (protocol) (increase(vedette_ingest_bytes_total[$w] anchored))', requests: 'sum by (protocol) (increase(vedette_ingest_requests_total[$w] anchored))' }, span, signal),
        api.ask('/api/v1/status/runtimeinfo', {}, signal),
        api.ask('/api/v1/status/buildinfo', {}, signal),
    ]);
    return { health, own, drops, routes: routes.filter((r) => r.requests > 0), ingest: ingest.filter((r) => r.protocol !== '' && r.requests > 0), info: info.data, build: build.data };
}

const COMPONENTS = [
    { id: 'name', title: 'Component', of: (c) => c.name },
    { id: 'status', title: 'State', of: (c) => c.status, cell: (c) => html`<span class=${c.status === 'ok' ? 'badge good' : 'badge bad'}>${c.status}</span>` },
    { id: 'detail', title: 'Detail', of: (c) => c.detail ?? '' },
];
const seconds = (v) => v !== undefined && format.value('seconds', v);
const ROUTES = [
    { id: 'route', title: 'Route', of: (r) => r.route },
    { id: 'requests', title: 'Requests', n: true, of: (r) => r.requests, cell: (r) => format.count(r.requests), bar: true },
    { id: 'failed', title: 'Failed', n: true, of: (r) => r.failed || undefined, cell: (r) => r.failed > 0 && html`<span class="badge bad">${format.count(r.failed)}</span>` },
    { id: 'mean', title: 'Mean', n: true, of: (r) => r.mean, cell: (r) => seconds(r.mean) },
    { id: 'p99', title: 'p99', n: true, of: (r) => r.p99, cell: (r) => seconds(r.p99), bar: true },
];
const LOST = [
    { id: 'what', title: 'What', of: (d) => d.name.replace(/^vedette_|_total$/g, '').replaceAll('_', ' ') },
    { id: 'why', title: 'Why', of: (d) => d.reason },
    { id: 'n', title: 'Times', n: true, of: (d) => d.n, cell: (d) => format.count(d.n), bar: true },
];
const INGEST = [
    { id: 'protocol', title: 'Protocol', of: (d) => d.protocol },
    { id: 'requests', title: 'Requests', n: true, of: (d) => d.requests, cell: (d) => format.count(d.requests) },
    { id: 'bytes', title: 'Bytes', n: true, of: (d) => d.bytes, cell: (d) => format.value('bytes', d.bytes), bar: true },
];

function tilesOf({ own, info, build, health }, now) {
    const started = Date.parse(info.startTime) / 1000;
    return [
        { title: 'State', text: health.status, tone: health.status === 'ok' ? 'good' : 'bad' },
        { title: 'Version', text: health.version, about: `on ${info.hostname}; API of Prometheus ${build.version}` },
        { title: 'Up for', unit: 'seconds', v: Math.max(0, now - started), about: format.moment(started) },
        { title: 'Memory', unit: 'bytes', v: own.memory, about: own.limit > 0 ? 'of ' + format.value('bytes', own.limit) : '' },
        { title: 'On disk', unit: 'bytes', v: own.disk, about: `kept ${info.storageRetention}` },
        { title: 'Active series', v: own.series },
        { title: 'Samples kept', unit: '/s', v: own.samples },
        own.refused > 0 && { title: 'Requests refused', v: own.refused, tone: 'warn' },
        own.late > 0 && { title: 'Rule runs missed', v: own.late, tone: 'warn' },
    ];
}

export function State({ span, state, go, now, setBusy }) {
    const { answer, error } = useAsk((signal) => load(span, signal), [span.start, span.end], setBusy);
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    if (!answer) return null;
    const components = Object.entries(answer.health.components ?? {}).map(([name, c]) => ({ name, ...c }));
    return html`<${Tiles} tiles=${tilesOf(answer, now)} label="This server" />
        <${Charts} now=${now} setBusy=${setBusy} state=${state} go=${go} id="system" title="This server over time" panels=${systemPanels} leastStep=${5} />
        <div class="halves">
            <${Box} title="Components"><${Table} keys caption="Components" columns=${COMPONENTS} rows=${components} order="name" rowKey=${(c) => c.name} /><//>
            ${answer.ingest.length > 0 && html`<${Box} title="Taken in"><${Table} caption="Taken in by protocol" columns=${INGEST} rows=${answer.ingest} order="-bytes" rowKey=${(d) => d.protocol} /><//>`}
            ${answer.routes.length > 0 && html`<${Box} title="Requests" about="the slowest first"><${Table} caption="Requests by route" columns=${ROUTES} rows=${answer.routes} order="-p99" rowKey=${(r) => r.route} limit=${LISTED} /><//>`}
            ${answer.drops.length > 0 && html`<${Box} title="What was not kept" about="refused, dropped or cut, and why"><${Table} caption="What was not kept" columns=${LOST} rows=${answer.drops} order="-n" rowKey=${(d) => d.name + d.reason} limit=${LISTED} /><//>`}
        </div>`;
}
