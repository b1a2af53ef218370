/* tiles.mjs - figures in a row. A figure that is not known is not there; a page without figures shows no row.
 *
 *     tiles: [{title, unit, v, text, about, values, tone: 'bad' | 'warn' | 'good', href, follow}] */
import { html } from '../vendor/preact.mjs';
import * as format from '../lib/format.mjs';
import { To } from './table.mjs';

/* A line through the values, and the area below it, in a field of 100 by 30. A hole is bridged. */
export function sparkPaths(values) {
    const known = values.filter((v) => v !== null);
    if (known.length < 2) return null;
    const most = Math.max(...known),
        least = Math.min(...known, most * 0.6),
        room = most - least || 1;
    const at = (v, i) =>
        `${((i / (values.length - 1)) * 100).toFixed(2)} ${(27 - ((v - least) / room) * 22).toFixed(2)}`;
    const points = values.map((v, i) => (v === null ? null : at(v, i))).filter((p) => p !== null);
    const line = 'M' + points.join('L');
    return {
        line,
        area: `${line}L${points[points.length - 1].split(' ')[0]} 30L${points[0].split(' ')[0]} 30Z`,
    };
}

export function Spark({ values }) {
    const spark = values && sparkPaths(values);
    return spark && html`<svg viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true"><path class="spark-fill" d=${spark.area} /><path
        class="spark-line" d=${spark.line} /></svg>`;
}

export function Tile({ title, unit = '', v, text, about, values, tone = '', href, follow }) {
    const [number, suffix] = text !== undefined ? [text, ''] : unit === 'usd' ? [format.usd(v), ''] : format.valueParts(unit, v);
    const body = html`<dt>${title}</dt><dd>${number}${suffix && html`<small>${suffix}</small>`}</dd>
        ${about && html`<dd class="about">${about}</dd>`}<${Spark} values=${values} />`;
    const name = 'tile ' + tone + (values ? '' : ' plain');
    return html`<div class=${name}>${body}${href && html`<${To} class="over" href=${href} follow=${follow} aria-label=${title}><//>`}</div>`;
}

export function Tiles({ tiles, label }) {
    const shown = tiles.filter((t) => t && (t.text !== undefined || Number.isFinite(t.v)));
    if (shown.length === 0) return null;
    return html`<dl class="tiles even" aria-label=${label}>${shown.map((t) => html`<${Tile} key=${t.title} ...${t} />`)}</dl>`;
}
