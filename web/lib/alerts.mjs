/* alerts.mjs - what the alert page reckons: the order of severities, which links of an alert may be followed, its silence. Pure. */

/* One scale for all words: critical > high > warning = medium > low > info. */
const RANKS = { critical: 5, page: 5, high: 4, error: 4, warning: 3, medium: 3, low: 2, info: 1, none: 0 };

export const rank = (labels) => RANKS[(labels.severity ?? '').toLowerCase()] ?? 3;

/* Critical, warning or info: how it is marked. */
export const tone = (labels) => (rank(labels) >= 4 ? 'critical' : rank(labels) >= 2 ? 'warning' : 'info');

/* Only what a browser may follow without running anything. */
export function safeUrl(text) {
    try {
        const url = new URL(text, 'http://relative.invalid/');
        return url.protocol === 'http:' || url.protocol === 'https:' ? text : '';
    } catch {
        return '';
    }
}

/* The expression of a rule, from the link that came with its alert: /graph?g0.expr=... or /explore?q=... */
export function exprOf(generatorURL) {
    try {
        const p = new URL(generatorURL, 'http://relative.invalid/').searchParams;
        return p.get('g0.expr') ?? p.get('q') ?? '';
    } catch {
        return '';
    }
}

/* Worst first, then newest. */
export const order = (a, b) => rank(b.labels) - rank(a.labels) || (a.startsAt < b.startsAt ? 1 : a.startsAt > b.startsAt ? -1 : 0);

export const matchersOf = (labels) => Object.entries(labels).map(([name, value]) => ({ name, value, isEqual: true, isRegex: false }));

/* name="value", name!~"value" as people write them; null when a line is not one. */
export function readMatchers(text) {
    const out = [];
    for (const part of text.split(/\n|,(?=\s*[\w.:"-]+\s*(?:=|!))/)) {
        if (part.trim() === '') continue;
        const m = /^\s*"?([^"=!~\s]+)"?\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"]*?))\s*$/.exec(part);
        if (!m) return null;
        out.push({ name: m[1], value: (m[3] ?? m[4]).replace(/\\(.)/g, '$1'), isEqual: m[2][0] === '=', isRegex: m[2].endsWith('~') });
    }
    return out.length > 0 ? out : null;
}

export const printMatchers = (matchers) =>
    matchers.map((m) => `${m.name}${m.isEqual ? '=' : '!'}${m.isRegex ? '~' : m.isEqual ? '' : '='}${JSON.stringify(m.value)}`).join('\n');
