/* table.mjs - a table that is sorted by its columns and walked by keys: j and k go from row to row, Enter follows the row's link.
 *
 * columns: [{id, title, of(row) -> value to sort by, cell(row) -> what is shown, n: numbers to the right, bar: a bar beneath}]
 *     of gives undefined where a row has nothing; such rows come last, and a column that no row has is not there.
 * order: "-cost" or "cost"; sort(order) is told of another. rowKey(row), href(row) and open(row) make a row a link. */
import { html, useMemo, useRef } from '../vendor/preact.mjs';
import { useKeys } from '../keys.mjs';

const known = (v) => v !== undefined && v !== null && !Number.isNaN(v);

export function sorted(rows, columns, order) {
    const down = order.startsWith('-'),
        column = columns.find((c) => c.id === (down ? order.slice(1) : order)) ?? columns[0];
    const sign = down ? -1 : 1;
    return [...rows].sort((a, b) => {
        const x = column.of(a),
            y = column.of(b);
        if (!known(x) || !known(y)) return known(y) - known(x);
        return (typeof x === 'string' ? x.localeCompare(y) : x - y) * sign;
    });
}

export const plainClick = (e) => e.button === 0 && !e.ctrlKey && !e.metaKey && !e.shiftKey && !e.altKey;

/* A link within the pages. */
export function To({ href, follow, children, ...rest }) {
    const click = (e) => {
        if (!plainClick(e)) return;
        e.preventDefault();
        follow();
    };
    return html`<a href=${href} onClick=${click} ...${rest}>${children}</a>`;
}

function Cell({ column, row, most, first, href, open }) {
    const shown = column.cell ? column.cell(row) : column.of(row);
    const value = column.of(row);
    return html`<td class=${column.n ? 'n' : ''}>${first && href ? html`<${To} href=${href(row)} follow=${() => open(row)}>${shown || '(none)'}<//>` : shown}
        ${first && column.about?.(row) && html` <small>${column.about(row)}</small>`}
        ${column.bar && known(value) && html`<span class="took"><i style=${{ width: (100 * value) / (most || 1) + '%' }}></i></span>`}</td>`;
}

export function Table({ caption, columns, rows, order, sort, rowKey, href, open, limit = 200, keys = false }) {
    const table = useRef(),
        at = useRef(-1);
    const shown = columns.filter((c, i) => i === 0 || rows.some((r) => known(c.of(r)) && c.of(r) !== ''));
    const list = useMemo(() => sorted(rows, columns, order), [rows, order]);
    const most = (c) => (c.bar ? Math.max(...rows.map(c.of).filter(known), 0) : 0);
    const step = (by) => {
        const links = table.current?.querySelectorAll('tbody td:first-child a') ?? [];
        if (links.length === 0) return;
        at.current = Math.min(Math.max(at.current + by, 0), links.length - 1);
        links[at.current].focus();
    };
    useKeys(keys ? { j: () => step(1), k: () => step(-1) } : {});
    const press = (c) => sort(order === '-' + c.id ? c.id : order === c.id ? '-' + c.id : c.n ? '-' + c.id : c.id);
    const direction = (c) => (order === c.id ? 'ascending' : order === '-' + c.id ? 'descending' : null);
    return html`<div class="scroll" tabindex="0"><table ref=${table} class="sorted"><caption class="unseen">${caption}</caption>
        <thead><tr>${shown.map(
            (c) => html`<th key=${c.id} scope="col" class=${c.n ? 'n' : ''} aria-sort=${direction(c)}>
                ${sort ? html`<button title=${c.title_long} onClick=${() => press(c)}>${c.title}${order === c.id ? ' ↑' : order === '-' + c.id ? ' ↓' : ''}</button>` : c.title}</th>`,
        )}</tr></thead>
        <tbody>${list.slice(0, limit).map(
            (r) => html`<tr key=${rowKey(r)}>${shown.map((c, i) => html`<${Cell} key=${c.id} column=${c} row=${r} most=${most(c)} first=${i === 0} href=${href} open=${open} />`)}</tr>`,
        )}</tbody></table>
        ${list.length > limit && html`<p class="soft">and ${list.length - limit} more</p>`}</div>`;
}

/* A titled box around a table or anything else; nothing when it has nothing. */
export function Box({ title, about, children, acts }) {
    return html`<section class="result box"><header><h2>${title}</h2>${about && html`<span class="stats">${about}</span>`}
        <span class="grow"></span>${acts}</header>${children}</section>`;
}

export function Tabs({ label, tabs, tab, go }) {
    return html`<div class="segments" role="tablist" aria-label=${label}>${tabs.map(
        ([id, title]) => html`<button key=${id} role="tab" aria-selected=${tab === id} onClick=${() => go({ tab: id })}>${title}</button>`,
    )}</div>`;
}
