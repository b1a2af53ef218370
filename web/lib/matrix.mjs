/* matrix.mjs - the answer of a range query laid on the grid of its times, and what can be said about it. Pure. */

/* A matrix of several queries -> {times, series: [{label, colour, values}]}. nameOf(metric, query) gives the label. */
export function grid(span, results, nameOf) {
    const n = Math.round((span.end - span.start) / span.step) + 1;
    const times = Array.from({ length: n }, (_, i) => span.start + i * span.step);
    const series = [];
    for (const [query, matrix] of results.entries()) {
        for (const s of matrix) {
            if (!s.values) continue; /* native histograms only */
            series.push({
                label: nameOf(s.metric, query),
                metric: s.metric,
                values: place(s.values, span, n),
            });
        }
    }
    return { times, series };
}

function place(points, span, n) {
    const values = new Array(n).fill(null);
    for (const [t, text] of points) {
        const i = Math.round((t - span.start) / span.step),
            v = Number(text);
        if (i >= 0 && i < n && Number.isFinite(v)) values[i] = v;
    }
    return values;
}

/* last, least, most and mean of what is there; null when nothing is. */
export function sum(values) {
    let n = 0,
        total = 0,
        least = Infinity,
        most = -Infinity,
        last = null;
    for (const v of values) {
        if (v === null) continue;
        n++;
        total += v;
        if (v < least) least = v;
        if (v > most) most = v;
        last = v;
    }
    return n === 0 ? null : { last, least, most, mean: total / n, n };
}

/* The newest value, provided it is no older than a few steps: a tile must not show what ended long ago. */
export function newest(values, within = 4) {
    for (let i = values.length - 1; i >= Math.max(0, values.length - within); i--)
        if (values[i] !== null) return values[i];
    return null;
}

/* Point by point the total of all series; null where none has a value. */
export function total(series) {
    if (series.length === 0) return [];
    return series[0].values.map((_, i) =>
        series.reduce((t, s) => (s.values[i] === null ? t : (t ?? 0) + s.values[i]), null),
    );
}

/* {__name__: "up", job: "a"} -> up{job="a"}, as it would be written in a query. */
export function seriesText(metric, without = new Set()) {
    const name = metric.__name__ && !without.has('__name__') ? metric.__name__ : '';
    const rest = Object.entries(metric).filter(([k]) => k !== '__name__' && !without.has(k));
    const plain = (k) => (/^[A-Za-z_][A-Za-z0-9_]*$/.test(k) ? k : JSON.stringify(k));
    const labels = rest.map(([k, v]) => `${plain(k)}=${JSON.stringify(v)}`).join(', ');
    return labels ? `${name}{${labels}}` : name || '{}';
}

/* Names of labels that have the same value in all series. */
export function common(metrics) {
    const same = new Set(metrics.length > 1 ? Object.keys(metrics[0]) : []);
    for (const m of metrics) for (const k of same) if (m[k] !== metrics[0][k]) same.delete(k);
    return same;
}
