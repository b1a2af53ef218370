/* heatmap.mjs - a histogram over time: buckets upwards, the fuller the stronger the colour. Own canvas. */
import { html, useEffect, useRef, useState } from '../vendor/preact.mjs';
import { heatOf } from '../lib/frames.mjs';
import { textOf } from '../lib/grafana_look.mjs';
import * as format from '../lib/format.mjs';
import { onTheme } from '../theme.mjs';

const LEFT = 58,
    BOTTOM = 22,
    TOP = 6,
    RIGHT = 10,
    LABEL = 15; /* pixels a label of the axis wants */

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function fieldOf(canvas, span, height, n) {
    const w = canvas.clientWidth - LEFT - RIGHT,
        h = height - TOP - BOTTOM;
    return { w, h, bucket: h / Math.max(n, 1), x: (t) => LEFT + ((t - span.start) / (span.end - span.start || 1)) * w, y: (i) => TOP + h - (i * h) / Math.max(n, 1) };
}

function drawAxes(c, f, heat, span, look) {
    c.fillStyle = css('--faint');
    c.font = '11px system-ui, sans-serif';
    c.textAlign = 'right';
    c.textBaseline = 'middle';
    const every = Math.max(1, Math.ceil(LABEL / f.bucket));
    heat.bounds.forEach((b, i) => i % every === 0 && c.fillText(b === Infinity ? '+Inf' : textOf(look, b), LEFT - 6, f.y(i + 0.5)));
    c.textAlign = 'center';
    c.textBaseline = 'top';
    const gap = (span.end - span.start) / Math.max(2, Math.floor(f.w / 90));
    const ticks = [];
    for (let t = span.start + gap / 2; t < span.end; t += gap) ticks.push(t);
    format.timeAxis(ticks, gap).forEach((text, i) => c.fillText(text, f.x(ticks[i]), TOP + f.h + 7));
}

function draw(canvas, heat, times, span, height, look) {
    const dpr = devicePixelRatio,
        c = canvas.getContext('2d'),
        f = fieldOf(canvas, span, height, heat.bounds.length);
    canvas.width = canvas.clientWidth * dpr;
    canvas.height = height * dpr;
    c.scale(dpr, dpr);
    drawAxes(c, f, heat, span, look);
    const most = Math.max(...heat.cells.flat().filter((v) => v !== null), 1e-300),
        cell = Math.max(1, f.w / Math.max(1, times.length - 1));
    c.fillStyle = css('--c6');
    heat.cells.forEach((row, i) =>
        row.forEach((v, k) => {
            if (!(v > 0)) return;
            c.globalAlpha = 0.08 + 0.92 * Math.sqrt(v / most);
            const left = Math.max(LEFT, f.x(times[k]) - cell);
            c.fillRect(left, f.y(i + 1) + 0.5, Math.min(cell + 0.5, LEFT + f.w - left), Math.max(1, f.bucket - 1));
        }),
    );
}

function pointed(e, canvas, heat, times, span, height) {
    const box = canvas.getBoundingClientRect(),
        f = fieldOf(canvas, span, height, heat.bounds.length),
        t = span.start + ((e.clientX - box.left - LEFT) / f.w) * (span.end - span.start),
        i = Math.floor((TOP + f.h - (e.clientY - box.top)) / f.bucket),
        k = times.findIndex((x) => x >= t);
    return heat.cells[i]?.[k] === undefined ? null : { left: e.clientX - box.left, top: e.clientY - box.top, i, k };
}

export function Heatmap({ panel, frames, span, height }) {
    const canvas = useRef(),
        [at, setAt] = useState(null);
    const heat = heatOf(frames),
        unit = panel.options.yAxis?.unit,
        look = { ...panel.look, ...(unit && panel.look.unit === '' && panel.heatLook) };
    useEffect(() => {
        const again = () => canvas.current && draw(canvas.current, heat, frames.times, span, height, look);
        const sizes = new ResizeObserver(again);
        sizes.observe(canvas.current);
        const leave = onTheme(again);
        again();
        return () => (sizes.disconnect(), leave());
    }, [frames, span, height]);
    const low = at && at.i > 0 ? textOf(look, heat.bounds[at.i - 1]) : '',
        high = at && (heat.bounds[at.i] === Infinity ? '∞' : textOf(look, heat.bounds[at.i]));
    return html`<div class="heatmap"><canvas ref=${canvas} aria-hidden="true" style=${{ height: height + 'px' }}
        onMouseMove=${(e) => setAt(pointed(e, canvas.current, heat, frames.times, span, height))} onMouseLeave=${() => setAt(null)}></canvas>
        ${at && html`<div class="tip" style=${{ left: Math.min(at.left + 14, (canvas.current?.clientWidth ?? 0) - 170) + 'px', top: at.top + 10 + 'px' }}>
            <time>${format.moment(frames.times[at.k])}</time><div><span></span><span>${low ? `${low} to ${high}` : `up to ${high}`}</span><b>${format.digits(heat.cells[at.i][at.k] ?? 0)}</b></div></div>`}</div>`;
}
