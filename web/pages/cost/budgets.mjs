/* budgets.mjs - budgets with what is used of them, and advice with the figures it rests on. What the server does not tell is not there. */
import { html } from '../../vendor/preact.mjs';
import * as format from '../../lib/format.mjs';
import { Box } from '../../parts/table.mjs';

const dateOf = (text) => format.moment(Date.parse(text) / 1000);

function Period({ title, period }) {
    if (!period || !(period.limit_usd > 0)) return null;
    const used = period.usage_percent;
    const about = `${format.usd(period.used_usd)} of ${format.usd(period.limit_usd)}, ${format.value('usd', period.burn_usd_per_hour)} an hour; ${format.usd(period.projected_usd)} at its end`;
    return html`<div class=${'budget ' + (used >= 100 ? 'bad' : used >= 80 || period.projected_usd > period.limit_usd ? 'warn' : '')}>
        <span>${title}</span><meter min="0" max="100" low="80" high="99.9" optimum="0" value=${Math.min(used, 100)} aria-label=${`${title}: ${format.value('percent', used)} used`}></meter>
        <b>${format.value('percent', used)}</b><span class="soft">${about}${period.exhausted_at ? `; ${period.exceeded ? 'exceeded' : 'gone by ' + dateOf(period.exhausted_at)}` : ''}</span></div>`;
}

export function Budgets({ answer }) {
    const budgets = answer?.budgets ?? [];
    if (budgets.length === 0) return null;
    return html`<${Box} title="Budgets" about="what is used, how fast, and what it comes to at this pace">${budgets.map(
        (b) => html`<div key=${b.name} class="budgets"><h3>${b.name}<small>${b.scope}${b.of ? ` ${b.of}` : ''}</small></h3>
            <${Period} title="Today" period=${b.daily} /><${Period} title="This month" period=${b.monthly} /></div>`,
    )}<//>`;
}

/* ---- advice ---- */

const KINDS = { cheaper_backend: 'Use a cheaper backend than', prompt_cache: 'Let prompts be cached by', long_prompts: 'Shorten the longest prompts of', prompt_outliers: 'Shorten the longest prompts of' };
const figure = (k, v) => (typeof v !== 'number' ? String(v) : k.endsWith('_usd') ? format.value('usd', v) : /share|rate$/.test(k) ? format.value('percent', 100 * v) : format.value('', v));

/* Whatever figures an advice came with are what it rests on; figures within figures are named by both. */
function evidenceOf(advice) {
    const rows = [];
    for (const [k, v] of Object.entries(advice)) {
        if (['kind', 'subject', 'action', 'saving_usd'].includes(k) || v === null || Array.isArray(v)) continue;
        if (typeof v === 'object') for (const [l, w] of Object.entries(v)) w !== null && rows.push([`${k} ${l}`, figure(l, w)]);
        else rows.push([k, figure(k, v)]);
    }
    return rows;
}

export function Advice({ report, go }) {
    const savings = report?.cost?.savings ?? report?.savings ?? [];
    if (savings.length === 0) return null;
    return html`<${Box} title="What could be saved" about="each with what it rests on"><ol class="advice">${savings.map(
        (a, i) => html`<li key=${i}><b>${KINDS[a.kind] ?? a.kind} ${a.subject}</b> ${a.saving_usd > 0 && html`<span class="badge good">${format.usd(a.saving_usd)}</span>`}
            <p>${a.action}</p>
            <dl class="facts">${evidenceOf(a).map(([k, v]) => html`<div key=${k}><dt>${k.replaceAll('_', ' ').replace(/ usd$/, '')}</dt><dd>${v}</dd></div>`)}</dl>
            ${Array.isArray(a.traces) && html`<div class="ways">${a.traces.slice(0, 5).map((t) => html`<button key=${t.trace_id} class="quiet" onClick=${() => go({ page: 'trace', trace: t.trace_id })}>${t.trace_id.slice(-8)}: ${format.count(t.input_tokens)} tokens</button>`)}</div>`}</li>`,
    )}</ol><//>`;
}
