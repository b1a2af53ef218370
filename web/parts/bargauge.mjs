/* bargauge.mjs - one bar a series, as long as its number. */
import { html } from '../vendor/preact.mjs';
import { MOST, More, Tone, readings } from './values.mjs';

const MAY_SCROLL = 4; /* then keys must reach it */

export function BarGauge({ panel, frames }) {
    const all = readings(panel, frames).sort((a, b) => (b.v ?? -Infinity) - (a.v ?? -Infinity));
    return html`<ul class="bargauge" tabindex=${all.length > MAY_SCROLL ? 0 : null}>${all.slice(0, MOST).map(
        (s) => html`<li key=${s.label}><span class="name" title=${s.label}>${s.label}</span><b>${s.text}</b><${Tone} tone=${s.tone} />
            <span class="track"><i class=${s.tone} style=${{ width: Math.min(100, Math.max(0, ((s.v - s.least) / (s.most - s.least)) * 100)).toFixed(2) + '%' }}></i></span></li>`,
    )}<${More} n=${all.length} /></ul>`;
}
