/* now.mjs - what is wrong now, and where: a verdict with its reasons, then whoever fails or is slow, then what failed last. A part that has
 * nothing to say is not there. */
import { html, useEffect, useRef } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as alerts from '../../lib/alerts.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { numbersOf, rowsOf } from '../../lib/prom.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Box, Table, To } from '../../parts/table.mjs';
import { TraceList } from '../../parts/tracelist.mjs';

const GRAIN_S = 15, /* how often all this is asked anew */
    SHOWN = 6,
    DAY_S = 86400;

const grown = (series, by) => `sum by (${by}) (increase(${series}[$w] anchored))`;
const p95 = (series, by) => `histogram_quantile(0.95, sum by (le, ${by}) (increase(${series}[$w])))`;

/* Rate, errors, duration of each kind: whose label tells them apart, and where a row leads. */
const KINDS = [
    {
        title: 'Agents',
        label: 'name',
        page: 'agents',
        param: 'agent',
        of: { calls: grown('vedette_genai_operations_total{kind="agent"}', 'name'), failed: grown('vedette_genai_operations_total{kind="agent",status!="ok"}', 'name'), p95: p95('vedette_genai_operation_duration_seconds_bucket{kind="agent"}', 'name') },
    },
    {
        title: 'MCP servers',
        label: 'mcp_server',
        page: 'mcp',
        param: 'server',
        of: { calls: grown('mcp_requests_total{side="client"}', 'mcp_server'), failed: grown('mcp_requests_total{side="client",status!="ok"}', 'mcp_server'), p95: p95('mcp_operation_duration_seconds_bucket{side="client"}', 'mcp_server') },
    },
    {
        title: 'Models',
        label: 'gen_ai_request_model',
        page: 'traces',
        word: 'gen_ai.request.model',
        of: {
            calls: grown('gen_ai_client_operation_duration_seconds_count{source="spans"}', 'gen_ai_request_model'),
            failed: grown('gen_ai_client_operation_duration_seconds_count{source="spans",error_type!=""}', 'gen_ai_request_model'),
            p95: p95('gen_ai_client_operation_duration_seconds_bucket{source="spans"}', 'gen_ai_request_model'),
        },
    },
    {
        title: 'Backends',
        label: 'backend_id',
        page: 'lb',
        of: { calls: grown('load_balancer_requests_total', 'backend_id'), failed: grown('load_balancer_requests_total{status!~"success|ok|completed|[123].."}', 'backend_id'), p95: p95('load_balancer_request_duration_seconds_bucket', 'backend_id'), healthy: 'min by (backend_id) (load_balancer_backend_health)' },
    },
];

async function load(span, signal) {
    const today = Math.max(60, Math.round(span.end % DAY_S)); /* UTC */
    const window = { start: span.start, end: span.end };
    const [list, kinds, spent, budgets, failed, errors, running] = await Promise.all([
        api.ask('/api/v2/alerts', { silenced: 'false', inhibited: 'false' }, signal),
        Promise.all(KINDS.map(async (k) => (await rowsOf([k.label], k.of, span, signal)).map((r) => ({ ...r, name: r[k.label] })).filter((r) => r.name !== '' && (r.calls > 0 || r.healthy === 0)))),
        numbersOf({ spans: `sum(increase(vedette_genai_cost_usd_total[${today}s] anchored))`, clients: `sum(increase(gen_ai_client_cost_usd_total[${today}s] anchored))` }, span, signal),
        rowsOf(['budget', 'period'], { used: 'max by (budget, period) (vedette_budget_usage_percent)' }, span, signal),
        api.ask('/api/v1/traces', { ...window, status: 'error', limit: SHOWN }, signal),
        api.ask('/api/v1/errors', { ...window, limit: SHOWN }, signal),
        api.ask('/api/v1/traces', { ...window, status: 'running', limit: 50 }, signal),
    ]);
    return { list, kinds, spent, budgets, failed: failed.traces, errors: errors.errors, running: running.traces.map((t) => ({ ...t, age: span.end - t.start })) };
}

