/* heat.mjs - traces as a heatmap: when they began across, how long they took upwards (logarithmic). The darker, the more; failed ones
 * are marked. A dragged box becomes the time range and the bounds of the duration. */
import { html, useEffect, useRef, useState } from '../../vendor/preact.mjs';
import * as format from '../../lib/format.mjs';
import { onTheme } from '../../theme.mjs';

const HEIGHT = 150,
    CELL = 9,
    LEFT = 58,
    BOTTOM = 20;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/* Bounds of the duration axis: whole decades around what there is, ms. */
function decades(traces) {
    const all = traces.map((t) => t.duration_ms).filter((d) => d > 0);
    const least = Math.min(...all, 1),
        most = Math.max(...all, 10);
    return [10 ** Math.floor(Math.log10(least)), 10 ** Math.ceil(Math.log10(most * 1.0001))];
}

function axes(width, span, [low, high]) {
    const w = width - LEFT - 6,
        h = HEIGHT - BOTTOM - 4;
    const x = (t) => LEFT + ((t - span.start) / (span.end - span.start)) * w;
    const y = (d) => 4 + h * (1 - Math.log(Math.max(d, low) / low) / Math.log(high / low));
    const time = (px) => span.start + ((px - LEFT) / w) * (span.end - span.start);
    const took = (py) => low * (high / low) ** (1 - (py - 4) / h);
    return { x, y, time, took, w, h, low, high };
}

function cells(traces, a) {
    const found = new Map();
    for (const t of traces) {
        const cx = Math.floor((a.x(t.start) - LEFT) / CELL),
            cy = Math.floor(a.y(t.duration_ms ?? a.low) / CELL);
        const key = cx + ',' + cy,
            cell = found.get(key) ?? { cx, cy, n: 0, errors: 0 };
        cell.n++;
        if (t.error_count > 0) cell.errors++;
        found.set(key, cell);
    }
    return [...found.values()];
}

function draw(canvas, traces, a, span) {
    const dpr = devicePixelRatio,
        c = canvas.getContext('2d');
    canvas.width = canvas.clientWidth * dpr;
    canvas.height = HEIGHT * dpr;
    c.scale(dpr, dpr);
    c.font = '11px system-ui, sans-serif';
    c.fillStyle = css('--faint');
    c.strokeStyle = css('--grid');
    c.textAlign = 'right';
    for (let d = a.low; d <= a.high * 1.01; d *= 10) {
        const y = Math.round(a.y(d)) + 0.5;
        c.beginPath();
        c.moveTo(LEFT, y);
        c.lineTo(LEFT + a.w, y);
        c.stroke();
        c.fillText(format.value('seconds', d / 1000), LEFT - 6, Math.min(y + 4, HEIGHT - BOTTOM));
    }
    c.textAlign = 'center';
    const ticks = Math.max(2, Math.floor(a.w / 150));
    for (let i = 0; i <= ticks; i++) {
        const t = span.start + ((span.end - span.start) * i) / ticks;
        c.fillText(
            format.timeAxis([t], (span.end - span.start) / ticks)[0],
            Math.min(Math.max(a.x(t), LEFT + 20), LEFT + a.w - 20),
            HEIGHT - 4,
        );
    }
    const all = cells(traces, a),
        most = Math.max(1, ...all.map((x) => x.n));
    for (const cell of all) {
        c.globalAlpha = 0.3 + 0.7 * (Math.log1p(cell.n) / Math.log1p(most));
        c.fillStyle = css(cell.errors > 0 ? '--bad' : '--c0');
        const x = LEFT + cell.cx * CELL,
            y = cell.cy * CELL;
        if (cell.errors > 0) {
            /* a rhomb, so that it is not told by colour alone */
            c.beginPath();
            c.moveTo(x + CELL / 2, y - 1);
            c.lineTo(x + CELL, y + CELL / 2);
            c.lineTo(x + CELL / 2, y + CELL + 1);
            c.lineTo(x, y + CELL / 2);
            c.fill();
        } else c.fillRect(x, y, CELL - 1, CELL - 1);
    }
    c.globalAlpha = 1;
}

export function Heat({ traces, span, choose }) {
    const canvas = useRef(),
        [box, setBox] = useState(null);
    const bounds = decades(traces);
    const axesNow = () => axes(canvas.current.clientWidth, span, bounds);
    useEffect(() => {
        const again = () => draw(canvas.current, traces, axesNow(), span);
        const sizes = new ResizeObserver(again);
        sizes.observe(canvas.current);
        const leave = onTheme(again);
        return () => {
            sizes.disconnect();
            leave();
        };
    }, [traces, span.start, span.end]);

    const at = (e) => {
        const r = canvas.current.getBoundingClientRect();
        return [e.clientX - r.left, e.clientY - r.top];
    };
    const down = (e) => {
        const [x, y] = at(e);
        canvas.current.setPointerCapture(e.pointerId);
        setBox({ x0: x, y0: y, x1: x, y1: y });
    };
    const move = (e) => {
        if (!box) return;
        const [x1, y1] = at(e);
        setBox({ ...box, x1, y1 });
    };
    const up = () => {
        if (!box) return;
        setBox(null);
        const [left, right] = [Math.min(box.x0, box.x1), Math.max(box.x0, box.x1)],
            [top, bottom] = [Math.min(box.y0, box.y1), Math.max(box.y0, box.y1)];
        if (right - left < 6 && bottom - top < 6) return;
        const a = axesNow();
        choose({
            from: Math.max(0, Math.floor(a.time(left))),
            to: Math.max(Math.ceil(a.time(right)), Math.floor(a.time(left)) + 1),
            least: bottom > 4 + a.h ? 0 : a.took(bottom),
            most: top < 6 ? Infinity : a.took(top),
        });
    };
    const failed = traces.filter((t) => t.error_count > 0).length;
    return html`<div class="heat">
        <canvas ref=${canvas} role="img" height=${HEIGHT}
            aria-label=${`${traces.length} traces by start and duration, ${failed} of them with errors; the list below has them all`}
            onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${() => setBox(null)}></canvas>
        ${
            box &&
            html`<div class="box" style=${{
                left: Math.min(box.x0, box.x1) + 'px',
                top: Math.min(box.y0, box.y1) + 'px',
                width: Math.abs(box.x1 - box.x0) + 'px',
                height: Math.abs(box.y1 - box.y0) + 'px',
            }}></div>`
        }
    </div>`;
}
