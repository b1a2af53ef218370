/* theme.mjs - dark or light: the system's wish until somebody chooses. theme.js has settled it before the first paint. */

const listeners = new Set(),
    root = document.documentElement;
let chosen = stored();

function stored() {
    try {
        return localStorage.getItem('vedette.theme');
    } catch {
        return null;
    }
}

function set(theme) {
    root.dataset.theme = theme;
    for (const f of listeners) f(theme);
}

matchMedia('(prefers-color-scheme: light)').addEventListener(
    'change',
    (e) => chosen ?? set(e.matches ? 'light' : 'dark'),
);

export const theme = () => root.dataset.theme;

export function switchTheme() {
    chosen = theme() === 'dark' ? 'light' : 'dark';
    try {
        localStorage.setItem('vedette.theme', chosen);
    } catch {
        /* for as long as the page is open, then */
    }
    set(chosen);
}

/* Calls f after every change; returns the way to stop that. */
export function onTheme(f) {
    listeners.add(f);
    return () => listeners.delete(f);
}
