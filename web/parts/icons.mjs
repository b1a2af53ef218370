/* icons.mjs - the few pictures of the pages, as paths on a 16 by 16 field. */
import { html } from '../vendor/preact.mjs';

const PATHS = {
    refresh: 'M13.5 3v3.5H10M13.2 6.5A5.5 5.5 0 1 0 13.5 9',
    close: 'M4 4l8 8M12 4l-8 8',
    sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.3v1.5M8 13.2v1.5M1.3 8h1.5M13.2 8h1.5M3.3 3.3l1 1M11.7 11.7l1 1M12.7 3.3l-1 1M4.3 11.7l-1 1',
    moon: 'M13.3 9.6A5.7 5.7 0 0 1 6.4 2.7a5.7 5.7 0 1 0 6.9 6.9z',
    help: 'M6 6.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M8 11.6v.1M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8',
    table: 'M2.5 3.5h11v9h-11zM2.5 6.5h11M2.5 9.5h11M7 3.5v9',
    overview: 'M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5h-4.5zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5h-4.5z',
    traces: 'M2 3.5h8M4.5 6.5h7M7 9.5h6.5M4.5 12.5h5',
    search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.3 10.3l3.2 3.2',
    logs: 'M2.5 3.5h2M7 3.5h6.5M2.5 6.5h2M7 6.5h5M2.5 9.5h2M7 9.5h6.5M2.5 12.5h2M7 12.5h4',
    play: 'M5 3l8 5-8 5z',
    pause: 'M5 3v10M11 3v10',
    alerts: 'M3.5 11.5h9l-1.2-1.8V7a3.3 3.3 0 0 0-6.6 0v2.7zM6.8 13.2a1.3 1.3 0 0 0 2.4 0',
    explore: 'M2.5 13.5v-11M2.5 13.5h11M5 10.5l2.5-3 2 1.5 3.5-5',
    agents: 'M8 2.2a2 2 0 1 0 0 4 2 2 0 0 0 0-4M3.6 9.8a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6M12.4 9.8a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6M7 6l-2.4 4M9 6l2.4 4M5.4 11.6h5.2',
    mcp: 'M9.8 3.2a3.2 3.2 0 0 1 3.9 4l-2-.5-1.3 1.3.5 2a3.2 3.2 0 0 1-4-3.9L2.6 10.4a1.6 1.6 0 0 0 2.3 2.3L8.2 9.4',
    lb: 'M2.5 8H6M6 8l4-4.5M6 8l4 4.5M6 8h4M10.5 2h3v3h-3zM10.5 6.5h3v3h-3zM10.5 11h3v3h-3z',
    cost: 'M8 1.8v12.4M11 4.6C10.4 3.6 9.3 3.2 8 3.2c-1.7 0-3 .9-3 2.3C5 8.7 11.2 7.1 11.2 10.400c0 1.5-1.4 2.4-3.2 2.4-1.5 0-2.7-.6-3.3-1.7',
    kg: 'M4 2.5a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4M12 4.5a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4M6.5 10a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4M5.6 4.7l4.8 1M10.9 7.5l-3.2 3M4.6 5.800l1.4 4.3',
    system: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.1M5 11h.1M8 5h3M8 11h3',
    dashboards: 'M2.5 2.5h11v3h-11zM2.5 8h5v5.5h-5zM10 8h3.5v5.5h-3.5z',
    enlarge: 'M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5l-4.5 4.5M2.5 13.5l4.5-4.5',
    copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
};

export function Icon({ name }) {
    if (name === 'mark') {
        return html`<svg viewBox="0 0 32 32" aria-hidden="true" fill="none">
            <path d="M16 3 27 7v9.2c0 6.4-4.6 11-11 13.1C9.6 27.2 5 22.6 5 16.2V7z" stroke="currentColor"
                stroke-width="2.4" stroke-linejoin="round" />
            <path d="M9.5 15.5c3.8-5 9.2-5 13 0-3.8 5-9.2 5-13 0z" fill="currentColor" /><circle class="pupil"
                cx="16" cy="15.5" r="2.2" /></svg>`;
    }
    return html`<svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.5"
        stroke-linecap="round" stroke-linejoin="round">
        <path d=${PATHS[name]} /></svg>`;
}
