/* difference.mjs - what is special about the spans that the filter lets through: values they have more often, or less, than all others of the
 * same time. A press on a value narrows to it. */
import { html } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as filter from '../../lib/filter.mjs';
import * as format from '../../lib/format.mjs';
import { useAsk } from '../../parts/ask.mjs';

const KEYS = { name: 'operation', 'resource.service.name': 'service' };

function Share({ of, kind }) {
    return html`<span class=${'share ' + kind}><i style=${{ width: of * 100 + '%' }}></i></span>${format.value('percent', of * 100)}`;
}

function Row({ d, q, run }) {
    const key = KEYS[d.field] ?? d.field.replace(/^attr\./, 'span.');
    const fixed = ['kind', 'status'].includes(d.field);
    return html`<tr><td>${d.field}</td><td>${fixed ? d.value : html`<button class="expr" onClick=${() => run(filter.toggle(q, key, d.value))}>${d.value}</button>`}</td>
        <td class="n"><${Share} of=${d.selected_share} kind="mine" /></td><td class="n"><${Share} of=${d.others_share} kind="theirs" /></td></tr>`;
}

export function Difference({ ask, q, run }) {
    const { answer, error } = useAsk((signal) => api.ask('/api/v1/traces/difference', ask, signal), [JSON.stringify(ask)]);
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    if (!answer) return html`<div class="result empty" role="status">Comparing…</div>`;
    const { selected_spans: mine, other_spans: theirs, differences, sampled } = answer;
    if (differences.length === 0)
        return html`<div class="result blank"><p>${mine === 0 ? 'No span is selected.' : theirs === 0 ? 'There are no other spans to compare with.' : 'These spans are like all others.'}</p></div>`;
    return html`<div class="result"><p class="stats">${format.count(mine)} selected spans beside ${format.count(theirs)} others${sampled ? ', the newest of each' : ''}</p>
        <div class="scroll"><table class="differences"><caption class="unseen">What the selected spans have more or less often than others</caption>
            <thead><tr><th scope="col">Field</th><th scope="col">Value</th><th scope="col" class="n">Selected</th><th scope="col" class="n">Others</th></tr></thead>
            <tbody>${differences.map((d) => html`<${Row} key=${d.field + d.value} d=${d} q=${q} run=${run} />`)}</tbody></table></div></div>`;
}