/* ---- the verdict ---- */

const failRate = (r) => (r.calls > 0 ? (100 * (r.failed ?? 0)) / r.calls : 0);
const leadTo = (kind, row) => (kind.word ? { page: kind.page, q: JSON.stringify(`${kind.word}=${row.name}`) } : { page: kind.page, ...(kind.param ? { [kind.param]: row.name } : {}) });

const WORST_RATE = 20,
    BAD_RATE = 5,
    FEW = 5, /* of so few calls one failure says nothing */
    STALLED_S = 300;

/* Each reason: how bad (2 critical, 1 warning), what it says, where it leads. */
function reasonsOf({ list, kinds, budgets, running }) {
    const reasons = list.sort(alerts.order).filter((a) => alerts.tone(a.labels) !== 'info').map((a) => ({
        weight: alerts.tone(a.labels) === 'critical' ? 2 : 1,
        text: a.labels.alertname ?? 'alert',
        about: a.annotations.summary ?? '',
        to: { page: 'alerts', q: a.labels.alertname ?? '' },
    }));
    kinds.forEach((rows, i) => {
        for (const r of rows) {
            const rate = failRate(r);
            if (r.healthy === 0) reasons.push({ weight: 2, text: `${r.name} is down`, about: 'backend', to: { page: 'lb' } });
            else if (rate >= BAD_RATE && r.calls >= FEW) reasons.push({ weight: rate >= WORST_RATE ? 2 : 1, text: `${r.name} fails ${format.value('percent', rate)}`, about: KINDS[i].title.toLowerCase().replace(/s$/, ''), to: leadTo(KINDS[i], r) });
        }
    });
    const stalled = running.filter((t) => t.age > STALLED_S).sort((a, b) => b.age - a.age);
    if (stalled.length > 0) reasons.push({ weight: 1, text: `${stalled.length === 1 ? 'One run hangs' : `${stalled.length} runs hang`} for ${format.value('seconds', stalled[0].age)}`, about: stalled[0].agent || stalled[0].root_name, to: { page: 'trace', trace: stalled[0].trace_id } });
    for (const b of budgets)
        if (b.used >= 80) reasons.push({ weight: b.used >= 100 ? 2 : 1, text: `${b.budget || 'budget'}: ${format.value('percent', b.used)} used`, about: `budget, ${b.period}`, to: { page: 'cost' } });
    return reasons.sort((a, b) => b.weight - a.weight);
}

const VERDICTS = ['Healthy', 'Needs a look', 'Something is wrong'];
const TONES = ['good', 'warn', 'bad'];
const REASONS = 6;

