/* dashboard.mjs - the page at /dashboards/NAME: variables, then the panels in their places. */
import { html, useEffect, useMemo } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as api from '../../lib/api.mjs';
import { dashboardOf, place } from '../../lib/grafana.mjs';
import { fillIn } from '../../lib/grafana_vars.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { queriesOf, timeVars, useAnswers, useVariables } from './data.mjs';
import { Frame } from './frame.mjs';
import { Variables } from './variables.mjs';

const ENLARGED_LINES = 17;

const OWN_JOBS = ['vedette', 'node', 'demo'];

/* Nobody but the demo workload sends anything: what is shown is made up. */
const isDemo = async () => {
    const jobs = await api.labelValues('job');
    return jobs.includes('demo') && jobs.every((j) => OWN_JOBS.includes(j));
};

const toggled = (text, id) => {
    const all = new Set(text.split(',').filter(Boolean));
    all.has(id) ? all.delete(id) : all.add(id);
    return [...all].join(',');
};

/* What the dashboard wishes for, as far as the address does not say otherwise. */
function useWishes(dashboard, state, go) {
    useEffect(() => {
        if (!dashboard) return;
        const asked = new URLSearchParams(location.search),
            patch = {};
        if (dashboard.range && !asked.has('range') && !asked.has('from') && dashboard.range !== state.range) patch.range = dashboard.range;
        if (address.REFRESHES.includes(dashboard.refresh) && !asked.has('refresh') && dashboard.refresh !== state.refresh) patch.refresh = dashboard.refresh;
        if (Object.keys(patch).length > 0) go(patch, true);
    }, [dashboard]);
}

function Row({ row, isOpen, toggle, chosen, n }) {
    return html`<h2 class="row-head"><button class="quiet" aria-expanded=${isOpen} onClick=${toggle}><span aria-hidden="true">${isOpen ? '▾' : '▸'}</span> ${fillIn(row.title, chosen, {}, 'plain') || 'Row'}
        ${!isOpen && html`<small>${n} ${n === 1 ? 'panel' : 'panels'}</small>`}</button></h2>`;
}

export function Page({ state, go, now, setBusy }) {
    const { answer, error } = useAsk((signal) => api.ask('/api/v1/dashboards/' + encodeURIComponent(state.name), {}, signal), [state.name], setBusy);
    const dashboard = useMemo(() => (answer ? dashboardOf(answer) : null), [answer]);
    const { answer: demo } = useAsk(isDemo, [state.name]);
    useWishes(dashboard, state, go);
    const span = useMemo(() => address.span({ ...state, step: '' }, now, { leastStep: 5, grain: 5 }), [state.from, state.to, state.range, now]);
    const found = useVariables(dashboard, state, span);
    const chosen = found?.chosen;

    const sections = useMemo(() => {
        if (!dashboard || !chosen) return [];
        const folded = new Set(state.folded.split(','));
        return dashboard.sections.map((s) => ({ ...s, isOpen: !s.row || s.row.folded === folded.has(s.row.id), panels: place(s.panels, chosen) }));
    }, [dashboard, chosen, state.folded]);
    const all = sections.flatMap((s) => s.panels),
        one = state.panel && all.find((p) => p.id === state.panel);
    const shown = useMemo(() => (one ? [one] : sections.filter((s) => s.isOpen).flatMap((s) => s.panels)), [sections, state.panel]);
    const answers = useAnswers(shown, chosen, span, setBusy);

    useEffect(() => {
        if (!one) return undefined;
        const close = (e) => e.key === 'Escape' && go({ panel: '' });
        addEventListener('keydown', close);
        return () => removeEventListener('keydown', close);
    }, [one]);

    if (error) return html`<h1>${state.name}</h1><div class="note bad" role="alert"><p>${error.message}</p><button onClick=${() => go({ page: 'dashboards' })}>All dashboards</button></div>`;
    if (!dashboard || !chosen) return html`<h1 class="unseen">${state.name}</h1><p class="blank" role="status">Loading …</p>`;

    const vars = { ...chosen, ...timeVars(span) };
    const frame = (p) => html`<${Frame} key=${p.id} panel=${p} answer=${answers[p.id]} chosen=${chosen} queries=${queriesOf(p, vars)} zoom=${(from, to) => go({ from, to })} go=${go}
        enlarged=${p === one} enlarge=${(panel) => go({ panel })} lines=${ENLARGED_LINES} />`;
    return html`
        <header class="board-head"><h1>${dashboard.title}</h1>${demo && html`<span class="tag" title="The demo workload made this up">Demo</span>`}${dashboard.about && html`<p class="soft">${dashboard.about}</p>`}<span class="grow"></span>
            <a class="soft" href=${`/api/v1/grafana/dashboards/${encodeURIComponent(state.name)}.json`} download>JSON for Grafana</a></header>
        <${Variables} found=${found} state=${state} go=${go} />
        ${one ? html`<div class="enlarged">${frame(one)}</div>` : sections.map((s, i) => html`<section key=${s.row?.id ?? 'top' + i} class="board-section" aria-label=${s.row?.title || dashboard.title}>
            ${s.row && html`<${Row} row=${s.row} isOpen=${s.isOpen} n=${s.panels.length} chosen=${chosen} toggle=${() => go({ folded: toggled(state.folded, s.row.id) }, true)} />`}
            ${s.isOpen && html`<div class="cells">${s.panels.map(frame)}</div>`}</section>`)}
        ${all.length === 0 && html`<p class="blank">This dashboard has no panels.</p>`}`;
}
