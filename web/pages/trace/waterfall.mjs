/* waterfall.mjs - the spans of a trace, a row each: who called whom at the left, when at the right. Only the rows on the screen exist, so
 * that a hundred thousand spans scroll as ten do. */
import { html, useEffect, useRef, useState } from '../../vendor/preact.mjs';
import * as format from '../../lib/format.mjs';
import { endOf } from '../../lib/tree.mjs';
import { colourClass } from '../../parts/chart.mjs';

const ROW = 26,
    SPARE = 12; /* rows kept above and below the screen */

function Scale({ view }) {
    const n = 5;
    return html`<div class="scale" aria-hidden="true"><span></span><span>${Array.from({ length: n }, (_, i) => {
        const t = view[0] + ((view[1] - view[0]) * i) / n;
        return html`<i key=${i} style=${{ left: (100 * i) / n + '%' }}>${format.value('seconds', t / 1000)}</i>`;
    })}</span></div>`;
}

/* The duration stands behind its bar, before it when there is no room, and in it when there is none there either. */
function placeOf(left, right) {
    if (right <= 80) return { left: right + '%' };
    return { right: (left < 15 ? 100 - right : 100 - left) + '%' };
}

function Bar({ span, view, colour }) {
    const width = view[1] - view[0],
        from = ((span.offset_ms - view[0]) / width) * 100,
        to = ((endOf(span) - view[0]) / width) * 100;
    if (to < 0 || from > 100) return html`<span class="lane"></span>`;
    const left = Math.max(from, 0),
        right = Math.min(to, 100),
        running = span.duration_ms === null;
    const label = running ? 'running' : format.value('seconds', span.duration_ms / 1000);
    const style = { left: left + '%', width: `max(2px, ${right - left}%)` };
    const kind = [colourClass(colour), span.status === 'error' ? 'bad' : '', running ? 'run' : '', span.marks?.includes('critical') ? 'critical' : ''].join(' ');
    return html`<span class="lane"><i class=${kind} style=${style}></i>
        <b class=${right > 80 && left < 15 ? 'inside' : ''} style=${placeOf(left, right)}>${label}</b></span>`;
}

/* Tokens and money where they count: a wrapper that repeats what its calls say shows nothing. */
function notes({ genai }) {
    if (!genai?.counts) return [];
    const tokens = genai.tokens.total > 0 ? [`${format.value('', genai.tokens.total)} tok`] : [];
    return [...tokens, genai.cost_usd !== undefined ? format.value('usd', genai.cost_usd) : genai.unpriced ? 'unpriced' : ''];
}

function Row({ span, i, top, folded, view, colour, chosen, choose, fold, dim }) {
    const has = span.children > 0,
        open = has && !folded;
    return html`<div class=${'row' + (chosen ? ' chosen' : '') + (dim ? ' dim' : '')} role="row" aria-level=${span.depth + 1} aria-selected=${chosen}
        aria-expanded=${has ? open : null} style=${{ transform: `translateY(${top}px)` }} onClick=${() => choose(span)}>
        <span class="who" role="gridcell" style=${{ paddingLeft: Math.min(span.depth, 24) * 14 + 'px' }}>
            ${has ? html`<button class="fold" tabindex="-1" aria-label=${open ? 'Fold' : 'Unfold'} onClick=${(e) => (e.stopPropagation(), fold(span))}>${open ? '▾' : '▸'}</button>` : html`<span class="fold"></span>`}
            <span class=${'dot ' + colourClass(colour)}></span>
            ${span.status === 'error' && html`<span class="sign" title="failed">!</span>`}
            <span class="name" title=${span.service + ' · ' + span.name}>${span.name || span.span_id}</span>
            <small>${[span.agent, span.tool ?? span.model, ...notes(span)].filter(Boolean).join(' · ')}${folded && has ? ` (${format.count(span.descendants)} below)` : ''}</small>
        </span>
        <span role="gridcell" class="when"><${Bar} span=${span} view=${view} colour=${colour} /></span>
    </div>`;
}

export function Waterfall({ spans, rows, folded, view, colours, chosen, choose, fold, found }) {
    const box = useRef(),
        [scroll, setScroll] = useState({ top: 0, height: 600 });
    useEffect(() => {
        const look = () => setScroll({ top: box.current.scrollTop, height: box.current.clientHeight });
        const sizes = new ResizeObserver(look);
        sizes.observe(box.current);
        return () => sizes.disconnect();
    }, []);
    const at = rows.findIndex((i) => spans[i].span_id === chosen);
    useEffect(() => {
        if (at < 0) return;
        const { scrollTop, clientHeight } = box.current;
        if (at * ROW < scrollTop) box.current.scrollTop = Math.max(0, at * ROW - ROW);
        else if ((at + 2) * ROW > scrollTop + clientHeight) box.current.scrollTop = (at + 2) * ROW - clientHeight;
    }, [chosen]);
    const first = Math.max(0, Math.floor(scroll.top / ROW) - SPARE),
        last = Math.min(rows.length, Math.ceil((scroll.top + scroll.height) / ROW) + SPARE);
    return html`<div class="waterfall">
        <${Scale} view=${view} />
        <div class="rows" ref=${box} role="treegrid" tabindex="0" aria-label="Spans" aria-rowcount=${rows.length}
            onScroll=${() => setScroll({ top: box.current.scrollTop, height: box.current.clientHeight })}>
            <div style=${{ height: rows.length * ROW + 'px' }}>
                ${rows.slice(first, last).map((i, k) => {
                    const s = spans[i];
                    return html`<${Row} key=${s.span_id + i} span=${s} i=${i} top=${(first + k) * ROW} folded=${folded.has(s.span_id)} view=${view}
                        colour=${colours.get(s.service)} chosen=${s.span_id === chosen} choose=${choose} fold=${fold} dim=${found && !found.has(s.span_id)} />`;
                })}
            </div>
        </div>
    </div>`;
}
