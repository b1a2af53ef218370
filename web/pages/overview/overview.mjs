/* overview.mjs - the page at /: tiles, then sections of live charts, for what is there. panels.mjs says what they show. */
import { html, useEffect, useMemo, useRef, useState } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as api from '../../lib/api.mjs';
import { GuideText } from '../../parts/guide.mjs';
import { newest } from '../../lib/matrix.mjs';
import { Panel } from '../../parts/panel.mjs';
import { fill, tileValues, usePanels } from '../../parts/panels.mjs';
import { Tile } from '../../parts/tiles.mjs';
import { Now } from './now.mjs';
import { HOST, MODEL_CALLS, SECTIONS } from './panels.mjs';

const LOOK_AROUND_S = 30; /* how often we look for new metrics, hosts and jobs while the range stays */
const OWN_JOBS = ['vedette', 'node', 'demo'];
const OF_SPANS = 'traces_spanmetrics_calls_total'; /* somebody sends spans: not of our jobs, and real */
const NEEDED = [...SECTIONS.flatMap((s) => s.panels.map((p) => p.needs).filter(Boolean)), OF_SPANS];

/* ---- what is there ---- */

/* The usual distance between two samples of a series, in seconds; 15 when it cannot be told. */
function intervalOf(series) {
    const gaps = (series?.values ?? [])
        .slice(1)
        .map(([t], i) => t - series.values[i][0])
        .sort((a, b) => a - b);
    return gaps.length > 0 ? Math.max(1, Math.round(gaps[gaps.length >> 1])) : 15;
}

function hostsOf(found, names) {
    const nodename = new Map(names.map((s) => [s.metric.instance, s.metric.nodename]));
    return found.map(({ metric: { instance = '', job = '' } }) => ({
        instance,
        job,
        name: nodename.get(instance) ?? '',
    }));
}

const ofHost = (h) => `instance=${JSON.stringify(h.instance)},job=${JSON.stringify(h.job)}`;

/* The host asked for, else our own, else any. */
function hostToShow(hosts, wanted) {
    return (
        hosts.find((h) => h.instance === wanted) ??
        hosts.find((h) => h.instance === location.host) ??
        hosts.find((h) => h.job === 'node') ??
        hosts[0]
    );
}

/* All questions at once: one way there and back before the charts can be asked for. A section is there when its probe has a
 * sample in the time range that is shown. */
async function lookAround({ start, end }, wantedHost) {
    const result = async (q) => (await api.query(q, end))[0].result,
        range = address.duration(Math.ceil(end - start));
    const [any, needed, jobs, uname, found, recent] = await Promise.all([
        api.labelValues('__name__', undefined, 1),
        api.labelValues('__name__', `{__name__=~"${NEEDED.join('|')}"}`),
        api.labelValues('job'),
        result(`last_over_time(node_uname_info[${range}])`),
        Promise.all(
            SECTIONS.map((s) => result(`group by (job, instance) (last_over_time(${s.probe}[${range}]))`)),
        ),
        Promise.all(SECTIONS.map((s) => result(`${s.probe}[2m]`))),
    ]);
    const hosts = hostsOf(found[SECTIONS.indexOf(HOST)], uname),
        host = hostToShow(hosts, wantedHost);
    const callers = found[SECTIONS.indexOf(MODEL_CALLS)].map((s) => s.metric.job),
        isDemo = callers.length > 0 && callers.every((j) => j === 'demo');
    const selectors = {
        calls: isDemo ? 'job="demo"' : 'job!="demo"',
        host: host ? ofHost(host) : '',
        server: 'job="vedette"',
    };
    const sections = SECTIONS.map((s, i) => ({
        ...s,
        selector: selectors[s.id],
        interval: intervalOf(recent[i].find((x) => s !== HOST || x.metric.instance === host?.instance)),
        panels: s.panels.filter((p) => !p.needs || needed.includes(p.needs)),
    })).filter((s, i) => found[i].length > 0);
    return {
        sections,
        hosts,
        host,
        isDemo,
        hasReal: needed.includes(OF_SPANS) || jobs.some((j) => !OWN_JOBS.includes(j)),
        isEmpty: any.length === 0,
    };
}

function useAround(state, now) {
    const [around, setAround] = useState(null);
    const [trouble, setTrouble] = useState('');
    const last = useRef({ at: 0 });
    useEffect(() => {
        const { from, to, range, host } = state,
            what = [from, to, range, host].join(),
            waited = now - last.current.at;
        if (waited < LOOK_AROUND_S && last.current.what === what && !trouble && around?.sections.length > 0)
            return;
        last.current = { at: now, what };
        lookAround(address.span({ ...state, step: '' }, now), host).then(
            (found) => {
                if (last.current.what !== what) return; /* somebody chose another range meanwhile */
                setAround((before) => (JSON.stringify(before) === JSON.stringify(found) ? before : found));
                setTrouble('');
            },
            (e) => setTrouble(e.message),
        );
    }, [now, state.from, state.to, state.range, state.host]);
    return [around, trouble];
}

