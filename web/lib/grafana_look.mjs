/* grafana_look.mjs - how a value of a Grafana panel looks: unit, thresholds, mappings, colours, and overrides of them by name. Pure.
 *
 * Grafana has hundreds of units and a scale in each; we have few units, each with its scales (format.mjs): `by` is what a
 * value is multiplied with to be in ours. Thresholds become tones, which are three and a half: good, warn, bad, info. */
import * as format from './format.mjs';

const UNITS = {
    percent: ['percent', 1], percentunit: ['percent', 100],
    s: ['seconds', 1], ms: ['seconds', 1e-3], µs: ['seconds', 1e-6], us: ['seconds', 1e-6], ns: ['seconds', 1e-9], m: ['seconds', 60], h: ['seconds', 3600], d: ['seconds', 86400],
    dtdurations: ['seconds', 1], dtdurationms: ['seconds', 1e-3],
    bytes: ['bytes', 1], decbytes: ['bytes', 1], bits: ['bytes', 0.125], kbytes: ['bytes', 1024], mbytes: ['bytes', 2 ** 20], deckbytes: ['bytes', 1e3], decmbytes: ['bytes', 1e6],
    Bps: ['bytes/s', 1], binBps: ['bytes/s', 1], bps: ['bytes/s', 0.125],
    reqps: ['/s', 1], rps: ['/s', 1], ops: ['/s', 1], wps: ['/s', 1], iops: ['/s', 1], cps: ['/s', 1], eps: ['/s', 1], mps: ['/s', 1],
    currencyUSD: ['usd', 1],
};
const DATES = ['dateTimeAsIso', 'dateTimeAsIsoNoDateIfToday', 'dateTimeFromNow', 'dateTimeAsUS', 'dateTimeAsLocal', 'time:YYYY-MM-DD HH:mm:ss'];

