/* promql.mjs - as much of the language as an editor needs: tokens to colour, and what may stand at the caret. Pure.
 *
 * The server's parser is the judge of what is right (api.parse); this one never fails. */

export const AGGREGATIONS = [
    'sum',
    'avg',
    'min',
    'max',
    'count',
    'group',
    'stddev',
    'stdvar',
    'topk',
    'bottomk',
    'quantile',
    'count_values',
    'limitk',
    'limit_ratio',
];

const MODIFIERS = [
    'by',
    'without',
    'on',
    'ignoring',
    'group_left',
    'group_right',
    'offset',
    'bool',
    'and',
    'or',
    'unless',
    'atan2',
    'smoothed',
    'anchored',
    'start',
    'end',
    'inf',
    'nan',
];
const BEFORE_LABELS = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);

const V = 'vector',
    R = 'range';
export const FUNCTIONS = new Map(
    Object.entries({
        abs: [V, 'absolute value'],
        absent: [V, '1 when there is no series'],
        absent_over_time: [R, '1 when the range holds no sample'],
        acos: [V, ''],
        acosh: [V, ''],
        asin: [V, ''],
        asinh: [V, ''],
        atan: [V, ''],
        atanh: [V, ''],
        cos: [V, ''],
        cosh: [V, ''],
        sin: [V, ''],
        sinh: [V, ''],
        tan: [V, ''],
        tanh: [V, ''],
        avg_over_time: [R, 'mean in the range'],
        ceil: [V, 'rounded up'],
        changes: [R, 'how often the value changed'],
        clamp: [V + ', min, max', 'kept between two bounds'],
        clamp_max: [V + ', max', 'kept below'],
        clamp_min: [V + ', min', 'kept above'],
        count_over_time: [R, 'samples in the range'],
        day_of_month: [V, ''],
        day_of_week: [V, '0 is Sunday'],
        day_of_year: [V, ''],
        days_in_month: [V, ''],
        deg: [V, 'radians to degrees'],
        delta: [R, 'change of a gauge'],
        deriv: [R, 'slope a second, by regression'],
        exp: [V, ''],
        double_exponential_smoothing: [R + ', sf, tf', 'smoothed gauge'],
        first_over_time: [R, 'oldest sample'],
        floor: [V, 'rounded down'],
        histogram_avg: [V, 'mean of a native histogram'],
        histogram_count: [V, 'observations of a native histogram'],
        histogram_sum: [V, 'sum of a native histogram'],
        histogram_fraction: ['low, high, ' + V, 'share of observations between'],
        histogram_quantile: ['q, ' + V, 'quantile of a histogram'],
        histogram_quantiles: [V + ', label, q, …', 'several quantiles at once'],
        histogram_stddev: [V, ''],
        histogram_stdvar: [V, ''],
        hour: [V, 'of the day, UTC'],
        idelta: [R, 'last change of a gauge'],
        increase: [R, 'growth of a counter'],
        info: [V, 'adds labels of info metrics'],
        irate: [R, 'growth a second, last two samples'],
        label_join: [V + ', dst, sep, src, …', 'join labels'],
        label_replace: [V + ', dst, repl, src, regex', 'make a label from another'],
        last_over_time: [R, 'newest sample'],
        ln: [V, ''],
        log10: [V, ''],
        log2: [V, ''],
        mad_over_time: [R, 'median absolute deviation'],
        max_over_time: [R, 'greatest in the range'],
        min_over_time: [R, 'smallest in the range'],
        max_of: ['a, b', ''],
        min_of: ['a, b', ''],
        minute: [V, ''],
        month: [V, ''],
        pi: ['', '3.14159…'],
        predict_linear: [R + ', seconds', 'where a gauge will be'],
        present_over_time: [R, '1 when there is a sample'],
        quantile_over_time: ['q, ' + R, 'quantile in the range'],
        rad: [V, 'degrees to radians'],
        rate: [R, 'growth of a counter a second'],
        resets: [R, 'how often a counter began anew'],
        round: [V + ', to', ''],
        scalar: [V, 'the only element as a number'],
        sgn: [V, 'sign'],
        sort: [V, 'ascending'],
        sort_desc: [V, 'descending'],
        sort_by_label: [V + ', label, …', ''],
        sort_by_label_desc: [V + ', label, …', ''],
        sqrt: [V, ''],
        start_timestamp: [V, ''],
        stddev_over_time: [R, ''],
        stdvar_over_time: [R, ''],
        sum_over_time: [R, 'sum in the range'],
        time: ['', 'evaluation time'],
        timestamp: [V, 'time of the sample'],
        ts_of_first_over_time: [R, ''],
        ts_of_last_over_time: [R, ''],
        ts_of_max_over_time: [R, ''],
        ts_of_min_over_time: [R, ''],
        vector: ['scalar', 'a number as a vector'],
        year: [V, ''],
    }),
);

