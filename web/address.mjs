/* address.mjs - what is shown is written in the address, so that a link shows another person the same. Pure but for `here`.
 *
 *     ?range=1h              the last hour, moving        ?from=1795238000&to=1795241600    between two times, still
 *     &refresh=5s|off        &host=INSTANCE (overview)    &q=QUERY&tab=graph|table&step=15s (explore)
 *
 * Whatever is at its default is left out. */

export const RANGES = ['5m', '15m', '1h', '6h', '24h', '7d'];
export const REFRESHES = ['off', '5s', '10s', '30s', '1m'];

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

export const DEFAULTS = {
    overview: { range: '15m', refresh: '5s' },
    explore: { range: '1h', refresh: 'off' },
};

export function read(path, search) {
    const p = new URLSearchParams(search);
    const page = path === '/explore' ? 'explore' : 'overview';
    const from = Number(p.get('from') ?? NaN),
        to = Number(p.get('to') ?? NaN);
    const fixed = Number.isFinite(from) && Number.isFinite(to) && from < to && from >= 0;
    const range = p.get('range') ?? '',
        step = p.get('step') ?? '';
    const known = seconds(range) > 0;
    return {
        page,
        range: known ? range : DEFAULTS[page].range,
        from: fixed ? from : null,
        to: fixed ? to : null,
        refresh: REFRESHES.includes(p.get('refresh')) ? p.get('refresh') : DEFAULTS[page].refresh,
        host: p.get('host') ?? '',
        q: p.get('q') ?? '',
        tab: p.get('tab') === 'table' ? 'table' : 'graph',
        step: seconds(step) > 0 ? step : '',
    };
}

export function write(s) {
    const p = new URLSearchParams(),
        at = DEFAULTS[s.page];
    if (s.page === 'explore' && s.q) p.set('q', s.q);
    if (s.page === 'explore' && s.tab !== 'graph') p.set('tab', s.tab);
    if (s.page === 'explore' && s.step) p.set('step', s.step);
    if (s.page === 'overview' && s.host) p.set('host', s.host);
    if (s.from !== null) {
        p.set('from', s.from);
        p.set('to', s.to);
    } else if (s.range !== at.range) {
        p.set('range', s.range);
    }
    if (s.refresh !== at.refresh) p.set('refresh', s.refresh);
    const search = p.toString();
    return (s.page === 'explore' ? '/explore' : '/') + (search ? '?' + search : '');
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
