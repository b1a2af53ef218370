// real_clients_test.mjs BUILD - traces and logs sent by the clients that people use: the OpenTelemetry SDK with each of its exporters (a
// small program of agents), its Zipkin exporter, zipkin-js, jaeger-client, winston-loki and pino-loki.
//
// Each case waits for what it sent to be counted as kept, within a second of the client's own flush, and that nothing was refused. What
// is in the records is compared byte by byte in tests/unit/decode/real_clients_test.c, where bodies of these clients are fixtures.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const build = resolve(process.argv[2] ?? 'build');
const binary = join(build, 'vedette');
const require = createRequire(import.meta.url);
let failed = 0;

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
    const dir = mkdtempSync(join(tmpdir(), 'vedette-clients-'));
    const [port, otlp, grpc] = [await freePort(), await freePort(), await freePort()];
    const log = openSync(join(dir, 'log'), 'w');
    const child = spawn(binary, ['serve', '--listen', `127.0.0.1:${port}`, '--listen-otlp', `127.0.0.1:${otlp}`,
        '--listen-grpc', `127.0.0.1:${grpc}`, '--data', join(dir, 'data')], { stdio: ['ignore', log, log] });
    for (let i = 0; i < 600; i++) {
        if (child.exitCode !== null) throw new Error(`vedette died at start:\n${readFileSync(join(dir, 'log'), 'utf8').slice(-3000)}`);
        try {
            if ((await fetch(`http://127.0.0.1:${port}/-/ready`)).status === 200) return { dir, child, port, otlp, grpc };
        } catch { /* not listening yet */ }
        await new Promise((r) => setTimeout(r, 50));
    }
    throw new Error('vedette was not ready within 30 s');
}

// name{label="value",...} -> number; absent is 0.
async function counters(server) {
    const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
    const sum = (name, has) => text.split('\n').filter((l) => l.startsWith(name) && l.includes(has))
        .reduce((n, l) => n + Number(l.slice(l.lastIndexOf(' ') + 1)), 0);
    return { kept: (protocol, table) => text.split('\n')
        .filter((l) => l.startsWith('vedette_ingest_records_total{') && l.includes(`protocol="${protocol}"`) && l.includes(`table="${table}"`))
        .reduce((n, l) => n + Number(l.slice(l.lastIndexOf(' ') + 1)), 0),
    refused: sum('vedette_rejected_total', 'reason="record_') };
}

async function expectKept(server, protocol, table, n, send) {
    const before = await counters(server);
    await send();
    const sent = Date.now();
    let now;
    do {
        now = await counters(server);
        if (now.kept(protocol, table) - before.kept(protocol, table) >= n) break;
        await new Promise((r) => setTimeout(r, 20));
    } while (Date.now() - sent < 1000);
    const got = now.kept(protocol, table) - before.kept(protocol, table);
    if (got !== n) throw new Error(`${n} ${table} were sent, ${got} kept within a second`);
    if (now.refused !== before.refused) throw new Error(`${now.refused - before.refused} were refused`);
}

async function run(name, body) {
    try {
        await body();
        console.log(`ok ${name}`);
    } catch (e) {
        failed++;
        console.log(`not ok ${name}: ${String(e?.message ?? e).replaceAll('\n', ' ').slice(0, 500)}`);
    }
}

// A package that is not there is said, once, and its case is skipped.
async function withPackages(name, packages, body) {
    let loaded;
    try {
        loaded = await Promise.all(packages.map((p) => import(p)));
    } catch (e) {
        console.log(`skip ${name}: its packages are not installed (npm ci in tests/live): ${e.message.split('\n')[0]}`);
        return;
    }
    await body(...loaded);
}

// ---- OpenTelemetry: an orchestrator that calls two agents, each with a model and a tool ----

const SPANS_A_RUN = 1 + 2 * 3;
const LOGS_A_RUN = 3;

