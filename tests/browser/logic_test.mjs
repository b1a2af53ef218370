/* logic_test.mjs - what the pages reckon without a browser: units, addresses, the language at the caret. */
import { claim, expect } from './lab.mjs';
import * as address from '../../web/address.mjs';
import * as format from '../../web/lib/format.mjs';
import * as alerts from '../../web/lib/alerts.mjs';
import { messages } from '../../web/lib/chat.mjs';
import * as filter from '../../web/lib/filter.mjs';
import { costText } from '../../web/lib/spend.mjs';
import * as tree from '../../web/lib/tree.mjs';
import * as matrix from '../../web/lib/matrix.mjs';
import * as promql from '../../web/lib/promql.mjs';

let failed = 0;
function test(name, story) {
    try {
        story();
        console.log('ok ' + name);
    } catch (e) {
        failed++;
        console.log(`not ok ${name}: ${e.message}`);
    }
}

const plain = (text) => text.replace(/\u202f/g, ' ');

test('values have three digits and the unit that fits', () => {
    const cases = [
        ['bytes', 0, '0 B'],
        ['bytes', 1536, '1.5 KiB'],
        ['bytes', 3.2 * 2 ** 30, '3.2 GiB'],
        ['bytes/s', 1048576, '1 MiB/s'],
        ['seconds', 0.0123, '12.3 ms'],
        ['seconds', 90, '1.5 min'],
        ['seconds', 2.5e-5, '25 µs'],
        ['percent', 99.5, '99.5 %'],
        ['', 1234567, '1.23 M'],
        ['', 0.5, '0.5'],
        ['', 0.000123, '0.000123'],
        ['', 100, '100'],
        ['usd/h', 12.5, '$12.5/h'],
        ['', NaN, '–'],
        ['', null, '–'],
        ['', Infinity, '+Inf'],
        ['', -1500, '-1.5 k'],
        ['/s', 0, '0/s'],
    ];
    for (const [unit, v, want] of cases) expect(plain(format.value(unit, v)), want, `${v} ${unit}`);
});

test('ticks of an axis share a scale and differ', () => {
    const cases = [
        ['seconds', [0, 20, 40, 60], ['0', '20 s', '40 s', '60 s']],
        ['seconds', [0, 0.05, 0.1], ['0', '50 ms', '100 ms']],
        ['bytes', [0, 2 ** 33, 2 ** 34], ['0', '8 GiB', '16 GiB']],
        ['percent', [0, 2.5, 5], ['0.0 %', '2.5 %', '5.0 %']],
        ['', [1000, 1000.5], ['1000.0', '1000.5']],
        ['tokens/s', [0, 5000, 10000], ['0', '5 k/s', '10 k/s']],
    ];
    for (const [unit, ticks, want] of cases) expect(format.axis(unit, ticks).map(plain), want, unit);
});

test('durations are read and written as in the language', () => {
    for (const [text, s] of [
        ['5s', 5],
        ['1h30m', 5400],
        ['250ms', 0.25],
        ['2d', 172800],
        ['15', 15],
        ['', NaN],
        ['5x', NaN],
        ['-5s', NaN],
    ])
        expect(String(address.seconds(text)), String(s), text);
    for (const [s, text] of [
        [5, '5s'],
        [90, '90s'],
        [3600, '1h'],
        [86400, '1d'],
        [0.25, '250ms'],
    ])
        expect(address.duration(s), text);
});

test('an address is read back as it was written', () => {
    for (const a of [
        '/',
        '/?range=6h',
        '/?from=100&to=200&refresh=off',
        '/?host=a%3A9100',
        '/explore',
        '/traces?q=status%3Derror&order=-took',
        '/traces/abc?span=1&from=1&to=2',
        '/explore?q=up%7Bjob%3D%22a+b%22%7D&tab=table&step=30s&range=15m',
    ]) {
        const [path, search = ''] = a.split('?');
        expect(
            address.write(address.read(path, search)),
            address.write(address.read(...address.write(address.read(path, search)).split('?'))),
            a,
        );
    }
    expect(
        address.write(address.read('/explore', 'q=up&range=1h&refresh=off&tab=graph')),
        '/explore?q=up',
        'defaults are left out',
    );
    expect(
        address.read('/', 'from=200&to=100&refresh=1ms&range=bogus').range,
        '15m',
        'nonsense is the default',
    );
});

test('a span has at most as many points as the server gives, and ends now', () => {
    const s = address.read('/explore', 'range=7d&step=1s'),
        span = address.span(s, 1e9);
    claim((span.end - span.start) / span.step <= 11000, `${(span.end - span.start) / span.step} points`);
    expect(address.span(address.read('/', 'range=1h'), 1000003.5, { grain: 5 }), {
        start: 1000000 - 3600,
        end: 1000000,
        step: 15,
    });
    expect(address.span(address.read('/', 'from=100&to=700'), 1e9, { grain: 5 }), {
        start: 100,
        end: 700,
        step: 5,
    });
});

