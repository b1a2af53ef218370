/* routes.mjs - who would get this? Labels in, the routes and people they lead to out; below, the configuration as it is loaded. */
import { html, useState } from '../../vendor/preact.mjs';
import * as alerts from '../../lib/alerts.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';

function Route({ route }) {
    const s = (v) => format.value('seconds', v);
    return html`<li><b>${route.receiver}</b> <small>${route.integrations.join(', ') || 'tells nobody'}</small>
        <p class="soft">first after ${s(route.group_wait_seconds)}, news after ${s(route.group_interval_seconds)}, again every ${s(route.repeat_interval_seconds)}
            ${route.muted_by_time_interval && html`; <b>muted now by ${route.muted_by_time_interval}</b>`}${route.outside_active_time && html`; <b>outside its active time now</b>`}</p>
        ${route.escalations.map((e) => html`<p key=${e.receiver} class="soft">if nobody acknowledges within ${s(e.after_seconds)}: ${e.receiver}</p>`)}</li>`;
}

export function Routes({ config }) {
    const [text, setText] = useState('severity="critical"\nservice="checkout"'),
        [answer, setAnswer] = useState(null),
        [error, setError] = useState('');
    const ask = async (e) => {
        e.preventDefault();
        const read = alerts.readMatchers(text);
        if (!read) return setError('A line is name="value".');
        try {
            setAnswer((await api.send('POST', '/api/v1/alerts/route-test', { labels: Object.fromEntries(read.map((m) => [m.name, m.value])) })).data);
            return setError('');
        } catch (x) {
            return setError(x.message);
        }
    };
    return html`<form class="result silence" onSubmit=${ask}><h2>Who would get this?</h2>
        <label>Labels of an alert, one a line <textarea rows="4" spellcheck="false" value=${text} onInput=${(e) => setText(e.target.value)}></textarea></label>
        <div class="ways"><button class="primary">Ask</button>${error && html`<span class="syntax" role="alert">${error}</span>`}</div>
        ${answer && html`<div role="status"><ul class="to">${answer.routes.map((r, i) => html`<${Route} key=${i} route=${r} />`)}</ul>
            ${answer.silenced && html`<p class="badge run">silenced now</p>`}${answer.inhibited && html`<p class="badge run">inhibited now</p>`}${answer.maintenance && html`<p class="badge run">maintenance: ${answer.maintenance}</p>`}</div>`}
    </form>
    ${config && html`<details class="result"><summary><h2>Configuration as loaded</h2></summary><pre tabindex="0">${config}</pre></details>`}`;
}
