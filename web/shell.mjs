/* shell.mjs - what is around every page: the pages at the side, time range and refresh on top, the help, the guide to sending
 * data. */
import { html, useEffect, useRef, useState } from './vendor/preact.mjs';
import { RANGES, REFRESHES, duration, next, write } from './address.mjs';
import * as format from './lib/format.mjs';
import { GuideText } from './parts/guide.mjs';
import { Icon } from './parts/icons.mjs';
import { KEYS } from './keys.mjs';
import { PAGES, pageOf } from './pages.mjs';
import { onTheme, switchTheme, theme } from './theme.mjs';

function plainClick(e) {
    return e.button === 0 && !e.ctrlKey && !e.metaKey && !e.shiftKey && !e.altKey;
}

function PageLink({ page, state, go }) {
    const href = write(next(state, { page: page.id }));
    const follow = (e) => {
        if (!plainClick(e)) return;
        e.preventDefault();
        go({ page: page.id });
    };
    return html`<a href=${href} aria-current=${(pageOf(state.page).under ?? state.page) === page.id ? 'page' : null} onClick=${follow}
        title=${page.key ? `${page.title} (g ${page.key})` : page.title}><${Icon} name=${page.id} /><span>${page.title}</span></a>`;
}

export function Side({ state, go }) {
    return html`<nav class="side" aria-label="Pages">
        <a class="brand" href="/" aria-label="Vedette, overview" onClick=${(e) => {
            if (plainClick(e)) {
                e.preventDefault();
                go({ page: 'overview' });
            }
        }}><${Icon} name="mark" /><span>Vedette</span></a>
        ${PAGES.filter((p) => !p.under).map((page) => html`<${PageLink} key=${page.id} page=${page} state=${state} go=${go} />`)}
    </nav>`;
}

/* ---- time range ---- */

const pad = (n) => String(n).padStart(2, '0');

