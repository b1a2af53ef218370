/* markdown.mjs - the little Markdown that texts on dashboards use, as elements: nothing in it is ever read as markup. */
import { html } from '../vendor/preact.mjs';

const INLINE = /\*\*(.+?)\*\*|`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)/g;

const isSafe = (url) => /^(https?:\/\/|\/(?!\/)|#)/.test(url);

function inline(text) {
    const out = [];
    let from = 0;
    for (const m of text.matchAll(INLINE)) {
        out.push(text.slice(from, m.index));
        if (m[1]) out.push(html`<strong>${m[1]}</strong>`);
        else if (m[2]) out.push(html`<code>${m[2]}</code>`);
        else out.push(isSafe(m[4]) ? html`<a href=${m[4]} rel="noreferrer noopener">${m[3]}</a>` : m[3]);
        from = m.index + m[0].length;
    }
    return [...out, text.slice(from)];
}

export function Markdown({ text }) {
    const blocks = text.split(/\n{2,}/).filter((b) => b.trim());
    return html`<div class="markdown">${blocks.map((block, i) => {
        const heading = /^(#{1,6})\s+(.*)$/s.exec(block);
        if (heading) return html`<p key=${i} class="heading">${inline(heading[2])}</p>`;
        const lines = block.split('\n');
        if (lines.every((l) => /^\s*([-*]|\d+\.)\s/.test(l))) return html`<ul key=${i}>${lines.map((l, k) => html`<li key=${k}>${inline(l.replace(/^\s*([-*]|\d+\.)\s/, ''))}</li>`)}</ul>`;
        return html`<p key=${i}>${inline(lines.join(' '))}</p>`;
    })}</div>`;
}
