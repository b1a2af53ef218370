/* line.mjs - the line of words that narrows a list, as lib/filter.mjs reads it. It runs on Enter, so that half a word asks nothing. */
import { html, useEffect, useState } from '../vendor/preact.mjs';
import { Icon } from './icons.mjs';

export function Line({ q, run, wrong, what, example, children }) {
    const [text, setText] = useState(q);
    useEffect(() => setText(q), [q]);
    const submit = (e) => {
        e.preventDefault();
        run(text.trim());
    };
    return html`<form class="line" role="search" onSubmit=${submit}>
        <input data-search aria-label=${"Filter " + what} type="text" spellcheck="false" autocomplete="off" value=${text}
            placeholder=${example}
            onInput=${(e) => setText(e.target.value)} />
        ${text && html`<button type="button" class="quiet icon" aria-label="Clear the filter" title="Clear" onClick=${() => run('')}><${Icon} name="close" /></button>`}
        <button class="primary">Search</button>
        ${children}
        ${wrong.length > 0 && html`<span class="syntax" role="alert">Not understood: ${wrong.join(' ')}</span>`}
    </form>`;
}
