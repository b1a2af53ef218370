/* silences.mjs - what is silenced, by whom, until when; a form for a new one. */
import { html, useEffect, useRef, useState } from '../../vendor/preact.mjs';
import * as alerts from '../../lib/alerts.mjs';
import * as format from '../../lib/format.mjs';
import { seconds } from '../../address.mjs';

const NAME = 'vedette.name'; /* who somebody said they are, for the next time */

export function rememberedName() {
    try {
        return localStorage.getItem(NAME) ?? '';
    } catch {
        return '';
    }
}

export function rememberName(name) {
    try {
        localStorage.setItem(NAME, name);
    } catch {
        /* asked again the next time, then */
    }
}

export function SilenceForm({ matchers, save, close }) {
    const [text, setText] = useState(alerts.printMatchers(matchers)),
        [length, setLength] = useState('2h'),
        [by, setBy] = useState(rememberedName),
        [comment, setComment] = useState('');
    const read = alerts.readMatchers(text),
        lasts = seconds(length),
        fine = read && lasts > 0 && by.trim() && comment.trim();
    const first = useRef();
    useEffect(() => first.current.focus(), []);
    const submit = (e) => {
        e.preventDefault();
        if (!fine) return;
        rememberName(by.trim());
        save({
            matchers: read,
            startsAt: new Date().toISOString(),
            endsAt: new Date(Date.now() + lasts * 1000).toISOString(),
            createdBy: by.trim(),
            comment: comment.trim(),
        });
    };
    return html`<form class="silence result" aria-label="New silence" onSubmit=${submit} onKeyDown=${(e) => e.key === 'Escape' && close()}>
        <h2>New silence</h2>
        <label>Alerts with all of these labels, one a line <textarea ref=${first} rows=${Math.min(8, text.split('\n').length + 1)} spellcheck="false" value=${text} onInput=${(e) => setText(e.target.value)}></textarea></label>
        ${!read && html`<span class="syntax" role="alert">A line is name="value"; also !=, =~ and !~.</span>`}
        <div class="ways"><label>For <input value=${length} size="6" onInput=${(e) => setLength(e.target.value)} /></label>
            ${['30m', '2h', '8h', '1d', '1w'].map((d) => html`<button key=${d} type="button" class="quiet" onClick=${() => setLength(d)}>${d}</button>`)}
            <label>By <input value=${by} onInput=${(e) => setBy(e.target.value)} /></label></div>
        <label>Why <input value=${comment} onInput=${(e) => setComment(e.target.value)} /></label>
        <div class="ways"><button class="primary" disabled=${!fine}>Silence</button><button type="button" class="quiet" onClick=${close}>Cancel</button></div>
    </form>`;
}

export function Silences({ list, add, expire }) {
    const rows = [...list].sort((a, b) => (a.status.state === b.status.state ? (a.endsAt < b.endsAt ? 1 : -1) : a.status.state === 'active' ? -1 : b.status.state === 'active' ? 1 : a.status.state < b.status.state ? 1 : -1));
    const at = (t) => format.moment(Date.parse(t) / 1000);
    return html`<div class="result"><div class="ways"><button class="primary" onClick=${add}>New silence</button></div>
        ${rows.length === 0 ? html`<p class="soft">Nothing is silenced.</p>` : html`<div class="scroll"><table><caption class="unseen">Silences</caption>
            <thead><tr><th scope="col">State</th><th scope="col">Labels</th><th scope="col">By</th><th scope="col">Why</th><th scope="col">Until</th><th scope="col"><span class="unseen">Expire</span></th></tr></thead>
            <tbody>${rows.map(
                (s) => html`<tr key=${s.id}><td><span class=${'badge ' + (s.status.state === 'active' ? 'run' : '')}>${s.status.state}</span></td><td><code>${alerts.printMatchers(s.matchers)}</code></td>
                    <td>${s.createdBy}</td><td>${s.comment}</td><td>${at(s.endsAt)}</td><td>${s.status.state !== 'expired' && html`<button onClick=${() => expire(s)}>Expire</button>`}</td></tr>`,
            )}</tbody></table></div>`}</div>`;
}
