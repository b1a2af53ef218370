/* promql.mjs - as much of the language as an editor needs: tokens to colour, and what may stand at the caret. Pure.
 *
 * The server's parser is the judge of what is right (api.parse); this one never fails. */

/* Words that labels in parentheses follow: grammar, so it holds before the server has told its words. */
const BEFORE_LABELS = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);

/* The server's own words (GET /api/v1/functions): name -> kind of token. Empty until learnt, or when it cannot be reached. */
let known = new Map();

export function learn({ functions, aggregators, keywords, modifiers }) {
    const names = (list, kind) => list.map((w) => [w.name, kind]);
    known = new Map([
        ...names([...keywords, ...modifiers], 'kw'),
        ...names(functions, 'fn'),
        ...names(aggregators, 'aggregator'),
    ]);
}

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
    const kind = known.get(word),
        grouped = /^(by|without)$/i.test(after?.text ?? '');
    if (BEFORE_LABELS.has(word) || kind === 'kw') return 'kw';
    if (kind === 'aggregator' && (after === undefined || after.text === '(' || grouped)) return 'fn';
    if (after?.text === '(' || (known.size === 0 && grouped)) return 'fn'; /* what else could be called */
    return 'metric';
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
