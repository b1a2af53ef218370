/* pie.mjs - shares of a whole, with a legend that says them in numbers. */
import { html } from '../vendor/preact.mjs';
import { colourClass } from './chart.mjs';
import { readings } from './values.mjs';

const SLICES = 12; /* the smallest join */

const at = (r, share) => `${(50 + r * Math.sin(share * 2 * Math.PI)).toFixed(3)} ${(50 - r * Math.cos(share * 2 * Math.PI)).toFixed(3)}`;

/* A part of a ring; nearly all of it in two halves, as an arc cannot end where it begins. */
function slice(from, to) {
    if (to - from > 0.9999) return slice(0, 0.5) + slice(0.5, 0.99999);
    const large = to - from > 0.5 ? 1 : 0;
    return `M${at(48, from)}A48 48 0 ${large} 1 ${at(48, to)}L${at(29, to)}A29 29 0 ${large} 0 ${at(29, from)}Z`;
}

function joined(all) {
    const sorted = all.filter((s) => s.v > 0).sort((a, b) => b.v - a.v);
    if (sorted.length <= SLICES) return sorted;
    const rest = sorted.slice(SLICES - 1).reduce((sum, s) => sum + s.v, 0);
    return [...sorted.slice(0, SLICES - 1), { ...sorted[0], label: `${sorted.length - SLICES + 1} others`, v: rest, text: '', tone: '' }];
}

export function Pie({ panel, frames }) {
    const all = joined(readings(panel, frames)),
        whole = all.reduce((sum, s) => sum + s.v, 0);
    let from = 0;
    const slices = all.map((s, i) => {
        const to = from + s.v / whole,
            one = { ...s, share: s.v / whole, path: slice(from, to), colour: s.look.fixed || colourClass(i) };
        from = to;
        return one;
    });
    if (slices.length === 0) return html`<p class="empty">Nothing to share: all are 0</p>`;
    return html`<div class="pie"><svg viewBox="0 0 100 100" aria-hidden="true">${slices.map((s) => html`<path key=${s.label} class=${s.colour} d=${s.path} fill="currentColor" />`)}</svg>
        <ul>${slices.map((s) => html`<li key=${s.label}><span class=${'dot ' + s.colour}></span><span class="name" title=${s.label}>${s.label}</span>
            <b>${(s.share * 100).toFixed(s.share > 0.995 || s.share < 0.095 ? 1 : 0)} %</b>${s.look.unit !== 'percent' && html`<span class="soft">${s.text}</span>`}</li>`)}</ul></div>`;
}
