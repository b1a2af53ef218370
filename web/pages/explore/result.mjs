/* result.mjs - answers of a query: a graph with its legend, a table of an instant, each kind of value as it deserves. */
import { html, useMemo, useState } from '../../vendor/preact.mjs';
import { Chart, colourClass } from '../../parts/chart.mjs';
import * as format from '../../lib/format.mjs';
import { common, grid, seriesText, sum } from '../../lib/matrix.mjs';

const DRAWN_MAX = 60;
const ROWS_MAX = 500;
const COLUMNS_MAX = 8;
const POINTS_MAX = 20;

/* ---- graph ---- */

function drawable(matrix, span) {
    const all = matrix.filter((s) => s.values);
    const same = common(all.map((s) => s.metric));
    const data = grid(span, [all.slice(0, DRAWN_MAX)], (metric) => seriesText(metric, same));
    data.series.forEach((s, i) => {
        s.colour = i;
    });
    const shared =
        all.length > 0 && same.size > 0
            ? seriesText(Object.fromEntries([...same].map((k) => [k, all[0].metric[k]])))
            : '';
    return {
        data,
        shared,
        left: Math.max(0, all.length - DRAWN_MAX),
        histograms: matrix.filter((s) => s.histograms).length,
    };
}

/* A click shows only this series, another one all again; with Ctrl or Cmd it only hides or shows it. */
function toggled(off, i, n, alone) {
    const others = new Set(Array.from({ length: n }, (_, k) => k).filter((k) => k !== i));
    if (alone) return off.size === others.size && !off.has(i) ? new Set() : others;
    const next = new Set(off);
    if (!next.delete(i)) next.add(i);
    return next.size === n ? new Set() : next;
}

function SeriesTable({ data, unit, off, setOff }) {
    const cell = (v, more = '') => html`<td class=${'n' + more}>${format.value(unit, v)}</td>`;
    const click = (i) => (e) => setOff(toggled(off, i, data.series.length, !(e.ctrlKey || e.metaKey)));
    return html`<div class="scroll series"><table>
        <caption class="unseen">Series of the graph</caption>
        <thead><tr><th scope="col">Series</th><th scope="col" class="n">Last</th><th scope="col"
            class="n wide">Least</th><th scope="col" class="n wide">Mean</th><th scope="col"
                class="n wide">Most</th></tr></thead>
        <tbody>${data.series.map((s, i) => {
            const x = sum(s.values) ?? {};
            return html`<tr key=${i} class=${off.has(i) ? 'off' : ''} onClick=${click(i)}>
                <td><button class="name mono" aria-pressed=${!off.has(i)}
                    title="Show only this one; with Ctrl: hide it">
                    <span class=${'dot ' + colourClass(s.colour)}></span><span>${s.label}</span></button></td>
                ${cell(x.last)}${cell(x.least, ' wide')}${cell(x.mean, ' wide')}${cell(x.most, ' wide')}</tr>`;
        })}</tbody></table></div>`;
}

export function Graph({ matrix, span, unit, zoom }) {
    const { data, shared, left, histograms } = useMemo(() => drawable(matrix, span), [matrix, span]);
    const [off, setOff] = useState(new Set());
    const known = useMemo(() => data.series.map((s) => s.label).join('\n'), [data]);
    const [seen, setSeen] = useState(known);
    if (seen !== known) {
        /* other series than before: none is hidden */
        setSeen(known);
        setOff(new Set());
    }
    if (matrix.length === 0) return html`<p class="blank">No series match in this time range.</p>`;
    return html`
        ${left > 0 && html`<p class="note info">
            <span>${DRAWN_MAX} of ${format.count(DRAWN_MAX + left)} series are drawn. Narrow the query, or take topk(${DRAWN_MAX}, …).</span></p>`}
        ${histograms > 0 && html`<p class="note info">
            <span>${format.count(histograms)} series are native histograms, which have no line of their own: histogram_quantile(0.95, …) gives one; the table shows them whole.</span></p>`}
        ${
            data.series.length > 0 &&
            html`
            <p class="unseen">Graph of ${data.series.length} series; the table below has their figures.</p>
            <${Chart} data=${data} off=${off} span=${span} unit=${unit} fromZero="auto" height=${360}
                onZoom=${zoom} />
            ${shared && html`<p class="stats mono">all: ${shared}</p>`}
            <${SeriesTable} data=${data} unit=${unit} off=${off} setOff=${setOff} />`
        }`;
}

/* ---- table ---- */

