/* grafana.mjs - a dashboard in Grafana's JSON as something to draw: panels in their places, what they ask, how values look. Pure.
 *
 * What we cannot draw is kept with the reason in `trouble`, to be said in its place. Rows fold; a panel that repeats for the
 * values of a variable becomes several (place). */
import { lookOf, overridesOf } from './grafana_look.mjs';
import { fillIn } from './grafana_vars.mjs';

export const COLUMNS = 24;

/* Grafana's names for a kind, ours */
const KINDS = {
    timeseries: 'timeseries',
    graph: 'timeseries',
    stat: 'stat',
    singlestat: 'stat',
    gauge: 'gauge',
    bargauge: 'bargauge',
    piechart: 'pie',
    'grafana-piechart-panel': 'pie',
    table: 'table',
    'table-old': 'table',
    heatmap: 'heatmap',
    text: 'text',
    'state-timeline': 'timeline',
    'status-history': 'timeline',
    logs: 'logs',
};
const METRIC_SOURCES = ['prometheus', 'grafana-amazonprometheus-datasource', 'victoriametrics-metrics-datasource'];
const LOG_SOURCES = ['loki', 'victoriametrics-logs-datasource'];

const list = (x) => (Array.isArray(x) ? x : []);
const text = (x) => (typeof x === 'string' ? x : '');
const whole = (x, usual, least, most) => (Number.isFinite(x) ? Math.min(Math.max(Math.round(x), least), most) : usual);

/* 'metrics', 'logs', or what it is called when it is neither. */
function sourceOf(source, variables) {
    if (source === null || source === undefined) return 'metrics';
    const named = /^\$\{?(\w+)\}?$/.exec(typeof source === 'string' ? source : text(source.uid));
    const variable = named && variables.find((v) => v.name === named[1]);
    const type = text(source.type) || variable?.query || 'prometheus'; /* of old, only the name of a source was written */
    if (METRIC_SOURCES.includes(type)) return 'metrics';
    if (LOG_SOURCES.includes(type)) return 'logs';
    return type;
}

function targetsOf(p, variables) {
    return list(p.targets)
        .filter((q) => q && q.hide !== true)
        .map((q, i) => ({
            ref: text(q.refId) || String.fromCharCode(65 + i),
            expr: text(q.expr),
            legend: text(q.legendFormat),
            instant: q.instant === true && q.range !== true ? true : q.queryType === 'instant' || (q.format === 'table' && q.range !== true),
            source: sourceOf(q.datasource ?? p.datasource, variables),
            interval: text(q.interval) || text(p.interval),
        }));
}

function troubleOf(p, kind, targets) {
    if (!kind) return `A panel of the kind “${text(p.type)}” is not drawn here.`;
    if (kind === 'text') return '';
    const other = targets.find((q) => q.source !== 'metrics' && q.source !== 'logs');
    if (other) return `This panel asks a data source of the type “${other.source}”, which is not asked here.`;
    if (targets.length === 0) return p.libraryPanel ? 'This panel is kept in a Grafana’s library and not in the dashboard.' : 'This panel asks nothing.';
    return '';
}

function panelOf(p, number, variables) {
    const kind = KINDS[p.type],
        g = p.gridPos ?? {},
        targets = targetsOf(p, variables);
    const w = whole(g.w, 12, 1, COLUMNS);
    return {
        id: String(p.id ?? 'n' + number),
        kind,
        title: text(p.title),
        about: text(p.description),
        at: { x: whole(g.x, 0, 0, COLUMNS - w), y: whole(g.y, 0, 0, 100000), w, h: whole(g.h, 8, 2, 60) },
        targets,
        look: lookOf(p.fieldConfig?.defaults ?? {}, p),
        overrides: overridesOf(list(p.fieldConfig?.overrides)),
        options: p.options && typeof p.options === 'object' ? p.options : {},
        custom: p.fieldConfig?.defaults?.custom ?? {},
        transformations: list(p.transformations).filter((t) => t && t.disabled !== true),
        repeat: text(p.repeat),
        across: p.repeatDirection !== 'v',
        perRow: whole(p.maxPerRow, 4, 1, 12),
        trouble: troubleOf(p, kind, targets),
    };
}

const byPlace = (a, b) => a.at.y - b.at.y || a.at.x - b.at.x;

