/* prom.mjs - answers of instant queries joined to rows: each query is a column, the labels they keep tell the rows apart.
 *
 *     const rows = await rowsOf(['mcp_server', 'tool'], { calls: 'sum by (mcp_server, tool) (increase(x[$w] anchored))' }, span);
 *     rows[0] -> {mcp_server: 'web', tool: 'search', calls: 17}
 *
 * $w stands for the length of the span. A row that a query does not know has no such column: nothing is not zero. */
import * as api from './api.mjs';

export const windowOf = (span) => Math.max(60, Math.ceil(span.end - span.start)) + 's';

export const fill = (query, span) => query.replaceAll('$w', windowOf(span));

/* A text as it stands between the quotes of a selector. */
export const quote = (text) => JSON.stringify(String(text));

export function join(labels, answers) {
    const rows = new Map();
    for (const [column, result] of answers)
        for (const { metric, value } of result) {
            const v = Number(value?.[1] ?? NaN);
            if (!Number.isFinite(v)) continue;
            const key = JSON.stringify(labels.map((l) => metric[l] ?? ''));
            if (!rows.has(key)) rows.set(key, Object.fromEntries(labels.map((l) => [l, metric[l] ?? ''])));
            rows.get(key)[column] = v;
        }
    return [...rows.values()];
}

export async function rowsOf(labels, queries, span, signal) {
    const answers = await Promise.all(
        Object.entries(queries).map(async ([column, q]) => [column, (await api.query(fill(q, span), span.end, { signal }))[0].result]),
    );
    return join(labels, answers);
}

/* The values of single numbers: {name: number or undefined}. */
export async function numbersOf(queries, span, signal) {
    return (await rowsOf([], queries, span, signal))[0] ?? {};
}

/* An endpoint that may know nothing of this yet: null instead of "not there". */
export async function optional(question) {
    try {
        return await question;
    } catch (e) {
        if (e.status === 404 || e.status === 501) return null;
        throw e;
    }
}
