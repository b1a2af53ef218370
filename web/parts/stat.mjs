/* stat.mjs - one large number a series, with its course behind it. */
import { html } from '../vendor/preact.mjs';
import { MOST, More, Tone, readings } from './values.mjs';

/* The course as an SVG path on a field of 100 by 30. */
function spark(values) {
    const known = values.filter((v) => v !== null);
    if (known.length < 3) return null;
    const most = Math.max(...known),
        least = Math.min(...known, most * 0.8),
        room = most - least || 1,
        points = [];
    values.forEach((v, i) => v !== null && points.push(`${((i / (values.length - 1)) * 100).toFixed(2)} ${(28 - ((v - least) / room) * 24).toFixed(2)}`));
    const line = 'M' + points.join('L');
    return { line, area: `${line}L${points[points.length - 1].split(' ')[0]} 30L${points[0].split(' ')[0]} 30Z` };
}

export function Stat({ panel, frames }) {
    const all = readings(panel, frames),
        mode = panel.options.textMode ?? 'auto',
        named = mode === 'value' || mode === 'none' ? false : all.length > 1 || mode.includes('name');
    return html`<div tabindex=${all.length > 4 ? 0 : null} class=${'stats-grid ' + (panel.options.orientation === 'horizontal' ? 'down' : '')}>${all.slice(0, MOST).map((s) => {
        const course = panel.options.graphMode === 'none' ? null : spark(s.values);
        return html`<div key=${s.label} class=${'statbox ' + s.tone}>
            ${named && html`<span class="name" title=${s.label}>${s.label}</span>`}
            <strong>${s.parts[0]}${s.parts[1] && html`<small>${s.parts[1]}</small>`}</strong><${Tone} tone=${s.tone} />
            ${course && html`<svg class="course" viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true"><path class="area" d=${course.area} /><path class="stroke" d=${course.line} /></svg>`}
        </div>`;
    })}<${More} n=${all.length} /></div>`;
}
