/* series.mjs - which metrics and labels there are most of. */
import { html } from '../../vendor/preact.mjs';
import * as api from '../../lib/api.mjs';
import * as format from '../../lib/format.mjs';
import { useAsk } from '../../parts/ask.mjs';
import { Box, Table } from '../../parts/table.mjs';
import { Tiles } from '../../parts/tiles.mjs';

const LISTED = 20;
const TOPS = [
    ['seriesCountByMetricName', 'Series by metric', 'Series'],
    ['labelValueCountByLabelName', 'Values by label', 'Values'],
    ['seriesCountByLabelValuePair', 'Series by label and value', 'Series'],
    ['memoryInBytesByLabelName', 'Memory by label', 'Bytes'],
];

const columnsOf = (unit) => [
    { id: 'name', title: 'Name', of: (r) => r.name },
    { id: 'n', title: unit, n: true, of: (r) => r.value, cell: (r) => (unit === 'Bytes' ? format.value('bytes', r.value) : format.count(r.value)), bar: true },
];
const queryOf = (name) => (/^[a-zA-Z_:][\w:]*$/.test(name) ? name : `{${JSON.stringify(name)}}`);

export function Series({ go, setBusy, now }) {
    const { answer, error } = useAsk((signal) => api.ask('/api/v1/status/tsdb', { limit: LISTED }, signal), [now], setBusy);
    if (error) return html`<p class="note bad" role="alert">${error.message}</p>`;
    if (!answer) return null;
    const { headStats, ...tops } = answer.data;
    return html`<${Tiles} label="Series" tiles=${[{ title: 'Series', v: headStats.numSeries }, { title: 'Labels and values', v: headStats.numLabelPairs }]} />
        <div class="halves">${TOPS.filter(([key]) => tops[key]?.length > 0).map(
            ([key, title, unit]) => html`<${Box} key=${key} title=${title}><${Table} caption=${title} columns=${columnsOf(unit)} rows=${tops[key]} order="-n" rowKey=${(r) => r.name}
                href=${key === 'seriesCountByMetricName' && ((r) => '/explore?q=' + encodeURIComponent(queryOf(r.name)))} open=${(r) => go({ page: 'explore', q: queryOf(r.name) })} /><//>`,
        )}</div>`;
}
