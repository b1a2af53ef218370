/* system.mjs - the page at /system: how this server is: its parts, what it takes in and stores, which series there are most of, how it is set
 * up. */
import { html, useMemo } from '../../vendor/preact.mjs';
import * as address from '../../address.mjs';
import { Tabs } from '../../parts/table.mjs';
import { Config } from './config.mjs';
import { Series } from './series.mjs';
import { State } from './state.mjs';

const TABS = [
    ['state', 'State'],
    ['series', 'Series'],
    ['config', 'Configuration'],
];

export function Page({ state, go, now, setBusy }) {
    const span = useMemo(() => address.span({ ...state, step: '' }, now), [state.from, state.to, state.range, now]);
    return html`<h1 class="unseen">System</h1>
        <div class="bar"><${Tabs} label="System" tabs=${TABS} tab=${state.tab} go=${go} /></div>
        ${state.tab === 'state' && html`<${State} span=${span} state=${state} go=${go} now=${now} setBusy=${setBusy} />`}
        ${state.tab === 'series' && html`<${Series} go=${go} now=${now} setBusy=${setBusy} />`}
        ${state.tab === 'config' && html`<${Config} setBusy=${setBusy} />`}`;
}
