/* filter.mjs - the one line in which traces and logs are looked for: words of the form key=value, all of which must hold.
 *
 *     service=checkout status=error duration>2s gen_ai.request.model=gpt-5 "http.route=/a b" http.status_code>=500 user.id
 *     service=checkout severity=warn+ task_id=t-17 cart>3 connection refused
 *
 * Of traces: service, operation, agent, kind and status are what they say; duration is that of the whole trace. Of logs:
 * service, severity, event and the ids; words without a key are the text of the line. Every other key is an attribute. A word
 * with blanks stands in quotes. Pure. */

const OF_TRACES = ['service', 'operation', 'agent', 'kind', 'status'];
const OF_LOGS = ['service', 'severity', 'event', 'trace_id', 'span_id', 'task_id', 'correlation_id'];

/* The words of a line; quotes are taken off, a quote that is never closed goes to the end. */
export function words(line) {
    return [...line.matchAll(/"((?:[^"\\]|\\.)*)"?|\S+/g)].map((m) =>
        m[1] !== undefined ? m[1].replace(/\\(.)/g, '$1') : m[0],
    );
}

export function join(list) {
    return list.map((w) => (/[\s"]/.test(w) || w === '' ? JSON.stringify(w) : w)).join(' ');
}

/* key, op, value; op and value are empty when the word is only a key. */
const taken = (word) => (/^(.*?)(!=|=~|!~|>=|<=|=|>|<)(.*)$/s.exec(word) ?? [null, word, '', '']).slice(1);

/* Parameters of /api/v1/traces, and the words that say nothing. */
export function ofTraces(line) {
    const out = { attribute: [] },
        wrong = [];
    for (const word of words(line)) {
        const [key, op, value] = taken(word);
        if (key === '') wrong.push(word);
        else if (key === 'duration' && /^[<>]/.test(op) && value) {
            out[op[0] === '>' ? 'min_duration' : 'max_duration'] = value;
        } else if (OF_TRACES.includes(key) && op === '=') out[key] = value;
        else if (key === 'duration') wrong.push(word);
        else out.attribute.push(word);
    }
    return { params: out, wrong };
}

/* Parameters of /api/v1/logs. */
export function ofLogs(line) {
    const out = { field: [] },
        wrong = [],
        text = [];
    for (const word of words(line)) {
        const [key, op, value] = taken(word);
        if (op === '') text.push(word);
        else if (key === '') wrong.push(word);
        else if (OF_LOGS.includes(key) && op === '=') out[key] = value;
        else if (key === 'message' && op === '=~') out.regex = value;
        else out.field.push(word);
    }
    if (text.length > 0) out.text = text.join(' ');
    return { params: out, wrong };
}

export const has = (line, key, value) => words(line).includes(`${key}=${value}`);

/* key=value put in, in place of another value of that key; or taken out when it is there. */
export function toggle(line, key, value) {
    const word = `${key}=${value}`,
        list = words(line);
    if (list.includes(word)) return join(list.filter((w) => w !== word));
    return join([...list.filter((w) => !w.startsWith(key + '=')), word]);
}

/* The bounds of the duration, in ms, in place of those before. */
export function withDuration(line, least, most) {
    const rest = words(line).filter((w) => !/^duration[<>]/.test(w));
    const ms = (x) => (x >= 10 ? Math.round(x) : x.toFixed(3)) + 'ms';
    return join([
        ...rest,
        ...(least > 0 ? [`duration>${ms(least)}`] : []),
        ...(Number.isFinite(most) ? [`duration<${ms(most)}`] : []),
    ]);
}