function agents(api, tracer, logger, context) {
    const child = (name, kind, parent, attributes, body) => {
        const span = tracer.startSpan(name, { kind, attributes }, parent);
        body?.(api.trace.setSpan(parent, span), span);
        span.end();
    };
    const { CLIENT, INTERNAL, SERVER } = api.SpanKind;
    child('orchestrate', SERVER, context, { 'gen_ai.operation.name': 'invoke_workflow' }, (at) => {
        for (const agent of ['planner', 'coder'])
            child(`invoke_agent ${agent}`, INTERNAL, at, { 'gen_ai.agent.name': agent }, (inAgent, span) => {
                child('chat stub-model', CLIENT, inAgent, { 'gen_ai.usage.input_tokens': 120, 'gen_ai.usage.output_tokens': 30,
                    'gen_ai.input.messages': JSON.stringify([{ role: 'user', content: 'plan it' }]) });
                child('execute_tool search', INTERNAL, inAgent, { 'gen_ai.tool.name': 'search' }, (_, tool) => {
                    tool.addEvent('retry', { attempt: 2 });
                    if (agent === 'coder') tool.setStatus({ code: api.SpanStatusCode.ERROR, message: 'timed out' });
                });
                logger.emit({ severityNumber: 9, body: `${agent} is done`, context: inAgent, attributes: { tries: 2 } });
                span.setAttribute('done', true);
            });
        logger.emit({ severityNumber: 17, body: { why: 'a tool timed out' }, eventName: 'agent.failed', context: at });
    });
}

async function otel(server) {
    const packages = ['@opentelemetry/api', '@opentelemetry/resources', '@opentelemetry/sdk-trace-base', '@opentelemetry/sdk-logs',
        '@opentelemetry/exporter-trace-otlp-proto', '@opentelemetry/exporter-trace-otlp-http', '@opentelemetry/exporter-trace-otlp-grpc',
        '@opentelemetry/exporter-logs-otlp-proto', '@opentelemetry/exporter-logs-otlp-http', '@opentelemetry/exporter-logs-otlp-grpc',
        '@opentelemetry/otlp-exporter-base', '@opentelemetry/core'];
    await withPackages('otlp', packages, async (api, resources, traces, logs, tp, th, tg, lp, lh, lg, base, core) => {
        const problems = [];
        core.setGlobalErrorHandler((e) => problems.push(String(e?.message ?? e)));
        const http = (signal) => ({ url: `http://127.0.0.1:${server.otlp}/v1/${signal}` });
        const grpc = { url: `http://127.0.0.1:${server.grpc}` }, gzip = { compression: base.CompressionAlgorithm.GZIP };
        const ways = [
            ['otlp-http-protobuf', 'otlp_http', () => [new tp.OTLPTraceExporter(http('traces')), new lp.OTLPLogExporter(http('logs'))]],
            ['otlp-http-protobuf-gzip', 'otlp_http', () => [new tp.OTLPTraceExporter({ ...http('traces'), ...gzip }),
                new lp.OTLPLogExporter({ ...http('logs'), ...gzip })]],
            ['otlp-http-json', 'otlp_http', () => [new th.OTLPTraceExporter(http('traces')), new lh.OTLPLogExporter(http('logs'))]],
            ['otlp-grpc', 'otlp_grpc', () => [new tg.OTLPTraceExporter(grpc), new lg.OTLPLogExporter(grpc)]],
            ['otlp-grpc-gzip', 'otlp_grpc', () => [new tg.OTLPTraceExporter({ ...grpc, ...gzip }), new lg.OTLPLogExporter({ ...grpc, ...gzip })]],
        ];
        for (const [name, protocol, make] of ways)
            await run(name, async () => {
                problems.length = 0;
                const [spanExporter, logExporter] = make();
                const resource = resources.resourceFromAttributes({ 'service.name': name });
                const tracing = new traces.BasicTracerProvider({ resource, spanProcessors: [new traces.BatchSpanProcessor(spanExporter)] });
                const logging = new logs.LoggerProvider({ resource, processors: [new logs.BatchLogRecordProcessor({ exporter: logExporter })] });
                const runs = 100; // large enough that gRPC messages leave the loop's thread
                await expectKept(server, protocol, 'logs', LOGS_A_RUN * runs, () => expectKept(server, protocol, 'spans', SPANS_A_RUN * runs, async () => {
                    for (let i = 0; i < runs; i++) agents(api, tracing.getTracer('live', '1.0'), logging.getLogger('live'), api.ROOT_CONTEXT);
                    await Promise.all([tracing.forceFlush(), logging.forceFlush()]);
                }));
                await Promise.all([tracing.shutdown(), logging.shutdown()]);
                if (problems.length > 0) throw new Error(`the SDK complains: ${problems.join('; ')}`);
            });
    });
    await withPackages('otel-zipkin', ['@opentelemetry/api', '@opentelemetry/sdk-trace-base', '@opentelemetry/exporter-zipkin'], async (api, traces, zipkin) => {
        await run('otel-zipkin', () => expectKept(server, 'zipkin', 'spans', SPANS_A_RUN, async () => {
            const exporter = new zipkin.ZipkinExporter({ url: `http://127.0.0.1:${server.port}/api/v2/spans`, serviceName: 'otel-zipkin' });
            const provider = new traces.BasicTracerProvider({ spanProcessors: [new traces.BatchSpanProcessor(exporter)] });
            agents(api, provider.getTracer('live'), { emit() {} }, api.ROOT_CONTEXT);
            await provider.forceFlush();
            await provider.shutdown();
        }));
    });
}

