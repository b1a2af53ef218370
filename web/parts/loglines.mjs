/* loglines.mjs - log records as lines, as the answers about traces hold them. `choose`: leads to the span of a line. */
import { html } from '../vendor/preact.mjs';
import * as format from '../lib/format.mjs';

const line = (l) => (typeof l.body === 'string' ? l.body : l.body === null || l.body === undefined ? (l.event_name ?? '') : JSON.stringify(l.body));

export function LogLines({ logs, choose }) {
    return html`<ol class="loglines">${logs.map(
        (l, i) => html`<li key=${i} class=${'sev-' + (l.severity ?? '').toLowerCase()}><time>${format.clock(l.time)}</time> <b>${l.severity ?? ''}</b>
            ${choose && l.span_id && html`<button class="quiet" onClick=${() => choose(l.span_id)}>span</button>`} ${line(l)}</li>`,
    )}</ol>`;
}
