/* grafana_vars.mjs - variables of a Grafana dashboard: $name, ${name}, ${name:format}, [[name]] in what a panel asks and says. Pure.
 *
 * `chosen` is {name: {values: [text], isAll, allValue, isMulti}}; `scope` {name: text} wins, for a panel that repeats. */

const PLACE = /\$(\w+)|\$\{(\w+)(?:\.\w+)?(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]/g;

const EXACT = /(?:^|[^=!<>])!?=\s*"$/; /* label="$name": no regular expression */

/* As Grafana escapes a value for a PromQL regular expression within a quoted string. */
const escaped = (v) => v.replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]+?.()|]/g, '\\\\$&');
const plainEscaped = (v) => v.replace(/[\\^$*{}[\]+?.()|/]/g, '\\$&');

const FORMATS = {
    csv: (all) => all.join(','),
    pipe: (all) => all.join('|'),
    raw: (all) => all.join(','),
    text: (all) => all.join(' + '),
    regex: (all) => (all.length === 1 ? plainEscaped(all[0]) : `(${all.map(plainEscaped).join('|')})`),
    glob: (all) => (all.length === 1 ? all[0] : `{${all.join(',')}}`),
    json: (all) => JSON.stringify(all),
    doublequote: (all) => all.map((v) => JSON.stringify(v)).join(','),
    singlequote: (all) => all.map((v) => `'${v.replaceAll("'", "\\'")}'`).join(','),
    percentencode: (all) => encodeURIComponent(all.join(',')),
};

function written(variable, format, how) {
    if (variable.isAll && variable.allValue && how === 'query') return variable.allValue;
    if (FORMATS[format]) return FORMATS[format](variable.values);
    if (how === 'plain') return variable.isAll ? 'All' : variable.values.join(' + ');
    if (!variable.isMulti) return variable.values[0] ?? '';
    if (variable.values.length === 1) return escaped(variable.values[0]);
    return `(${variable.values.map(escaped).join('|')})`;
}

/* how: 'query', or 'plain' for what people read. What is no variable stays as it stands. */
export function fillIn(text, chosen, scope = {}, how = 'query') {
    return text.replace(PLACE, (all, a, b, bFormat, c, cFormat, offset) => {
        const name = a ?? b ?? c,
            variable = Object.hasOwn(scope, name) ? { values: [scope[name]], isMulti: chosen[name]?.isMulti } : chosen[name];
        if (!variable || !(Object.hasOwn(scope, name) || Object.hasOwn(chosen, name))) return all;
        const isExact = variable.values.length === 1 && EXACT.test(text.slice(0, offset));
        return written(isExact ? { ...variable, isMulti: false } : variable, bFormat ?? cFormat, how);
    });
}

/* ---- what there is to choose ---- */

const SORTS = [null, (a, b) => (a < b ? -1 : 1), (a, b) => (a > b ? -1 : 1), (a, b) => parseFloat(a) - parseFloat(b), (a, b) => parseFloat(b) - parseFloat(a)];
const folded = (f) => (a, b) => f(a.toLowerCase(), b.toLowerCase());
SORTS.push(folded(SORTS[1]), folded(SORTS[2]));

function matching(regex, values) {
    const m = /^\/(.*)\/([a-z]*)$/s.exec(regex);
    if (!regex) return values;
    try {
        const like = new RegExp(m ? m[1] : regex, m ? m[2].replace(/[^ims]/g, '') : '');
        return values.map((v) => like.exec(v)).filter(Boolean).map((found) => found.groups?.value ?? found[1] ?? found[0]);
    } catch {
        return values;
    }
}

export function optionsFrom(variable, values) {
    const out = [...new Set(matching(variable.regex, values.filter((v) => v !== '')))];
    const sort = SORTS[variable.sort];
    return sort ? out.sort(sort) : out;
}

/* "a, b : c, d\,e" -> [{text, value}] */
export function customOptions(query) {
    return query
        .split(/(?<!\\),/)
        .map((part) => part.trim().replaceAll('\\,', ','))
        .filter(Boolean)
        .map((part) => {
            const m = /^(.+?)\s:\s(.+)$/.exec(part);
            return m ? { text: m[1], value: m[2] } : { text: part, value: part };
        });
}

/* What a variable of the type query asks, as Grafana's Prometheus source understands it; null: not understood. */
export function variableQuery(query) {
    const q = query.trim();
    let m = /^label_values\(\s*(?:(.+)\s*,\s*)?([a-zA-Z_]\w*)\s*\)$/s.exec(q);
    if (m) return { ask: 'values', match: m[1]?.trim(), label: m[2] };
    if (/^label_names\(\s*\)$/.test(q)) return { ask: 'names' };
    if ((m = /^metrics\(\s*(.*?)\s*\)$/s.exec(q))) return { ask: 'metrics', like: m[1] };
    if ((m = /^query_result\((.+)\)$/s.exec(q))) return { ask: 'result', expr: m[1] };
    return q === '' ? null : { ask: 'result', expr: q };
}

/* What is chosen of `options` [{text, value}] by the address (`wanted`: texts, or none) or the dashboard's own default. */
export function choose(variable, options, wanted) {
    const values = options.map((o) => o.value);
    const known = (list) => list.filter((v) => values.includes(v));
    const asked = wanted ?? variable.usual;
    const isAll = variable.all && (asked.includes('$__all') || known(asked).length === 0);
    const some = isAll ? values : known(asked);
    const picked = some.length > 0 ? some : variable.kind === 'textbox' ? asked.slice(0, 1) : values.slice(0, 1);
    return { values: variable.multi || isAll ? picked : picked.slice(0, 1), isAll, allValue: variable.allValue, isMulti: variable.multi || variable.all };
}
