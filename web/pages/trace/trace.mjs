/* trace.mjs - the page at /traces/ID: the whole in a line of figures, then its waterfall, its operations, or its logs. */
import { html, useEffect, useMemo, useState } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { costText } from '../../lib/spend.mjs';
import { useKeys } from '../../keys.mjs';
import * as tree from '../../lib/tree.mjs';
import { colourClass } from '../../parts/chart.mjs';
import { LogLines } from '../../parts/loglines.mjs';
import { Minimap } from './minimap.mjs';
import { Span } from './span.mjs';
import { Waterfall } from './waterfall.mjs';

const PAGE = 5000,
    SPANS_MAX = 200000;

/* The first page of spans as soon as it is there, the others one after the other. */
function useTrace(id, setBusy) {
    const [state, setState] = useState({ trace: null, spans: [], error: null });
    useEffect(() => {
        const stop = new AbortController();
        setState({ trace: null, spans: [], error: null });
        setBusy(true);
        const load = async () => {
            let trace = null,
                spans = [],
                offset = 0;
            do {
                const part = await api.ask(`/api/v1/traces/${encodeURIComponent(id)}`, { fields: 'structure', limit: PAGE, offset, logs: offset === 0 ? 500 : 0 }, stop.signal);
                trace ??= part;
                spans = spans.concat(part.spans);
                offset = part.next_offset;
                setState({ trace, spans, error: null });
            } while (offset !== undefined && spans.length < SPANS_MAX);
        };
        load()
            .catch((error) => !stop.signal.aborted && setState({ trace: null, spans: [], error }))
            .finally(() => !stop.signal.aborted && setBusy(false));
        return () => stop.abort();
    }, [id]);
    return state;
}

function Figures({ trace, spans, only, toggleOnly }) {
    const part = (title, v, kind = '') => html`<div class=${kind}><dt>${title}</dt><dd>${v}</dd></div>`;
    return html`<dl class="figures">
        ${part('Began', format.moment(trace.start))}
        ${part('Duration', trace.running_count > 0 ? 'running' : format.value('seconds', trace.duration_ms / 1000))}
        ${part('Spans', format.count(trace.span_count) + (spans.length < trace.span_count ? ` (${format.count(spans.length)} here)` : ''))}
        ${part('Depth', trace.depth)}
        ${trace.error_count > 0 && html`<div class="bad"><dt>Errors</dt><dd><button aria-pressed=${only === 'errors'} onClick=${() => toggleOnly('errors')}>${format.count(trace.error_count)}</button></dd></div>`}
        ${trace.running_count > 0 && part('Running', trace.running_count)}
        ${trace.orphan_count > 0 && part('Without their parent', trace.orphan_count)}
        ${trace.model_calls > 0 && part('Model calls', format.count(trace.model_calls))}
        ${trace.tokens?.total > 0 && part('Tokens', format.value('', trace.tokens.total))}
        ${trace.model_calls > 0 && part('Cost', costText(trace))}
    </dl>`;
}

function Operations({ spans, choose }) {
    const rows = useMemo(() => tree.operations(spans), [spans]);
    const most = Math.max(1e-9, ...rows.map((r) => r.critical));
    const time = (ms) => format.value('seconds', ms / 1000);
    return html`<div class="result"><div class="scroll"><table><caption class="unseen">Operations of this trace</caption>
        <thead><tr><th scope="col">Operation</th><th scope="col" class="n">On the critical path</th><th scope="col" class="n">Itself</th><th scope="col" class="n">Spans</th>
            <th scope="col" class="n">Errors</th><th scope="col" class="n">Mean</th><th scope="col" class="n">Longest</th></tr></thead>
        <tbody>${rows.map(
            (r) => html`<tr key=${r.service + r.name}><td>${r.name} <small>${r.service}</small></td>
                <td class="n">${time(r.critical)}<span class="took"><i style=${{ width: (100 * r.critical) / most + '%' }}></i></span></td><td class="n">${time(r.self)}</td><td class="n">${format.count(r.n)}</td>
                <td class="n">${r.errors > 0 ? html`<span class="badge bad">${format.count(r.errors)}</span>` : '0'}</td><td class="n">${time(r.total / r.n)}</td>
                <td class="n"><button class="quiet" onClick=${() => choose(r.worst)}>${time(r.most)}</button></td></tr>`,
        )}</tbody></table></div></div>`;
}

function Logs({ logs, choose }) {
    if (logs.length === 0) return html`<div class="result blank"><p>No log record carries this trace's id.</p></div>`;
    return html`<div class="result"><${LogLines} logs=${logs} choose=${choose} /></div>`;
}

const TABS = [
    ['timeline', 'Timeline'],
    ['operations', 'Operations'],
    ['logs', 'Logs'],
];

function Tabs({ tab, choose, logs }) {
    return html`<div class="segments" role="tablist" aria-label="Views of the trace">${TABS.map(
        ([id, title]) => html`<button key=${id} role="tab" aria-selected=${tab === id} onClick=${() => choose(id)}>${title}${id === 'logs' && logs ? ` (${logs})` : ''}</button>`,
    )}</div>`;
}

/* Which spans the search or the error filter lights; null: all. */
function useFound(spans, text, only) {
    return useMemo(() => {
        if (!text && !only) return null;
        const wanted = text.toLowerCase();
        return new Set(spans.filter((s) => (!only || s.status === 'error') && (!wanted || tree.matches(s, wanted))).map((s) => s.span_id));
    }, [spans, text, only]);
}

