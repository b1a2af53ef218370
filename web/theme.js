/* theme.js - dark or light, settled before the first paint so that nothing flashes: what somebody chose, else what the system wishes. */
try {
    document.documentElement.dataset.theme = localStorage.getItem('vedette.theme') ?? '';
} catch { /* storage is switched off: nothing was chosen */ }
if (!['dark', 'light'].includes(document.documentElement.dataset.theme))
    document.documentElement.dataset.theme = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
