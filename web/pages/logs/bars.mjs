/* bars.mjs - how many lines came when, by severity: stacked bars, the worst at the bottom where the eye is. A dragged stretch becomes the
 * time range. */
import { html, useEffect, useRef, useState } from '../../vendor/preact.mjs';
import * as format from '../../lib/format.mjs';
import { onTheme } from '../../theme.mjs';

const HEIGHT = 96,
    BOTTOM = 18;
export const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'unknown'];
const COLOURS = { fatal: '--c8', error: '--bad', warn: '--accent', info: '--c0', debug: '--c2', trace: '--c9', unknown: '--faint' };

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const at = (b) => Date.parse(b.time) / 1000;

function draw(canvas, { buckets, interval_seconds }) {
    const dpr = devicePixelRatio,
        c = canvas.getContext('2d'),
        width = canvas.clientWidth;
    canvas.width = width * dpr;
    canvas.height = HEIGHT * dpr;
    c.scale(dpr, dpr);
    const most = Math.max(1, ...buckets.map((b) => b.count)),
        w = width / buckets.length,
        h = HEIGHT - BOTTOM;
    buckets.forEach((b, i) => {
        let y = h;
        for (const level of LEVELS) {
            const n = b.by_severity[level] ?? 0;
            if (n === 0) continue;
            const tall = Math.max((n / most) * (h - 4), 1);
            c.fillStyle = css(COLOURS[level]);
            c.fillRect(i * w + 0.5, y - tall, Math.max(w - 1, 0.5), tall);
            y -= tall;
        }
    });
    c.font = '11px system-ui, sans-serif';
    c.fillStyle = css('--faint');
    const every = Math.max(1, Math.round(110 / w));
    for (let i = 0; i < buckets.length; i += every)
        c.fillText(format.timeAxis([at(buckets[i])], interval_seconds * every)[0], i * w + 2, HEIGHT - 5);
}

export function Bars({ histogram, total, choose }) {
    const canvas = useRef(),
        [drag, setDrag] = useState(null),
        [tip, setTip] = useState(null);
    const { buckets, interval_seconds } = histogram;
    useEffect(() => {
        const again = () => draw(canvas.current, histogram);
        const sizes = new ResizeObserver(again);
        sizes.observe(canvas.current);
        const leave = onTheme(again);
        return () => {
            sizes.disconnect();
            leave();
        };
    }, [histogram]);
    const share = (e) => {
        const r = canvas.current.getBoundingClientRect();
        return Math.min(Math.max((e.clientX - r.left) / r.width, 0), 0.9999);
    };
    const up = () => {
        if (!drag) return;
        const [a, b] = [Math.min(...drag), Math.max(...drag)];
        setDrag(null);
        if ((b - a) * canvas.current.clientWidth < 6) return;
        const start = at(buckets[0]),
            length = interval_seconds * buckets.length;
        choose(Math.floor(start + a * length), Math.ceil(start + b * length));
    };
    const move = (e) => {
        if (drag) setDrag([drag[0], share(e)]);
        const b = buckets[Math.floor(share(e) * buckets.length)];
        const said = LEVELS.filter((l) => b.by_severity[l]).map((l) => `${l} ${format.count(b.by_severity[l])}`);
        setTip({ left: share(e), text: `${format.moment(at(b))}: ${said.join(', ') || 'no lines'}` });
    };
    return html`<div class="bars">
        <canvas ref=${canvas} height=${HEIGHT} role="img" aria-label=${`${format.count(total)} lines over time; the list below has them`}
            onPointerDown=${(e) => (canvas.current.setPointerCapture(e.pointerId), setDrag([share(e), share(e)]))} onPointerMove=${move}
            onPointerUp=${up} onPointerCancel=${() => setDrag(null)} onPointerLeave=${() => setTip(null)}></canvas>
        ${drag && html`<i class="box" style=${{ left: Math.min(...drag) * 100 + '%', width: Math.abs(drag[1] - drag[0]) * 100 + '%' }}></i>`}
        ${tip && html`<div class="tip" style=${tip.left > 0.6 ? { right: (1 - tip.left) * 100 + '%' } : { left: tip.left * 100 + '%' }}>${tip.text}</div>`}
    </div>`;
}