export function Page({ state, go, setBusy }) {
    const { trace, spans, error } = useTrace(state.trace, setBusy);
    const [folded, setFolded] = useState(() => new Set());
    const [view, setView] = useState(null);
    const [text, setText] = useState('');
    const [only, setOnly] = useState('');
    useEffect(() => {
        setFolded(new Set());
        setView(null);
    }, [state.trace]);
    const rows = useMemo(() => tree.visible(spans, folded), [spans, folded]);
    const colours = useMemo(() => tree.colours(spans), [spans]);
    const found = useFound(spans, text, only);
    const total = Math.max(trace?.duration_ms ?? 0, 0.001, ...(trace?.running_count > 0 ? spans.slice(0, 1000).map(tree.endOf) : []));
    const shown = view ?? [0, total];

    const choose = (id) => go({ span: id === state.span ? '' : id, tab: 'timeline' }, true);
    const fold = (s) => setFolded((f) => {
        const next = new Set(f);
        if (!next.delete(s.span_id)) next.add(s.span_id);
        return next;
    });
    const at = rows.findIndex((i) => spans[i].span_id === state.span),
        current = at >= 0 ? spans[rows[at]] : null;
    const step = (by) => {
        for (let k = at + by; k >= 0 && k < rows.length; k += by)
            if (!found || found.has(spans[rows[k]].span_id)) return go({ span: spans[rows[k]].span_id }, true);
        return undefined;
    };
    const zoom = (factor) => {
        const middle = (shown[0] + shown[1]) / 2,
            half = Math.min(((shown[1] - shown[0]) * factor) / 2, total / 2);
        const from = Math.min(Math.max(middle - half, 0), total - 2 * half);
        setView([from, from + 2 * half]);
    };
    const pan = (share) => {
        const by = Math.min(Math.max((shown[1] - shown[0]) * share, -shown[0]), total - shown[1]);
        setView([shown[0] + by, shown[1] + by]);
    };
    useKeys({
        j: () => step(1),
        k: () => step(-1),
        ArrowDown: () => step(1),
        ArrowUp: () => step(-1),
        ArrowLeft: () => pan(-0.2),
        ArrowRight: () => pan(0.2),
        '+': () => zoom(0.5),
        '-': () => zoom(2),
        '[': () => current?.children > 0 && !folded.has(current.span_id) && fold(current),
        ']': () => current && folded.has(current.span_id) && fold(current),
        Escape: () => (state.span ? go({ span: '' }, true) : setView(null)),
    });
    if (error) return html`<p class="note bad" role="alert">${error.message}</p><p><button onClick=${() => go({ page: 'traces' })}>All traces</button></p>`;
    if (!trace) return html`<div class="empty" role="status">Loading the trace…</div>`;
    const logs = trace.logs ?? [];
    return html`<div class="trace">
        <header class="head"><h1>${trace.root_name || trace.trace_id}</h1><code class="soft">${trace.trace_id}</code><span class="grow"></span>
            <a href=${`/api/v1/traces/${trace.trace_id}?content=true&limit=20000`} target="_blank" rel="noopener">JSON</a></header>
        <${Figures} trace=${trace} spans=${spans} only=${only} toggleOnly=${(x) => setOnly(only === x ? '' : x)} />
        <div class="bar"><${Tabs} tab=${state.tab} choose=${(tab) => go({ tab }, true)} logs=${logs.length} />
            <ul class="legend">${[...colours].slice(0, 8).map(([service, c]) => html`<li key=${service}><span class=${'dot ' + colourClass(c)}></span><span>${service}</span></li>`)}</ul>
            <span class="grow"></span>
            ${state.tab === 'timeline' && html`<input data-search type="search" class="sift" aria-label="Find spans" placeholder="find spans" value=${text} onInput=${(e) => setText(e.target.value)} />
                ${found && html`<span class="stats" role="status">${format.count(found.size)} found</span>`}
                <button class="quiet" onClick=${() => setFolded(folded.size > 0 ? new Set() : new Set(spans.filter((s) => s.depth >= 1 && s.children > 0).map((s) => s.span_id)))}>${folded.size > 0 ? 'Unfold all' : 'Fold all'}</button>`}
        </div>
        ${state.tab === 'operations' && html`<${Operations} spans=${spans} choose=${choose} />`}
        ${state.tab === 'logs' && html`<${Logs} logs=${logs} choose=${choose} />`}
        ${state.tab === 'timeline' && html`<div class=${'split' + (state.span ? ' open' : '')}>
            <div class="left"><${Minimap} spans=${spans} total=${total} colours=${colours} view=${shown} setView=${setView} />
                <${Waterfall} spans=${spans} rows=${rows} folded=${folded} view=${shown} colours=${colours} chosen=${state.span} choose=${(s) => choose(s.span_id)} fold=${fold} found=${found} /></div>
            ${state.span && html`<${Span} trace=${trace.trace_id} id=${state.span} structure=${current ?? spans.find((s) => s.span_id === state.span)} logs=${logs.filter((l) => l.span_id === state.span)} go=${go} close=${() => go({ span: '' }, true)} />`}
        </div>`}
    </div>`;
}
