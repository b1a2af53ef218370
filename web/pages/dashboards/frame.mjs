/* frame.mjs - one panel of a dashboard in its frame: title, the drawing of its kind, a table instead, the way to Explore. */
import { html, useMemo, useState } from '../../vendor/preact.mjs';
import { BarGauge } from '../../parts/bargauge.mjs';
import { Chart, colourClass } from '../../parts/chart.mjs';
import { Gauge } from '../../parts/gauge.mjs';
import { Heatmap } from '../../parts/heatmap.mjs';
import { Icon } from '../../parts/icons.mjs';
import { Markdown } from '../../parts/markdown.mjs';
import { Pie } from '../../parts/pie.mjs';
import { Stat } from '../../parts/stat.mjs';
import { StateTimeline } from '../../parts/statetimeline.mjs';
import * as format from '../../lib/format.mjs';
import { isEmpty, tableOf } from '../../lib/frames.mjs';
import { titleOf } from '../../lib/grafana.mjs';
import { lookOf, textOf, toneFor } from '../../lib/grafana_look.mjs';
import { fillIn } from '../../lib/grafana_vars.mjs';
import { sum } from '../../lib/matrix.mjs';

export const LINE = 26,
    GAP = 12; /* of the grid, pixels: dashboards.css */
const AROUND = 62, /* header and padding of a panel */
    LEGEND_LINE = 24,
    LEGEND_MAX = 8,
    LEAST = 90,
    SERIES_MAX = 100; /* drawn in one chart */

/* ---- the kinds ---- */

/* As far as it can be told without drawing it: one line or two. */
function legendRows(series, w) {
    const room = ((document.querySelector('main')?.clientWidth ?? 1200) * w) / 24 - 40,
        wanted = series.slice(0, LEGEND_MAX).reduce((sum, s) => sum + s.label.length * 6.6 + 84, 0);
    return wanted > room ? 2 : 1;
}

function Legend({ series, onToggle, off }) {
    return html`<ul class="legend">${series.slice(0, LEGEND_MAX).map(
        (s, i) => html`<li key=${s.label} class=${off.has(i) ? 'off' : ''}><button class="quiet" aria-pressed=${!off.has(i)} title=${'Show or hide ' + s.label} onClick=${() => onToggle(i)}>
            <span class=${'dot ' + colourClass(s.colour)}></span><span>${s.label}</span></button><b>${textOf(s.look, s.values.findLast((v) => v !== null))}</b></li>`,
    )}${series.length > LEGEND_MAX && html`<li>and ${series.length - LEGEND_MAX} more</li>`}</ul>`;
}

/* Values in our units, as the chart wants them. */
function chartData(panel, frames) {
    const shown = frames.series.slice(0, SERIES_MAX);
    return {
        times: frames.times,
        series: shown.map((s) => ({ label: s.label, colour: s.colour, right: s.look.right ? s.look.unit : undefined, values: s.values.map((v) => (v === null ? null : v * s.look.by)) })),
    };
}

function TimeSeries({ panel, frames, span, height, zoom }) {
    const [off, setOff] = useState(new Set());
    const data = useMemo(() => chartData(panel, frames), [frames]),
        hasLines = !['off', undefined].includes(panel.custom.thresholdsStyle?.mode),
        { look } = panel;
    const lines = useMemo(() => (hasLines ? look.steps.filter((s) => Number.isFinite(s.at)).map((s) => ({ at: s.at * look.by, tone: s.tone })) : []), [panel]);
    const toggle = (i) => {
        const next = new Set(off);
        next.has(i) ? next.delete(i) : next.add(i);
        setOff(next);
    };
    const isFlat = !frames.series.some((s) => s.values.some((v) => v)); /* an axis from 0 to nothing has no ticks */
    const legend = panel.options.legend?.showLegend !== false && panel.options.legend?.displayMode !== 'hidden';
    const rows = legend ? legendRows(frames.series, panel.at.w) : 0;
    return html`<${Chart} data=${data} span=${span} unit=${look.unit} stacked=${(panel.custom.stacking?.mode ?? 'none') !== 'none' || panel.options.stack} off=${off.size > 0 ? off : undefined}
            max=${look.max !== null && look.unit !== 'percent' ? look.max * look.by : undefined} fromZero=${panel.custom.axisSoftMin > 0 ? 'auto' : undefined} lines=${lines} least=${isFlat ? 1 : undefined}
            height=${Math.max(LEAST, height - rows * LEGEND_LINE)} onZoom=${zoom} />
        ${legend && html`<${Legend} series=${frames.series} off=${off} onToggle=${toggle} />`}`;
}

function Cell({ look, v }) {
    if (typeof v === 'number' || v === null) {
        const tone = toneFor(look, v);
        return html`<td class=${'n ' + (tone ? 'tone-' + tone : '')}>${textOf(look, v)}</td>`;
    }
    return html`<td>${v ?? ''}</td>`;
}

