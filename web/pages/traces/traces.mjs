/* traces.mjs - the page at /traces: which traces there are, by a line of words, by facets, by a box in the heatmap. */
import { html, useEffect, useMemo, useRef, useState } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as api from '../../lib/api.mjs';
import * as filter from '../../lib/filter.mjs';
import * as format from '../../lib/format.mjs';
import { costText } from '../../lib/spend.mjs';
import { useKeys } from '../../keys.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Facet } from '../../parts/facet.mjs';
import { Line } from '../../parts/line.mjs';
import { Difference } from './difference.mjs';
import { Heat } from './heat.mjs';

const PAGE = 200;
const STATUSES = ['error', 'ok', 'running'];
const EXAMPLES = ['status=error', 'duration>5s', 'gen_ai.request.model', 'status=running'];

/* Pages of the list, one after the other as more is asked for. */
function useTraces(ask, setBusy) {
    const [pages, setPages] = useState([]);
    const key = JSON.stringify(ask);
    const first = useAsk((signal) => api.ask('/api/v1/traces', { ...ask, limit: PAGE }, signal), [key], setBusy);
    useEffect(() => setPages([]), [first.answer]);
    const all = first.answer ? [first.answer, ...pages] : [];
    const cursor = all.at(-1)?.next_cursor;
    const more = async () => {
        setBusy(true);
        try {
            const next = await api.ask('/api/v1/traces', { ...ask, limit: PAGE, cursor });
            setPages((p) => [...p, next]);
        } finally {
            setBusy(false);
        }
    };
    const traces = useMemo(() => all.flatMap((p) => p.traces).sort((a, b) => b.start - a.start), [first.answer, pages]);
    return { traces, more: cursor ? more : null, error: first.error, isFirst: !first.answer && !first.error };
}

/* ---- facets ---- */

function Facets({ stats, traces, q, run }) {
    const count = (name) => traces.filter((t) => t.status === name).length;
    const statuses = STATUSES.map((value) => ({ value, n: count(value) })).filter((r) => r.n > 0 || filter.has(q, 'status', r.value));
    const agents = new Map();
    for (const t of traces) {
        if (!t.agent) continue;
        const a = agents.get(t.agent) ?? { value: t.agent, n: 0, errors: 0 };
        a.n++;
        if (t.error_count > 0) a.errors++;
        agents.set(t.agent, a);
    }
    const services = stats?.services ?? [],
        operations = stats?.operations ?? [];
    const rows = (list, key) => list.map((s) => ({ value: s[key], n: s.span_count, errors: s.error_count }));
    return html`<aside class="facets" aria-label="Facets">
        <${Facet} title="Status" name="status" rows=${statuses} q=${q} run=${run} />
        <${Facet} title="Agents" name="agent" rows=${[...agents.values()].sort((a, b) => b.n - a.n)} q=${q} run=${run} />
        <${Facet} title="Services" name="service" rows=${rows(services, 'service')} q=${q} run=${run} />
        <${Facet} title="Operations" name="operation" rows=${rows(operations, 'operation')} q=${q} run=${run} />
    </aside>`;
}

/* ---- the list ---- */

const COLUMNS = [
    ['start', 'Started', (t) => t.start],
    ['name', 'Trace', (t) => t.root_name],
    ['took', 'Duration', (t) => t.duration_ms ?? Infinity, 'n'],
    ['spans', 'Spans', (t) => t.span_count, 'n'],
    ['errors', 'Errors', (t) => t.error_count, 'n'],
    ['cost', 'Cost', (t) => (t.model_calls > 0 ? t.total_cost_usd : -1), 'n'],
];

function Took({ trace, most }) {
    if (trace.duration_ms === null || trace.status === 'running')
        return html`<span class="badge run">running ${format.value('seconds', (trace.age_ms ?? trace.duration_ms ?? 0) / 1000)}</span>`;
    return html`${format.value('seconds', trace.duration_ms / 1000)}<span class="took"><i style=${{ width: (100 * trace.duration_ms) / most + '%' }}></i></span>`;
}

