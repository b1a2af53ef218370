/* compare.mjs - the page at /compare: two traces side by side, operation by operation: how often, how long, what failed. */
import { html, useMemo } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { costText } from '../../lib/spend.mjs';
import * as tree from '../../lib/tree.mjs';
import { useAsk } from '../../parts/ask.mjs';

const SPANS_MAX = 20000;

const load = (id, signal) => api.ask('/api/v1/traces/' + encodeURIComponent(id), { fields: 'structure', limit: SPANS_MAX, logs: 0 }, signal);
const time = (ms) => format.value('seconds', ms / 1000);

function Change({ from, to, print = time }) {
    if (from === to) return html`<td class="n soft">same</td>`;
    const worse = to > from;
    return html`<td class=${'n ' + (worse ? 'worse' : 'better')}>${worse ? '+' : '−'}${print(Math.abs(to - from))}</td>`;
}

function Operation({ row: { key, a, b } }) {
    const [service, name] = key.split('\0');
    return html`<tr><td>${name} <small>${service}</small></td>
        <td class="n">${a ? format.count(a.n) : '–'}</td><td class="n">${b ? format.count(b.n) : '–'}</td>
        <td class="n">${a ? time(a.self) : '–'}</td><td class="n">${b ? time(b.self) : '–'}</td><${Change} from=${a?.self ?? 0} to=${b?.self ?? 0} />
        <td class="n">${a?.errors || ''}</td><td class="n">${b?.errors || ''}</td></tr>`;
}

/* Rows of both, those whose own time differs most first. */
function pair(a, b) {
    const rows = new Map();
    for (const [side, spans] of [['a', a], ['b', b]])
        for (const o of tree.operations(spans)) {
            const key = o.service + '\0' + o.name;
            rows.set(key, { key, ...rows.get(key), [side]: o });
        }
    const apart = (r) => Math.abs((r.a?.self ?? 0) - (r.b?.self ?? 0));
    return [...rows.values()].sort((x, y) => apart(y) - apart(x));
}

function Whole({ a, b, go }) {
    const open = (t) => html`<th scope="col" class="n"><button class="quiet" onClick=${() => go({ page: 'trace', trace: t.trace_id })}>${t.root_name || t.trace_id.slice(0, 8)} <small>${format.moment(t.start)}</small></button></th>`;
    const row = (title, of, print, change) => html`<tr><th scope="row">${title}</th><td class="n">${print(of(a))}</td><td class="n">${print(of(b))}</td>${change ? html`<${Change} from=${of(a)} to=${of(b)} print=${print} />` : html`<td></td>`}</tr>`;
    return html`<div class="result"><div class="scroll"><table class="whole"><caption class="unseen">The two traces as a whole</caption>
        <thead><tr><th></th>${open(a)}${open(b)}<th scope="col" class="n">Change</th></tr></thead><tbody>
            ${row('Duration', (t) => t.duration_ms, time, true)}${row('Spans', (t) => t.span_count, format.count, true)}${row('Errors', (t) => t.error_count, format.count, true)}
            ${row('Tokens', (t) => t.tokens?.total ?? 0, format.count, true)}${row('Cost', (t) => costText(t) || '–', String, false)}</tbody></table></div></div>`;
}

export function Page({ state, go, setBusy }) {
    const { answer, error } = useAsk((signal) => (state.a && state.b ? Promise.all([load(state.a, signal), load(state.b, signal)]) : null), [state.a, state.b], setBusy);
    const rows = useMemo(() => (answer ? pair(answer[0].spans, answer[1].spans) : []), [answer]);
    if (!state.a || !state.b) return html`<div class="result blank"><p>Mark two traces in the list, then compare them.</p><button onClick=${() => go({ page: 'traces' })}>Traces</button></div>`;
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    if (!answer) return html`<div class="empty" role="status">Loading two traces…</div>`;
    return html`<h1 class="unseen">Two traces</h1><${Whole} a=${answer[0]} b=${answer[1]} go=${go} />
        <div class="result"><div class="scroll"><table class="differences"><caption class="unseen">Operations of both</caption>
            <thead><tr><th scope="col" rowspan="2">Operation</th><th scope="colgroup" colspan="2" class="n">Spans</th><th scope="colgroup" colspan="3" class="n">Own time</th><th scope="colgroup" colspan="2" class="n">Errors</th></tr>
                <tr><th scope="col" class="n">first</th><th scope="col" class="n">second</th><th scope="col" class="n">first</th><th scope="col" class="n">second</th><th scope="col" class="n">change</th><th scope="col" class="n">first</th><th scope="col" class="n">second</th></tr></thead>
            <tbody>${rows.map((r) => html`<${Operation} key=${r.key} row=${r} />`)}</tbody></table></div></div>`;
}