function toField(t) {
    const d = new Date(t * 1000);
    return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}T${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

function Custom({ state, choose, close }) {
    const now = Math.floor(Date.now() / 1000);
    const [from, setFrom] = useState(toField(state.from ?? now - 3600));
    const [to, setTo] = useState(toField(state.to ?? now));
    const a = new Date(from).getTime() / 1000,
        b = new Date(to).getTime() / 1000;
    const fine = Number.isFinite(a) && Number.isFinite(b) && a < b && a >= 0;
    const first = useRef();
    useEffect(() => first.current.focus(), []);
    const submit = (e) => {
        e.preventDefault();
        if (fine) choose({ from: Math.floor(a), to: Math.floor(b) });
    };
    return html`<form class="pop" aria-label="Custom time range" onSubmit=${submit}
        onKeyDown=${(e) => e.key === 'Escape' && close()}>
        <label>From <input ref=${first} type="datetime-local" step="1" value=${from}
            onInput=${(e) => setFrom(e.target.value)} required /></label>
        <label>To <input type="datetime-local" step="1" value=${to} onInput=${(e) => setTo(e.target.value)}
            required /></label>
        ${!fine && html`<span class="syntax" role="alert">The start must come before the end.</span>`}
        <div class="row"><button type="button" class="quiet" onClick=${close}>Cancel</button><button
            class="primary" disabled=${!fine}>Show</button></div>
    </form>`;
}

function customText({ from, to }) {
    const sameDay = format.day(from) === format.day(to);
    return `${format.day(from)} ${format.clock(from, false)} – ${sameDay ? '' : format.day(to) + ' '}${format.clock(to, false)}`;
}

/* Radio buttons as WAI-ARIA has them: one tab stop, arrows move and choose. */
function Ranges({ state, go }) {
    const [open, setOpen] = useState(false);
    const fixed = state.from !== null,
        listed = RANGES.includes(state.range);
    const choose = (range) => {
        setOpen(false);
        go({ range, from: null, to: null });
    };
    const arrows = (e) => {
        const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
        if (!by) return;
        e.preventDefault();
        const buttons = [...e.currentTarget.querySelectorAll('[role="radio"]')];
        const next = buttons[(buttons.indexOf(e.target) + by + buttons.length) % buttons.length];
        next.focus();
        choose(next.dataset.range);
    };
    const others = !fixed && !listed ? [state.range] : [];
    return html`
        <div class="segments" role="radiogroup" aria-label="Time range" onKeyDown=${arrows}>
            ${[...RANGES, ...others].map((r) => {
                const on = !fixed && state.range === r;
                return html`<button key=${r} role="radio" data-range=${r} aria-checked=${on}
                    tabindex=${on || (fixed && r === RANGES[0]) ? 0 : -1}
                    title=${'The last ' + r} onClick=${() => choose(r)}>${r}</button>`;
            })}
        </div>
        <button aria-expanded=${open} aria-haspopup="dialog" class=${fixed ? '' : 'quiet'}
            onClick=${() => setOpen(!open)}>
            ${fixed ? customText(state) : 'Custom'}</button>
        ${fixed && html`<button class="quiet icon" aria-label="Back to live" title="Back to live"
            onClick=${() => choose(state.range)}><${Icon} name="close" /></button>`}
        ${
            open &&
            html`<${Custom} state=${state} choose=${(w) => {
                setOpen(false);
                go(w);
            }} close=${() => setOpen(false)} />`
        }`;
}

function Refresh({ state, go, renew, busy }) {
    return html`<span class="refresh">
        <button class="icon" aria-label="Refresh now" title="Refresh now (r)" aria-busy=${busy}
            onClick=${renew}><${Icon} name="refresh" /></button>
        <select aria-label="Refresh every" title="Refresh every" value=${state.refresh}
            onChange=${(e) => go({ refresh: e.target.value }, true)}>
            ${REFRESHES.map((r) => html`<option key=${r} value=${r}>${r}</option>`)}
        </select>
    </span>`;
}

function ThemeButton() {
    const [now, setNow] = useState(theme);
    useEffect(() => onTheme(setNow), []);
    const next = now === 'dark' ? 'light' : 'dark';
    return html`<button class="quiet icon" aria-label=${'Switch to the ' + next + ' theme'}
        title=${'Switch to the ' + next + ' theme'} onClick=${switchTheme}>
        <${Icon} name=${next === 'light' ? 'sun' : 'moon'} /></button>`;
}

export function Top({ state, go, renew, busy, openHelp }) {
    return html`<header class="top">
        <span class="where">${pageOf(state.page).title}</span>
        <span class="grow"></span>
        <div class="times">
            ${!pageOf(state.page).timeless && html`<${Ranges} state=${state} go=${go} />`}
            <${Refresh} state=${state} go=${go} renew=${renew} busy=${busy} />
            <${ThemeButton} />
            <button class="quiet icon" aria-label="Help" title="Help (?)" onClick=${openHelp}><${Icon}
                name="help" /></button>
        </div>
    </header>`;
}

/* ---- dialogs ---- */

function Dialog({ open, close, title, children }) {
    const box = useRef();
    useEffect(() => {
        if (open && !box.current.open) box.current.showModal();
        if (!open && box.current.open) box.current.close();
    }, [open]);
    const outside = (e) => e.target === box.current && close();
    return html`<dialog ref=${box} aria-label=${title} onClose=${close} onClick=${outside}>
        ${
            open &&
            html`<header><h2 class="grow">${title}</h2><button class="quiet icon" aria-label="Close"
                onClick=${close}><${Icon} name="close" /></button></header>
        <div>${children}</div>`
        }
    </dialog>`;
}

export function Help({ open, close }) {
    return html`<${Dialog} open=${open} close=${close} title="Keys">
        <dl class="keys">${[...KEYS, ...PAGES.filter((p) => p.key).map((p) => ['g ' + p.key, p.title.toLowerCase()])].map(
            ([keys, what]) => html`
            <dt key=${keys}>${keys.split(' ').map((k) => html`<kbd>${k}</kbd> `)}</dt><dd>${what}</dd>`,
        )}
        </dl>
        <p class="soft">Drag over a chart to look closer; the browser's back button returns.</p>
    <//>`;
}

export function Guide({ open, close, say }) {
    return html`<${Dialog} open=${open} close=${close} title="Send your own data"><${GuideText}
        say=${say} /><//>`;
}

export function Said({ text }) {
    return html`<div class="said" role="status">${text}</div>`;
}
