/* graph.mjs - a graph on a canvas: boxes joined by arrows. Width is how much, a broken red line is errors, the shape tells the kind.
 *
 *     nodes: [{id, name, kind, note, bad}]   edges: [{from, to, weight, bad, note}]    chosen: an id, choose(id)
 *
 * Where nodes stand is reckoned once for a set of nodes (lib/graph.mjs), so that a refresh moves nothing. Arrows go from node to
 * node, Enter chooses; what is chosen is said. A table with the same content belongs beside every graph. */
import { html, useEffect, useMemo, useRef, useState } from '../vendor/preact.mjs';
import { layered, spread } from '../lib/graph.mjs';
import { onTheme } from '../theme.mjs';

const BOX = { w: 148, h: 38 },
    DOT = { w: 104, h: 24 };
const EDGE = 18; /* around all of it, px */

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const KINDS = ['agent', 'model', 'tool', 'service', 'added', 'removed', 'changed']; /* that the legend tells */
const COLOURS = { agent: '--accent', model: '--c4', tool: '--c2', service: '--c0', entity: '--c0', added: '--good', removed: '--bad', changed: '--accent' };

/* Boxes that cover each other are moved apart, the shorter way; the same ones always the same way. */
function apart(at, size) {
    const all = [...at.values()],
        wide = size.w + 12,
        high = size.h + 12;
    for (let round = 0, moved = true; moved && round < 80; round++) {
        moved = false;
        for (let i = 0; i < all.length; i++)
            for (let k = i + 1; k < all.length; k++) {
                const dx = all[k].x - all[i].x,
                    dy = all[k].y - all[i].y,
                    inX = wide - Math.abs(dx),
                    inY = high - Math.abs(dy);
                if (inX <= 0.5 || inY <= 0.5) continue;
                moved = true;
                const [x, y] = inX < inY ? [(dx < 0 ? -inX : inX) / 2, 0] : [0, (dy < 0 ? -inY : inY) / 2];
                all[i].x -= x;
                all[k].x += x;
                all[i].y -= y;
                all[k].y += y;
            }
    }
}

/* All of it to the right and below of the edge; how far it reaches. */
function reach(at, size) {
    const all = [...at.values()],
        left = Math.min(...all.map((p) => p.x)) - size.w / 2 - EDGE,
        top = Math.min(...all.map((p) => p.y)) - size.h / 2 - EDGE;
    for (const p of all) {
        p.x -= Math.min(left, 0);
        p.y -= Math.min(top, 0);
    }
    return { w: Math.max(...all.map((p) => p.x)) + size.w / 2 + EDGE, h: Math.max(...all.map((p) => p.y)) + size.h / 2 + EDGE };
}

/* Pixels: how wide and high the picture is, and the middle of each node. */
function arrange(layout, width, size) {
    const w = Math.max(width, layout.columns * (size.w + (size === BOX ? 54 : 10)) + 2 * EDGE - (size === BOX ? 54 : 10)),
        h = Math.max(size === BOX ? 120 : 260, layout.rows * (size.h + (size === BOX ? 14 : 26)) + 2 * EDGE);
    const at = new Map();
    for (const [id, p] of layout.places)
        at.set(id, {
            x: EDGE + size.w / 2 + p.x * (w - 2 * EDGE - size.w),
            y: size === BOX ? EDGE + p.y * (h - 2 * EDGE) : EDGE + size.h / 2 + p.y * (h - 2 * EDGE - size.h),
        });
    if (size === BOX || at.size === 0) return { w, h, at, size };
    apart(at, size);
    const needs = reach(at, size);
    return { w: Math.max(w, needs.w), h: Math.max(h, needs.h), at, size };
}

/* From middle to middle, as far as the border of the second. */
function straight(a, b, size) {
    const dx = b.x - a.x,
        dy = b.y - a.y,
        most = Math.max(Math.abs(dx) / (size.w / 2 + 5), Math.abs(dy) / (size.h / 2 + 5), 1),
        x = b.x - dx / most,
        y = b.y - dy / most;
    return [a.x, a.y, a.x + (x - a.x) / 3, a.y + (y - a.y) / 3, a.x + ((x - a.x) * 2) / 3, a.y + ((y - a.y) * 2) / 3, x, y];
}

