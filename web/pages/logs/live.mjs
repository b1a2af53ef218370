/* live.mjs - lines as they come, by server-sent events: the newest first, at most KEPT of them. Nothing is followed while nobody looks. */
import { useEffect, useRef, useState } from '../../vendor/preact.mjs';

const KEPT = 2000,
    DRAW_MS = 200; /* a flood is drawn five times a second */

export function useLive(on, params) {
    const [state, setState] = useState({ lines: [], dropped: 0, broken: false });
    const waiting = useRef([]);
    useEffect(() => {
        setState({ lines: [], dropped: 0, broken: false });
        if (!on) return undefined;
        const search = new URLSearchParams();
        for (const [name, v] of Object.entries(params)) for (const one of [].concat(v)) if (one) search.append(name, one);
        let source = null,
            number = 0;
        const follow = () => {
            if (source || document.hidden) return;
            source = new EventSource('/api/v1/logs/tail?' + search);
            source.onmessage = (e) => waiting.current.push({ ...JSON.parse(e.data), live: ++number });
            source.addEventListener('dropped', (e) => setState((s) => ({ ...s, dropped: s.dropped + (Number(/\d+/.exec(e.data)?.[0]) || 1) })));
            source.onopen = () => setState((s) => ({ ...s, broken: false }));
            source.onerror = () => setState((s) => ({ ...s, broken: true }));
        };
        const leave = () => {
            source?.close();
            source = null;
        };
        const seen = () => (document.hidden ? leave() : follow());
        const timer = setInterval(() => {
            if (waiting.current.length === 0) return;
            const fresh = waiting.current.splice(0).reverse();
            setState((s) => ({ ...s, lines: fresh.concat(s.lines).slice(0, KEPT) }));
        }, DRAW_MS);
        follow();
        document.addEventListener('visibilitychange', seen);
        return () => {
            leave();
            clearInterval(timer);
            waiting.current = [];
            document.removeEventListener('visibilitychange', seen);
        };
    }, [on, JSON.stringify(params)]);
    return state;
}