function Histogram({ h }) {
    const buckets = h.buckets ?? [],
        most = Math.max(...buckets.map((b) => Number(b[3])), 0),
        n = Number(h.count);
    const ends = ([rule, low, high]) =>
        `${rule === 1 || rule === 3 ? '[' : '('}${format.digits(Number(low))}, ${format.digits(Number(high))}${rule === 0 || rule === 3 ? ']' : ')'}`;
    return html`<details>
        <summary>count ${h.count}, sum ${h.sum}${n > 0 && `, mean ${format.digits(Number(h.sum) / n)}`}</summary>
        <div class="buckets">${buckets.map(
            (b, i) => html`
            <span key=${i} class="mono">${ends(b)}</span><meter min="0" max=${most} value=${Number(b[3])}
                aria-label=${ends(b)}></meter><span class="n">${b[3]}</span>`,
        )}</div>
    </details>`;
}

function Points({ series }) {
    const points = [...(series.values ?? []), ...(series.histograms ?? [])];
    const line = ([t, v], i) =>
        html`<div key=${i} class="mono">${typeof v === 'string' ? v : html`<${Histogram} h=${v} />`} <span
            class="soft">@ ${format.moment(t)}</span></div>`;
    return html`<details open=${points.length <= 5}>
        <summary>${format.count(points.length)} samples</summary>${points.slice(-POINTS_MAX).map(line)}
        ${points.length > POINTS_MAX && html`<div
            class="soft">and ${format.count(points.length - POINTS_MAX)} older ones</div>`}</details>`;
}

function Value({ row }) {
    if (row.histogram) return html`<${Histogram} h=${row.histogram[1]} />`;
    if (row.value) return row.value[1];
    return html`<${Points} series=${row} />`;
}

const numberOf = (row) =>
    row.value ? Number(row.value[1]) : row.histogram ? Number(row.histogram[1].count) : 0;

function sorted(rows, by) {
    if (!by) return rows;
    const sign = by.down ? -1 : 1;
    const order =
        by.label === null
            ? (a, b) => numberOf(a) - numberOf(b) || 0
            : (a, b) =>
                  (a.metric[by.label] ?? '').localeCompare(b.metric[by.label] ?? '', undefined, {
                      numeric: true,
                  });
    return [...rows].sort((a, b) => sign * order(a, b));
}

function HeadCell({ text, label, by, setBy, right }) {
    const on = by && by.label === label;
    return html`<th scope="col" class=${right ? 'n' : ''}
        aria-sort=${on ? (by.down ? 'descending' : 'ascending') : null}>
        <button onClick=${() => setBy(on && by.down ? null : { label, down: on })}>${text}${on ? (by.down ? ' ↓' : ' ↑') : ''}</button></th>`;
}

function Rows({ rows }) {
    const [by, setBy] = useState(null);
    const labels = useMemo(
        () =>
            [...new Set(rows.flatMap((r) => Object.keys(r.metric)))].sort(
                (a, b) => (b === '__name__') - (a === '__name__') || (a < b ? -1 : 1),
            ),
        [rows],
    );
    const columns = labels.length <= COLUMNS_MAX ? labels : null,
        shown = useMemo(() => sorted(rows, by).slice(0, ROWS_MAX), [rows, by]);
    return html`
        ${rows.length > ROWS_MAX && html`<p class="note info">
            <span>${ROWS_MAX} of ${format.count(rows.length)} rows are shown.</span></p>`}
        <div class="scroll" tabindex="0"><table class="rows">
            <caption class="unseen">Result of the query</caption>
            <thead><tr>${columns ? columns.map((l) => html`<${HeadCell} key=${l}
                text=${l === '__name__' ? 'name' : l} label=${l} by=${by} setBy=${setBy} />`) : html`<th
                    scope="col">Series</th>`}
                <${HeadCell} text="Value" label=${null} by=${by} setBy=${setBy}
                    right=${rows.every((r) => r.value)} /></tr></thead>
            <tbody>${shown.map(
                (r, i) => html`<tr key=${i}>
                ${columns ? columns.map((l) => html`<td key=${l}
                    class="mono">${r.metric[l] ?? ''}</td>`) : html`<td
                        class="mono">${seriesText(r.metric)}</td>`}
                <td class=${r.value ? 'n mono' : ''}><${Value} row=${r} /></td></tr>`,
            )}</tbody>
        </table></div>`;
}

export function Table({ data }) {
    if (data.resultType === 'scalar') return html`<p class="big">${data.result[1]}</p>`;
    if (data.resultType === 'string') return html`<p class="big mono">${JSON.stringify(data.result[1])}</p>`;
    if (data.result.length === 0) return html`<p class="blank">No series match at this time.</p>`;
    return html`<${Rows} rows=${data.result} />`;
}
