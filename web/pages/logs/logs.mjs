/* logs.mjs - the page at /logs: lines by a line of words, by facets, by a stretch of the histogram; as they come; and their patterns. */
import { html, useEffect, useMemo, useState } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as api from '../../lib/api.mjs';
import * as filter from '../../lib/filter.mjs';
import * as format from '../../lib/format.mjs';
import { useKeys } from '../../keys.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Facet } from '../../parts/facet.mjs';
import { Icon } from '../../parts/icons.mjs';
import { Line } from '../../parts/line.mjs';
import { Bars, LEVELS } from './bars.mjs';
import { useLive } from './live.mjs';
import { Record } from './record.mjs';

const PAGE = 300,
    BUCKETS = 80;

/* Pages of lines, newest first, one after the other as more is asked for. */
function useLines(ask, off, setBusy) {
    const [pages, setPages] = useState([]);
    const first = useAsk((signal) => (off ? null : api.ask('/api/v1/logs', { ...ask, limit: PAGE }, signal)), [JSON.stringify(ask), off], setBusy);
    useEffect(() => setPages([]), [first.answer]);
    const all = first.answer ? [first.answer, ...pages] : [],
        cursor = all.at(-1)?.next_cursor;
    const more = async () => {
        setBusy(true);
        try {
            const next = await api.ask('/api/v1/logs', { ...ask, limit: PAGE, cursor });
            setPages((p) => [...p, next]);
        } finally {
            setBusy(false);
        }
    };
    return { lines: useMemo(() => all.flatMap((p) => p.logs), [first.answer, pages]), more: cursor ? more : null, error: first.error, busy: first.busy };
}

function Facets({ stats, q, run }) {
    const severities = LEVELS.filter((l) => stats?.by_severity[l]).map((value) => ({ value, n: stats.by_severity[value].count, errors: 0 }));
    const services = (stats?.by_service ?? []).map((s) => ({ value: s.service, n: s.count, errors: 0 }));
    return html`<aside class="facets" aria-label="Facets">
        <${Facet} title="Severity" name="severity" rows=${severities} q=${q} run=${run} />
        <${Facet} title="Services" name="service" rows=${services} q=${q} run=${run} />
    </aside>`;
}

/* ---- patterns ---- */

function Patterns({ service, setBusy, now, find }) {
    const { answer, error } = useAsk((signal) => api.ask('/api/v1/logs/patterns', { service, limit: 300 }, signal), [service, now], setBusy);
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    if (!answer) return html`<div class="empty">…</div>`;
    if (answer.patterns.length === 0) return html`<div class="result blank"><p>No line has come in since this server started.</p></div>`;
    return html`<div class="result"><div class="scroll"><table class="patterns"><caption class="unseen">Patterns of log lines</caption>
        <thead><tr><th scope="col" class="n">Lines</th><th scope="col" class="n">Rate</th><th scope="col">Pattern</th><th scope="col">Service</th><th scope="col">First seen</th></tr></thead>
        <tbody>${answer.patterns.map(
            (p, i) => html`<tr key=${i}><td class="n">${format.count(p.count)}</td><td class="n">${format.value('/s', p.rate_per_second ?? 0)}</td>
                <td><button class="pattern" title="Find such lines" onClick=${() => find(p.pattern)}><code>${p.pattern}</code></button> ${p.is_new && html`<span class="tag">new</span>`}</td>
                <td>${p.service ?? ''}</td><td>${p.first_seen ? format.moment(Date.parse(p.first_seen) / 1000) : ''}</td></tr>`,
        )}</tbody></table></div></div>`;
}

/* The longest run of words between the places of a pattern is what its lines have in common. */
function commonText(pattern) {
    return pattern
        .split('<_>')
        .map((s) => s.trim())
        .sort((a, b) => b.length - a.length)[0];
}

/* ---- the page ---- */

const TABS = [
    ['lines', 'Lines'],
    ['patterns', 'Patterns'],
];

