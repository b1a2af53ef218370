// otlp_sdk_test.mjs BUILD - metrics pushed by the OpenTelemetry SDK itself, in each of its protocols, and asked for by PromQL.
//
// Every case has a service of its own, so that the expected values are exact. They follow from what is recorded here, the OTLP
// data model and the name rules of the Prometheus compatibility document.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, openSync, existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

const build = resolve(process.argv[2] ?? 'build');
const binary = join(build, 'vedette');
let failed = 0;

async function load() {
    const [sdk, resources, proto, json, grpc, base, core, rpc] = await Promise.all([
        import('@opentelemetry/sdk-metrics'),
        import('@opentelemetry/resources'),
        import('@opentelemetry/exporter-metrics-otlp-proto'),
        import('@opentelemetry/exporter-metrics-otlp-http'),
        import('@opentelemetry/exporter-metrics-otlp-grpc'),
        import('@opentelemetry/otlp-exporter-base'),
        import('@opentelemetry/core'),
        import('@grpc/grpc-js'),
    ]);
    return { sdk, resources, proto, json, grpc, base, core, rpc: rpc.default };
}

// ---- the server ----

async function freePort() {
    const s = createServer();
    s.listen(0, '127.0.0.1');
    await once(s, 'listening');
    const { port } = s.address();
    s.close();
    await once(s, 'close');
    return port;
}

async function startServer() {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-otlp-'));
    const [port, otlp, grpc] = [await freePort(), await freePort(), await freePort()];
    const log = openSync(join(dir, 'log'), 'w');
    const child = spawn(binary, ['serve', '--listen', `127.0.0.1:${port}`, '--listen-otlp', `127.0.0.1:${otlp}`,
        '--listen-grpc', `127.0.0.1:${grpc}`, '--data', join(dir, 'data')], { stdio: ['ignore', log, log] });
    const server = { dir, child, port, otlp, grpc, log: () => readFileSync(join(dir, 'log'), 'utf8').slice(-3000) };
    for (let i = 0; i < 600; i++) {
        if (child.exitCode !== null) throw new Error(`vedette died at start:\n${server.log()}`);
        try {
            if ((await fetch(`http://127.0.0.1:${port}/-/ready`)).status === 200) return server;
        } catch { /* not listening yet */ }
        await new Promise((r) => setTimeout(r, 50));
    }
    throw new Error('vedette was not ready within 30 s');
}

async function stopServer(server) {
    server.child.kill('SIGTERM');
    const timer = setTimeout(() => server.child.kill('SIGKILL'), 15000);
    if (server.child.exitCode === null) await once(server.child, 'exit');
    clearTimeout(timer);
    const code = server.child.exitCode;
    if (code === 0) rmSync(server.dir, { recursive: true, force: true });
    return code;
}

async function api(server, path, params = {}) {
    const url = `http://127.0.0.1:${server.port}${path}?${new URLSearchParams(params)}`;
    const answer = await (await fetch(url)).json();
    if (answer.status !== 'success') throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer.data;
}

async function value(server, query) {
    const { result } = await api(server, '/api/v1/query', { query });
    if (result.length !== 1) throw new Error(`${query}: ${result.length} elements: ${JSON.stringify(result).slice(0, 300)}`);
    return result[0];
}

async function expectValue(server, query, want) {
    const got = Number((await value(server, query)).value[1]);
    if (got !== want) throw new Error(`${query}: got ${got}, want ${want}`);
}

// ---- cases ----

async function run(name, body) {
    try {
        await body();
        console.log(`ok ${name}`);
    } catch (e) {
        failed++;
        console.log(`not ok ${name}: ${String(e.message).replaceAll('\n', ' ').slice(0, 500)}`);
    }
}

function provider(otel, service, exporter) {
    const reader = new otel.sdk.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600_000, exportTimeoutMillis: 10_000 });
    return new otel.sdk.MeterProvider({
        resource: otel.resources.resourceFromAttributes({
            'service.name': service, 'service.namespace': 'live', 'service.instance.id': 'i-1', 'deployment.environment.name': 'test',
        }),
        readers: [reader],
        views: [
            { instrumentName: '*.tokens', aggregation: { type: otel.sdk.AggregationType.EXPONENTIAL_HISTOGRAM } },
        ],
    });
}

