/* values.mjs - what the panels that show one number a series share: which series, what they read now, in which tone. */
import { html } from '../vendor/preact.mjs';
import { reduced } from '../lib/frames.mjs';
import { WORDS, boundsOf, textOf, textParts, toneFor } from '../lib/grafana_look.mjs';

export const MOST = 60; /* beyond, a panel says how many more there are */

/* [{label, v, text, parts, tone, values, look, least, most}] */
export function readings(panel, frames) {
    const all = frames.series.map((s) => ({ ...s, v: reduced(panel, s.values) }));
    const values = all.map((s) => s.v);
    return all.map((s) => {
        const [least, most] = boundsOf(s.look, values);
        return { ...s, least, most, tone: toneFor(s.look, s.v, least, most), text: textOf(s.look, s.v), parts: textParts(s.look, s.v) };
    });
}

/* Colour is never alone: a shape and a word say the same. */
export function Tone({ tone }) {
    if (!WORDS[tone]) return null;
    const shapes = { good: 'M2 6.5l3 3 5-6', warn: 'M6 1.5l5 9H1zM6 5v2.6M6 9v.4', bad: 'M3 3l6 6M9 3l-6 6' };
    return html`<span class=${'tone ' + tone}><svg viewBox="0 0 12 12" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.6"
        stroke-linecap="round" stroke-linejoin="round"><path d=${shapes[tone]} /></svg>${WORDS[tone]}</span>`;
}

export const More = ({ n }) => n > MOST && html`<p class="soft">and ${n - MOST} more</p>`;