function Table({ panel, frames, title }) {
    const [by, setBy] = useState(null),
        { columns, rows } = tableOf(panel, frames);
    const sorted = by === null ? rows : rows.toSorted((a, b) => ((a[by.name] ?? '') < (b[by.name] ?? '') ? -1 : 1) * (by.down ? -1 : 1));
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${title}><table><caption class="unseen">${title}</caption>
        <thead><tr>${columns.map((c) => html`<th key=${c.name} scope="col" class=${c.isNumber ? 'n' : ''} aria-sort=${by?.name === c.name ? (by.down ? 'descending' : 'ascending') : 'none'}>
            <button onClick=${() => setBy({ name: c.name, down: by?.name === c.name ? !by.down : c.isNumber })}>${c.name}</button></th>`)}</tr></thead>
        <tbody>${sorted.slice(0, 500).map((r, i) => html`<tr key=${i}>${columns.map((c) => html`<${Cell} key=${c.name} look=${c.look} v=${r[c.name]} />`)}</tr>`)}</tbody></table></div>`;
}

function Lines({ lines }) {
    return html`<ol class="loglines panel-lines" tabindex="0">${lines.map(
        (l, i) => html`<li key=${i}><time>${format.day(l.t)} ${format.clock(l.t)}</time> <b>${l.labels.detected_level ?? l.labels.level ?? ''}</b> ${l.line || l.labels.event_name || ''}</li>`,
    )}</ol>`;
}

/* Any kind as figures. */
function Figures({ frames, title }) {
    const cell = (look, v) => html`<td class="n">${textOf(look, v)}</td>`;
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${title}><table><caption class="unseen">${title}</caption>
        <thead><tr><th scope="col">Series</th><th scope="col" class="n">Last</th><th scope="col" class="n">Least</th><th scope="col" class="n">Mean</th><th scope="col" class="n">Most</th></tr></thead>
        <tbody>${frames.series.slice(0, 500).map((s, i) => {
            const x = sum(s.values) ?? { last: null, least: null, mean: null, most: null };
            return html`<tr key=${i}><td>${s.label}</td>${cell(s.look, x.last)}${cell(s.look, x.least)}${cell(s.look, x.mean)}${cell(s.look, x.most)}</tr>`;
        })}</tbody></table></div>`;
}

const KINDS = { timeseries: TimeSeries, stat: Stat, gauge: Gauge, bargauge: BarGauge, pie: Pie, heatmap: Heatmap, timeline: StateTimeline, table: Table };

/* ---- the frame ---- */

function summary(title, frames) {
    const parts = frames.series.slice(0, LEGEND_MAX).map((s) => `${s.label}: ${textOf(s.look, s.values.findLast((v) => v !== null) ?? null)}`);
    return `${title}. Now ${parts.join('; ')}.`;
}

function Body({ panel, answer, title, height, asTable, zoom, chosen }) {
    if (panel.trouble) return html`<p class="empty undrawn">${panel.trouble}</p>`;
    if (panel.kind === 'text') {
        const text = fillIn(String(panel.options.content ?? ''), chosen, panel.scope ?? {}, 'plain');
        return panel.options.mode === 'html' ? html`<p class="empty undrawn">A text in HTML is not drawn here.</p>` : html`<${Markdown} text=${text} />`;
    }
    if (!answer) return html`<p class="empty" role="status">…</p>`;
    if (answer.error) return html`<p class="empty"><span class="trouble" role="alert">${answer.error}</span></p>`;
    if (answer.lines) return answer.lines.length > 0 ? html`<${Lines} lines=${answer.lines} />` : html`<p class="empty">No lines in this time range</p>`;
    if (isEmpty(answer.frames)) return html`<p class="empty">${panel.look.none || 'No data in this time range'}</p>`;
    if (asTable) return html`<${Figures} frames=${answer.frames} title=${title} />`;
    const Kind = KINDS[panel.kind];
    const heatLook = panel.options.yAxis?.unit && lookOf({ unit: panel.options.yAxis.unit });
    return html`${panel.kind !== 'table' && html`<p class="unseen">${summary(title, answer.frames)}</p>`}
        <${Kind} panel=${heatLook ? { ...panel, heatLook } : panel} frames=${answer.frames} span=${answer.span} height=${height} zoom=${zoom} title=${title} />`;
}

export function Frame({ panel, answer, chosen, queries, zoom, go, enlarged, enlarge, lines }) {
    const [asTable, setAsTable] = useState(false);
    const title = titleOf(panel, chosen) || 'Untitled',
        about = fillIn(panel.about, chosen, panel.scope ?? {}, 'plain'),
        metric = panel.targets.findIndex((q) => q.source === 'metrics'),
        height = (enlarged ? lines : panel.at.h) * (LINE + GAP) - GAP - AROUND;
    const toExplore = (e) => {
        if (e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey) return;
        e.preventDefault();
        go({ page: 'explore', q: queries[metric], tab: 'graph', step: '' });
    };
    const place = enlarged ? {} : { '--x': panel.at.x + 1, '--w': panel.at.w, '--y': panel.at.y + 1, '--h': panel.at.h };
    return html`<article class=${'panel cell is-' + (panel.kind ?? 'unknown')} data-panel=${panel.id} data-kind=${panel.kind ?? ''} aria-labelledby=${'p-' + panel.id} style=${place}>
        <header>
            <h3 id=${'p-' + panel.id} title=${about || title}>${title}</h3>
            <span class="acts">${!panel.trouble && panel.kind !== 'text' && panel.kind !== 'table' && panel.kind !== 'logs' && html`<button aria-pressed=${asTable} aria-label=${title + ' as a table'} title="As a table" onClick=${() => setAsTable(!asTable)}><${Icon} name="table" /></button>`}
            ${metric >= 0 && !panel.trouble && html`<a href=${'/explore?q=' + encodeURIComponent(queries[metric])} aria-label=${'Explore ' + title} title="Explore" onClick=${toExplore}><${Icon} name="explore" /></a>`}
            <button aria-pressed=${enlarged} aria-label=${enlarged ? 'Back to all panels' : 'Enlarge ' + title} title=${enlarged ? 'Back to all (Esc)' : 'Enlarge'} onClick=${() => enlarge(enlarged ? '' : panel.id)}><${Icon} name=${enlarged ? 'close' : 'enlarge'} /></button></span>
        </header>
        <div class="panel-body"><${Body} panel=${panel} answer=${answer} title=${title} height=${height} asTable=${asTable} zoom=${zoom} chosen=${chosen} /></div>
    </article>`;
}
