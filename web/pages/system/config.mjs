/* config.mjs - options and configuration as they hold now; the server masks what is secret before it tells. */
import { html } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Box, Table } from '../../parts/table.mjs';

const FLAGS = [
    { id: 'name', title: 'Option', of: (f) => f.name },
    { id: 'value', title: 'Value', of: (f) => f.value },
];

async function load(signal) {
    const [config, flags] = await Promise.all([api.ask('/api/v1/status/config', {}, signal), api.ask('/api/v1/status/flags', {}, signal)]);
    return { yaml: config.data.yaml, flags: Object.entries(flags.data).map(([name, value]) => ({ name, value })) };
}

export function Config({ setBusy }) {
    const { answer, error } = useAsk(load, [], setBusy);
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    if (!answer) return null;
    return html`<div class="halves"><${Box} title="Options" about="as they hold now"><${Table} caption="Options" columns=${FLAGS} rows=${answer.flags} order="name" rowKey=${(f) => f.name} /><//>
        <${Box} title="Configuration" about="secrets are masked">${answer.yaml.trim() ? html`<pre class="yaml" tabindex="0">${answer.yaml}</pre>` : html`<p class="soft">No configuration file: what is not an option is as built in.</p>`}<//></div>`;
}