const TOKEN = new RegExp(
    [
        /(?<com>#[^\n]*)/,
        /(?<str>"(?:\\[^]|[^"\\\n])*"?|'(?:\\[^]|[^'\\\n])*'?|`[^`]*`?)/,
        /(?<dur>\b\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)/,
        /(?<num>0[xX][\da-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/,
        /(?<word>[\p{L}_:][\p{L}\p{N}_:.]*)/,
        /(?<space>\s+)/,
        /(?<op>=~|!~|==|!=|<=|>=|[^])/,
    ]
        .map((r) => r.source)
        .join('|'),
    'gu',
);

/* [{kind, text, from, depth}] covering all of the text. Kinds: fn kw metric label str num dur op com space. */
export function lex(text) {
    const tokens = [];
    for (const m of text.matchAll(TOKEN)) {
        const kind = Object.keys(m.groups).find((k) => m.groups[k] !== undefined);
        tokens.push({ kind, text: m[0], from: m.index });
    }
    name(tokens);
    return tokens;
}

/* Words become what they stand for: that depends on the brackets around and on the neighbours. */
function name(tokens) {
    const stack = [];
    let before = null; /* the last token that is not space or comment */
    for (const [i, t] of tokens.entries()) {
        if (t.kind === 'space' || t.kind === 'com') continue;
        t.inside = stack.length > 0 ? stack[stack.length - 1] : null;
        if (t.kind === 'word') t.kind = wordKind(t, tokens, i);
        if (t.kind === 'op' && '({['.includes(t.text))
            stack.push({
                bracket: t.text,
                labels:
                    t.text === '(' && before?.kind === 'kw' && BEFORE_LABELS.has(before.text.toLowerCase()),
                owner: before,
            });
        if (t.kind === 'op' && ')}]'.includes(t.text)) stack.pop();
        t.before = before;
        before = t;
    }
}

function wordKind(t, tokens, i) {
    if (t.inside?.bracket === '{' || t.inside?.labels) return 'label';
    const word = t.text.toLowerCase(),
        after = tokens.slice(i + 1).find((x) => x.kind !== 'space');
    if (
        AGGREGATIONS.includes(word) &&
        (after === undefined || after.text === '(' || /^(by|without)$/i.test(after.text))
    )
        return 'fn';
    if (FUNCTIONS.has(word) && after?.text === '(') return 'fn';
    return MODIFIERS.includes(word) ? 'kw' : 'metric';
}

/* What may stand at the caret: {kind: metric|keyword|label|value|duration|none, word, from, to, metric, label, regex}. from..to is
 * what a choice replaces. */
export function context(text, caret) {
    const tokens = lex(text.slice(0, caret)),
        last = tokens[tokens.length - 1];
    const solid = tokens.filter((t) => t.kind !== 'space' && t.kind !== 'com');
    const none = { kind: 'none', word: '', from: caret, to: caret };
    if (!last || last.kind === 'com') return last ? none : { ...none, kind: 'metric' };

    const open = openBracket(solid);
    const metric = open?.bracket === '{' && open.owner?.kind === 'metric' ? open.owner.text : '';
    if (last.kind === 'str') return inString(text, caret, last, open, metric) ?? none;

    const isWord = ['metric', 'fn', 'kw', 'label'].includes(last.kind);
    const tail = /^[\p{L}\p{N}_:.]*/u.exec(text.slice(caret))[0];
    const at = {
        word: isWord ? last.text : '',
        from: isWord ? last.from : caret,
        to: isWord ? caret + tail.length : caret,
    };
    if (open?.bracket === '[')
        return last.kind === 'op' || last.kind === 'dur' || last.kind === 'num'
            ? {
                  kind: 'duration',
                  word: last.kind === 'op' ? '' : last.text,
                  from: last.kind === 'op' ? caret : last.from,
                  to: caret,
              }
            : none;
    const before = isWord ? last.before : solid[solid.length - 1];
    if (open?.bracket === '{' || open?.labels)
        return before && '{(,'.includes(before.text) ? { kind: 'label', metric, ...at } : none;
    if (last.kind === 'num' || last.kind === 'dur') return none;
    const after =
        before && (')}]'.includes(before.text) || before.kind === 'metric' || before.kind === 'num');
    return { kind: after ? 'keyword' : 'metric', ...at };
}

function openBracket(solid) {
    const stack = [];
    for (const t of solid) {
        if (t.kind !== 'op') continue;
        if ('({['.includes(t.text))
            stack.push({
                bracket: t.text,
                owner: t.before,
                labels:
                    t.text === '(' &&
                    t.before?.kind === 'kw' &&
                    BEFORE_LABELS.has(t.before.text.toLowerCase()),
            });
        if (')}]'.includes(t.text)) stack.pop();
    }
    return stack[stack.length - 1];
}

function inString(text, caret, last, open, metric) {
    const quote = last.text[0],
        closed = last.text.length > 1 && last.text.endsWith(quote) && !/(^|[^\\])(\\\\)*\\.$/.test(last.text);
    const op = last.before,
        label = op?.before;
    if (closed || open?.bracket !== '{' || !op || !['=', '!=', '=~', '!~'].includes(op.text) || !label)
        return null;
    const rest = text.slice(caret),
        end = rest.search(new RegExp(`[${quote},}\\n]`));
    const hasEnd = end >= 0 && rest[end] === quote;
    return {
        kind: 'value',
        word: last.text.slice(1),
        from: last.from + 1,
        to: hasEnd ? caret + end + 1 : caret,
        metric,
        quote,
        label: label.kind === 'str' ? label.text.slice(1, -1) : label.text,
        regex: op.text.endsWith('~'),
    };
}

/* A label value as it stands between quotes. */
export function quoted(text, { quote, regex }) {
    const plain = regex ? text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : text;
    return quote === '`'
        ? plain
        : plain
              .replaceAll('\\', '\\\\')
              .replaceAll('\n', '\\n')
              .replaceAll(quote, '\\' + quote);
}

/* How well a name fits what was typed; null when not at all, smaller is better. [score, from, to of what fits]. */
export function fit(name, typed) {
    const n = name.toLowerCase(),
        t = typed.toLowerCase(),
        at = n.indexOf(t);
    if (t === '') return [1, 0, 0];
    if (at === 0) return [n.length === t.length ? -1 : 0, 0, t.length];
    if (at > 0) return [/[_:.]/.test(n[at - 1]) ? 1 : 2, at, at + t.length];
    let from = 0;
    for (const part of t.split(/[_\s]+/)) {
        const next = n.indexOf(part, from);
        if (next < 0) return null;
        from = next + part.length;
    }
    return [3, 0, 0];
}

/* "1:14: parse error: ..." -> {from, to, message}: where in the text, up to the end of the word there. Columns count bytes. */
export function place(text, message) {
    const m = /(\d+):(\d+): (?:parse error: )?([^]*)$/.exec(message);
    if (!m) return null;
    const lines = text.split('\n'),
        line = Math.min(Number(m[1]), lines.length) - 1;
    const start = lines.slice(0, line).reduce((n, l) => n + l.length + 1, 0);
    const head = new TextDecoder().decode(new TextEncoder().encode(lines[line]).slice(0, Number(m[2]) - 1));
    const at = Math.min(start + head.length, text.length);
    const token = lex(text).find((t) => t.from + t.text.length > at);
    if (!token || token.kind === 'space')
        return { from: Math.max(0, at - 1), to: Math.max(1, at), message: m[3] };
    return { from: at, to: token.from + token.text.length, message: m[3] };
}

/* The unit of a query's values as far as its names tell; '' when they do not. */
export function unitOf(query) {
    const q = query.replace(/"[^"]*"/g, '""');
    if (
        /[/*]|\b(count|absent|count_over_time|count_values|timestamp|time|changes|resets|topk\s*by)\s*\(/.test(
            q,
        )
    )
        return '';
    if (/histogram_quantile|histogram_avg/.test(q))
        return /_seconds/.test(q) ? 'seconds' : /_bytes/.test(q) ? 'bytes' : '';
    if (/\b(rate|irate|deriv)\s*\(/.test(q)) return /_bytes/.test(q) ? 'bytes/s' : '';
    if (/_bytes(_total)?\b/.test(q)) return 'bytes';
    if (/(_time|_timestamp|time)_seconds\b/.test(q)) return '';
    return /_seconds(_total)?\b/.test(q) ? 'seconds' : '';
}