/* From the side of one box to the side of the other, bent so that there and back do not cover each other. */
function curve(a, b, size) {
    if (size === DOT) return straight(a, b, size);
    const ahead = b.x - a.x > size.w * 0.6,
        back = a.x - b.x > size.w * 0.6;
    if (ahead || back) {
        const s = ahead ? 1 : -1,
            x1 = a.x + (s * size.w) / 2,
            x2 = b.x - (s * (size.w / 2 + 5)),
            lift = back ? 14 : 0,
            bend = Math.max(24, Math.abs(x2 - x1) / 2);
        return [x1, a.y + lift * 0.6, x1 + s * bend, a.y + lift, x2 - s * bend, b.y + lift, x2, b.y + lift * 0.6];
    }
    const s = b.y >= a.y ? 1 : -1,
        y1 = a.y + (s * size.h) / 2,
        y2 = b.y - s * (size.h / 2 + 5),
        bend = 22 * s;
    return [a.x, y1, a.x + bend, y1 + (y2 - y1) / 3, b.x + bend, y2 - (y2 - y1) / 3, b.x, y2];
}

function arrowHead(c, [, , , , x3, y3, x4, y4], width) {
    const turn = Math.atan2(y4 - y3, x4 - x3),
        r = 5 + width;
    c.setLineDash([]);
    c.beginPath();
    c.moveTo(x4 + 5 * Math.cos(turn), y4 + 5 * Math.sin(turn));
    c.lineTo(x4 - r * Math.cos(turn - 0.5), y4 - r * Math.sin(turn - 0.5));
    c.lineTo(x4 - r * Math.cos(turn + 0.5), y4 - r * Math.sin(turn + 0.5));
    c.fill();
}

function drawEdge(c, edge, place, most, dim) {
    const a = place.at.get(edge.from),
        b = place.at.get(edge.to);
    if (!a || !b || edge.from === edge.to) return;
    const width = 1 + (place.size === DOT ? 0.8 : 3.5) * Math.sqrt(Math.max(edge.weight ?? 0, 0) / (most || 1)),
        colour = css(edge.bad > 0.05 ? '--bad' : edge.kind ? COLOURS[edge.kind] : edge.bad >= 0.01 ? '--c6' : '--faint');
    const p = curve(a, b, place.size);
    c.globalAlpha = dim ? 0.12 : 0.8;
    c.strokeStyle = c.fillStyle = colour;
    c.lineWidth = width;
    c.setLineDash(edge.bad >= 0.01 || edge.kind === 'removed' ? [8, 5] : []);
    c.beginPath();
    c.moveTo(p[0], p[1]);
    c.bezierCurveTo(p[2], p[3], p[4], p[5], p[6], p[7]);
    c.stroke();
    arrowHead(c, p, width);
    c.globalAlpha = 1;
}

function cut(c, text, width) {
    if (c.measureText(text).width <= width) return text;
    let n = text.length;
    while (n > 1 && c.measureText(text.slice(0, n) + '…').width > width) n--;
    return text.slice(0, n) + '…';
}

/* An agent is a box, a model is round at its ends, a tool has its corners cut off. */
function outline(c, kind, x, y, w, h) {
    c.beginPath();
    if (kind === 'tool') {
        const k = 9;
        for (const [px, py] of [[x + k, y], [x + w - k, y], [x + w, y + k], [x + w, y + h - k], [x + w - k, y + h], [x + k, y + h], [x, y + h - k], [x, y + k]]) c.lineTo(px, py);
        c.closePath();
    } else c.roundRect(x, y, w, h, kind === 'model' ? h / 2 : 8);
}

function drawNode(c, node, place, { dim, chosen, over }) {
    const { w, h } = place.size,
        { x, y } = place.at.get(node.id),
        left = x - w / 2,
        top = y - h / 2,
        small = place.size === DOT;
    c.globalAlpha = dim ? 0.3 : 1;
    c.setLineDash([]);
    outline(c, node.kind, left, top, w, h);
    c.fillStyle = css(chosen || over ? '--raised' : '--surface');
    c.fill();
    c.lineWidth = chosen ? 3 : 1.5;
    c.strokeStyle = css(node.bad ? '--bad' : (COLOURS[node.kind] ?? '--line-strong'));
    c.stroke();
    c.textAlign = 'center';
    c.textBaseline = 'middle';
    c.fillStyle = css('--text');
    c.font = `600 ${small ? 11 : 12.5}px system-ui, sans-serif`;
    c.fillText(cut(c, node.name || '(none)', w - 20), x, node.note && !small ? y - 7 : y);
    if (node.note && !small) {
        c.font = '11px system-ui, sans-serif';
        c.fillStyle = css(node.bad ? '--bad' : '--soft');
        c.fillText(cut(c, node.note, w - 16), x, y + 9);
    }
    c.globalAlpha = 1;
}

