/* minimap.mjs - the whole trace in a strip: every span a line, the part that the waterfall shows lit. Drag to choose it, double click for
 * all of it again. */
import { html, useEffect, useRef, useState } from '../../vendor/preact.mjs';
import * as format from '../../lib/format.mjs';
import { endOf } from '../../lib/tree.mjs';
import { onTheme } from '../../theme.mjs';

const HEIGHT = 56,
    LEAST = 6; /* pixels a drag must have */

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function draw(canvas, spans, total, colours) {
    const dpr = devicePixelRatio,
        c = canvas.getContext('2d'),
        width = canvas.clientWidth;
    canvas.width = width * dpr;
    canvas.height = HEIGHT * dpr;
    c.scale(dpr, dpr);
    const paints = Array.from({ length: 10 }, (_, i) => css('--c' + i)),
        bad = css('--bad');
    const row = (HEIGHT - 4) / spans.length,
        thick = Math.max(Math.min(row, 3), 0.5);
    /* More spans than pixels: every so many, and never a failed one left out. */
    const skip = Math.max(1, Math.floor(spans.length / 20000));
    for (let i = 0; i < spans.length; i++) {
        const s = spans[i],
            failed = s.status === 'error';
        if (i % skip !== 0 && !failed) continue;
        c.fillStyle = failed ? bad : paints[colours.get(s.service)];
        const x = (s.offset_ms / total) * width,
            w = Math.max(((endOf(s) - s.offset_ms) / total) * width, 1);
        c.fillRect(x, 2 + i * row, w, thick);
    }
}

export function Minimap({ spans, total, colours, view, setView }) {
    const canvas = useRef(),
        [drag, setDrag] = useState(null);
    useEffect(() => {
        const again = () => draw(canvas.current, spans, total, colours);
        const sizes = new ResizeObserver(again);
        sizes.observe(canvas.current);
        const leave = onTheme(again);
        return () => {
            sizes.disconnect();
            leave();
        };
    }, [spans, total]);
    const at = (e) => {
        const r = canvas.current.getBoundingClientRect();
        return Math.min(Math.max((e.clientX - r.left) / r.width, 0), 1);
    };
    const down = (e) => {
        canvas.current.setPointerCapture(e.pointerId);
        setDrag([at(e), at(e)]);
    };
    const up = () => {
        if (!drag) return;
        const [a, b] = [Math.min(...drag), Math.max(...drag)];
        setDrag(null);
        if ((b - a) * canvas.current.clientWidth >= LEAST) setView([a * total, b * total]);
    };
    const [from, to] = drag ? [Math.min(...drag), Math.max(...drag)] : [view[0] / total, view[1] / total];
    const all = from <= 0 && to >= 1;
    return html`<div class="minimap">
        <canvas ref=${canvas} height=${HEIGHT} role="img"
            aria-label=${`The whole trace; shown is ${format.value('seconds', view[0] / 1000)} to ${format.value('seconds', view[1] / 1000)}`}
            onPointerDown=${down} onPointerMove=${(e) => drag && setDrag([drag[0], at(e)])} onPointerUp=${up}
            onPointerCancel=${() => setDrag(null)} onDblClick=${() => setView([0, total])}></canvas>
        ${!all && html`<i class="shade" style=${{ left: 0, width: from * 100 + '%' }}></i><i class="shade" style=${{ left: to * 100 + '%', right: 0 }}></i>
            <button class="quiet" onClick=${() => setView([0, total])}>Whole trace</button>`}
    </div>`;
}
