/* data.mjs - what a dashboard's panels ask, and its variables: questions to our Prometheus and Loki APIs. */
import { useEffect, useMemo, useRef, useState } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as api from '../../lib/api.mjs';
import { framesOf } from '../../lib/frames.mjs';
import { choose, customOptions, fillIn, optionsFrom, variableQuery } from '../../lib/grafana_vars.mjs';

const SCRAPE_S = 15; /* the least distance of samples that is reckoned with, as Grafana's own default */
const LOG_LINES = 200;
const AT_ONCE = 6;

/* ---- variables ---- */

/* The address keeps them in one word: "service=a&service=b". */
export const readVars = (text) => {
    const out = Object.create(null); /* a name may be __proto__ */
    for (const [name, value] of new URLSearchParams(text)) (out[name] ??= []).push(value);
    return out;
};
export const writeVars = (vars) => new URLSearchParams(Object.entries(vars).flatMap(([name, values]) => values.map((v) => [name, v]))).toString();

const built = (name, value) => ({ [name]: { values: [String(value)], isMulti: false } });

/* $__interval and what else Grafana sets by itself. */
export function timeVars(span) {
    const s = Math.max(1, Math.round(span.end - span.start)),
        step = span.step,
        rate = Math.max(step + SCRAPE_S, 4 * SCRAPE_S);
    return {
        ...built('__interval', address.duration(step)),
        ...built('__interval_ms', Math.round(step * 1000)),
        ...built('__rate_interval', address.duration(rate)),
        ...built('__auto', address.duration(Math.max(step, SCRAPE_S))),
        ...built('__range', s + 's'),
        ...built('__range_s', s),
        ...built('__range_ms', s * 1000),
        ...built('__from', Math.round(span.start * 1000)),
        ...built('__to', Math.round(span.end * 1000)),
    };
}

async function askValues(variable, chosen, span) {
    if (variable.source !== 'metrics') throw new Error('its data source is not asked here');
    const q = variableQuery(fillIn(variable.query, chosen));
    if (!q) throw new Error('its query is empty');
    if (q.ask === 'names') return api.labelNames();
    if (q.ask === 'values') return api.labelValues(q.label, q.match);
    if (q.ask === 'metrics') return (await api.labelValues('__name__', q.like ? `{__name__=~${JSON.stringify(q.like)}}` : undefined));
    const [data] = await api.query(q.expr, span.end);
    return (data.result ?? []).map((s) => `${s.metric.__name__ ?? ''}{${Object.entries(s.metric).filter(([k]) => k !== '__name__').map(([k, v]) => `${k}=${JSON.stringify(v)}`).join(',')}} ${s.value?.[1]} ${s.value?.[0] * 1000}`);
}

const same = (values) => values.map((value) => ({ text: value, value }));

async function optionsOf(variable, chosen, span) {
    switch (variable.kind) {
        case 'query':
            return same(optionsFrom(variable, await askValues(variable, chosen, span)));
        case 'custom':
            return customOptions(variable.query);
        case 'interval':
            return same([...(variable.auto ? [chosen.__interval.values[0]] : []), ...variable.query.split(',').map((x) => x.trim()).filter(Boolean)]);
        case 'constant':
            return same([variable.query]);
        case 'textbox':
            return [];
        case 'datasource':
            return [{ text: 'Vedette', value: 'vedette' }];
        default:
            throw new Error(`variables of the type “${variable.kind}” are not understood here`);
    }
}

/* One after the other, as a later one may ask with an earlier. [{...variable, options, trouble}], and what is chosen. */
async function resolve(variables, wanted, span) {
    let chosen = timeVars(span);
    const out = [];
    for (const v of variables) {
        let options = [],
            trouble = '';
        try {
            options = await optionsOf(v, chosen, span);
        } catch (e) {
            if (e.name === 'AbortError') throw e;
            trouble = e.message;
        }
        const picked = v.kind === 'textbox' ? { values: [wanted[v.name]?.[0] ?? v.query], isMulti: false } : choose(v, options, wanted[v.name]);
        out.push({ ...v, options, trouble, picked });
        chosen = { ...chosen, [v.name]: picked };
    }
    return { variables: out, chosen };
}

/* Asked again when the dashboard, what is chosen or the range changes; with every refresh only while there is nothing to
 * choose from yet. */
export function useVariables(dashboard, state, span) {
    const [found, setFound] = useState(null);
    const isEarly = found?.variables.some((v) => v.kind === 'query' && v.options.length === 0);
    useEffect(() => {
        if (!dashboard) return undefined;
        let current = true;
        resolve(dashboard.variables, readVars(state.vars), span).then((x) => current && setFound({ ...x, of: dashboard }));
        return () => {
            current = false;
        };
    }, [dashboard, state.vars, state.range, state.from, state.to, isEarly ? span.end : 0]);
    return found?.of === dashboard ? found : null;
}

