/* facet.mjs - the values that a field has in what is shown, most frequent first; a press narrows to one, another press lets go.
 * rows: [{value, n, errors}] */
import { html } from '../vendor/preact.mjs';
import * as filter from '../lib/filter.mjs';
import * as format from '../lib/format.mjs';

const FACETS = 12;

export function Facet({ title, name, rows, q, run }) {
    if (rows.length === 0) return null;
    const most = Math.max(...rows.map((r) => r.n), 1);
    return html`<section class="facet"><h2>${title}</h2><ul>
        ${rows.slice(0, FACETS).map((r) => {
            const on = filter.has(q, name, r.value);
            return html`<li key=${r.value}><button aria-pressed=${on} onClick=${() => run(filter.toggle(q, name, r.value))}
                title=${`${r.value}: ${format.count(r.n)}${r.errors ? `, ${format.count(r.errors)} with errors` : ''}`}>
                <span class="name">${r.value}</span>
                ${r.errors > 0 && html`<span class="failed">${format.value('', r.errors)}</span>`}
                <span class="n">${format.value('', r.n)}</span>
                <i style=${{ width: (100 * r.n) / most + '%' }}></i></button></li>`;
        })}
        ${rows.length > FACETS && html`<li class="soft">and ${rows.length - FACETS} more</li>`}
    </ul></section>`;
}