test('the caret knows what may stand there', () => {
    const at = (marked) => promql.context(marked.replace('|', ''), marked.indexOf('|'));
    const cases = [
        ['rat|', 'metric', 'rat'],
        ['sum(no|', 'metric', 'no'],
        ['up + |', 'metric', ''],
        ['up{|', 'label', ''],
        ['up{job="a",in|}', 'label', 'in'],
        ['up{job="|"}', 'value', ''],
        ['up{job=~"ab|', 'value', 'ab'],
        ['sum by (jo|', 'label', 'jo'],
        ['a / on(|) b', 'label', ''],
        ['rate(up[5|', 'duration', '5'],
        ['up # no|', 'none', ''],
        ['"te|', 'none', ''],
        ['up{job="a"} |', 'keyword', ''],
        ['sum(x) b|', 'keyword', 'b'],
        ['sum b|', 'keyword', 'b'],
        ['up * of|', 'metric', 'of'],
        ['5|', 'none', ''],
    ];
    for (const [text, kind, word] of cases) {
        const c = at(text);
        expect([c.kind, c.word], [kind, word], text);
    }
    const value = at('http_requests{path!~"/a|bc", job="x"}');
    expect(
        [value.metric, value.label, value.regex, value.from, value.to],
        ['http_requests', 'path', true, 21, 26],
    );
});

const WORDS = {
    functions: [{ name: 'rate' }, { name: 'time' }],
    aggregators: [{ name: 'sum' }],
    keywords: [{ name: 'and' }],
    modifiers: [{ name: 'by' }, { name: 'offset' }, { name: 'smoothed' }],
};

test('before the server has told its words the brackets tell', () => {
    const kinds = (q) =>
        promql
            .lex(q)
            .filter((t) => t.kind !== 'space')
            .map((t) => t.kind)
            .join(' ');
    expect(kinds('sum by (job) (rate(x[5m]))'), 'fn kw op label op op fn op metric op dur op op op');
    expect(kinds('a and on (b) c'), 'metric metric kw op label op metric');
    promql.learn(WORDS);
    expect(kinds('a and on (b) c'), 'metric kw kw op label op metric');
    expect(kinds('rate(x[5m] smoothed) offset'), 'fn op metric op dur op kw op kw');
});

test('words are coloured by what they stand for', () => {
    const kinds = (q) =>
        promql
            .lex(q)
            .filter((t) => t.kind !== 'space')
            .map((t) => t.kind)
            .join(' ');
    expect(kinds('sum by (job) (rate(x[5m]))'), 'fn kw op label op op fn op metric op dur op op op');
    expect(kinds('sum + rate{le="0.5"} # a'), 'metric op metric op label op str op com');
    expect(
        promql
            .lex('a{b="c\\"d"} é `x')
            .map((t) => t.text)
            .join(''),
        'a{b="c\\"d"} é `x',
        'nothing is lost',
    );
});

test('a mistake is found by line and column, counted in bytes', () => {
    expect(promql.place('sum(x', '1:6: parse error: unclosed'), { from: 4, to: 5, message: 'unclosed' });
    const two = promql.place('# é\nrate(foo)', 'invalid parameter "query": 2:6: parse error: expected range');
    expect(['# é\nrate(foo)'.slice(two.from, two.to), two.message], ['foo', 'expected range']);
    const accent = promql.place('"é" + by', '1:8: parse error: what');
    expect('"é" + by'.slice(accent.from, accent.to), 'by');
    expect(promql.place('up', 'something else'), null);
});

test('better fits come first', () => {
    const order = ['node_load15', 'xload', 'node_load1', 'load', 'load_node']
        .map((n) => [n, promql.fit(n, 'load')])
        .sort((a, b) => a[1][0] - b[1][0] || a[0].length - b[0].length)
        .map(([n]) => n);
    expect(order, ['load', 'load_node', 'node_load1', 'node_load15', 'xload']);
    expect(promql.fit('node_cpu_seconds_total', 'cpu_tot')[0], 3);
    expect(promql.fit('up', 'down'), null);
});

test('values are quoted for the string they go into', () => {
    expect(promql.quoted('a"b\\c', { quote: '"' }), 'a\\"b\\\\c');
    expect(promql.quoted('/a.b', { quote: '"', regex: true }), '/a\\\\.b');
    expect(promql.quoted('a.b', { quote: '`', regex: true }), 'a\\.b');
});

