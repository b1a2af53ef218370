/* explore.mjs - the page at /explore: one query, its graph or its table. The query that was run is in the address. */
import { html, useEffect, useMemo, useRef, useState } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import * as api from '../../lib/api.mjs';
import { describe, metadata, metricNames } from '../../parts/complete.mjs';
import { Editor } from '../../parts/editor.mjs';
import * as format from '../../lib/format.mjs';
import { place, unitOf } from '../../lib/promql.mjs';
import { Graph, Table } from './result.mjs';

const PARSE_AFTER_MS = 350;
const EXAMPLES = [
    /* each is offered where its metric is known */ ['up', 'up'],
    [
        'node_cpu_seconds_total',
        '100 * sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[1m])) / scalar(count(node_cpu_seconds_total{mode="idle"}))',
    ],
    [
        'gen_ai_client_operation_duration_seconds_bucket',
        'histogram_quantile(0.95, sum by (le, gen_ai_request_model) (rate(gen_ai_client_operation_duration_seconds_bucket[5m])))',
    ],
    ['vedette_http_requests_total', 'topk(5, sum by (route) (rate(vedette_http_requests_total[5m])))'],
    ['vedette_store_samples_total', 'rate(vedette_store_samples_total[1m])'],
];

/* The server's opinion on what is being written, a moment after the last key. */
function useSyntax(text) {
    const [wrong, setWrong] = useState(null);
    useEffect(() => {
        setWrong(null);
        if (text.trim() === '') return undefined;
        const stop = new AbortController();
        const timer = setTimeout(
            () =>
                api.parse(text, stop.signal).catch((e) => {
                    if (e.type === 'bad_data') setWrong(place(text, e.message));
                }),
            PARSE_AFTER_MS,
        );
        return () => {
            clearTimeout(timer);
            stop.abort();
        };
    }, [text]);
    return wrong;
}

async function ask(q, tab, span, signal) {
    const began = performance.now();
    const [data, notes] =
        tab === 'graph'
            ? await api.queryRange(q, span, { stats: true, signal })
            : await api.query(q, span.end, { stats: true, signal });
    return { q, tab, span, data, notes, ms: performance.now() - began };
}

/* {answer, error, busy}; the last answer stays until the next is there. */
function useAnswer(q, tab, span, setBusy) {
    const [state, setState] = useState({ answer: null, error: null });
    useEffect(() => {
        if (q.trim() === '') {
            setState({ answer: null, error: null });
            return undefined;
        }
        const stop = new AbortController();
        setBusy(true);
        ask(q, tab, span, stop.signal)
            .then(
                (answer) => setState({ answer, error: null }),
                (error) => {
                    if (!stop.signal.aborted) setState({ answer: null, error });
                },
            )
            .finally(() => !stop.signal.aborted && setBusy(false));
        return () => stop.abort();
    }, [q, tab, span]);
    return state;
}

function useAbout(q) {
    const [about, setAbout] = useState(null);
    useEffect(() => {
        const metric = /^\s*([A-Za-z_:][\w:]*)\s*(\{[^}]*\})?\s*$/.exec(q)?.[1];
        setAbout(null);
        if (metric)
            metadata().then(
                (all) => setAbout(describe(all, metric)),
                () => {},
            );
    }, [q]);
    return about;
}

function countPoints(data) {
    if (!Array.isArray(data.result) || typeof data.result[0] !== 'object') return 1;
    return data.result.reduce(
        (n, s) =>
            n + (s.values?.length ?? 0) + (s.histograms?.length ?? 0) + (s.value || s.histogram ? 1 : 0),
        0,
    );
}

function Stats({ answer }) {
    const { data, span, tab, ms } = answer,
        stats = data.stats;
    const series =
        data.resultType === 'matrix' || data.resultType === 'vector'
            ? `${format.count(data.result.length)} series`
            : data.resultType;
    const points = countPoints(data),
        parts = [series, `${format.count(points)} point${points === 1 ? '' : 's'}`];
    if (tab === 'graph') parts.push(`step ${address.duration(span.step)}`);
    if (stats?.samples) parts.push(`${format.count(stats.samples.totalQueryableSamples)} samples read`);
    if (stats?.timings) parts.push(`${format.value('seconds', stats.timings.execTotalTime)} in the server`);
    parts.push(`${format.value('seconds', ms / 1000)} in all`);
    return html`<span class="stats" role="status">${parts.join(' · ')}</span>`;
}

function Notes({ notes }) {
    return [
        ...notes.warnings.map((text) => ['Warning', text, 'demo']),
        ...notes.infos.map((text) => ['Note', text, 'info']),
    ].map(
        ([kind, text, style], i) =>
            html`<div key=${i} class=${'note ' + style} role="status"><strong>${kind}</strong>
                <p>${text}</p></div>`,
    );
}

