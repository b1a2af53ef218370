/* chat.mjs - the messages of a model call, out of the attributes of its span, whatever the convention: OpenTelemetry's GenAI (JSON in one
 * attribute, or indexed), OpenInference (flattened), Vercel, Langfuse, plain input and output. Pure; never throws.
 *
 *     messages(attributes) -> [{role, name, parts: [{kind: 'text'|'reasoning'|'call'|'answer'|'other', text, title}]}] */

const MESSAGES_MAX = 500;

function json(v) {
    if (typeof v !== 'string') return v;
    const t = v.trimStart();
    if (t[0] !== '[' && t[0] !== '{' && t[0] !== '"') return v;
    try {
        return JSON.parse(v);
    } catch {
        return v;
    }
}

const text = (v) => (v === null || v === undefined ? '' : typeof v === 'string' ? v : JSON.stringify(v, null, 2));

function call(c) {
    const f = c.function ?? c;
    return {
        kind: 'call',
        title: text(f.name ?? c.toolName ?? c.tool_name ?? 'tool'),
        text: text(json(f.arguments ?? c.args ?? c.input ?? c.parameters)),
    };
}

/* One part as some convention has it: text, tool call, tool result, reasoning, a file. */
function part(p) {
    if (typeof p === 'string') return { kind: 'text', text: p };
    if (!p || typeof p !== 'object') return { kind: 'other', text: text(p) };
    const type = String(p.type ?? '').replace(/-/g, '_');
    if (/call_response|tool_result|server_tool_call_response/.test(type))
        return { kind: 'answer', title: text(p.toolName ?? p.name ?? p.id ?? ''), text: text(p.response ?? p.result ?? p.output ?? p.content) };
    if (/tool_call|tool_use|function_call/.test(type)) return call(p);
    if (/reasoning|thinking/.test(type)) return { kind: 'reasoning', text: text(p.content ?? p.text ?? p.thinking) };
    const said = p.content ?? p.text ?? p.message_content?.text;
    if (said !== undefined && (type === '' || /text/.test(type))) return { kind: 'text', text: text(said) };
    if (p.functionCall) return call({ name: p.functionCall.name, arguments: p.functionCall.args });
    if (p.functionResponse) return { kind: 'answer', title: text(p.functionResponse.name), text: text(p.functionResponse.response) };
    return { kind: 'other', title: type, text: text(p) };
}

function message(m, role) {
    if (typeof m === 'string') return { role, parts: [{ kind: 'text', text: m }] };
    if (!m || typeof m !== 'object') return null;
    if (m.message && typeof m.message === 'object') m = { ...m.message, finish_reason: m.finish_reason };
    const content = json(m.parts ?? m.content ?? m.contents ?? m.text);
    const parts = (Array.isArray(content) ? content : content === undefined || content === null || content === '' ? [] : [content]).map(part);
    const calls = json(m.tool_calls ?? m.toolCalls);
    if (Array.isArray(calls)) parts.push(...calls.map((c) => call(c?.tool_call ?? c ?? {})));
    const who = text(m.role ?? role);
    if (who === 'tool') for (const p of parts) if (p.kind === 'text') Object.assign(p, { kind: 'answer', title: text(m.name ?? '') });
    return { role: who, name: text(m.name ?? ''), parts };
}

function list(v, role) {
    const parsed = json(v);
    if (parsed === undefined || parsed === null || parsed === '') return [];
    const many = Array.isArray(parsed)
        ? parsed
        : (parsed.messages ?? parsed.choices ?? parsed.generations?.flat() ?? parsed.contents ?? [parsed]);
    const all = Array.isArray(many) ? many : [many];
    /* A list of parts without roles is one message. */
    if (all.length > 0 && all.every((p) => p && typeof p === 'object' && p.type && !p.role && !p.message))
        return [{ role, parts: all.map(part) }];
    return all.map((m) => message(m, role)).filter(Boolean);
}

/* prefix.0.a.b = v  ->  [{a: {b: v}}] */
function indexed(attributes, prefix) {
    const out = [];
    for (const [key, v] of Object.entries(attributes)) {
        if (!key.startsWith(prefix + '.')) continue;
        const path = key.slice(prefix.length + 1).split('.');
        if (!/^\d{1,4}$/.test(path[0])) continue;
        let at = out;
        for (let i = 0; i < path.length - 1; i++) {
            const deeper = /^\d{1,4}$/.test(path[i + 1]) ? [] : {};
            if (typeof at[path[i]] !== 'object' || at[path[i]] === null) at[path[i]] = deeper;
            at = at[path[i]];
        }
        at[path.at(-1)] = v;
    }
    return out.filter((x) => x !== undefined);
}

/* OpenInference wraps every step in an object of its own. */
function unwrap(m) {
    const inner = m.message ?? m;
    return {
        ...inner,
        content: inner.contents?.map((c) => c.message_content ?? c) ?? inner.content,
        tool_calls: inner.tool_calls?.map((c) => c.tool_call ?? c),
    };
}

const SOURCES = [
    (a) => [list(a['gen_ai.system_instructions'], 'system'), list(a['gen_ai.input.messages'], 'user'), list(a['gen_ai.output.messages'], 'assistant')],
    (a) => [
        indexed(a, 'llm.input_messages').map((m) => message(unwrap(m), 'user')),
        indexed(a, 'llm.output_messages').map((m) => message(unwrap(m), 'assistant')),
    ],
    (a) => [
        indexed(a, 'gen_ai.prompt').map((m) => message(m, 'user')),
        indexed(a, 'gen_ai.completion').map((m) => message(m, 'assistant')),
    ],
    (a) => [
        list(a['ai.prompt.messages'] ?? a['ai.prompt'], 'user'),
        list(a['ai.response.text'], 'assistant'),
        a['ai.response.toolCalls'] ? [{ role: 'assistant', parts: [].concat(json(a['ai.response.toolCalls'])).map((c) => call(c ?? {})) }] : [],
    ],
    (a) => [list(a['gen_ai.prompt'], 'user'), list(a['gen_ai.completion'], 'assistant')],
    (a) => [list(a['langfuse.observation.input'], 'user'), list(a['langfuse.observation.output'], 'assistant')],
    (a) => [list(a['traceloop.entity.input'], 'input'), list(a['traceloop.entity.output'], 'output')],
    (a) => [list(a['input.value'] ?? a.input, 'input'), list(a['output.value'] ?? a.output, 'output')],
];

export function messages(attributes) {
    for (const source of SOURCES) {
        const found = source(attributes)
            .flat()
            .filter((m) => m && m.parts.some((p) => p.text !== '' || p.title));
        if (found.length > 0) return found.slice(0, MESSAGES_MAX);
    }
    return [];
}