function record(meter) {
    const calls = meter.createCounter('agent.calls', { unit: '{call}', description: 'Calls of tools.' });
    calls.add(3, { 'tool.name': 'search' });
    calls.add(4, { 'tool.name': 'search' });
    calls.add(1.5, { 'tool.name': 'code', ok: true, tries: 2 });
    const active = meter.createUpDownCounter('agent.active');
    active.add(5);
    active.add(-2);
    const latency = meter.createHistogram('agent.latency', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 1, 10] } });
    for (const v of [0.05, 0.5, 0.75, 5, 50]) latency.record(v);
    const tokens = meter.createHistogram('agent.tokens', { unit: '{token}' });
    for (const v of [0, 1, 2, 4, 8, 1000]) tokens.record(v);
    meter.createGauge('agent.fill', { unit: '1' }).record(0.25);
    meter.createObservableGauge('agent.temperature', { unit: 'Cel' }).addCallback((r) => r.observe(21.5));
    meter.createObservableCounter('agent.traffic', { unit: 'By' }).addCallback((r) => r.observe(4096, { direction: 'in' }));
}

async function checkAll(server, service) {
    const by = `job="live/${service}",instance="i-1",otel_scope_name="live",otel_scope_version="1.0"`;
    await expectValue(server, `agent_calls_total{${by},tool_name="search"}`, 7);
    await expectValue(server, `agent_calls_total{${by},tool_name="code",ok="true",tries="2"}`, 1.5);
    await expectValue(server, `agent_active{${by}}`, 3);
    await expectValue(server, `agent_latency_seconds_bucket{${by},le="0.1"}`, 1);
    await expectValue(server, `agent_latency_seconds_bucket{${by},le="1"}`, 3);
    await expectValue(server, `agent_latency_seconds_bucket{${by},le="10"}`, 4);
    await expectValue(server, `agent_latency_seconds_bucket{${by},le="+Inf"}`, 5);
    await expectValue(server, `agent_latency_seconds_sum{${by}}`, 56.3);
    await expectValue(server, `agent_latency_seconds_count{${by}}`, 5);
    await expectValue(server, `agent_fill_ratio{${by}}`, 0.25);
    await expectValue(server, `agent_temperature_celsius{${by}}`, 21.5);
    await expectValue(server, `agent_traffic_bytes_total{${by},direction="in"}`, 4096);
    await expectValue(server, `target_info{job="live/${service}",instance="i-1",deployment_environment_name="test"}`, 1);

    const { histogram } = await value(server, `agent_tokens{${by}}`);
    if (!histogram) throw new Error('agent_tokens is not a native histogram');
    const h = histogram[1];
    if (Number(h.count) !== 6 || Number(h.sum) !== 1015) throw new Error(`agent_tokens: ${JSON.stringify(h)}`);
    // Buckets are open to the left and closed to the right, except the one around zero: each value is in exactly one.
    for (const v of [1, 2, 4, 8, 1000]) {
        const holding = h.buckets.filter(([rule, low, high]) => rule === 0 && Number(low) < v && v <= Number(high) * (1 + 1e-9));
        if (holding.length !== 1 || Number(holding[0][3]) !== 1) throw new Error(`agent_tokens: ${v} is in ${JSON.stringify(holding)}`);
    }
}

function exporters(otel, server) {
    const http = `http://127.0.0.1:${server.otlp}/v1/metrics`, grpc = `http://127.0.0.1:${server.grpc}`;
    const gzip = otel.base.CompressionAlgorithm.GZIP;
    return [
        ['http-protobuf', () => new otel.proto.OTLPMetricExporter({ url: http })],
        ['http-protobuf-gzip', () => new otel.proto.OTLPMetricExporter({ url: http, compression: gzip })],
        ['http-json', () => new otel.json.OTLPMetricExporter({ url: http })],
        ['http-json-gzip', () => new otel.json.OTLPMetricExporter({ url: http, compression: gzip })],
        ['http-main-port', () => new otel.proto.OTLPMetricExporter({ url: `http://127.0.0.1:${server.port}/otlp/v1/metrics` })],
        ['grpc', () => new otel.grpc.OTLPMetricExporter({ url: grpc })],
        ['grpc-gzip', () => new otel.grpc.OTLPMetricExporter({ url: grpc, compression: gzip })],
    ];
}

