/* variables.mjs - the variables of a dashboard, to choose from. */
import { html, useEffect, useRef, useState } from '../../vendor/preact.mjs';
import { readVars, writeVars } from './data.mjs';

const SHOWN = 300; /* options of one variable */

const SHORT = 3;

function chosenText(v) {
    if (v.picked.isAll) return 'All';
    const names = v.picked.values.map((x) => v.options.find((o) => o.value === x)?.text ?? x);
    return names.length > SHORT ? `${names.length} chosen` : names.join(', ') || 'none';
}

/* Several may be chosen: boxes in a panel below the button; All is all of them. */
function Several({ v, choose }) {
    const [open, setOpen] = useState(false),
        [part, setPart] = useState(''),
        box = useRef();
    useEffect(() => {
        if (!open) return undefined;
        const away = (e) => !box.current?.contains(e.target) && setOpen(false);
        addEventListener('pointerdown', away);
        return () => removeEventListener('pointerdown', away);
    }, [open]);
    const picked = v.picked.isAll ? [] : v.picked.values;
    const flip = (value) => {
        const next = picked.includes(value) ? picked.filter((x) => x !== value) : [...picked, value];
        choose(next.length === 0 && v.all ? ['$__all'] : next);
    };
    const shown = v.options.filter((o) => o.text.toLowerCase().includes(part.toLowerCase()));
    return html`<span class="several" ref=${box} onKeyDown=${(e) => e.key === 'Escape' && (e.stopPropagation(), setOpen(false))}>
        <button aria-expanded=${open} aria-haspopup="true" aria-label=${`${v.label}: ${chosenText(v)}`} onClick=${() => setOpen(!open)}>${chosenText(v)} <span aria-hidden="true">▾</span></button>
        ${open && html`<div class="pop" role="group" aria-label=${v.label}>
            ${v.options.length > 8 && html`<input aria-label=${'Find among ' + v.label} placeholder="Find" value=${part} onInput=${(e) => setPart(e.target.value)} />`}
            <ul>${v.all && html`<li><label><input type="checkbox" checked=${v.picked.isAll} onChange=${() => choose(['$__all'])} /> All</label></li>`}
                ${shown.slice(0, SHOWN).map((o) => html`<li key=${o.value}><label><input type="checkbox" checked=${picked.includes(o.value)} onChange=${() => flip(o.value)} /> ${o.text}</label></li>`)}</ul>
            ${shown.length > SHOWN && html`<p class="soft">and ${shown.length - SHOWN} more: narrow them down</p>`}</div>`}</span>`;
}

function Choice({ v, choose }) {
    if (v.trouble) return html`<span class="syntax" role="alert">${v.trouble}</span>`;
    if (v.kind === 'textbox') return html`<input value=${v.picked.values[0] ?? ''} aria-label=${v.label} onChange=${(e) => choose([e.target.value])} />`;
    if (v.multi) return html`<${Several} v=${v} choose=${choose} />`;
    return html`<select aria-label=${v.label} value=${v.picked.isAll ? '$__all' : v.picked.values[0]} onChange=${(e) => choose([e.target.value])}>
        ${v.all && html`<option value="$__all">All</option>`}${v.options.slice(0, SHOWN).map((o) => html`<option key=${o.value} value=${o.value}>${o.text}</option>`)}</select>`;
}

/* There is one server to ask, so a choice of data sources is none; what is constant needs no box. */
export function Variables({ found, state, go }) {
    const shown = found.variables.filter((v) => !v.hidden && v.kind !== 'datasource' && v.kind !== 'constant');
    if (shown.length === 0) return null;
    const choose = (name, values) => go({ vars: writeVars({ ...readVars(state.vars), [name]: values }) }, true);
    return html`<div class="variables" role="group" aria-label="Variables">${shown.map((v) => html`<div key=${v.name} class="variable"><span class="soft">${v.label}</span><${Choice} v=${v} choose=${(values) => choose(v.name, values)} /></div>`)}</div>`;
}
