/* dashboards.mjs - the page at /dashboards: all there are, and bringing one of Grafana's. */
import { html, useRef, useState } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Icon } from '../../parts/icons.mjs';

const ORIGINS = { 'built-in': 'Built in', folder: 'From the folder of the configuration', imported: 'Yours' };
const BYTES_MAX = 1 << 20;

function plain(e) {
    return e.button === 0 && !e.ctrlKey && !e.metaKey && !e.shiftKey && !e.altKey;
}

function Card({ d, go, remove }) {
    const href = '/dashboards/' + encodeURIComponent(d.name);
    const open = (e) => {
        if (!plain(e)) return;
        e.preventDefault();
        go({ page: 'dashboard', name: d.name });
    };
    return html`<li class="board"><a href=${href} onClick=${open}><strong>${d.title}</strong><span>${d.description}</span></a>
        <footer><span class="soft">${d.panels} ${d.panels === 1 ? 'panel' : 'panels'}${d.refresh ? `, every ${d.refresh}` : ''}</span><span class="grow"></span>
            <a href=${`/api/v1/grafana/dashboards/${encodeURIComponent(d.name)}.json`} download class="soft">JSON</a>
            ${d.origin === 'imported' && html`<button class="quiet icon" aria-label=${'Delete ' + d.title} title="Delete" onClick=${() => remove(d)}><${Icon} name="close" /></button>`}</footer></li>`;
}

/* What was chosen or dropped: one file after the other, each with its own answer. */
async function take(files) {
    const out = [];
    for (const file of files) {
        try {
            if (file.size > BYTES_MAX) throw new Error('is larger than 1 MiB');
            let json;
            try {
                json = JSON.parse(await file.text());
            } catch (e) {
                throw new Error('is not JSON: ' + e.message);
            }
            const done = await api.send('POST', '/api/v1/dashboards', json);
            out.push({ file: file.name, ...done });
        } catch (e) {
            out.push({ file: file.name, error: e.message });
        }
    }
    return out;
}

function Taken({ results, go }) {
    return results.map(
        (r) => html`<div key=${r.file} class=${'note ' + (r.error ? 'bad' : 'info')} role=${r.error ? 'alert' : 'status'}>
        ${
            r.error
                ? html`<p><strong>${r.file}</strong>: ${r.error}</p>`
                : html`<p><strong>${r.title}</strong> is here, with ${r.panels} panels. ${(r.warnings ?? []).map((w) => html`<br />${w}`)}</p>
                <button onClick=${() => go({ page: 'dashboard', name: r.name })}>Open</button>`
        }</div>`,
    );
}

export function Page({ state, go, setBusy }) {
    const [round, setRound] = useState(0),
        [results, setResults] = useState([]),
        [over, setOver] = useState(false),
        chooser = useRef();
    const { answer, error } = useAsk((signal) => api.ask('/api/v1/dashboards', {}, signal), [round], setBusy);
    const bring = async (files) => {
        setOver(false);
        setResults(await take([...files]));
        setRound((n) => n + 1);
    };
    const remove = async (d) => {
        if (!confirm(`Delete the dashboard “${d.title}”? Its JSON is gone then.`)) return;
        try {
            await api.send('DELETE', '/api/v1/dashboards/' + encodeURIComponent(d.name));
            setResults([]);
        } catch (e) {
            setResults([{ file: d.title, error: e.message }]);
        }
        setRound((n) => n + 1);
    };
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = (answer?.dashboards ?? []).filter((d) => words.every((w) => `${d.title} ${d.description} ${d.tags.join(' ')}`.toLowerCase().includes(w)));
    return html`<div class=${'boards-page' + (over ? ' over' : '')} onDragOver=${(e) => (e.preventDefault(), setOver(true))} onDragLeave=${() => setOver(false)}
            onDrop=${(e) => (e.preventDefault(), bring(e.dataTransfer.files))}>
        <header class="boards-head"><h1>Dashboards</h1>
            <input data-search aria-label="Find a dashboard" placeholder="Find a dashboard" value=${state.q} onInput=${(e) => go({ q: e.target.value }, true)} />
            <span class="grow"></span>
            <input ref=${chooser} type="file" accept=".json,application/json" multiple hidden aria-label="Dashboard files" onChange=${(e) => (bring(e.target.files), (e.target.value = ''))} />
            <button class="primary" onClick=${() => chooser.current.click()}>Import from Grafana</button></header>
        <p class="soft">Each is Grafana’s JSON: drawn here, and to be taken into a Grafana as it is. Drop files anywhere on this page to bring yours.</p>
        <${Taken} results=${results} go=${go} />
        ${error && html`<div class="note bad" role="alert"><p>${error.message}</p></div>`}
        ${Object.entries(ORIGINS).map(([origin, title]) => {
            const own = shown.filter((d) => d.origin === origin);
            return own.length > 0 && html`<section key=${origin} class="group" aria-labelledby=${'o-' + origin}><header><h2 id=${'o-' + origin}>${title}</h2></header>
                <ul class="boards">${own.map((d) => html`<${Card} key=${d.name} d=${d} go=${go} remove=${remove} />`)}</ul></section>`;
        })}
        ${answer && shown.length === 0 && html`<p class="blank">No dashboard is called like that.</p>`}
    </div>`;
}