test('units are guessed only where names tell them', () => {
    const cases = [
        ['node_memory_MemFree_bytes', 'bytes'],
        ['rate(node_network_receive_bytes_total[1m])', 'bytes/s'],
        ['a_bytes / b_bytes', ''],
        ['histogram_quantile(0.9, rate(x_seconds_bucket[5m]))', 'seconds'],
        ['rate(node_cpu_seconds_total[1m])', ''],
        ['process_start_time_seconds', ''],
        ['count(x_bytes)', ''],
        ['up', ''],
        ['scrape_duration_seconds', 'seconds'],
        ['up{a="x_bytes"}', ''],
    ];
    for (const [q, unit] of cases) expect(promql.unitOf(q), unit, q);
});

test('points are laid on the grid, holes stay holes', () => {
    const span = { start: 100, end: 130, step: 10 };
    const g = matrix.grid(
        span,
        [
            [
                {
                    metric: { a: 'x' },
                    values: [
                        [100, '1'],
                        [120, 'NaN'],
                        [130, '4'],
                    ],
                },
                { metric: {}, histograms: [] },
            ],
        ],
        (m) => m.a,
    );
    expect(g, {
        times: [100, 110, 120, 130],
        series: [{ label: 'x', metric: { a: 'x' }, values: [1, null, null, 4] }],
    });
    expect(matrix.sum([1, null, 4]), { last: 4, least: 1, most: 4, mean: 2.5, n: 2 });
    expect([matrix.newest([1, null, null, null, null]), matrix.newest([1, 2, null])], [null, 2]);
    expect(matrix.total([{ values: [1, null, null] }, { values: [2, 3, null] }]), [3, 3, null]);
    expect(
        [
            ...matrix.common([
                { a: '1', b: '2' },
                { a: '1', b: '3' },
            ]),
        ],
        ['a'],
    );
    expect(matrix.seriesText({ __name__: 'up', job: 'a"b', 'x.y': 'z' }), 'up{job="a\\"b", "x.y"="z"}');
});

test('money is never in thousandths', () => {
    expect([0, 0.00125175, 0.012, 12.345, 1234.5, NaN].map((v) => plain(format.usd(v))), ['$0', '$0.00125175', '$0.01', '$12.35', '$1 235', '–']);
});

test('what nobody knows is not said to be nothing', () => {
    const t = (model_calls, unpriced_calls, calls_without_usage, total_cost_usd) => ({ model_calls, unpriced_calls, calls_without_usage, total_cost_usd, is_partial_cost: unpriced_calls + calls_without_usage > 0 });
    expect([t(0, 0, 0, 0), t(2, 0, 0, 0), t(2, 2, 0, 0), t(2, 0, 2, 0), t(2, 1, 0, 0.5)].map(costText), ['', '$0', 'unpriced', 'not told', '$0.50 and more']);
});

test('a line of words becomes what the traces are asked for', () => {
    expect(filter.ofTraces('service=shop status=error duration>2s duration<=1m gen_ai.request.model=gpt-5 user.id "http.route=/a b"'), {
        params: {
            attribute: ['gen_ai.request.model=gpt-5', 'user.id', 'http.route=/a b'],
            service: 'shop',
            status: 'error',
            min_duration: '2s',
            max_duration: '1m',
        },
        wrong: [],
    });
    expect(filter.ofTraces('=x duration').wrong, ['=x', 'duration']);
    expect(filter.ofLogs('service=shop severity=warn+ cart>3 connection refused message=~x.*y'), {
        params: { field: ['cart>3'], service: 'shop', severity: 'warn+', regex: 'x.*y', text: 'connection refused' },
        wrong: [],
    });
    expect(filter.words('"a \\"b\\" c" d "open end'), ['a "b" c', 'd', 'open end']);
    for (const list of [['a b', 'c'], ['say "hi"'], ['plain']]) expect(filter.words(filter.join(list)), list);
});

test('a facet is put in, changed and taken out', () => {
    expect(filter.toggle('x=1', 'service', 'a b'), 'x=1 "service=a b"');
    expect(filter.toggle('service=a x=1', 'service', 'b'), 'x=1 service=b');
    expect(filter.toggle('x=1 service=b', 'service', 'b'), 'x=1');
    expect(filter.withDuration('a=1 duration>1s', 20, Infinity), 'a=1 duration>20ms');
});

const said = (attributes) => messages(attributes).map((m) => [m.role, ...m.parts.map((p) => [p.kind, p.title ?? '', p.text].join('|'))]);

