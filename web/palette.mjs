/* palette.mjs - Ctrl-K: pages, agents, services, MCP servers and recent traces by name, without a mouse. What stands there is asked for when
 * the palette opens; a part that cannot be had is left out. */
import { html, useEffect, useMemo, useRef, useState } from './vendor/preact.mjs';
import * as api from './lib/api.mjs';
import * as format from './lib/format.mjs';
import { fit } from './lib/promql.mjs';
import { PAGES } from './pages.mjs';
import { switchTheme } from './theme.mjs';

const SHOWN = 40,
    TRACES = 30,
    NAMES = 1000;

const own = (copy) => [
    ...PAGES.filter((p) => !p.under).map((p) => ({ kind: 'page', text: p.title, about: p.key ? 'g ' + p.key : '', to: { page: p.id } })),
    { kind: 'do', text: 'Switch between dark and light', about: '', act: switchTheme },
    { kind: 'do', text: 'Copy a link to what is shown', about: '.', act: copy },
];

const word = (key, value) => (/[\s"]/.test(value) ? JSON.stringify(`${key}=${value}`) : `${key}=${value}`);

const named = async (label, of) => (await api.labelValues(label, undefined, NAMES)).filter((name) => name !== '').map(of);
const agent = (name) => ({ kind: 'agent', text: name, to: { page: 'agents', agent: name } });

/* Each source on its own, so that a slow or failing one holds up no other. */
const SOURCES = [
    () => named('agent', agent),
    () => named('gen_ai_agent_name', agent),
    () => named('mcp_server', (name) => ({ kind: 'mcp', text: name, to: { page: 'mcp', server: name } })),
    async () => (await api.ask('/api/v1/services')).services.map((s) => ({ kind: 'service', text: s.service, about: `${format.count(s.span_count)} spans`, to: { page: 'traces', q: word('service', s.service) } })),
    async () => (await api.ask('/api/v1/traces', { limit: TRACES })).traces.map((t) => ({ kind: 'trace', text: t.root_name || t.trace_id, about: `${t.agent || t.service} · ${format.clock(t.start)} · ${t.trace_id.slice(-8)}`, to: { page: 'trace', trace: t.trace_id } })),
];

function useItems(open, copy) {
    const [items, setItems] = useState([]);
    useEffect(() => {
        if (!open) return undefined;
        let current = true;
        setItems(own(copy));
        for (const source of SOURCES)
            source().then(
                (more) => current && setItems((before) => [...before, ...more.filter((m) => !before.some((b) => b.kind === m.kind && b.text === m.text && m.kind !== 'trace'))]),
                () => {},
            );
        return () => {
            current = false;
        };
    }, [open]);
    return items;
}

const ORDER = ['page', 'do', 'agent', 'mcp', 'service', 'trace'];

/* The best first; an id of a trace, or anything else that can be asked, is always the last resort. */
export function found(items, text) {
    const typed = text.trim();
    const fits = items
        .map((item) => ({ item, fit: fit(item.text, typed) ?? (typed && item.about && fit(item.about, typed) ? [4, 0, 0] : null) }))
        .filter((x) => x.fit !== null)
        .sort((a, b) => (typed ? a.fit[0] - b.fit[0] : 0) || ORDER.indexOf(a.item.kind) - ORDER.indexOf(b.item.kind))
        .slice(0, SHOWN)
        .map((x) => x.item);
    if (/^[0-9a-f]{16,32}$/i.test(typed)) fits.unshift({ kind: 'trace', text: typed, about: 'open this trace', to: { page: 'trace', trace: typed.toLowerCase() } });
    else if (typed) fits.push({ kind: 'do', text: typed, about: 'search the logs', to: { page: 'logs', q: typed } }, { kind: 'do', text: typed, about: 'ask in Explore', to: { page: 'explore', q: typed } });
    return fits;
}

export function Palette({ open, close, go, copy }) {
    const box = useRef(),
        input = useRef(),
        list = useRef();
    const [text, setText] = useState(''),
        [at, setAt] = useState(0);
    const items = useItems(open, copy);
    const shown = useMemo(() => found(items, text), [items, text]);
    useEffect(() => {
        if (open && !box.current.open) {
            setText('');
            setAt(0);
            box.current.showModal();
            input.current.focus();
        }
        if (!open && box.current.open) box.current.close();
    }, [open]);
    useEffect(() => list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' }), [at, shown]);
    const take = (item) => {
        if (!item) return;
        close();
        if (item.act) item.act();
        else go(item.to);
    };
    const keys = (e) => {
        const by = { ArrowDown: 1, ArrowUp: -1 }[e.key];
        if (by) setAt((at + by + shown.length) % Math.max(shown.length, 1));
        else if (e.key === 'Enter') take(shown[at]);
        else return;
        e.preventDefault();
    };
    return html`<dialog ref=${box} class="palette" aria-label="Go to" onCancel=${(e) => {
            e.preventDefault(); /* closed by `open` alone: the event of closing comes late, when it may be open again */
            close();
        }} onClick=${(e) => e.target === box.current && close()}>
        <input ref=${input} type="text" role="combobox" aria-label="Go to" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list" aria-activedescendant=${shown[at] ? 'palette-' + at : null}
            spellcheck="false" autocomplete="off" placeholder="A page, an agent, a service, a trace…" value=${text} onInput=${(e) => {
                setText(e.target.value);
                setAt(0);
            }} onKeyDown=${keys} />
        <ul ref=${list} id="palette-list" role="listbox" aria-label="Found">${shown.map(
            (item, i) => html`<li key=${i} id=${'palette-' + i} role="option" aria-selected=${i === at} onPointerMove=${() => setAt(i)} onClick=${() => take(item)}>
                <span class="kind">${item.kind}</span><span class="what">${item.text}</span><small>${item.about}</small></li>`,
        )}</ul></dialog>`;
}
