/* rules.mjs - every rule: what it says now, whether it can be evaluated, how long that takes. */
import { html, useState } from '../../vendor/preact.mjs';
import * as format from '../../lib/format.mjs';

const STATES = ['firing', 'pending', 'inactive'];
const worst = (g) => Math.min(...g.rules.map((r) => (r.health === 'err' ? -1 : r.type === 'alerting' ? STATES.indexOf(r.state) : 3)), 4);

function Rule({ rule, go }) {
    const name = rule.name || '(no name)';
    const state = rule.type === 'alerting' ? rule.state : 'recording';
    return html`<tr class=${rule.health === 'err' ? 'bad' : ''}><td><span class=${'badge ' + (state === 'firing' ? 'bad' : state === 'pending' ? 'warn' : '')}>${state}</span></td>
        <td><b>${name}</b>${rule.alerts?.length > 0 && html` <small>${rule.alerts.length} alerts</small>`}
            <button class="expr" title="Explore" onClick=${() => go({ page: 'explore', q: rule.query })}><code>${rule.query}</code></button>
            ${rule.lastError && html`<p class="trouble" role="alert">${rule.lastError}</p>`}</td>
        <td class="n">${rule.duration ? format.value('seconds', rule.duration) : ''}</td><td class="n">${format.value('seconds', rule.evaluationTime)}</td></tr>`;
}

export function Rules({ groups, text, go }) {
    const [quiet, setQuiet] = useState(false);
    const wanted = text.toLowerCase();
    const fits = (r) => (!wanted || (r.name + r.query).toLowerCase().includes(wanted)) && (!quiet || r.state === 'firing' || r.state === 'pending' || r.health === 'err');
    const shown = groups
        .map((g) => ({ ...g, rules: g.rules.filter(fits) }))
        .filter((g) => g.rules.length > 0)
        .sort((a, b) => worst(a) - worst(b));
    return html`<div class="ways"><label class="check"><input type="checkbox" checked=${quiet} onChange=${() => setQuiet(!quiet)} /> only what fires, is pending or failed</label></div>
        ${shown.length === 0 && html`<div class="result blank"><p>No rule${groups.length > 0 ? ' matches' : ''}.</p></div>`}
        ${shown.map(
            (g) => html`<section key=${g.file + g.name} class="result"><header><h2>${g.name}</h2><span class="stats">${g.file} · every ${format.value('seconds', g.interval)} · took ${format.value('seconds', g.evaluationTime)}</span></header>
                <div class="scroll"><table class="rules"><caption class="unseen">Rules of ${g.name}</caption><thead><tr><th scope="col">State</th><th scope="col">Rule</th><th scope="col" class="n">For</th><th scope="col" class="n">Took</th></tr></thead>
                <tbody>${g.rules.map((r, i) => html`<${Rule} key=${i} rule=${r} go=${go} />`)}</tbody></table></div></section>`,
        )}`;
}
