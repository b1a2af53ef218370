// traceql_grammar_test.mjs BUILD - Grafana's own grammar of TraceQL against our parser: what it parses we parse, or refuse by name.
//
// Queries are those of tests/scripts/traceql/parse.test, random ones made of the grammar's forms, and random ones whose parts were exchanged,
// left out or said twice, of which the grammar keeps what it can parse: that finds forms nobody thought of. The grammar's package is fetched for
// the test alone; without network the test is skipped.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const build = resolve(process.argv[2] ?? 'build');
const work = mkdtempSync(join(tmpdir(), 'vedette-traceql-'));
const RANDOM = Number(process.argv[3] ?? 600), MUTANTS = 10 * RANDOM;

function grammar() {
    execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', work, '@grafana/lezer-traceql@1.0.0',
        '@lezer/lr@1.4.2', '@lezer/common@1.2.3'], { stdio: 'ignore', timeout: 60000 });
    return createRequire(join(work, 'x.js'))('@grafana/lezer-traceql').parser;
}

function parses(parser, text) {
    let good = true;
    parser.parse(text).iterate({ enter: (n) => { good &&= !n.type.isError && n.name !== 'TemplateVariable'; } });
    return good;
}

// ---- random queries ----

let seed = 4711;
const below = (n) => ((seed = (seed * 1664525 + 1013904223) % 4294967296) >>> 8) % n;
const pick = (...of) => of[below(of.length)];
const some = (most, make, joint) => Array.from({ length: 1 + below(most) }, make).join(joint);

const intrinsic = () => pick('duration', 'name', 'status', 'statusMessage', 'kind', 'childCount', 'traceDuration', 'rootName', 'rootServiceName',
    'nestedSetLeft', 'nestedSetRight', 'nestedSetParent', 'span:duration', 'span:name', 'span:status', 'span:kind', 'span:statusMessage', 'span:id',
    'trace:duration', 'trace:rootName', 'trace:rootService', 'trace:id', 'event:name', 'event:timeSinceStart', 'link:traceID', 'link:spanID',
    'instrumentation:name', 'instrumentation:version');
const attribute = () => pick('.', 'span.', 'resource.', 'event.', 'link.', 'instrumentation.', 'parent.', 'parent.span.', 'parent.resource.') +
    pick('a', 'service.name', 'http.status_code', 'k8s.io/pod-name', '"with space"', 'x_1');
const text = () => pick('"a"', '"a.*"', '`raw`', '"q\\"q"', '""');
const static_ = () => pick(text(), '1', '-2', '1.5', '0.25', '1s', '1h30m', '250ms', 'true', 'false', 'nil', 'ok', 'error', 'unset', 'server', 'client',
    'internal', 'producer', 'consumer', 'unspecified');
const order = () => pick('=', '!=', '<', '<=', '>', '>=');
const number = () => pick(attribute, () => pick('duration', 'childCount', 'traceDuration', 'span:duration', 'trace:duration', 'nestedSetLeft',
    'event:timeSinceStart', '1', '2.5', '1s', '1h30m', '250ms'))();
const word = () => pick(attribute, () => pick('name', 'statusMessage', 'rootName', 'rootServiceName', 'span:name', 'trace:rootService', 'event:name', 'link:traceID',
    'instrumentation:version'))();
/* Mostly of sense; now and then anything with anything. */
const comparison = () => pick(() => `${attribute()} ${order()} ${static_()}`, () => `${number()} ${order()} ${number()}`, () => `${word()} ${pick('=~', '!~', '=', '!=')} ${text()}`,
    () => `${pick('status', 'span:status')} ${pick('=', '!=')} ${pick('ok', 'error', 'unset')}`, () => `${pick('kind', 'span:kind')} = ${pick('server', 'client', 'internal')}`,
    () => `${number()} ${pick('+', '-', '*', '/', '%', '^')} ${number()} ${order()} ${number()}`, attribute, () => `!${attribute()}`, () => `-${attribute()} > 1`,
    () => `${pick(attribute, intrinsic)()} ${pick('=', '!=')} nil`,
    () => below(4) ? comparison() : `${pick(attribute, intrinsic, static_)()} ${pick(order(), '=~')} ${pick(attribute, intrinsic, static_)()}`)();