function Verdict({ answer, state, go }) {
    const reasons = reasonsOf(answer),
        worst = reasons[0]?.weight ?? 0;
    const spent = answer.spent.spans ?? answer.spent.clients;
    const link = (to) => address.write(address.next(state, to));
    return html`<section class=${'verdict ' + TONES[worst]} aria-labelledby="verdict" aria-live="polite">
        <h2 id="verdict"><span class="sign" aria-hidden="true">${worst === 0 ? '✓' : '!'}</span>${VERDICTS[worst]}</h2>
        ${reasons.length === 0 && html`<p class="soft">No alert fires, nobody fails more than ${BAD_RATE} % of calls, nothing hangs.</p>`}
        ${reasons.length > 0 && html`<ul>${reasons.slice(0, REASONS).map(
            (r, i) => html`<li key=${i} class=${TONES[r.weight]}><${To} href=${link(r.to)} follow=${() => go(r.to)}>${r.text}<//> <small>${r.about}</small></li>`,
        )}${reasons.length > REASONS && html`<li><${To} href=${link({ page: 'alerts' })} follow=${() => go({ page: 'alerts' })}>and ${reasons.length - REASONS} more<//></li>`}</ul>`}
        ${spent > 0 && html`<p class="spent"><span class="soft">Spent today</span> <${To} href=${link({ page: 'cost' })} follow=${() => go({ page: 'cost' })}><b>${format.usd(spent)}</b><//></p>`}
    </section>`;
}

/* ---- who does how ---- */

const RED = (length) => [
    { id: 'name', title: 'Name', of: (r) => r.name },
    { id: 'rate', title: 'Rate', n: true, of: (r) => r.calls, cell: (r) => r.calls !== undefined && format.value('/s', r.calls / length), bar: true },
    { id: 'failed', title: 'Failed', n: true, of: (r) => failRate(r) * Math.min(1, r.calls / FEW) /* one of one is not the worst */, cell: (r) => html`<span class=${failRate(r) >= BAD_RATE ? 'badge bad' : ''}>${format.value('percent', failRate(r))}</span>` },
    { id: 'p95', title: 'p95', n: true, of: (r) => r.p95, cell: (r) => r.p95 !== undefined && format.value('seconds', r.p95), bar: true },
];

const ERRORS = [
    { id: 'what', title: 'Error', of: (e) => e.message || e.type, about: (e) => [e.type !== e.message && e.type, e.service, e.operation].filter(Boolean).join(' · ') },
    { id: 'count', title: 'Times', n: true, of: (e) => e.count, cell: (e) => format.count(e.count), bar: true },
    { id: 'last', title: 'Last', n: true, of: (e) => e.last_seen, cell: (e) => format.clock(e.last_seen) },
];

function Errors({ errors, go }) {
    if (errors.length === 0) return null;
    const target = (e) => (e.trace_ids?.length > 0 ? { page: 'trace', trace: e.trace_ids[0] } : { page: 'logs', q: `severity=error+${e.service ? ' ' + JSON.stringify('service=' + e.service) : ''}` });
    const href = (e) => { const t = target(e); return t.trace ? '/traces/' + t.trace : '/logs?q=' + encodeURIComponent(t.q); };
    return html`<${Box} title="Errors" about="grouped by what they say"><${Table} caption="Error groups" columns=${ERRORS} rows=${errors} order="-last" rowKey=${(e) => e.fingerprint} href=${href} open=${(e) => go(target(e))} limit=${SHOWN} /><//>`;
}

/* settled: told once the first answer is there or cannot be had, so that what stands below does not jump. */
export function Now({ state, go, now, settled }) {
    const asked = useRef(now); /* at once, then not with every refresh of the charts */
    if (now - asked.current >= GRAIN_S) asked.current = now;
    const at = state.from !== null ? state.to : asked.current;
    const span = { ...address.span({ ...state, step: '' }, at), end: at };
    const { answer: fresh, error } = useAsk((signal) => load(span, signal), [state.from, state.to, state.range, at]);
    const kept = useRef(null); /* what is shown stays when the server is out of reach; the page says that it is */
    if (fresh) kept.current = fresh;
    useEffect(() => {
        if (fresh || error) settled();
    }, [fresh, error]);
    const answer = kept.current;
    if (!answer) return null;
    const length = span.end - span.start;
    const kinds = KINDS.map((kind, i) => [kind, answer.kinds[i]]).filter(([, rows]) => rows.length > 0);
    return html`<${Verdict} answer=${answer} state=${state} go=${go} />
        <div class="halves now">${kinds.map(
            ([kind, rows]) => html`<${Box} key=${kind.title} title=${kind.title} about="the worst first"><${Table} caption=${kind.title} columns=${RED(length)} rows=${rows} order="-failed" rowKey=${(r) => r.name} limit=${SHOWN}
                href=${(r) => address.write(address.next(state, leadTo(kind, r)))} open=${(r) => go(leadTo(kind, r))} /><//>`,
        )}
        <${TraceList} title="Failed traces" about="newest first" traces=${answer.failed} order="-start" go=${go} limit=${SHOWN} />
        <${Errors} errors=${answer.errors} go=${go} /></div>`;
}