function List({ traces, order, go, chosen, marked, mark }) {
    const [by, down] = order.startsWith('-') ? [order.slice(1), true] : [order, false];
    const column = COLUMNS.find((c) => c[0] === by) ?? COLUMNS[0];
    const sorted = useMemo(() => {
        const key = column[2],
            sign = down ? -1 : 1;
        return [...traces].sort((a, b) => (key(a) < key(b) ? -sign : key(a) > key(b) ? sign : 0));
    }, [traces, order]);
    const most = Math.max(1, ...traces.map((t) => t.duration_ms ?? 0)),
        priced = traces.some((t) => t.model_calls > 0);
    const shown = COLUMNS.filter(([id]) => id !== 'cost' || priced);
    const table = useRef();
    useEffect(() => {
        if (chosen >= 0) table.current.querySelectorAll('tbody a')[chosen]?.focus();
    }, [chosen]);
    const href = (t) => '/traces/' + t.trace_id;
    const open = (e, t) => {
        if (e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey) return;
        e.preventDefault();
        go({ page: 'trace', trace: t.trace_id });
    };
    const sort = (id) => go({ order: by === id && down ? id : '-' + id }, true);
    return html`<div class="result"><div class="scroll"><table ref=${table} class="traces">
        <caption class="unseen">Traces</caption>
        <thead><tr><th scope="col"><span class="unseen">Compare</span></th>${shown.map(
            ([id, title, , kind]) => html`<th key=${id} scope="col" class=${kind ?? ''} aria-sort=${by === id ? (down ? 'descending' : 'ascending') : null}>
                <button onClick=${() => sort(id)}>${title}${by === id ? (down ? ' ↓' : ' ↑') : ''}</button></th>`,
        )}</tr></thead>
        <tbody>${sorted.map(
            (t) => html`<tr key=${t.trace_id} onClick=${(e) => !e.target.closest('a, input') && open(e, t)}>
            <td><input type="checkbox" aria-label=${`Mark ${t.root_name || t.trace_id} to compare`} checked=${marked.includes(t.trace_id)} onClick=${(e) => (e.stopPropagation(), mark(t.trace_id))} /></td>
            <td class="when"><time>${format.moment(t.start)}</time></td>
            <td><a href=${href(t)} onClick=${(e) => open(e, t)}>${t.root_name || t.trace_id}</a>
                <small>${[t.agent, t.services.map((s) => s.name).slice(0, 3).join(', ')].filter(Boolean).join(' · ')}${t.services.length > 3 ? ` and ${t.services.length - 3} more` : ''}${t.has_root ? '' : ' · root not here'}</small></td>
            <td class="n"><${Took} trace=${t} most=${most} /></td>
            <td class="n">${format.count(t.span_count)}</td>
            <td class="n">${t.error_count > 0 ? html`<span class="badge bad">${format.count(t.error_count)}</span>` : '0'}</td>
            ${priced && html`<td class="n">${costText(t)}</td>`}
        </tr>`,
        )}</tbody></table></div></div>`;
}

/* ---- the page ---- */

function Summary({ stats, traces, more }) {
    if (!stats) return null;
    const part = (title, v, kind = '') => html`<div class=${kind}><dt>${title}</dt><dd>${v}</dd></div>`;
    return html`<dl class="figures">
        ${part('Traces', format.count(stats.trace_count))}
        ${part('Spans', format.count(stats.span_count))}
        ${part('Spans with errors', format.value('percent', stats.error_rate * 100), stats.error_count > 0 ? 'bad' : '')}
        ${part('Running', format.count(stats.running_count))}
        ${part('Span p50', format.value('seconds', stats.latency_ms.p50 / 1000))}
        ${part('Span p95', format.value('seconds', stats.latency_ms.p95 / 1000))}
        ${part('Listed', format.count(traces.length) + (more ? '+' : ''))}
    </dl>`;
}

export function Page({ state, go, now, setBusy }) {
    const span = useMemo(() => address.span({ ...state, step: '' }, now), [state.from, state.to, state.range, now]);
    const { params, wrong } = useMemo(() => filter.ofTraces(state.q), [state.q]);
    const ask = { ...params, start: span.start, end: span.end };
    const { traces, more, error, isFirst } = useTraces(ask, setBusy);
    const stats = useAsk(
        (signal) => {
            const { status, min_duration, max_duration, ...ofSpans } = ask;
            return api.ask('/api/v1/traces/stats', { ...ofSpans, limit: 50 }, signal);
        },
        [JSON.stringify(ask)],
    ).answer;
    const [chosen, setChosen] = useState(-1);
    const [marked, setMarked] = useState([]);
    const mark = (id) => setMarked(marked.includes(id) ? marked.filter((m) => m !== id) : [...marked, id].slice(-2));
    const run = (q) => go({ q });
    const comparable = state.q !== '' && params.status !== 'running';
    useKeys({
        j: () => setChosen(Math.min(chosen + 1, traces.length - 1)),
        k: () => setChosen(Math.max(chosen - 1, 0)),
    });
    const choose = ({ from, to, least, most }) => go({ from, to, q: filter.withDuration(state.q, least, most) });
    return html`<h1 class="unseen">Traces</h1>
        <${Line} q=${state.q} run=${run} wrong=${wrong} what="traces"
            example="service=checkout status=error duration>2s gen_ai.request.model=…" />
        ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
        <div class="with-facets">
            <${Facets} stats=${stats} traces=${traces} q=${state.q} run=${run} />
            <div class="found">
                <${Summary} stats=${stats} traces=${traces} more=${more} />
                <div class="ways">
                    ${comparable && html`<button aria-pressed=${state.why !== ''} onClick=${() => go({ why: state.why ? '' : '1' }, true)}>What is different about these?</button>`}
                    ${marked.length > 0 && html`<button disabled=${marked.length < 2} onClick=${() => go({ page: 'compare', a: marked[0], b: marked[1] })}>Compare two${marked.length < 2 ? ': mark another' : ''}</button>`}
                </div>
                ${comparable && state.why && html`<${Difference} ask=${ask} q=${state.q} run=${run} />`}
                ${traces.length > 0 && html`<${Heat} traces=${traces} span=${span} choose=${choose} />`}
                ${traces.length > 0 && html`<${List} traces=${traces} order=${state.order} go=${go} chosen=${chosen} marked=${marked} mark=${mark} />`}
                ${traces.length === 0 && !isFirst && !error && html`<div class="result blank"><p>No trace in this time range${state.q ? ' that the filter lets through' : ''}.</p>
                    ${!state.q && html`<p class="soft">Spans come in by OTLP, Zipkin or Jaeger; vedette import takes exports of other systems.</p>`}
                    <div class="examples">${EXAMPLES.map((q) => html`<button key=${q} onClick=${() => run(q)}><code>${q}</code></button>`)}</div></div>`}
                ${more && html`<button onClick=${more}>More</button>`}
            </div>
        </div>`;
}