const field = (deep = 3) => deep === 0 || below(2) ? comparison()
    : pick(() => `${field(deep - 1)} ${pick('&&', '||')} ${field(deep - 1)}`, () => `(${field(deep - 1)})`, () => `!(${field(deep - 1)})`)();
const filter = () => pick(() => '{}', () => `{ ${field()} }`, () => `{ ${field()} }`, () => `{${attribute()}=${static_()}}`)();
const relation = () => pick('&&', '||', '>', '>>', '<', '<<', '~', '!>', '!>>', '!<', '!<<', '!~', '&>', '&>>', '&<', '&<<', '&~');
const sets = (deep = 2) => deep === 0 || below(2) ? filter() : pick(() => `${sets(deep - 1)} ${relation()} ${sets(deep - 1)}`, () => `(${sets(deep - 1)})`,
    () => `(${sets(deep - 1)} | ${stage()}) ${relation()} (${sets(deep - 1)})`)();
const aggregate = () => pick('count()', `${pick('avg', 'min', 'max', 'sum')}(${number()})`);
const scalar = (deep = 2) => deep === 0 || below(2) ? pick(aggregate, aggregate, () => pick('1', '2.5', '1s'))()
    : pick(() => `${scalar(deep - 1)} ${pick('+', '-', '*', '/', '%', '^')} ${scalar(deep - 1)}`, () => `(${scalar(deep - 1)})`)();
const stage = () => pick(() => `${scalar()} ${pick('=', '!=', '<', '<=', '>', '>=')} ${scalar()}`, () => `by(${pick(attribute, intrinsic, comparison)()})`, () => 'coalesce()',
    () => `select(${some(3, pick(attribute, intrinsic), ', ')})`, () => sets(1))();
const by = () => pick('', '', ` by (${some(3, pick(attribute, intrinsic), ', ')})`, ` by(${attribute()})`);
const series = () => pick('rate()', 'count_over_time()', `${pick('min', 'max', 'avg', 'sum', 'histogram')}_over_time(${pick(attribute(), 'duration', 'span:duration')})`,
    `quantile_over_time(${pick('duration', attribute())}, ${some(3, () => pick('0.9', '0.5', '1'), ', ')})`, `compare({ ${field()} }${pick('', ', 10', ', 5, 1, 2')})`) + by();
const query = () => `${sets()}${below(2) ? ` | ${some(2, stage, ' | ')}` : ''}${pick('', '', ` | ${series()}`, ` | ${series()} | ${pick('topk', 'bottomk')}(${pick('3', '10')})`)}` +
    pick('', '', '', ' with (most_recent=true)', ' with (sample=0.5, exemplars=10)');

/* One change of its words: exchanged with another query's, left out, or said twice. */
const words = (q) => q.match(/(?:[\w.-]*\.)?"(?:\\.|[^"])*"|`[^`]*`|[A-Za-z_0-9.:/$]+|[^\sA-Za-z_0-9."`]{1,3}?|\S/g) ?? [];
function mutant(all) {
    const w = words(pick(...all)), other = words(pick(...all)), at = below(w.length), from = below(other.length);
    pick(() => w.splice(at, 1), () => w.splice(at, 1, other[from]), () => w.splice(at, 0, w[at]),
        () => w.splice(at, 1 + below(4), ...other.slice(from, from + 1 + below(4))), () => w.splice(at, 0, other[from]))();
    return w.join(' ');
}

// ---- ours ----

async function freePort() {
    const s = createServer();
    s.listen(0, '127.0.0.1');
    await once(s, 'listening');
    const { port } = s.address();
    s.close();
    await once(s, 'close');
    return port;
}

async function start() {
    const port = await freePort();
    const log = openSync(join(work, 'log'), 'w');
    const child = spawn(join(build, 'vedette'), ['serve', '--listen', `127.0.0.1:${port}`, '--listen-otlp', 'none', '--listen-grpc', 'none',
        '--data', join(work, 'data')], { stdio: ['ignore', log, log] });
    for (let i = 0; i < 600 && child.exitCode === null; i++) {
        try {
            if ((await fetch(`http://127.0.0.1:${port}/-/ready`)).status === 200) return { port, child };
        } catch { /* not listening yet */ }
        await new Promise((r) => setTimeout(r, 50));
    }
    throw new Error('vedette was not ready');
}

