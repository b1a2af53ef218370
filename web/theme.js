/* theme.js - the one script that runs before the first paint, so that a chosen theme does not flash in the other's colours. */
try {
    const chosen = localStorage.getItem('vedette.theme');
    if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
} catch { /* storage is switched off: the system decides */ }