async function cumulative(otel, server, service, exporter) {
    const p = provider(otel, service, exporter);
    record(p.getMeter('live', '1.0'));
    await p.forceFlush();
    await checkAll(server, service);
    await p.shutdown(); // flushes once more: the same values, later
    await checkAll(server, service);
}

// Deltas of two exports; the sums must be those of all that was recorded.
async function delta(otel, server) {
    const exporter = new otel.proto.OTLPMetricExporter({
        url: `http://127.0.0.1:${server.otlp}/v1/metrics`, temporalityPreference: otel.json.AggregationTemporalityPreference.DELTA,
    });
    const p = provider(otel, 'delta', exporter);
    const meter = p.getMeter('live', '1.0'), by = 'job="live/delta"';
    const calls = meter.createCounter('d.calls');
    const wait = meter.createHistogram('d.wait', { advice: { explicitBucketBoundaries: [1, 10] } });
    const tokens = meter.createHistogram('d.tokens');
    for (const n of [3, 4, 5]) {
        calls.add(n);
        wait.record(n);
        tokens.record(n);
        await p.forceFlush();
        await new Promise((r) => setTimeout(r, 20)); // one row a millisecond and series
    }
    await expectValue(server, `d_calls_total{${by}}`, 12);
    await expectValue(server, `d_wait_bucket{${by},le="1"}`, 0);
    await expectValue(server, `d_wait_bucket{${by},le="10"}`, 3);
    await expectValue(server, `d_wait_count{${by}}`, 3);
    await expectValue(server, `d_wait_sum{${by}}`, 12);
    await expectValue(server, `histogram_count(d_tokens{${by}})`, 3);
    await expectValue(server, `histogram_sum(d_tokens{${by}})`, 12);
    const { result } = await api(server, '/api/v1/query', { query: `d_calls_total{${by}}[5m]` });
    const seen = result[0].values.map(([, v]) => v).join();
    if (seen !== '3,7,12') throw new Error(`d_calls_total went ${seen}`);
    await p.shutdown();
}

async function metadata(server) {
    const all = await api(server, '/api/v1/metadata');
    const want = { agent_calls_total: 'counter', agent_active: 'gauge', agent_latency_seconds: 'histogram', agent_temperature_celsius: 'gauge' };
    for (const [family, type] of Object.entries(want)) {
        const got = all[family]?.[0];
        if (got?.type !== type) throw new Error(`${family}: ${JSON.stringify(got)}`);
    }
    if (all.agent_calls_total[0].help !== 'Calls of tools.') throw new Error(JSON.stringify(all.agent_calls_total));
}

async function post(server, headers, body) {
    const r = await fetch(`http://127.0.0.1:${server.otlp}/v1/metrics`, { method: 'POST', headers, body });
    return { status: r.status, type: r.headers.get('content-type'), text: await r.text() };
}

function gaugeJson(ms) {
    return JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'raw.gauge', gauge: {
        dataPoints: [{ timeUnixNano: `${ms}000000`, asDouble: 1 }] } }] }] }] });
}

