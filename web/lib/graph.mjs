/* graph.mjs - where the nodes of a graph stand. The same nodes and edges always stand at the same places: nothing here is random. Pure.
 *
 *     nodes: [{id, ...}]   edges: [{from, to}] by id      -> Map(id -> {x, y}), both between 0 and 1, and what it needs
 *
 * layered: who calls stands left of who is called; rings are cut where a walk by name comes back. For calls.
 * spread: what is joined stands together, everything else apart. For knowledge. */

const byId = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function neighbours(nodes, edges) {
    const out = new Map(nodes.map((n) => [n.id, []])),
        into = new Map(nodes.map((n) => [n.id, []]));
    for (const e of edges) {
        if (e.from === e.to || !out.has(e.from) || !out.has(e.to)) continue;
        out.get(e.from).push(e.to);
        into.get(e.to).push(e.from);
    }
    for (const list of [...out.values(), ...into.values()]) list.sort(byId);
    return { out, into };
}

/* Edges without those that close a ring: a walk from those nobody calls, then from the rest, by name. */
function acyclic(ids, { out, into }) {
    const kept = new Map(ids.map((id) => [id, []])),
        state = new Map();
    const walk = (first) => {
        const stack = [[first, 0]];
        state.set(first, 'open');
        while (stack.length > 0) {
            const top = stack[stack.length - 1],
                to = out.get(top[0])[top[1]++];
            if (to === undefined) {
                state.set(top[0], 'done');
                stack.pop();
            } else if (state.get(to) !== 'open') {
                kept.get(top[0]).push(to);
                if (!state.has(to)) {
                    state.set(to, 'open');
                    stack.push([to, 0]);
                }
            }
        }
    };
    for (const id of ids) if (into.get(id).length === 0 && !state.has(id)) walk(id);
    for (const id of ids) if (!state.has(id)) walk(id);
    return kept;
}

/* The longest way to each node. */
function ranks(ids, kept) {
    const waits = new Map(ids.map((id) => [id, 0])),
        rank = new Map(ids.map((id) => [id, 0]));
    for (const list of kept.values()) for (const to of list) waits.set(to, waits.get(to) + 1);
    const ready = ids.filter((id) => waits.get(id) === 0);
    for (let i = 0; i < ready.length; i++)
        for (const to of kept.get(ready[i])) {
            rank.set(to, Math.max(rank.get(to), rank.get(ready[i]) + 1));
            waits.set(to, waits.get(to) - 1);
            if (waits.get(to) === 0) ready.push(to);
        }
    return rank;
}

/* Each layer in the order of the middle of its neighbours, forwards and back, so that lines cross less. */
function untangle(layers, { out, into }) {
    const at = new Map();
    const note = () => layers.forEach((layer) => layer.forEach((id, i) => at.set(id, (i + 0.5) / layer.length)));
    const middle = (id, of) => {
        const near = of.get(id);
        return near.length === 0 ? at.get(id) : near.reduce((sum, n) => sum + at.get(n), 0) / near.length;
    };
    note();
    for (let sweep = 0; sweep < 6; sweep++) {
        const down = sweep % 2 === 0;
        for (const layer of down ? layers : [...layers].reverse()) {
            const of = new Map(layer.map((id) => [id, middle(id, down ? into : out)]));
            layer.sort((a, b) => of.get(a) - of.get(b) || byId(a, b));
            note();
        }
    }
}

export function layered(nodes, edges) {
    const ids = nodes.map((n) => n.id).sort(byId),
        near = neighbours(nodes, edges),
        rank = ranks(ids, acyclic(ids, near));
    const layers = [];
    for (const id of ids) (layers[rank.get(id)] ??= []).push(id);
    untangle(layers, near);
    const places = new Map();
    layers.forEach((layer, column) =>
        layer.forEach((id, i) => places.set(id, { x: layers.length === 1 ? 0.5 : column / (layers.length - 1), y: (i + 0.5) / layer.length })),
    );
    return { places, columns: layers.length, rows: Math.max(0, ...layers.map((l) => l.length)) };
}

/* ---- spread ---- */

const ROUNDS = 160;

/* A sunflower: even, and the same each time. */
const seed = (i, n) => {
    const r = Math.sqrt((i + 0.5) / n),
        turn = i * 2.399963;
    return { x: r * Math.cos(turn), y: r * Math.sin(turn) };
};

function push(points, ideal, moves) {
    for (let i = 0; i < points.length; i++)
        for (let k = i + 1; k < points.length; k++) {
            const dx = points[i].x - points[k].x,
                dy = points[i].y - points[k].y,
                d2 = Math.max(dx * dx + dy * dy, 1e-6),
                f = (ideal * ideal) / d2;
            moves[i].x += dx * f;
            moves[i].y += dy * f;
            moves[k].x -= dx * f;
            moves[k].y -= dy * f;
        }
}

function pull(points, pairs, ideal, moves) {
    for (const [a, b] of pairs) {
        const dx = points[a].x - points[b].x,
            dy = points[a].y - points[b].y,
            f = Math.hypot(dx, dy) / ideal;
        moves[a].x -= dx * f;
        moves[a].y -= dy * f;
        moves[b].x += dx * f;
        moves[b].y += dy * f;
    }
}

export function spread(nodes, edges) {
    const ids = nodes.map((n) => n.id).sort(byId),
        index = new Map(ids.map((id, i) => [id, i])),
        n = ids.length;
    const pairs = edges.map((e) => [index.get(e.from), index.get(e.to)]).filter(([a, b]) => a !== undefined && b !== undefined && a !== b);
    const points = ids.map((_, i) => seed(i, n)),
        ideal = 1.6 / Math.sqrt(Math.max(n, 1));
    for (let round = 0; round < ROUNDS && n > 1; round++) {
        const moves = points.map((p) => ({ x: -p.x * 0.05, y: -p.y * 0.05 })), /* all a little to the middle */
            most = 0.12 * (1 - round / ROUNDS);
        push(points, ideal, moves);
        pull(points, pairs, ideal, moves);
        moves.forEach((m, i) => {
            const length = Math.hypot(m.x, m.y) || 1,
                by = Math.min(length, most) / length;
            points[i].x += m.x * by;
            points[i].y += m.y * by;
        });
    }
    const xs = points.map((p) => p.x),
        ys = points.map((p) => p.y);
    const fit = (v, all) => (n < 2 ? 0.5 : (v - Math.min(...all)) / (Math.max(...all) - Math.min(...all) || 1));
    const places = new Map(ids.map((id, i) => [id, { x: fit(points[i].x, xs), y: fit(points[i].y, ys) }]));
    const side = Math.ceil(Math.sqrt(n));
    return { places, columns: side, rows: side };
}
