/* panels.mjs - the data of a page's charts: all of them asked for at once, painted, renewed together.
 *
 * sections: [{id, title, panels, selector, interval, leastWindow}]; pages/overview/panels.mjs says what a panel is. */
import { html, useEffect, useMemo, useRef, useState } from '../vendor/preact.mjs';
import * as address from '../address.mjs';
import * as api from '../lib/api.mjs';
import { grid, total } from '../lib/matrix.mjs';
import { Panel } from './panel.mjs';

function nameOf(panel) {
    return (metric, query) => {
        const name = Array.isArray(panel.name) ? panel.name[query] : panel.name;
        return name.replace(/\{(\w+)\}/g, (_, label) => metric[label] ?? '(none)');
    };
}

/* A label keeps its colour for as long as the page is open. */
function paint(data, panel, colours) {
    const rank = (label) => {
        const i = panel.order?.indexOf(label) ?? -1;
        return i < 0 ? 99 : i;
    };
    if (!Array.isArray(panel.name))
        data.series.sort((a, b) => rank(a.label) - rank(b.label) || a.label.localeCompare(b.label));
    for (const s of data.series) {
        if (!colours.has(s.label)) colours.set(s.label, colours.size);
        s.colour = colours.get(s.label);
    }
    return data;
}

export function fill(query, section, span) {
    const window = Math.max(section.leastWindow, 4 * section.interval, span.step);
    return query.replaceAll('$s', section.selector).replaceAll('$w', address.duration(Math.ceil(window)));
}

async function load(section, panel, span, colours, signal) {
    const answers = await Promise.all(
        panel.queries.map((q) => api.queryRange(fill(q, section, span), span, { signal })),
    );
    return paint(
        grid(
            span,
            answers.map(([data]) => data.result),
            nameOf(panel),
        ),
        panel,
        colours,
    );
}

/* [{panel id: {data, error, span}}, whether the server is out of reach], renewed whenever the span moves. */
export function usePanels(sections, span, setBusy) {
    const [all, setAll] = useState({});
    const [lost, setLost] = useState(false);
    const colours = useRef(new Map()),
        isFirst = useRef(true);
    useEffect(() => {
        if (!sections) return undefined;
        const stop = new AbortController(),
            fresh = {};
        let unreachable = false;
        const jobs = sections.flatMap((section) =>
            section.panels.map(async (panel) => {
                if (!colours.current.has(panel.id)) colours.current.set(panel.id, new Map());
                try {
                    fresh[panel.id] = {
                        data: await load(section, panel, span, colours.current.get(panel.id), stop.signal),
                        span,
                    };
                } catch (e) {
                    if (e.type === 'network') unreachable = true; /* what was there stays */
                    else fresh[panel.id] = { error: e.message, span };
                }
            }),
        );
        const show = () => {
            if (!stop.signal.aborted) setAll((before) => ({ ...before, ...fresh }));
        };
        setBusy(true);
        if (isFirst.current)
            for (const job of jobs) job.then(show); /* at first one by one, later all in one stroke */
        Promise.all(jobs).then(() => {
            if (stop.signal.aborted) return;
            isFirst.current = false;
            show();
            setLost(unreachable);
            setBusy(false);
        });
        return () => stop.abort();
    }, [sections, span.start, span.end, span.step]);
    return [all, lost];
}

export function tileValues(of, series) {
    if (of === 'total') return total(series);
    if (of === 'max')
        return series.length === 0
            ? []
            : series[0].values.map((_, i) =>
                  series.reduce(
                      (m, s) => (s.values[i] === null ? m : Math.max(m ?? -Infinity, s.values[i])),
                      null,
                  ),
              );
    return series[of]?.values ?? [];
}

const hasValues = (result) => result?.error || result?.data?.series.some((s) => s.values.some((v) => v !== null));

/* Charts of a page without sections. Those without data are not there, once it is known that they have none. */
export function Charts({ state, now, go, setBusy, id, title, panels, leastStep = 15 }) {
    const span = useMemo(
        () => address.span({ ...state, step: '' }, now, { leastStep, grain: 5 }),
        [state.from, state.to, state.range, now],
    );
    const key = JSON.stringify(panels.map((p) => p.queries));
    const section = useMemo(() => ({ id, title, panels, selector: '', interval: 15, leastWindow: 60 }), [key]);
    const sections = useMemo(() => [section], [section]);
    const [results] = usePanels(sections, span, setBusy);
    const zoom = useMemo(() => (from, to) => go({ from, to }), [go]);
    const shown = panels.filter((p) => hasValues(results[p.id]));
    if (shown.length === 0) return null;
    return html`<section class="group" aria-label=${title}><div class="panels">${shown.map(
        (p) => html`<${Panel} key=${p.id} panel=${p} result=${results[p.id]} span=${span} zoom=${zoom} go=${go} query=${fill(p.queries[0], section, span)} />`,
    )}</div></section>`;
}
