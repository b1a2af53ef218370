/* address.mjs - what is shown is written in the address, so that a link shows another person the same. Pure but for `here`.
 *
 *     ?range=1h              the last hour, moving        ?from=1795238000&to=1795241600    between two times, still
 *     &refresh=5s|off        and the params of the page, as pages.mjs lists them
 *
 * Whatever is at its default is left out. */
import { PAGES, pageOf } from './pages.mjs';

export const RANGES = ['5m', '15m', '1h', '6h', '24h', '7d'];
export const REFRESHES = ['off', '5s', '10s', '15s', '30s', '1m'];

const UNITS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 };
const POINTS = 300; /* about as many as a chart has room for */
const STEPS = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
const SERVER_POINTS_MAX = 11000;

/* "1h30m" -> 5400; "15" -> 15; NaN when it is neither. */
export function seconds(text) {
    if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
    const whole = /^(\d+(ms|[smhdwy]))+$/.test(text);
    if (!whole) return NaN;
    return [...text.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce(
        (sum, [, n, unit]) => sum + Number(n) * UNITS[unit],
        0,
    );
}

export function duration(s) {
    for (const unit of ['d', 'h', 'm', 's'])
        if (s >= UNITS[unit] && s % UNITS[unit] === 0) return s / UNITS[unit] + unit;
    return s >= 1 ? Math.round(s) + 's' : Math.round(s * 1000) + 'ms';
}

/* A path that ends in /:param holds that param: {page, params}; null: no page is there. */
function match(path) {
    for (const page of PAGES) {
        const [fixed, param] = page.path.split('/:');
        if (!param && path === page.path) return { page, params: {} };
        if (param && path.startsWith(fixed + '/') && path.length > fixed.length + 1)
            return { page, params: { [param]: decode(path.slice(fixed.length + 1)) } };
    }
    return null;
}

function decode(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text; /* a stray percent sign is meant as it is */
    }
}

export function read(path, search) {
    const p = new URLSearchParams(search);
    const { page, params } = match(path) ?? { page: PAGES[0], params: {} };
    const from = Number(p.get('from') ?? NaN),
        to = Number(p.get('to') ?? NaN);
    const fixed = Number.isFinite(from) && Number.isFinite(to) && from < to && from >= 0;
    const range = p.get('range') ?? '';
    const own = Object.keys(page.params).map((name) => [name, p.get(name) ?? page.params[name]]);
    return {
        ...Object.fromEntries(own),
        ...params,
        page: page.id,
        range: seconds(range) > 0 ? range : page.range,
        from: fixed ? from : null,
        to: fixed ? to : null,
        refresh: REFRESHES.includes(p.get('refresh')) ? p.get('refresh') : page.refresh,
    };
}

export function write(s) {
    const p = new URLSearchParams(),
        page = pageOf(s.page),
        [fixed, inPath] = page.path.split('/:');
    for (const [name, usual] of Object.entries(page.params))
        if (name !== inPath && (s[name] ?? usual) !== usual) p.set(name, s[name]);
    if (s.from !== null) {
        p.set('from', s.from);
        p.set('to', s.to);
    } else if (s.range !== page.range) {
        p.set('range', s.range);
    }
    if (s.refresh !== page.refresh) p.set('refresh', s.refresh);
    const search = p.toString();
    return fixed + (inPath ? '/' + encodeURIComponent(s[inPath] ?? '') : '') + (search ? '?' + search : '');
}

/* Where `patch` leads from `now`. The time goes along to another page, what only the old page knows does not. */
export function next(now, patch) {
    if (!patch.page || patch.page === now.page) return { ...now, ...patch };
    const { range, from, to } = now,
        page = pageOf(patch.page);
    return { ...page.params, range, from, to, refresh: page.refresh, ...patch };
}

/* Start, end and step of a range query. A moving end lies on a multiple of `grain`, so that a refresh a moment later asks for
 * the same; it is never a step behind, as then the newest value would be old on a long range. */
export function span(s, now, { leastStep = 1, grain = 0.001 } = {}) {
    const length = s.from !== null ? s.to - s.from : seconds(s.range);
    const wanted = Math.max(length / POINTS, leastStep),
        own = seconds(s.step);
    const step =
        own > 0
            ? Math.max(own, length / (SERVER_POINTS_MAX - 1))
            : (STEPS.find((x) => x >= wanted) ?? Math.ceil(wanted));
    const end = s.from !== null ? s.to : Math.floor(now / grain) * grain;
    return { start: end - Math.floor(length / step) * step, end, step };
}

export function here() {
    return read(location.pathname, location.search);
}
