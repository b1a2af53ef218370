/* app.mjs - starts the page: the address in, the right page out, a clock that ticks while somebody looks. */
import { html, render, useCallback, useEffect, useRef, useState } from './vendor/preact.mjs';
import * as address from './address.mjs';
import { useKeys } from './keys.mjs';
import { PAGES, pageOf } from './pages.mjs';
import { Palette } from './palette.mjs';
import { Help, Guide, Said, Side, Top } from './shell.mjs';

/* The address as state. go(patch) makes an entry in the history, go(patch, true) corrects the present one. */
function useAddress() {
    const [state, setState] = useState(address.here);
    useEffect(() => {
        const back = () => setState(address.here());
        addEventListener('popstate', back);
        return () => removeEventListener('popstate', back);
    }, []);
    const go = useCallback((patch, instead = false) => {
        const target = address.write(address.next(address.here(), patch));
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

/* The component of a page once its module is here; the page before it stays until then. */
function usePage(id) {
    const [loaded, setLoaded] = useState({});
    useEffect(() => {
        let current = true;
        pageOf(id)
            .load()
            .then(
                (module) => current && setLoaded({ id, Page: module.Page }),
                () => current && setLoaded({ id, Page: Unreachable }),
            );
        return () => {
            current = false;
        };
    }, [id]);
    return loaded;
}

function Unreachable() {
    return html`<p class="note bad" role="alert">This page could not be loaded: the server cannot be reached, or is newer
        than the page. Reload to try again.</p>`;
}

function App() {
    const [state, go] = useAddress();
    const [now, renew] = useNow(state.refresh);
    const [busy, setBusy] = useState(false);
    const [open, setOpen] = useState(''); /* 'help', 'guide', 'palette' or nothing */
    const [said, say] = useState('');
    const focusQuery = useRef(false);
    const loaded = usePage(state.page);
    const shown = useRef(state); /* the address of the page on the screen, not of the one under way */
    if (loaded.id === state.page) shown.current = state;

    useEffect(() => {
        document.title = `${state.q?.slice(0, 60) || pageOf(state.page).title} · Vedette`;
    }, [state.page, state.q]);

    const copyLink = () =>
        navigator.clipboard.writeText(location.href).then(
            () => say('Link copied'),
            () => say('The browser does not let us copy'),
        );
    useEffect(() => {
        /* Even while somebody writes: Ctrl-K means nothing in a text. */
        const press = (e) => {
            if (e.key.toLowerCase() !== 'k' || !(e.ctrlKey || e.metaKey) || e.shiftKey || e.altKey) return;
            e.preventDefault();
            setOpen((was) => (was === 'palette' ? '' : 'palette'));
        };
        addEventListener('keydown', press);
        return () => removeEventListener('keydown', press);
    }, []);

    useKeys({
        t: () => document.querySelector('.times [role="radio"][tabindex="0"]')?.focus(),
        '/': () => {
            const box = document.querySelector('main [data-search]');
            focusQuery.current = !box;
            if (box) box.focus();
            else go({ page: 'explore' });
        },
        '?': () => setOpen('help'),
        ...Object.fromEntries(
            PAGES.filter((p) => p.key).map((p) => ['g ' + p.key, () => go({ page: p.id })]),
        ),
        r: renew,
        '.': copyLink,
    });
    useEffect(() => {
        if (!said) return undefined;
        const timer = setTimeout(() => say(''), 2200);
        return () => clearTimeout(timer);
    }, [said]);

    const page = { state: shown.current, go, now, renew, setBusy, say, openGuide: () => setOpen('guide'), focusQuery };
    return html`
        <a class="skip" href="#main">Skip to the content</a>
        <${Side} state=${state} go=${go} />
        <${Top} state=${state} go=${go} renew=${renew} busy=${busy} openHelp=${() => setOpen('help')} />
        <main id="main" tabindex="-1">
            ${loaded.id && html`<${loaded.Page} key=${loaded.id} ...${page} />`}
        </main>
        <${Help} open=${open === 'help'} close=${() => setOpen('')} />
        <${Guide} open=${open === 'guide'} close=${() => setOpen('')} say=${say} />
        <${Palette} open=${open === 'palette'} close=${() => setOpen('')} go=${go} copy=${copyLink} />
        <${Said} text=${said} />`;
}

render(html`<${App} />`, document.getElementById('app'));
