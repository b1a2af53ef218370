/* complete.mjs - choices for the caret's place: names from the server, remembered for half a minute. */
import * as api from '../lib/api.mjs';
import { context, fit, learn, quoted } from '../lib/promql.mjs';

const KEEP_MS = 30000;
const CHOICES_MAX = 60;
const VALUES_MAX = 10000;
const DURATIONS = ['30s', '1m', '5m', '15m', '30m', '1h', '6h', '1d', '1w'];
const NO_WORDS = { functions: [], aggregators: [], keywords: [], modifiers: [] };

const kept = new Map();

function remember(key, load) {
    const have = kept.get(key);
    if (have && Date.now() - have.at < KEEP_MS) return have.promise;
    const promise = load();
    kept.set(key, { at: Date.now(), promise });
    promise.catch(() => kept.delete(key));
    return promise;
}

export const metadata = () => remember('metadata', api.metadata);
export const metricNames = () => remember('names', () => api.labelValues('__name__'));

/* The words of the language, asked for once; without them names still complete, and the next look asks again. */
let told = null;
function words() {
    told ??= api.functions().then((all) => {
        learn(all);
        return all;
    });
    return told.catch(() => {
        told = null;
        return NO_WORDS;
    });
}

/* x_bucket, x_sum and x_count are described where x is. */
export function describe(all, metric) {
    const found = all[metric] ?? all[metric.replace(/_(bucket|sum|count|total)$/, '')];
    return found?.[0] ?? null;
}

const LETTERS = { counter: 'C', gauge: 'G', histogram: 'H', gaugehistogram: 'H', summary: 'S', info: 'i' };

async function metrics() {
    const [names, about, { functions, aggregators }] = await Promise.all([
        metricNames(),
        metadata().catch(() => ({})),
        words(),
    ]);
    const listed = names.map((text) => {
        const d = describe(about, text);
        return { text, kind: LETTERS[d?.type] ?? 'm', note: d?.help ?? '', insert: text, order: 1 };
    });
    const called = (list, kind) =>
        list.map((w) => ({
            text: w.name,
            kind,
            note: w.experimental ? w.help + ' Experimental.' : w.help,
            insert: w.name + (w.args?.length === 0 ? '()' : '('),
            order: 0,
        }));
    return [...called(aggregators, 'Σ'), ...called(functions, 'ƒ'), ...listed];
}

/* What may follow a vector; inf and nan, whose syntax is nothing but themselves, do not. */
async function keywords() {
    const all = await words();
    return [...all.modifiers, ...all.keywords]
        .filter((w) => w.syntax !== w.name)
        .map((w) => ({ text: w.name, kind: '·', note: w.help, insert: w.name + ' ', order: 0 }));
}

async function labels(metric) {
    const names = await remember('labels ' + metric, () => api.labelNames(metric || undefined, VALUES_MAX));
    return names
        .filter((n) => !metric || n !== '__name__')
        .map((text) => ({ text, kind: 'l', note: '', insert: text, order: 1 }));
}

async function values(at) {
    const list = await remember(`values ${at.label} ${at.metric}`, () =>
        api.labelValues(at.label, at.metric || undefined, VALUES_MAX),
    );
    return list.map((text) => ({ text, kind: 'v', note: '', insert: quoted(text, at) + at.quote, order: 1 }));
}

function sources(at) {
    if (at.kind === 'metric') return metrics();
    if (at.kind === 'keyword') return keywords();
    if (at.kind === 'label') return labels(at.metric);
    if (at.kind === 'value') return values(at);
    if (at.kind === 'duration')
        return DURATIONS.map((text) => ({ text, kind: 't', note: '', insert: text, order: 1 }));
    return [];
}

/* {at, list}: what may be put at the caret, best first. `asked`: somebody pressed Ctrl-Space, so an empty word will do. */
export async function choices(text, caret, asked) {
    const at = context(text, caret);
    if (at.kind === 'none' || (['metric', 'keyword'].includes(at.kind) && at.word === '' && !asked))
        return { at, list: [] };
    const list = (await sources(at))
        .map((c) => ({ ...c, fit: fit(c.text, at.word) }))
        .filter((c) => c.fit !== null);
    list.sort(
        (a, b) =>
            a.fit[0] - b.fit[0] ||
            a.order - b.order ||
            a.text.length - b.text.length ||
            (a.text < b.text ? -1 : 1),
    );
    return { at, list: list.slice(0, CHOICES_MAX) };
}

if (typeof document !== 'undefined') words(); /* colours want them before anything is typed */