/* ---- panels ---- */

const waiting = [];
let running = 0;

/* So many at once; those that nobody wants any more are not asked. */
async function inTurn(signal, job) {
    if (running >= AT_ONCE) await new Promise((go) => waiting.push(go));
    running++;
    try {
        signal.throwIfAborted();
        return await job();
    } finally {
        running--;
        waiting.shift()?.();
    }
}

async function askMetrics(target, expr, span, signal) {
    const [data] = target.instant ? await api.query(expr, span.end, { signal }) : await api.queryRange(expr, span, { signal });
    return data.resultType === 'scalar' ? [{ metric: {}, value: data.result }] : data.result;
}

async function askLogs(target, expr, span, signal) {
    const ns = (t) => BigInt(Math.round(t * 1000)) * 1000000n + '';
    const params = target.instant ? { query: expr, time: ns(span.end), limit: LOG_LINES } : { query: expr, start: ns(span.start), end: ns(span.end), step: span.step, limit: LOG_LINES };
    const { data } = await api.ask(`/loki/api/v1/query${target.instant ? '' : '_range'}`, params, signal);
    return data.result;
}

function linesOf(streams) {
    const all = streams.flatMap((s) => (s.values ?? []).map(([t, line]) => ({ t: Number(t) / 1e9, line, labels: s.stream ?? {} })));
    return all.sort((a, b) => b.t - a.t).slice(0, LOG_LINES);
}

export const queriesOf = (panel, chosen) => panel.targets.map((q) => fillIn(q.expr, chosen, panel.scope ?? {}));

export async function askPanel(panel, chosen, span, signal) {
    const queries = queriesOf(panel, chosen),
        vars = { ...chosen, ...timeVars(span) };
    const answers = await Promise.all(
        panel.targets.map((target) =>
            inTurn(signal, async () => {
                const expr = fillIn(target.expr, vars, panel.scope ?? {});
                const legend = fillIn(target.legend, vars, panel.scope ?? {}, 'plain');
                const ask = target.source === 'logs' ? askLogs : askMetrics;
                return { target: { ...target, legend }, result: expr.trim() ? await ask(target, expr, span, signal) : [] };
            }),
        ),
    );
    if (panel.kind === 'logs') return { lines: linesOf(answers.flatMap((a) => a.result)), queries };
    const streams = answers.find((a) => a.result.some((s) => s.stream));
    if (streams) throw new Error('Log lines are drawn by a panel of the kind “logs” only.');
    return { frames: framesOf(panel, span, answers), queries };
}

/* {panel id: {frames | lines | error, span}} of what is shown; the old stays until the new is there. */
export function useAnswers(panels, chosen, span, setBusy) {
    const [all, setAll] = useState({}),
        colours = useRef(new Map());
    const key = useMemo(() => JSON.stringify([panels.map((p) => [p.id, p.scope]), chosen]), [panels, chosen]);
    useEffect(() => {
        if (!chosen || panels.length === 0) return undefined;
        const stop = new AbortController();
        setBusy(true);
        const jobs = panels
            .filter((p) => !p.trouble && p.kind !== 'text')
            .map(async (panel) => {
                let answer;
                try {
                    answer = { ...(await askPanel(panel, chosen, span, stop.signal)), span };
                    paint(answer.frames, panel.id, colours.current);
                } catch (e) {
                    if (stop.signal.aborted) return;
                    answer = { error: e.message, isLost: e.type === 'network' };
                }
                if (!stop.signal.aborted) setAll((before) => ({ ...before, [panel.id]: answer.isLost && before[panel.id] ? before[panel.id] : answer }));
            });
        Promise.all(jobs).then(() => !stop.signal.aborted && setBusy(false));
        return () => stop.abort();
    }, [key, span.start, span.end, span.step]);
    return all;
}

const TONE_COLOURS = { good: 2, warn: 1, bad: 3, info: 0 };

/* A label keeps its colour for as long as the page is open; one the dashboard gives is as near to it as our colours are. */
function paint(frames, id, colours) {
    if (!frames) return;
    if (!colours.has(id)) colours.set(id, new Map());
    const own = colours.get(id);
    for (const s of frames.series) {
        if (!own.has(s.label)) own.set(s.label, own.size);
        s.colour = TONE_COLOURS[s.look.fixed] ?? own.get(s.label);
    }
}