const isMetric = /\| *(rate|count_over_time|(min|max|avg|sum|quantile|histogram)_over_time|compare) *\(/;

async function ours(port, q) {
    const params = isMetric.test(q) ? `metrics/query_range?${new URLSearchParams({ q, start: '1700000000', end: '1700000060', step: '60' })}`
        : `search?${new URLSearchParams({ q, start: '1700000000', end: '1700000060' })}`;
    const answer = await fetch(`http://127.0.0.1:${port}/tempo/api/${params}`);
    return { status: answer.status, text: await answer.text() };
}

/* What the grammar parses and Tempo refuses for its sense, as we do, or what docs/traceql.md says is not there. */
const byName = new RegExp(['not supported', 'cannot be applied to values of these types', 'must be true or false', 'wants a number', 'must speak of the span',
    'nothing of the spans', 'cannot begin with', 'must be between 0 and 1', 'is not a number, and has no', 'shows 1 to 1000', 'a number above 0', 'more than \\d+',
    'out of range', 'regular expression', 'too large',
    'an attribute is expected', 'behind an attribute', // select(1 + 2), and what follows: the grammar's own looseness
    'is expected, not \\\\?"(by|~|topk|bottomk|with)\\\\?"',
].join('|'));
/* What Tempo's grammar cannot say either. */
const loose = /[<>~&|]\s*(rate|count_over_time|(min|max|avg|sum|quantile|histogram)_over_time|compare) *\(/;
const isLoose = (q) => loose.test(q.replaceAll(/(^|[^|])\|\s*(?!\|)/g, '$1;'));

async function main() {
    let parser;
    try {
        parser = grammar();
    } catch (e) {
        console.log(`skip traceql-grammar: @grafana/lezer-traceql cannot be installed: ${e.message.split('\n')[0]}`);
        return 0;
    }
    const written = readFileSync(resolve('tests/scripts/traceql/parse.test'), 'utf8').split('\n').filter((l) => /^(ok|unsupported) /.test(l))
        .map((l) => l.replace(/^\S+ /, ''));
    const random = Array.from({ length: RANDOM }, query);
    const known = [...new Set([...written, ...random, ...Array.from({ length: MUTANTS }, () => mutant([...written, ...random]))])]
        .filter((q) => parses(parser, q) && !isLoose(q));
    const server = await start();
    let failed = 0, refused = 0;
    try {
        for (const q of known) {
            const a = await ours(server.port, q);
            if (a.status === 200) continue;
            if (a.status === 400 && byName.test(a.text)) refused++;
            else if (failed++ < 20) console.log(`not ok traceql-grammar: ${q}: ${a.status} ${a.text.slice(0, 200).trim()}`);
        }
    } finally {
        server.child.kill('SIGTERM');
        if (server.child.exitCode === null) await once(server.child, 'exit');
    }
    if (failed === 0) console.log(`ok traceql-grammar: ${known.length} queries that the grammar parses, ${refused} of them refused by name`);
    return failed ? 1 : 0;
}

const code = await main();
rmSync(work, { recursive: true, force: true });
process.exit(code);