function Bar({ state, go, live, stats, lines, more }) {
    return html`<div class="bar">
        <div class="segments" role="tablist" aria-label="Lines or patterns">${TABS.map(([id, title]) => html`<button key=${id} role="tab" aria-selected=${state.tab === id} onClick=${() => go({ tab: id })}>${title}</button>`)}</div>
        <button aria-pressed=${!!state.live} class=${state.live ? 'primary' : ''} title="Lines as they come (v)" onClick=${() => go({ live: state.live ? '' : '1', tab: 'lines' })}><${Icon} name=${state.live ? 'pause' : 'play'} /> Live</button>
        <span class="stats" role="status">${
            state.live
                ? `${format.count(live.lines.length)} lines since you look${live.dropped ? `, ${format.count(live.dropped)} lost on the way` : ''}${live.broken ? '; not connected, trying again' : ''}`
                : stats
                  ? `${format.count(stats.total)} lines, ${format.value('/s', stats.rate_per_second)}; ${format.count(lines.length)}${more ? ' newest' : ''} shown`
                  : ''
        }</span></div>`;
}

export function Page({ state, go, now, setBusy }) {
    const span = useMemo(() => address.span({ ...state, step: '' }, now), [state.from, state.to, state.range, now]);
    const { params, wrong } = useMemo(() => filter.ofLogs(state.q), [state.q]);
    const ask = { ...params, start: span.start, end: span.end },
        isLive = state.live !== '';
    const { lines, more, error, busy } = useLines(ask, isLive || state.tab !== 'lines', setBusy);
    const stats = useAsk((signal) => (isLive ? null : api.ask('/api/v1/logs/stats', { ...ask, buckets: BUCKETS }, signal)), [JSON.stringify(ask), isLive]).answer;
    const live = useLive(isLive, params);
    const [opened, setOpened] = useState(null);
    const run = (q) => go({ q, tab: 'lines' });
    const narrow = (name, op, value) => {
        const word = name + op + value,
            key = op === '=' && ['service', 'severity', 'event', 'trace_id', 'task_id', 'correlation_id'].includes(name);
        run(key ? filter.toggle(state.q, name, value) : filter.join([...filter.words(state.q).filter((w) => w !== word), word]));
    };
    useKeys({ v: () => go({ live: isLive ? '' : '1', tab: 'lines' }), Escape: () => setOpened(null) });
    const shown = isLive ? live.lines : lines;
    const id = (r, i) => (r.live ? 'live' + r.live : r.timestamp + i);
    return html`<h1 class="unseen">Logs</h1>
        <${Line} q=${state.q} run=${run} wrong=${wrong} what="logs" example="service=checkout severity=warn+ task_id=t-17 connection refused" />
        ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
        <div class="with-facets">
            <${Facets} stats=${stats} q=${state.q} run=${run} />
            <div class="found">
                ${!isLive && stats && stats.total > 0 && html`<${Bars} histogram=${stats.histogram} total=${stats.total} choose=${(from, to) => go({ from, to })} />`}
                <${Bar} state=${state} go=${go} live=${live} stats=${stats} lines=${lines} more=${more} />
                ${state.tab === 'patterns' && html`<${Patterns} service=${params.service} now=${now} setBusy=${setBusy} find=${(p) => run(filter.join(filter.words(commonText(p))))} />`}
                ${state.tab === 'lines' && shown.length > 0 && html`<ol class="records" aria-label="Log records, newest first">${shown.map((r, i) => {
                    const key = id(r, i);
                    return html`<${Record} key=${key} record=${r} open=${opened === key} toggle=${() => setOpened(opened === key ? null : key)} narrow=${narrow} go=${go} />`;
                })}</ol>`}
                ${state.tab === 'lines' && shown.length === 0 && !busy && !error && html`<div class="result blank"><p>${isLive ? 'Waiting for lines…' : `No line in this time range${state.q ? ' that the filter lets through' : ''}.`}</p>
                    ${!state.q && !isLive && html`<p class="soft">Logs come in by OTLP, Loki push, JSON lines at /api/v1/logs, Elasticsearch's _bulk, syslog, or from files.</p>`}</div>`}
                ${state.tab === 'lines' && !isLive && more && html`<button onClick=${more}>Older lines</button>`}
            </div>
        </div>`;
}
