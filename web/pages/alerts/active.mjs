/* active.mjs - alerts that fire, the worst first: what, where, since when, who is told, and what a person can do about it. */
import { html, useState } from '../../vendor/preact.mjs';
import * as alerts from '../../lib/alerts.mjs';
import * as format from '../../lib/format.mjs';

const HIDDEN = ['alertname', 'severity'];
const since = (t, now) => format.value('seconds', Math.max(0, now - Date.parse(t) / 1000));

function Labels({ labels, without = HIDDEN }) {
    return html`<ul class="labels">${Object.entries(labels)
        .filter(([k]) => !without.includes(k))
        .map(([k, v]) => html`<li key=${k}><span>${k}</span>${v}</li>`)}</ul>`;
}

function Why({ status }) {
    const said = [
        status.silencedBy.length > 0 && 'silenced',
        status.inhibitedBy.length > 0 && 'inhibited by another alert',
        ...status.mutedBy.map((m) => (m === 'flapping' ? 'muted: it flaps' : `muted: ${m}`)),
    ].filter(Boolean);
    return said.map((s) => html`<span key=${s} class="badge run">${s}</span> `);
}

function Acts({ alert, act, silence, go }) {
    const expr = alerts.exprOf(alert.generatorURL ?? ''),
        runbook = alerts.safeUrl(alert.annotations.runbook_url ?? '');
    return html`<div class="ways">
        ${alert.acknowledged ? html`<span class="badge">acknowledged by ${alert.acknowledged.by || 'somebody'}</span>` : html`<button onClick=${() => act(alert, 'ack')}>Acknowledge</button>`}
        <button onClick=${() => silence(alerts.matchersOf(alert.labels))}>Silence</button>
        ${expr && html`<button onClick=${() => go({ page: 'explore', q: expr })}>Graph</button>`}
        ${runbook && html`<a class="button" href=${runbook} rel="noopener">Runbook</a>`}
        <button class="quiet" onClick=${() => act(alert, 'resolve')}>Resolve</button>
    </div>`;
}

function Alert({ alert, now, open, toggle, act, silence, go }) {
    const { labels, annotations } = alert,
        tone = alerts.tone(labels);
    const rest = Object.entries(annotations).filter(([k]) => !['summary', 'runbook_url'].includes(k));
    return html`<li class=${'alert ' + tone}>
        <button class="head" aria-expanded=${open} onClick=${toggle}>
            <span class=${'badge sev ' + tone}>${labels.severity ?? 'alert'}</span>
            <b>${labels.alertname ?? '(no name)'}</b><span class="summary">${annotations.summary ?? annotations.message ?? ''}</span>
            <${Why} status=${alert.status} /><span class="grow"></span>
            ${alert.acknowledged && html`<span class="badge">acknowledged</span>`}<time title=${alert.startsAt}>${since(alert.startsAt, now)}</time>
        </button>
        <${Labels} labels=${labels} />
        ${open && html`<div class="details"><${Acts} alert=${alert} act=${act} silence=${silence} go=${go} />
            ${rest.length > 0 && html`<table class="attributes"><tbody>${rest.map(([k, v]) => html`<tr key=${k}><th scope="row">${k}</th><td>${v}</td></tr>`)}</tbody></table>`}
            <p class="soft">Since ${format.moment(Date.parse(alert.startsAt) / 1000)}; told to ${alert.receivers.map((r) => r.name).join(', ') || 'nobody'}; <code>${alert.fingerprint}</code></p></div>`}
    </li>`;
}

export function Active({ list, now, text, act, silence, go }) {
    const [open, setOpen] = useState('');
    const wanted = text.toLowerCase();
    const found = list.filter((a) => !wanted || JSON.stringify([a.labels, a.annotations]).toLowerCase().includes(wanted)).sort(alerts.order);
    if (found.length === 0)
        return html`<div class="result blank good"><p>${list.length === 0 ? 'Nothing fires.' : 'No alert matches.'}</p></div>`;
    return html`<ol class="alerts" aria-label="Alerts, worst first">${found.map(
        (a) => html`<${Alert} key=${a.fingerprint} alert=${a} now=${now} open=${open === a.fingerprint}
            toggle=${() => setOpen(open === a.fingerprint ? '' : a.fingerprint)} act=${act} silence=${silence} go=${go} />`,
    )}</ol>`;
}
