/* app.mjs - starts the page: the address in, the right page out, a clock that ticks while somebody looks. */
import { html, render, useCallback, useEffect, useRef, useState } from './vendor/preact.mjs';
import * as address from './address.mjs';
import { Explore } from './explore.mjs';
import { useKeys } from './keys.mjs';
import { Overview } from './overview.mjs';
import { Help, Guide, Said, Top } from './shell.mjs';

/* The address as state. go(patch) makes an entry in the history, go(patch, true) corrects the present one. */
function useAddress() {
    const [state, setState] = useState(address.here);
    useEffect(() => {
        const back = () => setState(address.here());
        addEventListener('popstate', back);
        return () => removeEventListener('popstate', back);
    }, []);
    const go = useCallback((patch, instead = false) => {
        const now = address.here(),
            moved = patch.page && patch.page !== now.page;
        const target = address.write({
            ...now,
            ...(moved ? { refresh: address.DEFAULTS[patch.page].refresh } : {}),
            ...patch,
        });
        if (target !== location.pathname + location.search)
            history[instead ? 'replaceState' : 'pushState'](null, '', target);
        setState(address.here());
    }, []);
    return [state, go];
}

/* Seconds since 1970, renewed every `refresh`, at once when the tab is looked at again, and never while it is hidden. */
function useNow(refresh) {
    const [now, setNow] = useState(() => Date.now() / 1000);
    const renew = useCallback(() => setNow(Date.now() / 1000), []);
    useEffect(() => {
        const every = address.seconds(refresh) * 1000;
        if (!(every > 0)) return undefined;
        let timer = 0;
        const arrange = () => {
            clearInterval(timer);
            if (document.hidden) return;
            timer = setInterval(renew, every);
        };
        const shown = () => {
            if (!document.hidden) renew();
            arrange();
        };
        arrange();
        document.addEventListener('visibilitychange', shown);
        return () => {
            clearInterval(timer);
            document.removeEventListener('visibilitychange', shown);
        };
    }, [refresh, renew]);
    return [now, renew];
}

const TITLES = { overview: 'Overview', explore: 'Explore' };

function App() {
    const [state, go] = useAddress();
    const [now, renew] = useNow(state.refresh);
    const [busy, setBusy] = useState(false);
    const [open, setOpen] = useState(''); /* 'help', 'guide' or nothing */
    const [said, say] = useState('');
    const focusQuery = useRef(false);

    useEffect(() => {
        document.title = `${state.q && state.page === 'explore' ? state.q.slice(0, 60) : TITLES[state.page]} · Vedette`;
    }, [state.page, state.q]);

    useKeys({
        t: () => document.querySelector('.times [role="radio"][tabindex="0"]')?.focus(),
        '/': () => {
            const box = document.querySelector('.editor textarea');
            focusQuery.current = !box;
            if (box) box.focus();
            else go({ page: 'explore' });
        },
        '?': () => setOpen('help'),
        'g o': () => go({ page: 'overview' }),
        'g e': () => go({ page: 'explore' }),
        r: renew,
        '.': () =>
            navigator.clipboard.writeText(location.href).then(
                () => say('Link copied'),
                () => say('The browser does not let us copy'),
            ),
    });
    useEffect(() => {
        if (!said) return undefined;
        const timer = setTimeout(() => say(''), 2200);
        return () => clearTimeout(timer);
    }, [said]);

    const page = { state, go, now, renew, setBusy, say, openGuide: () => setOpen('guide'), focusQuery };
    return html`
        <a class="skip" href="#main">Skip to the content</a>
        <${Top} state=${state} go=${go} renew=${renew} busy=${busy} openHelp=${() => setOpen('help')} />
        <main id="main" tabindex="-1">
            <${state.page === 'explore' ? Explore : Overview} ...${page} />
        </main>
        <${Help} open=${open === 'help'} close=${() => setOpen('')} />
        <${Guide} open=${open === 'guide'} close=${() => setOpen('')} say=${say} />
        <${Said} text=${said} />`;
}

render(html`<${App} />`, document.getElementById('app'));