const TONES = [
    [/green|#73bf69|#56a64b|#37872d/i, 'good'],
    [/yellow|orange|#fade2a|#ff9830|#eab839|#ef843c/i, 'warn'],
    [/red|#f2495c|#e02f44|#c4162a|#bf1b00|#d44a3a/i, 'bad'],
    [/blue|purple|#5794f2|#8ab8ff|#b877d9/i, 'info'],
];
export const WORDS = { good: 'good', warn: 'watch', bad: 'bad', info: '' };

export const toneOf = (colour) => TONES.find(([like]) => like.test(colour ?? ''))?.[1] ?? '';

function stepsOf(thresholds) {
    const list = Array.isArray(thresholds?.steps) ? thresholds.steps : [];
    return list
        .map((s) => ({ at: s?.value === null || s?.value === undefined ? -Infinity : Number(s.value), tone: toneOf(s?.color) }))
        .filter((s) => !Number.isNaN(s.at))
        .sort((a, b) => a.at - b.at);
}

/* [{type: 'value', options: {"0": {text}}}, {type: 'range', options: {from, to, result}}, ...] or the form of old. */
function mappingsOf(mappings) {
    const out = [];
    for (const m of Array.isArray(mappings) ? mappings : []) {
        const o = m?.options ?? {};
        if (m?.type === 'value') for (const [value, result] of Object.entries(o)) out.push({ test: (v) => String(v) === value, ...result });
        else if (m?.type === 'range') out.push({ test: (v) => (o.from === null || o.from === undefined || v >= o.from) && (o.to === null || o.to === undefined || v <= o.to), ...o.result });
        else if (m?.type === 'special') out.push({ test: (v) => ['null', 'nan', 'null+nan', 'empty'].includes(o.match) && (v === null || Number.isNaN(v)), ...o.result });
        else if (m?.value !== undefined) out.push({ test: (v) => String(v) === String(m.value), text: m.text });
    }
    return out;
}

/* defaults of fieldConfig, and of the panel for those from before there was one. */
export function lookOf(defaults, panel = {}) {
    const id = defaults.unit ?? panel.yaxes?.[0]?.format ?? panel.format ?? '',
        [unit, by] = UNITS[id] ?? ['', 1];
    return {
        unit,
        by,
        isDate: DATES.includes(id) || String(id).startsWith('time:'),
        suffix: UNITS[id] || !/^(suffix|prefix):/.test(id) ? '' : id.slice(7),
        decimals: Number.isInteger(defaults.decimals) ? Math.min(Math.max(defaults.decimals, 0), 9) : null,
        min: Number.isFinite(defaults.min) ? defaults.min : null,
        max: Number.isFinite(defaults.max) ? defaults.max : null,
        steps: stepsOf(defaults.thresholds),
        inPercent: defaults.thresholds?.mode === 'percentage',
        mappings: mappingsOf(defaults.mappings),
        fixed: defaults.color?.mode === 'fixed' ? toneOf(defaults.color.fixedColor) : '',
        none: typeof defaults.noValue === 'string' ? defaults.noValue : '',
        name: typeof defaults.displayName === 'string' ? defaults.displayName : '',
    };
}

function pattern(text) {
    const m = /^\/(.*)\/([a-z]*)$/s.exec(text);
    try {
        return m ? new RegExp(m[1], m[2].replace(/[^ims]/g, '')) : new RegExp(text);
    } catch {
        return /^\b$/; /* meets nothing */
    }
}

export function overridesOf(overrides) {
    return overrides.map((o) => {
        const { id, options } = o?.matcher ?? {};
        const like = id === 'byRegexp' ? pattern(String(options)) : null;
        return {
            meets: (name, ref) => (id === 'byName' ? name === options : id === 'byRegexp' ? like.test(name) : id === 'byFrameRefID' ? ref === options : false),
            props: Object.fromEntries((Array.isArray(o?.properties) ? o.properties : []).map((p) => [p?.id, p?.value])),
        };
    });
}

/* The look of one series: the panel's, and what overrides say of its name. */
export function lookFor(panel, name, ref) {
    let look = panel.look;
    for (const o of panel.overrides) {
        if (!o.meets(name, ref)) continue;
        const own = lookOf(o.props);
        look = {
            ...look,
            ...(o.props.unit !== undefined && { unit: own.unit, by: own.by, isDate: own.isDate, suffix: own.suffix }),
            ...(o.props.thresholds && { steps: own.steps, inPercent: own.inPercent }),
            ...(o.props.mappings && { mappings: own.mappings }),
            ...(o.props.min !== undefined && { min: own.min }),
            ...(o.props.max !== undefined && { max: own.max }),
            ...(o.props.decimals !== undefined && { decimals: own.decimals }),
            ...(o.props.displayName && { name: own.name }),
            ...(o.props.color && { fixed: own.fixed }),
            ...(o.props['custom.axisPlacement'] && { right: o.props['custom.axisPlacement'] === 'right' }),
            ...(o.props['custom.hideFrom']?.viz && { hidden: true }),
        };
    }
    return look;
}

/* ---- a value ---- (as it came from the server: not yet multiplied) */

function stepOf(look, v, least, most) {
    const level = look.inPercent ? ((v - (look.min ?? least)) / ((look.max ?? most) - (look.min ?? least) || 1)) * 100 : v;
    return look.steps.findLast((s) => level >= s.at);
}

export const mappingOf = (look, v) => look.mappings.find((m) => m.test(v));

export function toneFor(look, v, least = 0, most = 100) {
    if (v === null || v === undefined || Number.isNaN(v)) return '';
    const mapped = mappingOf(look, v);
    if (mapped?.color) return toneOf(mapped.color);
    return look.fixed || (look.steps.length > 1 ? (stepOf(look, v, least, most)?.tone ?? '') : '');
}

export function textParts(look, v) {
    const mapped = mappingOf(look, v);
    if (mapped?.text !== undefined) return [String(mapped.text), ''];
    if (v === null || v === undefined || Number.isNaN(v)) return [look.none || '–', ''];
    if (look.isDate) return [format.moment(v / 1000), ''];
    if (look.decimals !== null && look.unit === 'percent') return [(v * look.by).toFixed(look.decimals), '%'];
    if (look.decimals !== null && look.unit === '') return [v.toFixed(look.decimals), look.suffix];
    if (look.unit === 'usd') return [Math.abs(v) >= 0.01 || v === 0 ? format.usd(v) : '$' + format.digits(v), ''];
    const [number, unit] = format.valueParts(look.unit, v * look.by);
    return [number, unit || look.suffix];
}

export const textOf = (look, v) => textParts(look, v).filter(Boolean).join(look.unit === 'usd' ? '' : '\u202f');

/* Bounds for gauges and bars: what is said, else what there is. */
export function boundsOf(look, values) {
    const known = values.filter((v) => Number.isFinite(v));
    const least = look.min ?? Math.min(0, ...known),
        steps = look.steps.map((s) => s.at).filter(Number.isFinite);
    const most = look.max ?? (look.unit === 'percent' ? 100 / look.by : Math.max(...known, ...steps, least + 1e-9));
    return [least, most > least ? most : least + 1];
}
