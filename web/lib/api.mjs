/* api.mjs - the HTTP API of the server this page came from, and nothing else: Prometheus' and our own. */

export class ApiError extends Error {
    constructor(message, type, status) {
        super(message);
        this.type = type;
        this.status = status;
    }
}

async function answer(response) {
    let body;
    try {
        body = await response.json();
    } catch {
        throw new ApiError(
            `The server answered ${response.status} ${response.statusText}`,
            'http',
            response.status,
        );
    }
    if (body.status !== 'success')
        throw new ApiError(body.error ?? 'unknown error', body.errorType ?? 'unknown', response.status);
    return body;
}

/* Our own endpoints answer an object without an envelope; what went wrong looks the same, or is a plain JSON text as Alertmanager's. */
async function plain(response) {
    if (response.ok) return response.headers.get('content-length') === '0' || response.status === 204 ? null : response.json();
    const text = await response.clone().text();
    if (text.startsWith('"')) throw new ApiError(JSON.parse(text), 'http', response.status);
    return answer(response);
}

function form(params) {
    const f = new URLSearchParams();
    for (const [name, v] of Object.entries(params))
        for (const one of Array.isArray(v) ? v : [v])
            if (one !== undefined && one !== null && one !== '') f.append(name, one);
    return f;
}

async function request(path, options) {
    try {
        return await answer(await fetch(path, options));
    } catch (e) {
        if (e instanceof TypeError) throw new ApiError('The server cannot be reached.', 'network', 0);
        throw e;
    }
}

export async function ask(path, params = {}, signal) {
    const search = form(params).toString();
    try {
        return await plain(await fetch(path + (search ? '?' + search : ''), { signal }));
    } catch (e) {
        if (e instanceof TypeError) throw new ApiError('The server cannot be reached.', 'network', 0);
        throw e;
    }
}

/* A change: method, and what it says as JSON. */
export async function send(method, path, body) {
    const options = { method, headers: { 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) };
    try {
        return await plain(await fetch(path, options));
    } catch (e) {
        if (e instanceof TypeError) throw new ApiError('The server cannot be reached.', 'network', 0);
        throw e;
    }
}

const post = (path, params, signal) => request(path, { method: 'POST', body: form(params), signal });
const get = (path, params = {}, signal) =>
    request(path + (Object.keys(params).length ? '?' + form(params) : ''), { signal });

/* {resultType, result, stats?}, warnings and infos beside it: [data, {warnings, infos}] */
const noted = (body) => [body.data, { warnings: body.warnings ?? [], infos: body.infos ?? [] }];

export async function query(expr, time, { stats = false, signal, limit } = {}) {
    return noted(
        await post('/api/v1/query', { query: expr, time, limit, stats: stats ? 'all' : undefined }, signal),
    );
}

export async function queryRange(expr, { start, end, step }, { stats = false, signal } = {}) {
    return noted(
        await post(
            '/api/v1/query_range',
            { query: expr, start, end, step, stats: stats ? 'all' : undefined },
            signal,
        ),
    );
}

/* Resolves when the query parses; else throws with "line:column: parse error: ...". */
export const parse = (expr, signal) => post('/api/v1/parse_query', { query: expr }, signal);

export const format = async (expr) => (await post('/api/v1/format_query', { query: expr })).data;

/* {functions, aggregators, keywords, modifiers}: the words of the language. */
export const functions = async () => (await get('/api/v1/functions')).data;

export const labelNames = async (match, limit) =>
    (await get('/api/v1/labels', { 'match[]': match, limit })).data;

export const labelValues = async (name, match, limit) =>
    (await get(`/api/v1/label/${encodeURIComponent(name)}/values`, { 'match[]': match, limit })).data;

export const metadata = async () => (await get('/api/v1/metadata', { limit_per_metric: 1 })).data;

export const tsdb = async () => (await get('/api/v1/status/tsdb', { limit: 1 })).data;

export async function health() {
    const response = await fetch('/health');
    return response.json();
}
