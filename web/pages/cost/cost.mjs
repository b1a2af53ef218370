/* cost.mjs - the page at /cost: what was spent, on what, how fast, what the day will cost, what could be saved, and the dearest traces.
 *
 * Sums are exact increases of counters; the pace is that of the last hour. What nobody has a price for is said, never counted as 0. */
import { html, useMemo } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { numbersOf, optional, rowsOf } from '../../lib/prom.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Charts } from '../../parts/panels.mjs';
import { Tiles } from '../../parts/tiles.mjs';
import { TraceList } from '../../parts/tracelist.mjs';
import { Advice, Budgets } from './budgets.mjs';
import { DIMENSIONS, SOURCES, queriesOf } from './sources.mjs';
import { Spent, per, sumOf } from './spent.mjs';

const TRACES = 1000,
    DAY_S = 86400;

const midnight = (t) => Math.floor(t / DAY_S) * DAY_S; /* UTC, as budgets and prices have it */

async function sourceOf(s, span, signal) {
    const known = DIMENSIONS.filter((d) => s.labels[d.id]);
    const by = await Promise.all(
        known.map(async (d) => {
            const rows = await rowsOf([s.labels[d.id]], queriesOf(s, d.id), span, signal);
            return [d.id, rows.map((r) => ({ ...r, name: r[s.labels[d.id]] }))];
        }),
    );
    return { ...s, by: Object.fromEntries(by) };
}

async function load(span, signal) {
    const hours = Math.max(1, Math.round((span.end - span.start) / 3600));
    const [sources, report, budgets, traces] = await Promise.all([
        Promise.all(SOURCES.map((s) => sourceOf(s, span, signal))),
        optional(api.ask('/api/v1/reports/cost', { hours }, signal)),
        optional(api.ask('/api/v1/budgets', {}, signal)),
        api.ask('/api/v1/traces', { start: span.start, end: span.end, limit: TRACES }, signal),
    ]);
    return { sources: sources.filter((s) => Object.values(s.by).some((rows) => rows.some((r) => r.cost > 0 || r.calls > 0))), report, budgets, traces: traces.traces };
}

/* Today is the day of the end of what is shown. */
async function paceOf(source, end, signal) {
    const counted = (w) => `sum(increase(${source.cost}[${w}s] anchored))`;
    const today = Math.max(60, Math.round(end - midnight(end)));
    const found = await numbersOf({ hour: counted(3600), today: counted(today) }, { start: end - 60, end }, signal);
    return { ...found, left: (DAY_S - today) / 3600 };
}

function tilesOf(rows, pace, span) {
    const total = sumOf(rows, 'cost'),
        calls = sumOf(rows, 'calls'),
        unpriced = sumOf(rows, 'unpriced') ?? 0,
        untold = sumOf(rows, 'untold') ?? 0,
        input = sumOf(rows, 'inputAll'),
        cached = sumOf(rows, 'cacheRead');
    const projected = pace?.today !== undefined && pace.hour !== undefined ? pace.today + pace.hour * pace.left : undefined;
    return [
        { title: 'In ' + address.duration(Math.round(span.end - span.start)), unit: 'usd', v: total, about: unpriced > 0 ? 'and what is unpriced' : '' },
        { title: 'In the last hour', unit: 'usd', v: pace?.hour },
        { title: 'Today so far', unit: 'usd', v: pace?.today, about: 'since 00:00 UTC' },
        { title: 'Today, at this pace', unit: 'usd', v: projected, about: 'as in the last hour' },
        calls > 0 && { title: 'A request', text: format.value('usd', per(total, calls)) },
        input > 0 && cached !== undefined && { title: 'Input from caches', unit: 'percent', v: (100 * cached) / input },
        unpriced > 0 && { title: 'Requests unpriced', v: unpriced, tone: 'warn', about: 'no price for the model' },
        untold > 0 && { title: 'Usage not told', v: untold, tone: 'warn', about: 'requests without tokens' },
    ];
}

function panelsOf(source, by) {
    const panel = (d) => ({
        id: 'cost-' + d.id,
        title: 'Cost',
        about: 'by ' + d.title.toLowerCase(),
        unit: 'usd/h',
        stacked: true,
        name: `{${source.labels[d.id]}}`,
        queries: [`3600 * sum by (${source.labels[d.id]}) (rate(${source.cost}[$w]))`],
    });
    const known = DIMENSIONS.filter((d) => source.by[d.id]?.some((r) => r.name !== '' && r.cost > 0));
    return [...known.filter((d) => d.id === by), ...known.filter((d) => d.id !== by)].slice(0, 3).map(panel);
}

function Nothing() {
    return html`<div class="result blank"><p>Nothing was spent in this time range, as far as is known.</p>
        <p class="soft">Cost is worked out from the tokens of model calls in spans, or told by metrics and records.</p></div>`;
}

export function Page({ state, go, now, setBusy }) {
    const span = useMemo(() => address.span({ ...state, step: '' }, now), [state.from, state.to, state.range, now]);
    const { answer, error } = useAsk((signal) => load(span, signal), [span.start, span.end], setBusy);
    /* Where both tell, spans before what clients count: together they would count calls twice. */
    const source = answer?.sources.find((s) => s.id === state.source) ?? answer?.sources[0];
    const pace = useAsk((signal) => (source ? paceOf(source, span.end, signal) : null), [source?.id, span.end]).answer;
    const dear = useMemo(() => [...(answer?.traces ?? [])].filter((t) => t.total_cost_usd > 0).sort((a, b) => b.total_cost_usd - a.total_cost_usd).slice(0, 12), [answer]);
    const rows = source ? (source.by.model ?? source.by.backend ?? source.by.mcp) : [];
    return html`<h1 class="unseen">Cost</h1>
        ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
        ${!answer && !error && html`<p class="blank" role="status">Loading …</p>`}
        ${answer && !source && dear.length === 0 && html`<${Nothing} />`}
        ${source && html`<${Tiles} tiles=${tilesOf(rows, pace, span)} label="Cost" />`}
        <${Budgets} answer=${answer?.budgets} />
        ${source && html`<${Spent} source=${source} sources=${answer.sources} state=${state} go=${go} />
            <${Charts} key=${source.id} now=${now} setBusy=${setBusy} state=${state} go=${go} id="cost" title="Cost over time" panels=${panelsOf(source, state.by)} />`}
        <${Advice} report=${answer?.report} go=${go} />
        ${answer && html`<${TraceList} title="Dearest traces" about=${answer.traces.length < TRACES ? 'of all in this time range' : `of the newest ${format.count(TRACES)}`} traces=${dear} order="-cost" go=${go} limit=${12} />`}`;
}
