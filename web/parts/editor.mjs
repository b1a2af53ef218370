/* editor.mjs - the box a query is written in: a plain textarea that nobody sees through to, coloured text beneath it, choices
 * below the caret. Enter runs, Shift-Enter breaks the line, Tab or Enter takes a choice, Escape drops them. */
import { html, useEffect, useLayoutEffect, useRef, useState } from '../vendor/preact.mjs';
import { choices } from './complete.mjs';
import { lex } from '../lib/promql.mjs';

/* Tokens as spans; the part `wrong` = {from, to} is underlined, which may cut a token in two. */
function Coloured({ text, wrong }) {
    const cuts = wrong ? [wrong.from, wrong.to] : [];
    const pieces = lex(text).flatMap((t) => {
        const ends = [
            ...cuts.filter((c) => c > t.from && c < t.from + t.text.length),
            t.from + t.text.length,
        ];
        let from = t.from;
        return ends.map((end) => {
            const piece = { from, text: text.slice(from, end), kind: t.kind };
            from = end;
            return piece;
        });
    });
    return pieces.map(
        (p) =>
            html`<span key=${p.from}
                class=${`q-${p.kind}${wrong && p.from >= wrong.from && p.from < wrong.to ? ' q-wrong' : ''}`}>${p.text}</span>`,
    );
}

/* Where the character at `offset` is drawn, relative to the box. The text beneath wraps just as the textarea does. */
function placeOf(pre, offset) {
    const range = document.createRange(),
        walk = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT);
    let left = offset;
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        if (left <= node.length) {
            range.setStart(node, left);
            range.setEnd(node, left);
            const r = range.getClientRects()[0] ?? node.parentElement.getBoundingClientRect(),
                box = pre.getBoundingClientRect();
            return { left: r.left - box.left, top: r.bottom - box.top + 6 };
        }
        left -= node.length;
    }
    return { left: 12, top: pre.offsetHeight };
}

function Choice({ choice, on, id, take }) {
    const [, from, to] = choice.fit,
        row = useRef();
    useEffect(() => {
        if (on) row.current.scrollIntoView({ block: 'nearest' });
    }, [on]);
    return html`<li ref=${row} id=${id} role="option" aria-selected=${on} onMouseDown=${(e) => {
        e.preventDefault();
        take();
    }}>
        <span class="kind" aria-hidden="true">${choice.kind}</span>
        <span class="what mono">${choice.text.slice(0, from)}<b>${choice.text.slice(from, to)}</b>${choice.text.slice(to)}</span>
        <small>${choice.note}</small></li>`;
}

export function Editor({ text, setText, run, wrong, focusQuery }) {
    const box = useRef(),
        pre = useRef(),
        asked = useRef(0);
    const [menu, setMenu] = useState(null); /* {at, list, on, left, top} */

    useEffect(() => {
        if (!focusQuery.current) return;
        focusQuery.current = false;
        box.current.focus();
    }, []);

    const offer = async (force) => {
        const turn = ++asked.current,
            area = box.current;
        const found = await choices(area.value, area.selectionStart, force).catch(() => ({ list: [] }));
        if (turn !== asked.current || document.activeElement !== area) return;
        const only = found.list.length === 1 && found.list[0].text === found.at.word;
        setMenu(found.list.length === 0 || only ? null : { ...found, on: 0 });
    };
    const close = () => {
        asked.current++;
        setMenu(null);
    };

    useLayoutEffect(() => {
        if (!menu || menu.left !== undefined) return;
        const { left, top } = placeOf(pre.current, menu.at.from);
        setMenu({ ...menu, top, left: Math.max(0, Math.min(left - 34, pre.current.offsetWidth - 260)) });
    }, [menu]);

    const take = (choice) => {
        const { at } = menu,
            area = box.current;
        area.setRangeText(choice.insert, at.from, at.to, 'end');
        setText(area.value);
        close();
        if (at.kind === 'metric' && choice.insert.endsWith('(')) setTimeout(() => offer(false));
    };
    const move = (by) => setMenu({ ...menu, on: (menu.on + by + menu.list.length) % menu.list.length });

    const press = (e) => {
        const chosen = menu?.list[menu.on];
        if (e.ctrlKey && e.key === ' ') return (e.preventDefault(), offer(true));
        if (menu && (e.key === 'ArrowDown' || e.key === 'ArrowUp'))
            return (e.preventDefault(), move(e.key === 'ArrowDown' ? 1 : -1));
        if (e.key === 'Escape') return (e.preventDefault(), menu ? close() : box.current.blur());
        if (menu && e.key === 'Tab' && !e.shiftKey) return (e.preventDefault(), take(chosen));
        if (e.key !== 'Enter' || e.shiftKey || e.isComposing) return undefined;
        e.preventDefault();
        if (chosen && chosen.text !== menu.at.word && !e.ctrlKey) return take(chosen);
        close();
        return run(box.current.value);
    };
    const wrote = (e) => {
        setText(e.target.value);
        offer(false);
    };

    return html`<div class=${'editor' + (wrong ? ' wrong' : '')}>
        <pre ref=${pre} aria-hidden="true"><${Coloured} text=${text} wrong=${wrong} />${'\n'}</pre>
        <textarea ref=${box} class="query" data-search rows="1" spellcheck="false" autocomplete="off" autocapitalize="off"
            aria-label="PromQL query" placeholder="A query, such as  rate(node_cpu_seconds_total[5m])"
            role="combobox" aria-expanded=${menu !== null} aria-controls="choices" aria-autocomplete="list"
                aria-activedescendant=${menu ? 'choice-' + menu.on : null}
            aria-invalid=${wrong ? 'true' : null} aria-describedby=${wrong ? 'syntax' : null}
            value=${text} onInput=${wrote} onKeyDown=${press} onBlur=${close} onClick=${close}></textarea>
        ${
            menu &&
            menu.left !== undefined &&
            html`<ul id="choices" class="choices" role="listbox" aria-label="Choices" ref=${(e) => {
                if (e) {
                    e.style.left = menu.left + 'px';
                    e.style.top = menu.top + 'px';
                }
            }}>
            ${menu.list.map((c, i) => html`<${Choice} key=${c.kind + c.text} id=${'choice-' + i} choice=${c}
                on=${i === menu.on} take=${() => take(c)} />`)}</ul>`
        }
    </div>`;
}
