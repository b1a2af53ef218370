/* panel.mjs - one chart in its frame: title, legend with the newest values, a table instead of the chart, the way to Explore. */
import { html, useState } from '../vendor/preact.mjs';
import { Chart, colourClass } from './chart.mjs';
import * as format from '../lib/format.mjs';
import { Icon } from './icons.mjs';
import { newest, sum } from '../lib/matrix.mjs';

const HEIGHT = 190;
const LEGEND_MAX = 8;

/* What the chart says, in words. */
function summary(panel, data) {
    const parts = data.series
        .map((s) => [s.label, sum(s.values)])
        .filter(([, x]) => x !== null)
        .map(
            ([label, x]) =>
                `${label}: now ${format.value(panel.unit, x.last)}, between ${format.value(panel.unit, x.least)} and ${format.value(panel.unit, x.most)}`,
        );
    return `${panel.title}. ${parts.slice(0, LEGEND_MAX).join('; ') || 'No data'}.`;
}

function Legend({ panel, data }) {
    const shown = data.series.slice(0, LEGEND_MAX);
    return html`<ul class="legend">${shown.map(
        (s) => html`<li key=${s.label}>
            <span class=${'dot ' + colourClass(s.colour)}></span><span title=${s.label}>${s.label}</span>
                <b>${format.value(panel.unit, newest(s.values))}</b></li>`,
    )}
        ${data.series.length > LEGEND_MAX && html`<li>and ${data.series.length - LEGEND_MAX} more</li>`}</ul>`;
}

function Figures({ panel, data }) {
    const cell = (v) => html`<td class="n">${format.value(panel.unit, v)}</td>`;
    return html`<div class="scroll" tabindex="0"><table>
        <caption class="unseen">${panel.title}</caption>
        <thead><tr><th scope="col">Series</th><th scope="col" class="n">Last</th><th scope="col"
            class="n">Least</th><th scope="col" class="n">Mean</th><th scope="col"
                class="n">Most</th></tr></thead>
        <tbody>${data.series.map((s) => {
            const x = sum(s.values) ?? {};
            return html`<tr key=${s.label}><td><span
                class=${'dot ' + colourClass(s.colour)}></span> ${s.label}</td>${cell(x.last)}${cell(x.least)}${cell(x.mean)}${cell(x.most)}</tr>`;
        })}</tbody></table></div>`;
}

function Body({ panel, result, span, zoom, asTable }) {
    if (!result) return html`<div class="empty">…</div>`;
    if (result.error)
        return html`<div class="empty"><span class="trouble" role="alert">${result.error}</span></div>`;
    const { data } = result;
    if (!data.series.some((s) => s.values.some((v) => v !== null)))
        return html`<div class="empty">No data in this time range</div>`;
    if (asTable) return html`<${Figures} panel=${panel} data=${data} />`;
    return html`<p class="unseen">${summary(panel, data)}</p>
        <${Chart} data=${data} span=${result.span} unit=${panel.unit} stacked=${panel.stacked}
            least=${panel.least} max=${panel.max} height=${HEIGHT} onZoom=${zoom} />
        <${Legend} panel=${panel} data=${data} />`;
}

export function Panel({ panel, result, span, zoom, go, query }) {
    const [asTable, setAsTable] = useState(false);
    const toExplore = (e) => {
        if (e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey) return;
        e.preventDefault();
        go({ page: 'explore', q: query, tab: 'graph', step: '' });
    };
    return html`<article class="panel" data-panel=${panel.id} aria-labelledby=${'p-' + panel.id}>
        <header>
            <h3 id=${'p-' + panel.id}>${panel.title}${panel.about && html`<small>${panel.about}</small>`}</h3>
            <button aria-pressed=${asTable} aria-label=${panel.title + ' as a table'} title="As a table"
                onClick=${() => setAsTable(!asTable)}><${Icon} name="table" /></button>
            <a href=${'/explore?q=' + encodeURIComponent(query)} aria-label=${'Explore ' + panel.title}
                title="Explore" onClick=${toExplore}><${Icon} name="explore" /></a>
        </header>
        <${Body} panel=${panel} result=${result} span=${span} zoom=${zoom} asTable=${asTable} />
    </article>`;
}