/* Rows with their panels: those of a closed row are inside it, those of an open one lie below it up to the next. */
function sectionsOf(json, variables) {
    let number = 0;
    const all = [];
    for (const p of list(json.panels)) {
        if (!p || typeof p !== 'object') continue;
        number++;
        if (p.type !== 'row') {
            all.push({ panel: panelOf(p, number, variables), at: p.gridPos ?? {} });
            continue;
        }
        const inside = list(p.panels).map((q) => panelOf(q, ++number, variables));
        all.push({ row: { id: String(p.id ?? 'r' + number), title: text(p.title), folded: p.collapsed === true, repeats: text(p.repeat) }, inside, at: p.gridPos ?? {} });
    }
    all.sort((a, b) => (a.at.y ?? 0) - (b.at.y ?? 0) || (a.at.x ?? 0) - (b.at.x ?? 0));
    const sections = [{ row: null, panels: [] }];
    for (const one of all) {
        if (one.row) sections.push({ row: one.row, panels: one.inside });
        else sections[sections.length - 1].panels.push(one.panel);
    }
    for (const s of sections) s.panels.sort(byPlace);
    return sections.filter((s) => s.row || s.panels.length > 0);
}

function variableOf(v) {
    const query = v.query && typeof v.query === 'object' ? text(v.query.query) || text(v.query.expr) : text(v.query) || text(v.definition);
    return {
        name: text(v.name),
        label: text(v.label) || text(v.name),
        kind: text(v.type),
        query,
        regex: text(v.regex),
        sort: Number(v.sort) || 0,
        multi: v.multi === true,
        all: v.includeAll === true,
        allValue: text(v.allValue),
        hidden: v.hide === 2 || v.hide === 'hideVariable',
        usual: list([v.current?.value].flat()).filter((x) => typeof x === 'string' && x !== ''),
        auto: v.auto === true,
        source: v.datasource,
    };
}

/* "now-6h" -> "6h"; other forms have no equal in our address. */
const rangeOf = (time) => (time?.to === 'now' ? (/^now-(\d+[smhdw])$/.exec(text(time.from)) ?? [])[1] : undefined);

export function dashboardOf(json) {
    const variables = list(json.templating?.list)
        .filter((v) => v && /^\w+$/.test(text(v.name)) && v.name !== '__proto__')
        .map(variableOf);
    return {
        title: text(json.title),
        about: text(json.description),
        refresh: text(json.refresh),
        range: rangeOf(json.time),
        variables: variables.map((v) => ({ ...v, source: sourceOf(v.source, variables) })),
        sections: sectionsOf(json, variables),
    };
}

/* ---- places ---- */

/* A panel for each value of the variable it repeats for, side by side or below each other: [{...panel, scope, at}], and how far
 * down they reach beyond the one. */
function repeated(panel, chosen) {
    const values = panel.repeat ? (chosen[panel.repeat]?.values ?? []) : [];
    if (values.length === 0) return { panels: [{ ...panel, scope: {} }], more: 0 };
    const across = panel.across ? Math.min(values.length, panel.perRow) : 1,
        w = panel.across ? Math.floor(COLUMNS / across) : panel.at.w;
    const panels = values.map((value, i) => ({
        ...panel,
        id: i === 0 ? panel.id : `${panel.id}.${i}`,
        scope: { [panel.repeat]: value },
        at: { ...panel.at, w, x: panel.across ? (i % across) * w : panel.at.x, y: panel.at.y + Math.floor(i / across) * panel.at.h },
    }));
    return { panels, more: (Math.ceil(values.length / across) - 1) * panel.at.h };
}

/* Panels of a section on a grid whose first line is 0. */
export function place(panels, chosen) {
    const least = Math.min(...panels.map((p) => p.at.y)),
        out = [];
    let shift = 0,
        line = null;
    for (const p of panels) {
        if (p.at.y !== line) line = p.at.y;
        const moved = { ...p, at: { ...p.at, y: p.at.y - least + shift } };
        const { panels: all, more } = repeated(moved, chosen);
        out.push(...all);
        shift += more;
    }
    return out;
}

export const titleOf = (panel, chosen) => fillIn(panel.title, chosen, panel.scope ?? {}, 'plain');
