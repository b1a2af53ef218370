/* keys.mjs - keys for the whole page: one ("t") or two after each other ("g o"). Never while somebody writes. */
import { useEffect, useRef } from './vendor/preact.mjs';

const PAIR_MS = 1200;

function isWriting(e) {
    const t = e.target;
    return t.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(t.tagName) || t.closest('dialog') !== null;
}

export function useKeys(actions) {
    const latest = useRef(actions);
    latest.current = actions;
    useEffect(() => {
        let first = '',
            at = 0;
        const press = (e) => {
            if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || isWriting(e)) return;
            const pair = first && e.timeStamp - at < PAIR_MS ? first + ' ' + e.key : '';
            const action = latest.current[pair] ?? latest.current[e.key];
            first = '';
            if (action) {
                e.preventDefault();
                action();
            } else if (e.key === 'g') {
                first = 'g';
                at = e.timeStamp;
            }
        };
        addEventListener('keydown', press);
        return () => removeEventListener('keydown', press);
    }, []);
}

export const KEYS = [
    ['Ctrl K', 'go to anything by its name'],
    ['t', 'time range'],
    ['/', 'write a query'],
    ['r', 'refresh now'],
    ['.', 'copy a link to what is shown'],
    ['?', 'this help'],
    ['Enter', 'run the query'],
    ['Shift Enter', 'a new line in the query'],
    ['Ctrl Space', 'complete'],
];
