/* pages_logic_test.mjs - what the pages of agents, money and knowledge reckon without a browser: rows from answers, places in a graph. */
import { claim, expect } from './lab.mjs';
import { layered, spread } from '../../web/lib/graph.mjs';
import { fill, join, quote, windowOf } from '../../web/lib/prom.mjs';

let failed = 0;
function test(name, story) {
    try {
        story();
        console.log('ok ' + name);
    } catch (e) {
        failed++;
        console.log(`not ok ${name}: ${e.message}`);
    }
}

const nodes = (...ids) => ids.map((id) => ({ id }));
const edge = (text) => ({ from: text[0], to: text[1] });

test('answers are joined by their labels; what a query does not know is not there, and no number is none', () => {
    const of = (name, v) => ({ metric: { name }, value: [0, v] });
    expect(join(['name'], [['calls', [of('a', '2'), of('b', '0')]], ['p95', [of('a', 'NaN'), of('c', '1.5')]]]), [
        { name: 'a', calls: 2 },
        { name: 'b', calls: 0 },
        { name: 'c', p95: 1.5 },
    ]);
    expect(join([], [['all', [{ metric: {}, value: [0, '7'] }]]]), [{ all: 7 }]);
    expect(windowOf({ start: 100, end: 100.5 }), '60s', 'never shorter than a minute');
    expect(fill('increase(x[$w]) / $w', { start: 0, end: 3600 }), 'increase(x[3600s]) / 3600s');
    expect(quote('a"b\\c'), '"a\\"b\\\\c"');
});

test('who calls stands left of who is called', () => {
    const { places, columns } = layered(nodes('d', 'c', 'b', 'a'), ['ab', 'bc', 'ac', 'cd'].map(edge));
    expect([...'abcd'].map((id) => places.get(id).x), [0, 1 / 3, 2 / 3, 1]);
    expect(columns, 4);
});

test('rings and calls of oneself are no harm', () => {
    const { places } = layered(nodes('a', 'b', 'c'), ['ab', 'bc', 'ca', 'aa'].map(edge));
    expect([...'abc'].map((id) => places.get(id).x), [0, 0.5, 1], 'cut where the walk by name comes back');
    expect(layered([], []).places.size, 0);
    expect(layered(nodes('a'), [edge('ab')]).places.get('a'), { x: 0.5, y: 0.5 }, 'an edge to nowhere');
});

test('the same graph stands at the same place, however it is told', () => {
    const edges = ['ab', 'ac', 'bd', 'cd', 'de'].map(edge);
    for (const lay of [layered, spread]) {
        const one = lay(nodes('a', 'b', 'c', 'd', 'e'), edges).places,
            two = lay(nodes('e', 'c', 'a', 'd', 'b'), edges).places;
        for (const id of 'abcde') expect(two.get(id), one.get(id), lay.name + ' ' + id);
    }
});

test('what is joined stands nearer than what is not, and all of it in the field', () => {
    const { places } = spread(nodes('a', 'b', 'c', 'x', 'y', 'z'), ['ab', 'bc', 'ca', 'xy', 'yz', 'zx'].map(edge));
    const far = (p, q) => Math.hypot(places.get(p).x - places.get(q).x, places.get(p).y - places.get(q).y);
    claim(Math.max(far('a', 'b'), far('b', 'c'), far('x', 'y')) < Math.min(far('a', 'x'), far('b', 'y'), far('c', 'z')), 'two groups apart');
    for (const p of places.values()) claim(p.x >= 0 && p.x <= 1 && p.y >= 0 && p.y <= 1, 'within the field');
});

process.exit(failed ? 1 : 0);
