// logql_grammar_test.mjs BUILD - Grafana's own grammar of LogQL against our parser: what it parses we parse, or refuse by name.
//
// Queries are those of tests/scripts/logql/queries.txt and random ones made of the grammar's forms. The grammar's package is fetched
// for the test alone; without network the test is skipped. Its grammar is older than the language: what it does not know proves nothing.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const build = resolve(process.argv[2] ?? 'build');
const work = mkdtempSync(join(tmpdir(), 'vedette-logql-'));
const RANDOM = 400;

function grammar() {
    execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', work, '@grafana/lezer-logql@0.3.0',
        '@lezer/lr@1.4.2', '@lezer/common@1.2.3'], { stdio: 'ignore', timeout: 60000 });
    return createRequire(join(work, 'x.js'))('@grafana/lezer-logql').parser;
}

function parses(parser, text) {
    let good = true;
    parser.parse(text).iterate({ enter: (n) => { good &&= !n.type.isError; } });
    return good;
}

// ---- random queries ----

let seed = 12345;
const below = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
const pick = (...of) => of[below(of.length)];
const some = (most, make, joint) => Array.from({ length: 1 + below(most) }, make).join(joint);

const name = () => pick('app', 'job', 'level', 'status', 'took', 'size', 'addr');
const text = () => pick('"a"', '`b.+`', '"x y"', '"\\"q\\""');
const selector = () => `{${some(3, () => name() + pick('=', '!=', '=~', '!~') + text(), ', ')}, z="1"}`;
const filter = (deep = 2) => deep > 0 && below(3) === 0 ? `(${filter(deep - 1)}${pick(' and ', ' or ', ', ')}${filter(deep - 1)})`
    : pick(`${name()}${pick('=', '!=', '=~', '!~')}${text()}`, `${name()} ${pick('>', '>=', '<', '<=', '==', '!=')} ${pick('5', '1.5', '10s', '1h30m', '5KB')}`,
        `${name()} = ip("10.0.0.0/8")`);
const stage = () => pick(`|= ${text()}`, `!= ${text()}`, `|~ ${text()}`, `!~ ${text()}`, '|= ip("10.0.0.1")', '| json', '| logfmt', '| unpack',
    '| regexp "(?P<a>.)"', '| pattern "<a> <_>"', '| json a="b.c[0]"', `| ${filter()}`, '| line_format "{{.a}}"', '| label_format a=b,c="{{.d}}"');
const pipeline = () => below(3) ? some(4, stage, ' ') : '';
const grouping = () => pick('', ` by (${some(2, name, ',')})`, ` without (${name()})`, ' by ()');
const range = () => `[${pick('5m', '1h', '30s')}]${pick('', '', ' offset 5m')}`;
const unwrap = () => `| unwrap ${pick(name(), `duration(${name()})`, `bytes(${name()})`)}${pick('', ` | ${filter(0)}`)}`;
const leaf = () => pick(
    () => `${pick('rate', 'count_over_time', 'bytes_rate', 'bytes_over_time', 'absent_over_time')}(${selector()} ${pipeline()} ${range()})`,
    () => `${pick('avg', 'min', 'max', 'first', 'last', 'stddev', 'stdvar')}_over_time(${selector()} ${pipeline()} ${unwrap()} ${range()})${grouping()}`,
    () => `quantile_over_time(0.9, ${selector()} ${pipeline()} ${unwrap()} ${range()})${grouping()}`,
)();
const metric = (deep = 3) => deep === 0 ? leaf() : pick(leaf,
    () => `${pick('sum', 'avg', 'count', 'max', 'min', 'stddev', 'stdvar')}${grouping()} (${metric(deep - 1)})`,
    () => `${pick('topk', 'bottomk')}(3, ${metric(deep - 1)})${grouping()}`,
    () => `${metric(deep - 1)} ${pick('+', '-', '*', '/', '%', '^', '>', '>= bool', '==')} ${pick('2', '-1.5', metric(deep - 1))}`,
    () => `(${metric(deep - 1)}) ${pick('and', 'or', 'unless', '/')} ${pick('', 'on (app) ', 'ignoring (job) ')}(${metric(deep - 1)})`,
    () => `label_replace(${metric(deep - 1)}, "a", "$1", "b", "(.*)")`)();

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

async function ours(port, query) {
    const answer = await fetch(`http://127.0.0.1:${port}/loki/api/v1/format_query?${new URLSearchParams({ query })}`);
    return { status: answer.status, text: await answer.text() };
}

async function main() {
    let parser;
    try {
        parser = grammar();
    } catch (e) {
        console.log(`skip logql-grammar: @grafana/lezer-logql cannot be installed: ${e.message.split('\n')[0]}`);
        return 0;
    }
    const written = readFileSync(resolve('tests/scripts/logql/queries.txt'), 'utf8').split('\n').filter((q) => q && !q.startsWith('#'));
    const random = Array.from({ length: RANDOM }, () => (below(3) ? metric() : `${selector()} ${pipeline()}`));
    const known = [...written, ...random].filter((q) => parses(parser, q));
    const server = await start();
    let failed = 0, refused = 0;
    try {
        for (const q of known) {
            const a = await ours(server.port, q);
            if (a.status === 404) {
                console.log('skip logql-grammar: this server has no /loki/api/v1/format_query');
                return 0;
            }
            const named = /pattern|regular|capture|aggregation|operation|20 years|ip:/.test(a.text);
            if (a.status !== 200 && !named) console.log(`not ok logql-grammar: ${q}: ${a.text}`), failed++;
            refused += a.status !== 200 && named;
        }
    } finally {
        server.child.kill('SIGTERM');
        if (server.child.exitCode === null) await once(server.child, 'exit');
    }
    if (failed === 0) console.log(`ok logql-grammar: ${known.length} queries that the grammar parses, ${refused} of them refused by name`);
    return failed ? 1 : 0;
}

const code = await main();
rmSync(work, { recursive: true, force: true });
process.exit(code);
