/* theme.mjs - dark or light: the system's wish until somebody chooses. theme.js applies the choice before the first paint. */

const listeners = new Set();
const system = matchMedia('(prefers-color-scheme: light)');
system.addEventListener('change', tell);

function tell() {
    for (const f of listeners) f(theme());
}

export function theme() {
    return document.documentElement.dataset.theme ?? (system.matches ? 'light' : 'dark');
}

export function switchTheme() {
    const next = theme() === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset.theme = next;
    try {
        localStorage.setItem('vedette.theme', next);
    } catch { /* not kept then */ }
    tell();
}

/* Calls f after every change; returns the way to stop that. */
export function onTheme(f) {
    listeners.add(f);
    return () => listeners.delete(f);
}
