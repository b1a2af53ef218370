/* otlp.mjs - spans and records as agents send them, for tests that need a little world: by OTLP/JSON, through the public door. */
import { expect } from './lab.mjs';

export const hex = (n, width) => n.toString(16).padStart(width, '0');

const value = (v) =>
    typeof v === 'number' ? (Number.isInteger(v) ? { intValue: String(v) } : { doubleValue: v }) : { stringValue: v };
const attributes = (of) => Object.entries(of).map(([key, v]) => ({ key, value: value(v) }));
const nanos = (t) => String(BigInt(Math.round(t * 1e6)) * 1000n);

/* start in seconds since 1970, took in seconds; took null: it still runs. */
export function span({ trace, id, parent, name, kind = 1, start, took, is = {}, failed }) {
    return {
        traceId: hex(trace, 32),
        spanId: hex(id, 16),
        ...(parent ? { parentSpanId: hex(parent, 16) } : {}),
        name,
        kind,
        startTimeUnixNano: nanos(start),
        ...(took === null ? {} : { endTimeUnixNano: nanos(start + took) }),
        attributes: attributes(is),
        ...(failed ? { status: { code: 2, message: failed } } : {}),
    };
}

export async function post(url, to, body) {
    const r = await fetch(url + to, { method: 'POST', headers: { 'content-type': 'application/json' }, body: typeof body === 'string' ? body : JSON.stringify(body) });
    expect(Math.floor(r.status / 100), 2, `${to} ${r.status < 300 ? '' : await r.text()}`);
    return r;
}

export function send(url, service, spans) {
    const resource = { attributes: attributes({ 'service.name': service }) };
    return post(url, '/v1/traces', { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
}
