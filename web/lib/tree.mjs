/* tree.mjs - what the waterfall reckons: which rows are seen when some are folded, where a span lies, what operations took. Pure.
 *
 * Spans come in tree order: the subtree of spans[i] is the `descendants` that follow it. */

/* Indices of the spans that are seen: those below a folded one are not. */
export function visible(spans, folded) {
    const out = [];
    for (let i = 0; i < spans.length; ) {
        out.push(i);
        i += folded.has(spans[i].span_id) ? spans[i].descendants + 1 : 1;
    }
    return out;
}

export const endOf = (s) => s.offset_ms + (s.duration_ms ?? s.age_ms ?? 0);

/* Ids of the spans above spans[i], the nearest first. */
export function above(spans, i) {
    const out = [];
    let depth = spans[i].depth;
    for (let k = i - 1; k >= 0 && depth > 0; k--)
        if (spans[k].depth < depth) {
            depth = spans[k].depth;
            out.push(spans[k].span_id);
        }
    return out;
}

export const matches = (s, text) =>
    [s.name, s.service, s.agent, s.tool, s.model, s.span_id].some((v) => v && v.toLowerCase().includes(text));

/* By service and name: how often, how long, how much of it itself and on the critical path. The most critical first. */
export function operations(spans) {
    const found = new Map();
    for (const s of spans) {
        const key = s.service + '\0' + s.name;
        const o = found.get(key) ?? { service: s.service, name: s.name, n: 0, errors: 0, total: 0, self: 0, critical: 0, most: 0, worst: s.span_id };
        const took = s.duration_ms ?? s.age_ms ?? 0;
        o.n++;
        if (s.status === 'error') o.errors++;
        o.total += took;
        o.self += s.self_ms;
        o.critical += s.critical_ms;
        if (took > o.most) Object.assign(o, { most: took, worst: s.span_id });
        found.set(key, o);
    }
    return [...found.values()].sort((a, b) => b.critical - a.critical || b.self - a.self);
}

/* A colour for each service, in the order of their first spans. */
export function colours(spans) {
    const found = new Map();
    for (const s of spans) if (!found.has(s.service)) found.set(s.service, found.size % 10);
    return found;
}