test('a conversation is read in every convention', () => {
    const call = '{\n  "q": 1\n}';
    expect(
        said({
            'gen_ai.input.messages': JSON.stringify([{ role: 'user', parts: [{ type: 'text', content: 'hi' }] }]),
            'gen_ai.output.messages': [
                { role: 'assistant', parts: [{ type: 'tool_call', id: '1', name: 'find', arguments: { q: 1 } }, { type: 'reasoning', content: 'hm' }] },
            ],
        }),
        [
            ['user', 'text||hi'],
            ['assistant', `call|find|${call}`, 'reasoning||hm'],
        ],
        'OpenTelemetry',
    );
    expect(
        said({
            'llm.input_messages.0.message.role': 'system',
            'llm.input_messages.0.message.content': 'be kind',
            'llm.input_messages.1.message.role': 'user',
            'llm.input_messages.1.message.contents.0.message_content.type': 'text',
            'llm.input_messages.1.message.contents.0.message_content.text': 'hello',
            'llm.output_messages.0.message.role': 'assistant',
            'llm.output_messages.0.message.tool_calls.0.tool_call.function.name': 'find',
            'llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments': '{"q":1}',
            'input.value': 'not this',
        }),
        [
            ['system', 'text||be kind'],
            ['user', 'text||hello'],
            ['assistant', `call|find|${call}`],
        ],
        'OpenInference',
    );
    expect(
        said({ 'gen_ai.prompt.0.role': 'user', 'gen_ai.prompt.0.content': 'a', 'gen_ai.completion.0.content': 'b' }),
        [
            ['user', 'text||a'],
            ['assistant', 'text||b'],
        ],
        'OpenLLMetry',
    );
    expect(
        said({ 'ai.prompt.messages': '[{"role":"user","content":[{"type":"text","text":"a"}]}]', 'ai.response.text': 'b' }),
        [
            ['user', 'text||a'],
            ['assistant', 'text||b'],
        ],
        'Vercel',
    );
    expect(said({ 'input.value': 'plain in', 'output.value': '{"messages":[{"role":"tool","name":"f","content":"42"}]}' }), [
        ['input', 'text||plain in'],
        ['tool', 'answer|f|42'],
    ]);
    expect(said({ 'gen_ai.prompt': '[{broken', x: 1 }), [['user', 'text||[{broken']]);
    expect(said({}), []);
});

test('folded spans hide what is below them, and operations add up', () => {
    const span = (span_id, depth, descendants, offset_ms, duration_ms, self_ms) => ({
        span_id, depth, descendants, offset_ms, duration_ms, self_ms, critical_ms: self_ms, service: 's' + depth, name: 'n' + depth, status: 'ok',
    });
    const spans = [span('a', 0, 3, 0, 10, 4), span('b', 1, 1, 1, 4, 2), span('c', 2, 0, 2, 2, 2), span('d', 1, 0, 6, 2, 2)];
    expect(tree.visible(spans, new Set()), [0, 1, 2, 3]);
    expect(tree.visible(spans, new Set(['b'])), [0, 1, 3]);
    expect(tree.visible(spans, new Set(['a', 'b'])), [0]);
    expect(tree.above(spans, 2), ['b', 'a']);
    const all = tree.operations(spans);
    expect(all.map((o) => [o.name, o.n, o.total, o.self, o.worst]), [
        ['n0', 1, 10, 4, 'a'],
        ['n1', 2, 6, 4, 'b'],
        ['n2', 1, 2, 2, 'c'],
    ]);
});

test('matchers are read as people write them', () => {
    expect(alerts.readMatchers('a="x y"\nb!="2", c=~"p|q" d!~z'), null, 'two on one line need a comma');
    const read = alerts.readMatchers('a="x \\"y\\""\nb!=2, c=~"p|q"\n"odd.name"!~z');
    expect(read.map((m) => [m.name, m.value, m.isEqual, m.isRegex]), [
        ['a', 'x "y"', true, false],
        ['b', '2', false, false],
        ['c', 'p|q', true, true],
        ['odd.name', 'z', false, true],
    ]);
    expect(alerts.readMatchers(alerts.printMatchers(read)), read);
    expect(alerts.readMatchers('no operator'), null);
});

test('only links that run nothing are followed, and severities have one order', () => {
    expect(['javascript:alert(1)', ' javascript:1', 'data:text/html,x', 'https://a/b', '/docs/x'].map((u) => alerts.safeUrl(u)), ['', '', '', 'https://a/b', '/docs/x']);
    expect(alerts.exprOf('http://p/graph?g0.expr=up%7B%7D&g0.tab=1'), 'up{}');
    const sorted = ['info', 'medium', 'critical', 'warning', 'high'].map((severity) => ({ labels: { severity }, startsAt: '' })).sort(alerts.order);
    expect(sorted.map((a) => a.labels.severity), ['critical', 'high', 'medium', 'warning', 'info']);
    expect(alerts.tone({}), 'warning');
});

process.exit(failed ? 1 : 0);