/* ---- tiles ---- */

function Tiles({ sections, panels, series }) {
    const tiles = sections.flatMap((section) =>
        section.panels
            .filter((p) => p.tile && panels[p.id]?.data)
            .map((p) => {
                const values = tileValues(p.tile.of, panels[p.id].data.series);
                return html`<${Tile} key=${p.id} title=${p.tile.title} unit=${p.unit} v=${newest(values)}
                    values=${values} tone=${section.id === 'calls' ? 'demo' : ''} />`;
            }),
    );
    return html`<dl class=${'tiles' + (tiles.length < 9 ? ' few' : '')} aria-label="At a glance">
        ${tiles}
        ${series !== null && html`<${Tile} key="series" title="Active series" unit="" v=${series} />`}
    </dl>`;
}

/* The number of active series is a status, not a series: it is asked for with every refresh. */
function useSeries(now) {
    const [n, setN] = useState(null);
    useEffect(() => {
        api.tsdb().then(
            (d) => setN(d.headStats.numSeries),
            () => {},
        );
    }, [now]);
    return n;
}

/* ---- the page ---- */

function DemoNote({ openGuide }) {
    return html`<div class="note demo" role="note"><span class="tag">Demo</span>
        <p>The model calls are <strong>made up</strong>, so that there is something to see. They end when real telemetry arrives; host and server are real.</p>
        <button class="primary" onClick=${openGuide}>Send your own data</button></div>`;
}

function HostChoice({ hosts, host, go }) {
    const text = (h) => (h.name ? `${h.name} (${h.instance})` : h.instance);
    if (hosts.length < 2) return html`<span class="soft">${text(host)}</span>`;
    return html`<select aria-label="Host" value=${host.instance}
        onChange=${(e) => go({ host: e.target.value })}>
        ${hosts.map((h) => html`<option key=${ofHost(h)} value=${h.instance}>${text(h)}</option>`)}</select>`;
}

function Section({ section, panels, span, around, go }) {
    const zoom = useMemo(() => (from, to) => go({ from, to }), [go]);
    return html`<section class="group" aria-labelledby=${'s-' + section.id}>
        <header><h2 id=${'s-' + section.id}>${section.title}</h2>
            ${section.id === 'calls' && around.isDemo && html`<span class="tag">Demo</span>`}
            ${section.byInstance ? html`<${HostChoice} hosts=${around.hosts} host=${around.host}
                go=${go} />` : html`<span class="soft">${section.about}</span>`}
        </header>
        <div class="panels">${section.panels.map(
            (p) => html`
            <${Panel} key=${p.id} panel=${p} result=${panels[p.id]} span=${span} zoom=${zoom} go=${go}
                query=${fill(p.queries[p.queries.length > 1 && p.tile?.of >= 0 ? p.tile.of : 0], section, span)} />`,
        )}
        </div>
    </section>`;
}

export function Page({ state, go, now, openGuide, setBusy, say }) {
    const [around, trouble] = useAround(state, now);
    const least = around ? Math.min(15, ...around.sections.map((s) => s.interval)) : 15;
    const span = useMemo(
        () => address.span({ ...state, step: '' }, now, { leastStep: least, grain: Math.min(least, 5) }),
        [state.from, state.to, state.range, now, least],
    );
    const [panels, lost] = usePanels(around?.sections, span, setBusy);
    const series = useSeries(now);
    const [settled, setSettled] = useState(false);

    if (trouble && !around)
        return html`<h1>Overview</h1><div class="note bad" role="alert"><p>${trouble}</p></div>`;
    if (!around) return html`<h1 class="unseen">Overview</h1><p class="blank" role="status">Loading …</p>`;
    if (around.isEmpty)
        return html`<section class="result guide"><h1>No data yet</h1>
        <p class="soft">This server has not received anything. Each of these ways works at once:</p>
            <${GuideText} say=${say} /></section>`;
    return html`
        <h1 class="unseen">Overview</h1>
        ${(trouble || lost) && html`<div class="note bad" role="alert">
            <p>${trouble || 'The server cannot be reached.'} What is shown is old.</p></div>`}
        ${around.sections.length === 0 && html`<div class="note info">
            <p>There is data, but none for these charts in this time range.</p><button
                onClick=${() => go({ page: 'explore' })}>Explore it</button></div>`}
        ${around.isDemo && html`<${DemoNote} openGuide=${openGuide} />`}
        ${!around.isDemo && !around.hasReal && around.sections.length > 0 && html`<div class="note info">
            <p>Only this server and its host so far.</p><button
                onClick=${openGuide}>Send your own data</button></div>`}
        <${Now} state=${state} go=${go} now=${now} settled=${() => setSettled(true)} />
        ${settled && html`<${Tiles} sections=${around.sections} panels=${panels} series=${series} />`}
        ${settled && around.sections.map((s) => html`<${Section} key=${s.id} section=${s} panels=${panels} span=${span}
            around=${around} go=${go} />`)}`;
}
