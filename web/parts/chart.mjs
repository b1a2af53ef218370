/* chart.mjs - a time chart: uPlot, with our colours, units, tooltip and a crosshair that all charts of a page share.
 *
 * `data` is {times: [s...], series: [{label, colour: 0-9, values: [number|null...]}]}, every series as long as times. A new
 * data object redraws; a new set of labels, unit or theme builds the chart anew. A series with `right: unit` has its own axis
 * at the right; `lines` [{at, tone}] are drawn across, as thresholds. */
import uPlot from '../vendor/uplot.mjs';
import { html, Component } from '../vendor/preact.mjs';
import * as format from '../lib/format.mjs';
import { onTheme } from '../theme.mjs';

const COLOURS = 10;
const TIP_ROWS = 12;
const AXIS_WIDTH = 62;
const BYTE_GAPS = Array.from({ length: 60 }, (_, i) => 2 ** i);

export const colourClass = (i) => 'k' + (i % COLOURS);

function css(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/* Each series on top of those before it; what is drawn, in drawing order. A hole counts as nothing, unless all are holes. */
function stack(data) {
    const sums = data.times.map((_, i) => (data.series.some((s) => s.values[i] !== null) ? 0 : null));
    return data.series.map((s) =>
        sums.map((sum, i) => (sum === null ? null : (sums[i] = sum + (s.values[i] ?? 0)))),
    );
}

function drawn(props) {
    const { data, stacked, off } = props;
    const shown = off
        ? {
              times: data.times,
              series: data.series.map((s, i) =>
                  off.has(i) ? { ...s, values: s.values.map(() => null) } : s,
              ),
          }
        : data;
    return [data.times, ...(stacked ? stack(shown) : shown.series.map((s) => s.values))];
}

function range(props) {
    return (u, min, max) => {
        if (min === null || max === null) return [0, props.max ?? 1];
        const least = Math.min(props.least ?? 0, props.max ?? Infinity);
        const zero = props.fromZero === 'auto' ? min < 0.6 * max : true;
        if (zero && min >= 0) return [0, props.max ?? Math.max(max * 1.08, least, 1e-9)];
        const room = (max - min || Math.abs(max) || 1) * 0.08;
        return [min - room, max + room];
    };
}

function seriesOptions(props) {
    const alpha = props.stacked ? '66' : '';
    return props.data.series.map((s, i) => {
        const colour = css('--c' + (s.colour % COLOURS));
        return {
            label: String(i),
            stroke: colour,
            width: 1.6,
            fill:
                props.stacked && i === 0
                    ? colour + alpha
                    : props.data.series.length === 1 && props.fromZero !== 'auto'
                      ? colour + '22'
                      : undefined,
            points: { show: (u, si) => u.data[si].length < 40, size: 4 },
            spanGaps: false,
            scale: s.right ? 'right' : 'y',
        };
    });
}

/* Between two stacked lines the colour of the upper one. uPlot counts the time axis as series 0. */
function bands(props) {
    if (!props.stacked) return [];
    return props.data.series
        .slice(1)
        .map((s, i) => ({ series: [i + 2, i + 1], fill: css('--c' + (s.colour % COLOURS)) + '66' }));
}

function axes(props) {
    const common = {
        stroke: css('--faint'),
        font: '11px system-ui, sans-serif',
        grid: { stroke: css('--grid'), width: 1 },
        ticks: { show: false },
    };
    return [
        {
            ...common,
            space: 70,
            size: 28,
            gap: 6,
            values: (u, ticks, _, __, gap) => format.timeAxis(ticks, gap),
        },
        {
            ...common,
            size: AXIS_WIDTH,
            gap: 6,
            space: 34,
            ...(props.unit.startsWith('bytes') ? { incrs: BYTE_GAPS } : {}),
            values: (u, ticks) => format.axis(props.unit, ticks),
        },
        ...rightAxis(props, common),
    ];
}

function rightAxis(props, common) {
    const unit = props.data.series.find((s) => s.right)?.right;
    if (!unit) return [];
    const values = (u, ticks) => format.axis(unit, ticks);
    return [{ ...common, scale: 'right', side: 1, size: AXIS_WIDTH, gap: 6, space: 34, grid: { show: false }, values }];
}

function drawLines(u, lines) {
    for (const { at, tone } of lines ?? []) {
        const y = u.valToPos(at, 'y', true);
        if (!(y >= u.bbox.top && y <= u.bbox.top + u.bbox.height)) continue;
        u.ctx.save();
        u.ctx.strokeStyle = css({ good: '--good', warn: '--accent', bad: '--bad' }[tone] ?? '--faint');
        u.ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
        u.ctx.lineWidth = devicePixelRatio;
        u.ctx.beginPath();
        u.ctx.moveTo(u.bbox.left, y);
        u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
        u.ctx.stroke();
        u.ctx.restore();
    }
}

/* ---- the tooltip: plain elements, so that no label is ever read as markup ---- */

function element(name, className, text) {
    const e = document.createElement(name);
    if (className) e.className = className;
    if (text !== undefined) e.textContent = text;
    return e;
}

function tipRows(props, u, i) {
    const at = props.data.series.map((s, k) => ({
        ...s,
        v: s.values[i],
        y: s.right ? u.posToVal(u.valToPos(u.data[k + 1][i], 'right'), 'y') : u.data[k + 1][i] /* where it is drawn */,
        off: props.off?.has(k),
    }));
    const rows = at.filter((r) => r.v !== null && r.v !== undefined && !r.off);
    const cursor = u.posToVal(u.cursor.top, 'y');
    const near = rows.reduce(
        (best, r) => (!best || Math.abs(r.y - cursor) < Math.abs(best.y - cursor) ? r : best),
        null,
    );
    rows.sort((a, b) => b.v - a.v);
    if (props.stacked) rows.sort((a, b) => b.y - a.y);
    return { rows: rows.slice(0, TIP_ROWS), near, more: rows.length - TIP_ROWS };
}

function fillTip(tip, props, u) {
    const i = u.cursor.idx;
    const { rows, near, more } = tipRows(props, u, i);
    tip.replaceChildren(element('time', '', format.moment(props.data.times[i])));
    for (const r of rows) {
        const row = element('div', r.label === near.label ? 'near' : '');
        row.append(
            element('span', 'dot ' + colourClass(r.colour)),
            element('span', '', r.label),
            element('b', '', format.value(r.right || props.unit, r.v)),
        );
        tip.append(row);
    }
    if (rows.length === 0) tip.append(element('div', '', 'no data here'));
    if (more > 0) tip.append(element('div', '', `and ${more} more`));
}

function placeTip(tip, u) {
    const left = u.cursor.left + u.bbox.left / devicePixelRatio,
        right = left + 14 + tip.offsetWidth > u.root.offsetWidth;
    tip.style.left = Math.max(0, right ? left - 14 - tip.offsetWidth : left + 14) + 'px';
    tip.style.top =
        Math.max(-8, Math.min(u.cursor.top - tip.offsetHeight / 2, u.root.offsetHeight - tip.offsetHeight)) +
        'px';
}

export class Chart extends Component {
    componentDidMount() {
        this.build();
        this.sizes = new ResizeObserver(() => {
            const width = this.base.clientWidth;
            if (this.plot && width > 0 && width !== this.plot.width)
                this.plot.setSize({ width, height: this.props.height });
        });
        this.sizes.observe(this.base);
        this.leaveTheme = onTheme(() => this.build());
    }

    componentWillUnmount() {
        this.sizes.disconnect();
        this.leaveTheme();
        this.plot?.destroy();
    }

    shape({ data, unit, stacked, height, max }) {
        return JSON.stringify([data.series.map((s) => [s.label, s.colour, s.right]), unit, stacked, height, max]);
    }

    shouldComponentUpdate(next) {
        const before = this.props,
            rebuilt = this.shape(next) !== this.shape(before);
        const changed = next.data !== before.data || next.off !== before.off || next.span !== before.span;
        this.props = next;
        if (rebuilt) this.build();
        else if (changed) this.redraw();
        return false; /* the canvas is uPlot's, not preact's */
    }

    redraw() {
        this.plot.batch(() => {
            this.plot.setData(drawn(this.props), false);
            this.plot.setScale('x', { min: this.props.span.start, max: this.props.span.end });
        });
        if (this.over) this.move(this.plot);
    }

    build() {
        this.plot?.destroy();
        this.over = false;
        const tip = (this.tip = element('div', 'tip'));
        tip.hidden = true;
        const scale = range(this.props);
        this.plot = new uPlot(
            {
                width: this.base.clientWidth || 300,
                height: this.props.height,
                legend: { show: false },
                padding: [8, 18, 0, 0],
                scales: {
                    x: { time: true, range: () => [this.props.span.start, this.props.span.end] },
                    y: { range: scale },
                    right: { range: (u, min, max) => [0, max > 0 ? max * 1.08 : 1] },
                },
                axes: axes(this.props),
                series: [{}, ...seriesOptions(this.props)],
                bands: bands(this.props),
                cursor: {
                    sync: { key: 'page', scales: ['x', null] },
                    drag: { x: true, y: false, setScale: false, dist: 6 },
                    y: false,
                    points: { size: 6 },
                    focus: { prox: -1 },
                },
                hooks: { drawAxes: [(u) => drawLines(u, this.props.lines)], setCursor: [(u) => this.move(u)], setSelect: [(u) => this.select(u)] },
            },
            drawn(this.props),
            this.base,
        );
        this.plot.over.addEventListener('mouseenter', () => {
            this.over = true;
        });
        this.plot.over.addEventListener('mouseleave', () => {
            this.over = false;
            tip.hidden = true;
        });
        this.base.append(tip);
    }

    move(u) {
        const i = u.cursor.idx;
        this.tip.hidden = !this.over || i === null || i === undefined || u.cursor.left < 0;
        if (this.tip.hidden) return;
        fillTip(this.tip, this.props, u);
        placeTip(this.tip, u);
    }

    /* A dragged window becomes the page's time range. */
    select(u) {
        if (u.select.width < 6) return;
        const from = u.posToVal(u.select.left, 'x'),
            to = u.posToVal(u.select.left + u.select.width, 'x');
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        if (this.over) this.props.onZoom?.(Math.floor(from), Math.ceil(to));
    }

    render() {
        return html`<div class="chart" aria-hidden="true"></div>`;
    }
}
