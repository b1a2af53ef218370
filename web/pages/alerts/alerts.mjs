/* alerts.mjs - the page at /alerts: what fires and what to do about it; rules, silences, history, routes. */
import { html, useState } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as alerts from '../../lib/alerts.mjs';
import * as format from '../../lib/format.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Active } from './active.mjs';
import { Routes } from './routes.mjs';
import { Rules } from './rules.mjs';
import { SilenceForm, Silences, rememberName, rememberedName } from './silences.mjs';

const TABS = [
    ['active', 'Active'],
    ['rules', 'Rules'],
    ['silences', 'Silences'],
    ['history', 'History'],
    ['routes', 'Routes'],
];

async function load() {
    const [list, rules, silences] = await Promise.all([
        api.ask('/api/v2/alerts'),
        api.ask('/api/v1/rules'),
        api.ask('/api/v2/silences'),
    ]);
    return { list, groups: rules.data.groups, silences };
}

function Counts({ list, groups }) {
    const rules = groups.flatMap((g) => g.rules);
    const part = (title, n, kind = '') => html`<div class=${n > 0 ? kind : ''}><dt>${title}</dt><dd>${format.count(n)}</dd></div>`;
    const of = (tone) => list.filter((a) => alerts.tone(a.labels) === tone && a.status.state === 'active').length;
    return html`<dl class="figures">
        ${part('Critical', of('critical'), 'bad')}${part('Warning', of('warning'))}${part('Info', of('info'))}
        ${part('Held back', list.filter((a) => a.status.state !== 'active').length)}
        ${part('Pending', rules.filter((r) => r.state === 'pending').length)}
        ${part('Rules', rules.length)}${part('Rules that fail', rules.filter((r) => r.health === 'err').length, 'bad')}
    </dl>`;
}

function History({ state, now }) {
    const { answer, error } = useAsk((signal) => api.ask('/api/v1/alerts/history', { limit: 500 }, signal), [state.tab, now]);
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    const events = answer?.data.events ?? [];
    if (answer && events.length === 0) return html`<div class="result blank"><p>Nothing has happened yet.</p></div>`;
    return html`<div class="result"><div class="scroll"><table><caption class="unseen">What happened to alerts, newest first</caption>
        <thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Alert</th><th scope="col">Who</th><th scope="col">Said</th></tr></thead>
        <tbody>${events.map(
            (e, i) => html`<tr key=${i}><td class="when">${format.moment(Date.parse(e.at) / 1000)}</td><td><span class=${'badge ' + (e.event === 'raised' || e.event === 'reopened' ? 'bad' : '')}>${e.event}</span></td>
                <td><b>${e.labels.alertname}</b> <small>${Object.entries(e.labels).filter(([k]) => k !== 'alertname').map(([k, v]) => `${k}=${v}`).join(' ')}</small></td><td>${e.by}</td><td>${e.comment}</td></tr>`,
        )}</tbody></table></div></div>`;
}

function Config() {
    const { answer } = useAsk((signal) => api.ask('/api/v2/status', {}, signal), []);
    return html`<${Routes} config=${answer?.config.original} />`;
}

export function Page({ state, go, now, renew, setBusy, say }) {
    const { answer, error } = useAsk(load, [now], setBusy);
    const [form, setForm] = useState(null);
    const [name, setName] = useState(rememberedName);
    const attempt = async (story, done) => {
        try {
            await story();
            say(done);
            renew();
        } catch (e) {
            say(e.message);
        }
    };
    const act = (alert, what) => {
        const by = name.trim();
        if (!by) {
            document.querySelector('#your-name').focus();
            say('Say who you are first');
            return;
        }
        rememberName(by);
        attempt(() => api.send('POST', `/api/v1/alerts/${alert.fingerprint}/${what}`, { by }), what === 'ack' ? 'Acknowledged' : 'Resolved');
    };
    const save = (silence) => attempt(() => api.send('POST', '/api/v2/silences', silence).then(() => setForm(null)), 'Silenced');
    const expire = (s) => attempt(() => api.send('DELETE', '/api/v2/silence/' + s.id), 'Expired');
    const searched = state.tab === 'active' || state.tab === 'rules';
    return html`<h1 class="unseen">Alerts</h1>
        ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
        ${answer && html`<${Counts} ...${answer} />`}
        <div class="bar alertbar"><div class="segments" role="tablist" aria-label="Alerts">${TABS.map(([id, title]) => html`<button key=${id} role="tab" aria-selected=${state.tab === id} onClick=${() => go({ tab: id })}>${title}</button>`)}</div>
            ${searched && html`<input data-search type="search" class="sift" aria-label="Search" placeholder="search" value=${state.q} onInput=${(e) => go({ q: e.target.value }, true)} />`}
            <span class="grow"></span><label class="check">You are <input id="your-name" size="12" autocomplete="name" value=${name} onInput=${(e) => setName(e.target.value)} /></label></div>
        ${form && html`<${SilenceForm} matchers=${form} save=${save} close=${() => setForm(null)} />`}
        ${state.tab === 'active' && answer && html`<${Active} list=${answer.list} now=${now} text=${state.q} act=${act} silence=${setForm} go=${go} />`}
        ${state.tab === 'rules' && answer && html`<${Rules} groups=${answer.groups} text=${state.q} go=${go} />`}
        ${state.tab === 'silences' && answer && html`<${Silences} list=${answer.silences} add=${() => setForm([])} expire=${expire} />`}
        ${state.tab === 'history' && html`<${History} state=${state} now=${now} />`}
        ${state.tab === 'routes' && html`<${Config} />`}`;
}
