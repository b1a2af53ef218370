/* frames.mjs - answers of several queries as what a Grafana panel draws: named series on one grid, one number each, rows of a
 * table. Pure. */
import { lookFor } from './grafana_look.mjs';
import { common, seriesText } from './matrix.mjs';

/* {{label}} of the legend; "__auto" and nothing: what tells the series apart. */
function nameOf(legend, metric, same) {
    if (legend && legend !== '__auto') return legend.replace(/\{\{\s*([^}]+?)\s*\}\}/g, (_, l) => metric[l] ?? '');
    const own = Object.entries(metric).filter(([k]) => k !== '__name__' && !same.has(k));
    if (own.length === 1) return own[0][1];
    return seriesText(metric, own.length > 0 ? new Set([...same, '__name__']) : new Set());
}

const number = (text) => (text === 'NaN' ? NaN : text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

/* answers: [{target, result, time}] -> {times, series: [{label, metric, ref, values, look}]}; values as they came. */
export function framesOf(panel, span, answers) {
    const n = Math.max(1, Math.round((span.end - span.start) / span.step) + 1);
    const times = Array.from({ length: n }, (_, i) => span.start + i * span.step),
        series = [];
    for (const { target, result } of answers) {
        const same = common(result.map((s) => s.metric ?? {}));
        for (const s of result) {
            const values = new Array(n).fill(null);
            for (const [t, text] of s.values ?? []) {
                const i = Math.round((t - span.start) / span.step),
                    v = number(text);
                if (i >= 0 && i < n && Number.isFinite(v)) values[i] = v;
            }
            if (s.value) {
                const v = number(s.value[1]);
                values[n - 1] = Number.isFinite(v) ? v : null;
            }
            const label = nameOf(target.legend, s.metric ?? {}, same),
                look = lookFor(panel, label, target.ref);
            if (!look.hidden) series.push({ label: look.name || label, metric: s.metric ?? {}, ref: target.ref, values, look });
        }
    }
    return { times, series };
}

export const isEmpty = (frames) => !frames.series.some((s) => s.values.some((v) => v !== null));

/* ---- one number ---- */

const REDUCERS = {
    last: (v) => v[v.length - 1] ?? null,
    lastNotNull: (v) => v.findLast((x) => x !== null) ?? null,
    first: (v) => v[0] ?? null,
    firstNotNull: (v) => v.find((x) => x !== null) ?? null,
    min: (v, k) => Math.min(...k),
    max: (v, k) => Math.max(...k),
    mean: (v, k) => k.reduce((a, b) => a + b, 0) / k.length,
    sum: (v, k) => k.reduce((a, b) => a + b, 0),
    total: (v, k) => k.reduce((a, b) => a + b, 0),
    count: (v, k) => k.length,
    range: (v, k) => Math.max(...k) - Math.min(...k),
    delta: (v, k) => k[k.length - 1] - k[0],
    diff: (v, k) => k[k.length - 1] - k[0],
};

export function reduced(panel, values) {
    const known = values.filter((v) => v !== null),
        calc = panel.options.reduceOptions?.calcs?.[0] ?? panel.options.valueName ?? 'lastNotNull';
    if (known.length === 0) return null;
    return (REDUCERS[calc] ?? REDUCERS.lastNotNull)(values, known);
}

/* ---- tables ---- */

/* Instant answers as rows: {columns: [{name, isNumber, look}], rows: [[cell]]}. */
export function tableOf(panel, frames) {
    const merge = panel.targets.length > 1,
        names = [],
        rows = new Map(),
        column = (name) => (names.includes(name) ? name : (names.push(name), name));
    for (const s of frames.series) {
        const labels = Object.entries(s.metric).filter(([k]) => k !== '__name__' || panel.targets.length === 1),
            key = merge ? JSON.stringify(labels) : rows.size;
        const row = rows.get(key) ?? {};
        for (const [k, v] of labels) row[column(k)] = v;
        row[column(merge ? 'Value #' + s.ref : 'Value')] = s.values.findLast((v) => v !== null) ?? null;
        rows.set(key, row);
    }
    return transformed(panel, { names, rows: [...rows.values()] });
}

function organize(t, { excludeByName = {}, indexByName = {}, renameByName = {} }) {
    const order = (n) => indexByName[n] ?? 1000;
    const kept = t.names.filter((n) => !excludeByName[n]).sort((a, b) => order(a) - order(b));
    return { names: kept.map((n) => renameByName[n] || n), rows: t.rows.map((r) => Object.fromEntries(kept.map((n) => [renameByName[n] || n, r[n]]))) };
}

const before = (a, b) => (a === undefined || a === null ? -1 : b === undefined || b === null ? 1 : a < b ? -1 : a > b ? 1 : 0);

function transformed(panel, t) {
    for (const { id, options = {} } of panel.transformations) {
        if (id === 'organize') t = organize(t, options);
        else if (id === 'limit') t = { ...t, rows: t.rows.slice(0, Number(options.limitField) || 10) };
        else if (id === 'sortBy' && options.sort?.[0]) {
            const { field, desc } = options.sort[0];
            t = { ...t, rows: t.rows.toSorted((a, b) => before(a[field], b[field]) * (desc ? -1 : 1)) };
        }
    }
    return {
        columns: t.names.map((name) => ({ name, look: lookFor(panel, name, ''), isNumber: t.rows.some((r) => typeof r[name] === 'number') })),
        rows: t.rows,
    };
}

/* ---- heatmaps ---- */

/* Series by upper bound, cumulative as Prometheus' le or not -> {bounds: [...], cells: [bucket][time]}, each bucket its own. */
export function heatOf(frames) {
    const bound = (s) => number(s.metric.le ?? s.label);
    const all = frames.series.filter((s) => !Number.isNaN(bound(s))).sort((a, b) => bound(a) - bound(b));
    const cumulative = all.every((s) => s.metric.le !== undefined);
    const cells = all.map((s, i) =>
        s.values.map((v, k) => (v === null ? null : Math.max(0, v - (cumulative && i > 0 ? (all[i - 1].values[k] ?? 0) : 0)))),
    );
    return { bounds: all.map(bound), cells };
}
