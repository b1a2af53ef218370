/* gauge.mjs - one number a series on a dial, with the ranges of its thresholds around it. */
import { html } from '../vendor/preact.mjs';
import { MOST, More, Tone, readings } from './values.mjs';

const FROM = -210,
    SWEEP = 240; /* degrees */

const clamp = (x) => Math.min(Math.max(x, 0), 1);

function point(r, share) {
    const a = ((FROM + SWEEP * share) * Math.PI) / 180;
    return `${(50 + r * Math.cos(a)).toFixed(2)} ${(50 + r * Math.sin(a)).toFixed(2)}`;
}

function arc(r, from, to) {
    if (to - from < 1e-3) return '';
    return `M${point(r, from)}A${r} ${r} 0 ${(to - from) * SWEEP > 180 ? 1 : 0} 1 ${point(r, to)}`;
}

function Marks({ s }) {
    const at = (v) => clamp((s.look.inPercent ? v / 100 : (v - s.least) / (s.most - s.least)));
    return s.look.steps.map((step, i) => {
        const to = s.look.steps[i + 1] ? at(s.look.steps[i + 1].at) : 1;
        return html`<path key=${i} class=${'mark ' + step.tone} d=${arc(45, at(step.at), to)} />`;
    });
}

export function Gauge({ panel, frames }) {
    const all = readings(panel, frames);
    return html`<div class="gauges" tabindex=${all.length > 4 ? 0 : null}>${all.slice(0, MOST).map(
        (s) => html`<figure key=${s.label} class="gauge">
            <svg viewBox="0 0 100 80" aria-hidden="true" fill="none">
                <path class="track" d=${arc(37, 0, 1)} />
                ${s.v !== null && html`<path class=${'fill ' + s.tone} d=${arc(37, 0, Math.max(0.004, clamp((s.v - s.least) / (s.most - s.least))))} />`}
                <${Marks} s=${s} />
                <text x="50" y="56" text-anchor="middle">${s.text}</text>
            </svg>
            <figcaption><span title=${s.label}>${s.label}</span><${Tone} tone=${s.tone} /></figcaption></figure>`,
    )}<${More} n=${all.length} /></div>`;
}