function draw(canvas, nodes, edges, place, chosen, over) {
    const dpr = devicePixelRatio,
        c = canvas.getContext('2d');
    canvas.width = place.w * dpr;
    canvas.height = place.h * dpr;
    c.scale(dpr, dpr);
    const focus = over || chosen,
        near = new Set([focus]);
    for (const e of edges) if (e.from === focus || e.to === focus) near.add(e.from).add(e.to);
    const most = Math.max(...edges.map((e) => e.weight ?? 0), 0);
    for (const e of edges) drawEdge(c, e, place, most, focus && e.from !== focus && e.to !== focus);
    for (const n of nodes) drawNode(c, n, place, { dim: focus && !near.has(n.id), chosen: n.id === chosen, over: n.id === over });
}

/* The next node in a direction: the nearest of those that lie more that way than to the side. */
function nextTo(place, from, [dx, dy]) {
    const a = place.at.get(from);
    let best = null;
    for (const [id, b] of place.at) {
        const along = (b.x - a.x) * dx + (b.y - a.y) * dy,
            aside = Math.abs((b.x - a.x) * dy) + Math.abs((b.y - a.y) * dx);
        if (along <= 1) continue;
        const far = along + 2 * aside;
        if (!best || far < best.far) best = { id, far };
    }
    return best?.id ?? from;
}

const WAYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

export function Graph({ nodes, edges, kind = 'layered', label, chosen = '', choose }) {
    const box = useRef(),
        canvas = useRef();
    const [width, setWidth] = useState(0),
        [over, setOver] = useState('');
    const names = JSON.stringify(nodes.map((n) => n.id).sort());
    const layout = useMemo(() => (kind === 'layered' ? layered : spread)(nodes, edges), [names, kind]);
    const place = useMemo(() => arrange(layout, width, kind === 'layered' ? BOX : DOT), [layout, width]);
    useEffect(() => {
        const sizes = new ResizeObserver(() => setWidth(box.current.clientWidth));
        sizes.observe(box.current);
        return () => sizes.disconnect();
    }, []);
    useEffect(() => {
        const again = () => width > 0 && draw(canvas.current, nodes, edges, place, chosen, over);
        again();
        return onTheme(again);
    }, [nodes, edges, place, chosen, over]);

    const nodeAt = (e) => {
        const r = canvas.current.getBoundingClientRect(),
            x = e.clientX - r.left,
            y = e.clientY - r.top;
        for (const [id, p] of place.at) if (Math.abs(p.x - x) < place.size.w / 2 && Math.abs(p.y - y) < place.size.h / 2) return id;
        return '';
    };
    const keys = (e) => {
        const first = nodes[0]?.id;
        if (WAYS[e.key]) {
            e.preventDefault();
            setOver(over ? nextTo(place, over, WAYS[e.key]) : chosen || first);
        } else if (e.key === 'Enter' && over) choose?.(over === chosen ? '' : over);
        else if (e.key === 'Escape') (over ? setOver('') : choose?.(''));
    };
    const told = nodes.find((n) => n.id === (over || chosen));
    const lines = told ? edges.filter((x) => x.from === told.id || x.to === told.id) : [];
    const nameOf = (id) => nodes.find((n) => n.id === id)?.name ?? id;
    return html`<div class="graph"><div class="field" ref=${box} tabindex="0" role="group" aria-label=${label + '. Arrow keys go from node to node, Enter chooses.'} onKeyDown=${keys}
            onBlur=${() => setOver('')}>
            <canvas ref=${canvas} style=${{ width: place.w + 'px', height: place.h + 'px', cursor: over ? 'pointer' : 'default' }}
                onPointerMove=${(e) => setOver(nodeAt(e))} onPointerLeave=${() => setOver('')} onClick=${(e) => choose?.(nodeAt(e) === chosen ? '' : nodeAt(e))}></canvas></div>
        <p class="told" role="status">${told ? html`<b>${told.name}</b> ${told.kind}${told.note && `, ${told.note}`}${lines.slice(0, 6).map((x) => html`<span>${x.from === told.id ? `→ ${nameOf(x.to)}` : `← ${nameOf(x.from)}`}${x.note && ` ${x.note}`}</span>`)}${lines.length > 6 && html`<span>and ${lines.length - 6} more</span>`}`
            : html`<span class="soft">${KINDS.filter((k) => nodes.some((n) => n.kind === k)).map((k) => html`<i class=${'shape ' + k}></i>${k}`)} ${edges.some((x) => x.bad >= 0.01) && html`<span class="broken">errors</span>`}</span>`}</p></div>`;
}
