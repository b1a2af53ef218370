/* record.mjs - one log record as a line, and opened: its fields, each of which narrows the search, the lines around it, its trace. */
import { html, useState } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Icon } from '../../parts/icons.mjs';

const AROUND = 5,
    AROUND_S = 3600; /* how far lines around are looked for */

export const when = (r) => Date.parse(r.timestamp) / 1000;
const shown = (v) => (typeof v === 'string' ? v : JSON.stringify(v));
const message = (r) => (r.message === null || r.message === undefined ? (r.event_name ?? '') : shown(r.message));

function clock(r) {
    return format.clock(when(r)) + r.timestamp.slice(19, 23);
}

function Field({ name, value, narrow }) {
    const text = shown(value);
    return html`<tr><th scope="row">${name}</th><td><pre>${text}</pre></td><td class="acts">
        ${text.length < 200 && html`<button class="quiet icon" title="Only these" aria-label=${`Only lines with this ${name}`} onClick=${() => narrow(name, '=', text)}>=</button>
            <button class="quiet icon" title="Not these" aria-label=${`No lines with this ${name}`} onClick=${() => narrow(name, '!=', text)}>≠</button>`}</td></tr>`;
}

/* The lines of the same service just before and after. */
function Around({ record }) {
    const t = record.timestamp,
        seconds = when(record);
    const { answer } = useAsk(
        async (signal) => {
            const service = record.service;
            const before = await api.ask('/api/v1/logs', { service, start: seconds - AROUND_S, end: t, limit: AROUND }, signal);
            const after = await api.ask('/api/v1/logs', { service, start: t, end: seconds + 60, limit: 200 }, signal);
            return { before: before.logs.reverse(), after: after.logs.reverse().slice(0, AROUND + 1) };
        },
        [t],
    );
    if (!answer) return html`<p class="soft">…</p>`;
    const lines = (list) => list.map((r, i) => html`<li key=${i} class=${'sev-' + r.severity.toLowerCase()}><time>${clock(r)}</time> ${message(r)}</li>`);
    return html`<ol class="loglines around">${lines(answer.before)}${lines(answer.after)}</ol>`;
}

function Open({ record, narrow, go }) {
    const [around, setAround] = useState(false);
    const fields = { ...record.attributes };
    for (const k of ['event_name', 'task_id', 'correlation_id', 'trace_id', 'span_id']) if (record[k]) fields[k] ??= record[k];
    return html`<div class="opened">
        <div class="ways">
            ${record.trace_id && html`<a class="button" href=${'/traces/' + record.trace_id + (record.span_id ? '?span=' + record.span_id : '')} onClick=${(e) => {
                if (e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey) return;
                e.preventDefault();
                go({ page: 'trace', trace: record.trace_id, span: record.span_id ?? '' });
            }}><${Icon} name="traces" /> Open the trace</a>`}
            <button aria-pressed=${around} onClick=${() => setAround(!around)}>Lines around it</button>
            <button onClick=${() => narrow('service', '=', record.service)}>Only ${record.service}</button>
        </div>
        ${around && html`<${Around} record=${record} />`}
        <pre class="whole">${message(record)}</pre>
        <table class="attributes"><tbody>${Object.entries(fields).map(([k, v]) => html`<${Field} key=${k} name=${k} value=${v} narrow=${narrow} />`)}
            ${Object.entries(record.resource ?? {}).map(([k, v]) => html`<${Field} key=${'r' + k} name=${'resource.' + k} value=${v} narrow=${narrow} />`)}</tbody></table>
    </div>`;
}

export function Record({ record, open, toggle, narrow, go }) {
    return html`<li class=${'sev-' + (record.severity ?? 'unknown').toLowerCase() + (open ? ' open' : '')}>
        <button class="line" aria-expanded=${open} onClick=${toggle}>
            <time title=${record.timestamp}>${clock(record)}</time><b>${record.severity ?? ''}</b><span class="service">${record.service}</span><span class="text">${message(record)}</span>
        </button>
        ${open && html`<${Open} record=${record} narrow=${narrow} go=${go} />`}
    </li>`;
}
