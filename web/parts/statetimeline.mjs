/* statetimeline.mjs - one row a series: which state it was in, and from when to when. */
import { html } from '../vendor/preact.mjs';
import * as format from '../lib/format.mjs';
import { mappingOf, textOf, toneFor } from '../lib/grafana_look.mjs';
import { MOST, More } from './values.mjs';

const TICKS = 5,
    MAY_SCROLL = 8; /* rows; then keys must reach them */

/* Neighbours of equal value become one stretch: [{from, to, v}]; holes are left out. */
function stretches(values) {
    const out = [];
    values.forEach((v, i) => {
        const last = out[out.length - 1];
        if (last && last.v === v && last.to === i) last.to = i + 1;
        else out.push({ from: i, to: i + 1, v });
    });
    return out.filter((s) => s.v !== null);
}

/* Without a colour of its own a state has the one of its number; what is transparent is not there. */
function classOf(s, v) {
    const tone = toneFor(s.look, v);
    if (tone) return tone;
    const mapped = mappingOf(s.look, v);
    return mapped?.color === 'transparent' || s.look.steps.some((x) => x.at <= v && x.tone === '') ? 'off' : 'k' + (Math.abs(Math.round(v)) % 10);
}

export function StateTimeline({ frames, span }) {
    const n = frames.times.length,
        ticks = Array.from({ length: TICKS }, (_, i) => span.start + ((span.end - span.start) * (i + 0.5)) / TICKS);
    return html`<div class="timeline" tabindex=${frames.series.length > MAY_SCROLL ? 0 : null}>${frames.series.slice(0, MOST).map(
        (s) => html`<div key=${s.label} class="state-row"><span class="name" title=${s.label}>${s.label}</span><span class="states">${stretches(s.values).map(
            (x) => html`<i key=${x.from} class=${classOf(s, x.v)} style=${{ left: (x.from / n) * 100 + '%', width: ((x.to - x.from) / n) * 100 + '%' }}
                title=${`${textOf(s.look, x.v)}, ${format.clock(frames.times[x.from])} to ${format.clock(frames.times[Math.min(x.to, n - 1)])}`}><span>${textOf(s.look, x.v)}</span></i>`,
        )}</span></div>`,
    )}<div class="state-row" aria-hidden="true"><span class="name"></span><span class="ticks">${format.timeAxis(ticks, (span.end - span.start) / TICKS).map((t, i) => html`<time key=${i}>${t}</time>`)}</span></div>
        <${More} n=${frames.series.length} /></div>`;
}