function Tabs({ tab, go }) {
    const choose = (t) => go({ tab: t });
    const arrows = (e) => {
        if (e.key !== 'ArrowLeft' && e.key !== 'ArrowRight') return;
        const other = e.currentTarget.querySelector('[aria-selected="false"]');
        other.focus();
        choose(other.dataset.tab);
    };
    return html`<div class="segments" role="tablist" aria-label="Show as" onKeyDown=${arrows}>${[
        'graph',
        'table',
    ].map(
        (t) => html`
        <button key=${t} role="tab" id=${'tab-' + t} data-tab=${t} aria-selected=${tab === t}
            aria-controls="result" tabindex=${tab === t ? 0 : -1} onClick=${() => choose(t)}>${t === 'graph' ? 'Graph' : 'Table'}</button>`,
    )}
    </div>`;
}

function Step({ state, go, span }) {
    const [text, setText] = useState(state.step);
    useEffect(() => setText(state.step), [state.step]);
    const fine = text === '' || address.seconds(text) > 0;
    const set = () => fine && text !== state.step && go({ step: text });
    return html`<label class="soft">Step <input class="step" size="6" placeholder=${address.duration(span.step)}
        value=${text} aria-invalid=${!fine}
            title="Distance between two points, such as 30s; empty: chosen by range"
        onInput=${(e) => setText(e.target.value.trim())} onChange=${set} onKeyDown=${(e) => e.key === 'Enter' && set()} /></label>`;
}

function Trouble({ error }) {
    const kind =
        {
            bad_data: 'The query is not right',
            execution: 'The query cannot be answered',
            timeout: 'The query took too long',
            network: 'No answer',
        }[error.type] ?? 'The server answered with an error';
    return html`<div class="note bad" role="alert"><strong>${kind}</strong><p
        class="mono">${error.message}</p></div>`;
}

function Blank({ run }) {
    const [known, setKnown] = useState([]);
    useEffect(() => {
        metricNames().then(setKnown, () => {});
    }, []);
    return html`<div class="blank"><p>Write a query and press <kbd>Enter</kbd>. For a start:</p>
        <div class="examples">${EXAMPLES.filter(([metric]) => known.includes(metric)).map(([, q]) => html`<button key=${q} class="mono" onClick=${() => run(q)}>${q}</button>`)}</div></div>`;
}

function Shown({ answer, zoom }) {
    if (answer.tab === 'table') return html`<${Table} data=${answer.data} />`;
    return html`<${Graph} matrix=${answer.data.result} span=${answer.span} unit=${unitOf(answer.q)}
        zoom=${zoom} />`;
}

export function Page({ state, go, now, renew, setBusy, focusQuery }) {
    const [text, setText] = useState(state.q);
    const wrong = useSyntax(text),
        about = useAbout(state.q),
        ran = useRef(state.q);
    const span = useMemo(
        () => address.span(state, now),
        [state.from, state.to, state.range, state.step, now],
    );
    const { answer, error } = useAnswer(state.q, state.tab, span, setBusy);
    const zoom = useMemo(() => (from, to) => go({ from, to }), [go]);

    useEffect(() => {
        /* back and forward bring their query along */
        if (state.q !== ran.current) setText(state.q);
        ran.current = state.q;
    }, [state.q]);
    const run = (q) => {
        setText(q);
        ran.current = q;
        if (q === state.q) renew();
        else go({ q });
    };
    const noGraph =
        error &&
        state.tab === 'graph' &&
        /range quer|instant vector or scalar|invalid expression type/i.test(error.message);

    return html`<h1 class="unseen">Explore</h1>
        <div class="ask">
            <${Editor} text=${text} setText=${setText} run=${run} wrong=${wrong} focusQuery=${focusQuery} />
            <div class="bar">
                <button class="primary" onClick=${() => run(text)}>Run</button>
                <button onClick=${() => api.format(text).then(setText, () => {})}
                    disabled=${text.trim() === ''}>Format</button>
                <span class="syntax" id="syntax" role="status">${wrong ? wrong.message : ''}</span>
                <span class="grow"></span>
                <${Step} state=${state} go=${go} span=${span} />
            </div>
        </div>
        <section class="result" id="result" role="tabpanel" aria-labelledby=${'tab-' + state.tab}>
            <header><${Tabs} tab=${state.tab} go=${go} /><span class="grow"></span>${answer && html`<${Stats}
                answer=${answer} />`}</header>
            ${about && html`<p class="soft">
                <strong>${about.type}</strong>${about.help && ' – ' + about.help}</p>`}
            ${answer && html`<${Notes} notes=${answer.notes} />`}
            ${error && html`<${Trouble} error=${error} />`}
            ${noGraph && html`<p><button
                onClick=${() => go({ tab: 'table' }, true)}>Show it as a table</button></p>`}
            ${state.q.trim() === '' ? html`<${Blank} run=${run} />` : answer && html`<${Shown} answer=${answer}
                zoom=${zoom} />`}
        </section>`;
}