async function refusals(server) {
    const json = { 'content-type': 'application/json' };
    const cases = [
        [{ 'content-type': 'text/csv' }, 'x', 415, 'application/x-protobuf'],
        [{ ...json, 'content-encoding': 'br' }, 'x', 415, 'Content-Encoding'],
        [json, '{"resourceMetrics":[', 400, 'line 1'],
        [{ 'content-type': 'application/x-protobuf' }, new Uint8Array([10, 200]), 400, 'byte'],
        [{ ...json, 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(80 << 20)), 413, 'larger'],
        [json, gaugeJson(Date.now() + 3600_000), 200, 'rejectedDataPoints'],
        [json, gaugeJson(Date.now()), 200, '{}'],
    ];
    for (const [headers, body, status, text] of cases) {
        const r = await post(server, headers, body);
        if (r.status !== status || !r.text.includes(text)) throw new Error(`want ${status} ${text}, got ${r.status} ${r.text.slice(0, 200)}`);
    }
    await expectValue(server, 'count(raw_gauge)', 1);
}

// Protobuf by hand: what no SDK would send.
function field(no, bytes) {
    if (bytes.length > 127) throw new Error('one byte of length is enough here');
    return Buffer.concat([Buffer.from([no * 8 + 2, bytes.length]), bytes]);
}

function gaugeProto(ms) {
    const time = Buffer.alloc(9), value = Buffer.alloc(9);
    time[0] = 3 * 8 + 1;
    time.writeBigUInt64LE(BigInt(ms) * 1000000n, 1);
    value[0] = 4 * 8 + 1;
    value.writeDoubleLE(1, 1);
    const metric = Buffer.concat([field(1, Buffer.from('grpc.gauge')), field(5, field(1, Buffer.concat([time, value])))]);
    return field(1, field(2, field(2, metric)));
}

function call(otel, server, service, message) {
    const client = new otel.rpc.Client(`127.0.0.1:${server.grpc}`, otel.rpc.credentials.createInsecure());
    return new Promise((done) => {
        const path = `/opentelemetry.proto.collector.${service}/Export`;
        client.makeUnaryRequest(path, (x) => x, (x) => x, message, (error, reply) => {
            client.close();
            done({ code: error?.code ?? 0, text: error?.details ?? reply.toString('latin1') });
        });
    });
}

async function grpcRefusals(otel, server) {
    const metrics = 'metrics.v1.MetricsService';
    const cases = [
        [metrics, Buffer.from([10, 200]), 3, 'byte'],
        [metrics, gaugeProto(Date.now() + 3600_000), 0, 'future'],
        [metrics, Buffer.alloc(0), 0, ''],
        [metrics, gaugeProto(Date.now()), 0, ''],
        ['logs.v1.LogsService', Buffer.alloc(0), 0, ''],
        ['profiles.v1development.ProfilesService', Buffer.alloc(0), 12, ''],
    ];
    for (const [service, message, code, text] of cases) {
        const r = await call(otel, server, service, message);
        if (r.code !== code || !r.text.includes(text)) throw new Error(`want ${code} ${text}, got ${r.code} ${r.text}`);
        if (code === 0 && text === '' && r.text !== '') throw new Error(`a full success must be empty, got ${r.text}`);
    }
    await expectValue(server, 'count(grpc_gauge)', 1);
}

async function main() {
    if (!existsSync(binary)) throw new Error(`${binary} is not there: build it first`);
    let otel;
    try {
        otel = await load();
    } catch (e) {
        console.log(`skip otlp-sdk: its packages are not installed (npm ci in tests/live): ${e.message.split('\n')[0]}`);
        return;
    }
    const problems = [];
    otel.core.setGlobalErrorHandler((e) => problems.push(String(e?.message ?? e)));
    const server = await startServer();
    for (const [name, make] of exporters(otel, server)) {
        await run(name, async () => {
            problems.length = 0;
            await cumulative(otel, server, name, make());
            if (problems.length > 0) throw new Error(`the SDK complains: ${problems.join('; ')}`);
        });
    }
    await run('delta-temporality', () => delta(otel, server));
    await run('metadata', () => metadata(server));
    await run('refusals', () => refusals(server));
    await run('grpc-refusals', () => grpcRefusals(otel, server));
    await run('clean-exit', async () => {
        const code = await stopServer(server);
        if (code !== 0) throw new Error(`exit ${code}\n${server.log()}`);
    });
}

await main().catch((e) => {
    failed++;
    console.log(`not ok otlp-sdk: ${e.message}`);
});
process.exit(failed ? 1 : 0);
