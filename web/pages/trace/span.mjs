/* span.mjs - one span in full, beside the waterfall: what it was, its conversation, attributes, events, links and logs. Loaded when it is
 * chosen, so that a trace of prompts opens as fast as one without. */
import { html, useState } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import { messages } from '../../lib/chat.mjs';
import * as format from '../../lib/format.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Icon } from '../../parts/icons.mjs';
import { LogLines } from '../../parts/loglines.mjs';

const SHORT = 1200; /* characters of a text before "more" */

function Text({ text }) {
    const [all, setAll] = useState(false);
    if (text.length <= SHORT || all) return html`<pre>${text}</pre>`;
    return html`<pre>${text.slice(0, SHORT)}…</pre><button class="quiet" onClick=${() => setAll(true)}>All ${format.count(text.length)} characters</button>`;
}

/* ---- the conversation ---- */

const WORDS = { call: 'calls', answer: 'answers', reasoning: 'thinks', other: '' };

function Message({ m }) {
    return html`<li class=${'said-by ' + (m.role === 'assistant' || m.role === 'output' ? 'model' : m.role === 'system' ? 'system' : 'user')}>
        <h4>${m.role}${m.name && m.name !== m.role ? ` · ${m.name}` : ''}</h4>
        ${m.parts.map(
            (p, i) => html`<div key=${i} class=${'part ' + p.kind}>
                ${p.kind !== 'text' && html`<span class="kind">${WORDS[p.kind]} ${p.title ?? ''}</span>`}
                <${Text} text=${p.text} /></div>`,
        )}
    </li>`;
}

function Chat({ attributes }) {
    const said = messages(attributes);
    if (said.length === 0) return null;
    return html`<details open><summary><h3>Conversation <small>${said.length}</small></h3></summary>
        <ol class="chat">${said.map((m, i) => html`<${Message} key=${i} m=${m} />`)}</ol></details>`;
}

/* ---- attributes ---- */

const shown = (v) => (typeof v === 'string' ? v : JSON.stringify(v, null, 1));

function Attributes({ title, of, open, search }) {
    const [wanted, setWanted] = useState('');
    const rows = Object.entries(of ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    if (rows.length === 0) return null;
    const found = rows.filter(([k, v]) => !wanted || (k + shown(v)).toLowerCase().includes(wanted.toLowerCase()));
    return html`<details open=${open}><summary><h3>${title} <small>${rows.length}</small></h3></summary>
        ${rows.length > 12 && html`<input class="sift" type="search" aria-label=${'Search ' + title.toLowerCase()} placeholder="search" value=${wanted} onInput=${(e) => setWanted(e.target.value)} />`}
        <table class="attributes"><tbody>${found.map(
            ([k, v]) => html`<tr key=${k}><th scope="row">${k}</th><td><${Text} text=${shown(v)} /></td>
                <td>${search && shown(v).length < 120 && html`<button class="quiet icon" title="Find traces with this" aria-label=${`Find traces with this ${k}`} onClick=${() => search(k, shown(v))}><${Icon} name="search" /></button>`}</td></tr>`,
        )}</tbody></table></details>`;
}

function Events({ events, start }) {
    if (!events?.length) return null;
    return html`<details open><summary><h3>Events <small>${events.length}</small></h3></summary><ul class="events">${events.map(
        (e, i) => html`<li key=${i} class=${e.name === 'exception' ? 'bad' : ''}><b>${e.name}</b> <small>${
            e.time_ns !== undefined || e.time !== undefined ? '+' + format.value('seconds', (e.time ?? Number(BigInt(e.time_ns) / 1000n) / 1e6) - start) : ''
        }</small>
            ${Object.keys(e.attributes ?? {}).length > 0 && html`<table class="attributes"><tbody>${Object.entries(e.attributes).map(([k, v]) => html`<tr key=${k}><th scope="row">${k}</th><td><${Text} text=${shown(v)} /></td></tr>`)}</tbody></table>`}</li>`,
    )}</ul></details>`;
}

function Links({ links, go }) {
    if (!links?.length) return null;
    return html`<details open><summary><h3>Links <small>${links.length}</small></h3></summary><ul>${links.map(
        (l, i) => html`<li key=${i}><button class="quiet" onClick=${() => go({ page: 'trace', trace: l.trace_id, span: l.span_id })}>${l.trace_id} / ${l.span_id}</button></li>`,
    )}</ul></details>`;
}

function Logs({ logs }) {
    if (logs.length === 0) return null;
    return html`<details open><summary><h3>Logs <small>${logs.length}</small></h3></summary><${LogLines} logs=${logs} /></details>`;
}

/* ---- all of it ---- */

const tokensText = ({ total, ...buckets }) =>
    `${format.count(total)}: ${Object.entries(buckets).filter(([, n]) => n > 0).map(([k, n]) => `${k.replaceAll('_', ' ')} ${format.count(n)}`).join(', ')}`;

function Head({ span, structure }) {
    const genai = structure?.genai;
    const part = (title, v) => v !== undefined && v !== null && v !== '' && html`<div><dt>${title}</dt><dd>${v}</dd></div>`;
    return html`<dl class="facts">
        ${part('Service', span.service)}${part('Kind', span.kind)}${part('Status', span.status)}${part('Why', span.status_message)}
        ${part('Began', format.moment(span.start))}${part('Took', span.duration_ms === null ? 'runs' : format.value('seconds', span.duration_ms / 1000))}
        ${structure && part('Itself', format.value('seconds', structure.self_ms / 1000))}${structure && part('On the critical path', format.value('seconds', structure.critical_ms / 1000))}
        ${genai?.tokens && genai.has_usage && part('Tokens', tokensText(genai.tokens))}
        ${genai?.has_usage && part('Cost', genai.unpriced ? 'unpriced: no price for this model' : genai.cost_usd === undefined ? '' : `${format.usd(genai.cost_usd)}${genai.counts ? '' : ', counted at another span'}`)}
        ${genai?.price_model && part('Price of', `${genai.price_provider} ${genai.price_model} (${genai.price_match})`)}
        ${part('Scope', [span.scope?.name, span.scope?.version].filter(Boolean).join(' '))}${part('Span', span.span_id)}
    </dl>`;
}

export function Span({ trace, id, structure, logs, go, close }) {
    const { answer, error } = useAsk((signal) => api.ask(`/api/v1/traces/${trace}/spans/${id}`, {}, signal), [trace, id]);
    const search = (key, value) => go({ page: 'traces', q: /\s/.test(value) ? `"${key}=${value}"` : `${key}=${value}` });
    return html`<aside class="drawer" aria-label="Span">
        <header><h2>${structure?.name ?? id}</h2><button class="quiet icon" aria-label="Close the span" title="Close (Esc)" onClick=${close}><${Icon} name="close" /></button></header>
        ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
        ${answer?.spans.map(
            (s, i) => html`<div key=${i}>
                <${Head} span=${s} structure=${structure} />
                <${Chat} attributes=${s.attributes ?? {}} />
                <${Events} events=${s.events} start=${s.start} />
                <${Logs} logs=${logs} />
                <${Attributes} title="Attributes" of=${s.attributes} open search=${search} />
                <${Attributes} title="Resource" of=${s.resource} search=${search} />
                <${Links} links=${s.links} go=${go} />
            </div>`,
        )}
    </aside>`;
}