// ---- clients of other protocols ----

async function zipkinJs(server) {
    await withPackages('zipkin-js', ['zipkin', 'zipkin-transport-http'], async ({ default: zipkin }, { default: transport }) => {
        await run('zipkin-js', () => expectKept(server, 'zipkin', 'spans', 2, async () => {
            const logger = new transport.HttpLogger({ endpoint: `http://127.0.0.1:${server.port}/api/v2/spans`,
                jsonEncoder: zipkin.jsonEncoder.JSON_V2, httpInterval: 50 });
            const tracer = new zipkin.Tracer({ ctxImpl: new zipkin.ExplicitContext(), recorder: new zipkin.BatchRecorder({ logger }),
                localServiceName: 'zipkin-js' });
            for (const name of ['first', 'second']) tracer.local(name, () => tracer.recordBinary('n', name));
            await new Promise((r) => setTimeout(r, 300));
        }));
    });
}

async function jaegerClient(server) {
    await withPackages('jaeger-client', ['jaeger-client'], async ({ default: jaeger }) => {
        await run('jaeger-client', () => expectKept(server, 'jaeger_thrift', 'spans', 2, async () => {
            const tracer = jaeger.initTracer({ serviceName: 'jaeger-client', sampler: { type: 'const', param: 1 },
                reporter: { collectorEndpoint: `http://127.0.0.1:${server.port}/api/traces`, flushIntervalMs: 50 } }, {});
            const parent = tracer.startSpan('parent');
            tracer.startSpan('child', { childOf: parent.context() }).finish();
            parent.finish();
            await new Promise((r) => tracer.close(r));
        }));
    });
}

async function loki(server) {
    const host = `http://127.0.0.1:${server.port}`;
    await withPackages('winston-loki', ['winston', 'winston-loki'], async ({ default: winston }, { default: LokiTransport }) => {
        for (const json of [true, false])
            await run(`winston-loki-${json ? 'json' : 'protobuf'}`, () => expectKept(server, 'loki', 'logs', 3, async () => {
                const transport = new LokiTransport({ host, json, batching: true, interval: 1, labels: { job: 'winston' }, gracefulShutdown: false,
                    onConnectionError: (e) => { throw e; } });
                const logger = winston.createLogger({ transports: [transport] });
                for (const level of ['info', 'warn', 'error']) logger.log(level, `from winston at ${level}`, { labels: { kind: level } });
                await new Promise((r) => setTimeout(r, 200));
                await transport.flush();
                transport.close?.();
            }));
    });
    await withPackages('pino-loki', ['pino', 'pino-loki'], async () => {
        await run('pino-loki', () => expectKept(server, 'loki', 'logs', 3, async () => {
            const pino = require('pino');
            const transport = pino.transport({ target: 'pino-loki', options: { host, batching: { interval: 1 }, labels: { job: 'pino' } } });
            const logger = pino(transport);
            for (const level of ['info', 'warn', 'error']) logger[level]({ tries: 2 }, `from pino at ${level}`);
            await new Promise((r) => setTimeout(r, 1800));
            transport.end();
        }));
    });
}

async function main() {
    if (!existsSync(binary)) throw new Error(`${binary} is not there: build it first`);
    const server = await startServer();
    await otel(server);
    await zipkinJs(server);
    await jaegerClient(server);
    await loki(server);
    await run('clean-exit', async () => {
        server.child.kill('SIGTERM');
        const timer = setTimeout(() => server.child.kill('SIGKILL'), 15000);
        if (server.child.exitCode === null) await once(server.child, 'exit');
        clearTimeout(timer);
        if (server.child.exitCode !== 0) throw new Error(`exit ${server.child.exitCode}`);
        rmSync(server.dir, { recursive: true, force: true });
    });
}

await main().catch((e) => {
    failed++;
    console.log(`not ok real-clients: ${e.message}`);
});
process.exit(failed ? 1 : 0);
