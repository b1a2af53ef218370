/* format.mjs - numbers as people read them: units, three significant digits, one scale along an axis. Pure. */

const THIN = '\u202f'; /* narrow no-break space, between a number and its unit */

const SI = [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
    [1, ''],
];
const IEC = [
    [2 ** 40, 'TiB'],
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
    [1, 'B'],
];
const TIME = [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
    [1e-3, 'ms'],
    [1e-6, 'µs'],
    [1e-9, 'ns'],
];

const suffixed = (scales, after) => scales.map(([by, suffix]) => [by, suffix + after]);

/* unit -> [[divide by, suffix], ...], largest first */
const SCALES = {
    '': SI,
    bytes: IEC,
    'bytes/s': suffixed(IEC, '/s'),
    seconds: TIME,
    percent: [[1, '%']],
    '/s': suffixed(SI, '/s'),
    'req/s': suffixed(SI, THIN + 'req/s').map(([by, s]) => [by, s.trim()]),
    'tokens/s': suffixed(SI, THIN + 'tok/s').map(([by, s]) => [by, s.trim()]),
    'samples/s': suffixed(SI, '/s'),
    usd: [[1, '']],
    'usd/h': [[1, '/h']],
};

/* Along an axis there is no room for a long unit; the panel's title says it. */
const AXIS_SCALES = { ...SCALES, 'req/s': suffixed(SI, '/s'), 'tokens/s': suffixed(SI, '/s') };

function scaleOf(scales, size) {
    for (const scale of scales) if (size >= scale[0]) return scale;
    return size === 0 ? scales.find(([by]) => by === 1) : scales[scales.length - 1];
}

/* 1234567 -> "1 234 567": for counts, where every digit is meant. */
export function count(n) {
    return Math.round(n)
        .toString()
        .replace(/\B(?=(\d{3})+$)/g, THIN);
}

/* Three significant digits without an exponent, as far as that goes. */
export function digits(v) {
    const size = Math.abs(v);
    if (size === 0) return '0';
    if (size >= 1e15 || size < 1e-6) return v.toExponential(2);
    if (size >= 100) return v.toFixed(0);
    return v
        .toFixed(size >= 10 ? 1 : size >= 1 ? 2 : Math.min(8, 2 - Math.floor(Math.log10(size))))
        .replace(/\.?0+$/, '');
}

function special(v) {
    if (v === null || v === undefined || Number.isNaN(v)) return '–';
    return v > 0 ? '+Inf' : '-Inf';
}

export function value(unit, v) {
    if (!Number.isFinite(v)) return special(v);
    const [by, suffix] = scaleOf(SCALES[unit] ?? SI, Math.abs(v));
    const sign = unit.startsWith('usd') ? '$' : '';
    return sign + digits(v / by) + (suffix && !suffix.startsWith('/') ? THIN : '') + suffix;
}

/* Money as it stands on a bill: never in thousandths, small sums with the digits they have. */
export function usd(v) {
    if (!Number.isFinite(v)) return special(v);
    if (v === 0) return '$0';
    if (Math.abs(v) >= 0.01) return '$' + v.toFixed(Math.abs(v) >= 100 ? 0 : 2).replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
    return '$' + v.toFixed(9).replace(/0+$/, '');
}

/* Number and unit apart, for a tile that sets them in two sizes. */
export function valueParts(unit, v) {
    if (!Number.isFinite(v)) return [special(v), ''];
    const [by, suffix] = scaleOf(SCALES[unit] ?? SI, Math.abs(v));
    return [(unit.startsWith('usd') ? '$' : '') + digits(v / by), suffix];
}

function decimalsOf(gap) {
    let n = 0;
    while (n < 6 && Math.abs(gap * 10 ** n - Math.round(gap * 10 ** n)) > 1e-6) n++;
    return n;
}

/* All ticks of an axis in one scale, with as many decimals as tell them apart: the largest scale that needs no more than two. */
export function axis(unit, ticks) {
    const known = ticks.filter((t) => t !== null),
        scales = AXIS_SCALES[unit] ?? SI;
    const gap = known.length > 1 ? Math.abs(known[1] - known[0]) : Math.abs(known[0] ?? 1);
    const first = scales.indexOf(scaleOf(scales, Math.max(...known.map(Math.abs), 0)));
    const [by, suffix] = scales.slice(first).find(([x]) => decimalsOf(gap / x) <= 2) ?? scales[first];
    const decimals = decimalsOf(gap / by),
        sign = unit.startsWith('usd') ? '$' : '';
    return ticks.map((t) => {
        if (t === null) return '';
        if (t === 0 && unit !== 'percent') return '0';
        return sign + (t / by).toFixed(decimals) + (suffix && !suffix.startsWith('/') ? THIN : '') + suffix;
    });
}

/* ---- time ---- */

const two = (n) => String(n).padStart(2, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function clock(t, seconds = true) {
    const d = new Date(t * 1000);
    return two(d.getHours()) + ':' + two(d.getMinutes()) + (seconds ? ':' + two(d.getSeconds()) : '');
}

export function day(t) {
    const d = new Date(t * 1000);
    return d.getDate() + ' ' + MONTHS[d.getMonth()];
}

export function moment(t) {
    const d = new Date(t * 1000);
    return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(t)}`;
}

/* Ticks of a time axis: the day where it begins, else the clock. */
export function timeAxis(ticks, gap) {
    return ticks.map((t) => {
        const d = new Date(t * 1000);
        const midnight = d.getHours() === 0 && d.getMinutes() === 0 && d.getSeconds() === 0;
        return gap >= 86400 || midnight ? day(t) : clock(t, gap < 60);
    });
}
