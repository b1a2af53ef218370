/* ask.mjs - a question to the server as a hook: asked again when what it depends on changes, dropped when it is no longer wanted.
 *
 *     const { answer, error, busy } = useAsk((signal) => api.ask('/api/v1/services', {}, signal), [state.from, state.to]);
 *
 * The last answer stays until the next is there. */
import { useEffect, useState } from '../vendor/preact.mjs';

export function useAsk(question, deps, setBusy) {
    const [state, setState] = useState({ answer: null, error: null, busy: true });
    useEffect(() => {
        const stop = new AbortController();
        setState((s) => ({ ...s, busy: true }));
        setBusy?.(true);
        Promise.resolve(question(stop.signal))
            .then(
                (answer) => !stop.signal.aborted && setState({ answer, error: null, busy: false }),
                (error) => !stop.signal.aborted && setState({ answer: null, error, busy: false }),
            )
            .finally(() => !stop.signal.aborted && setBusy?.(false));
        return () => stop.abort();
    }, deps);
    return state;
}
