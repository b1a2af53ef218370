/* dashboards_test.mjs - dashboards in a real browser: the built-in ones without an empty panel, variables, import, hostile JSON.
 *
 *     node tests/browser/dashboards_test.mjs BUILD */
import { createRequire } from 'node:module';
import path from 'node:path';
import { HOSTILE, Lab, claim, expect, open, quiet, until } from './lab.mjs';
import { dashboardOf, place } from '../../web/lib/grafana.mjs';
import { lookOf, textOf, toneFor } from '../../web/lib/grafana_look.mjs';
import { choose, customOptions, fillIn, optionsFrom, variableQuery } from '../../web/lib/grafana_vars.mjs';

const lab = new Lab(process.argv);
const browser = await lab.browser();
if (!browser) await lab.done();

const shot = (page, name) => page.screenshot({ path: path.join(lab.shots, name + '.png'), fullPage: true });

/* ---- without a browser ---- */

const one = (values, more) => ({ values, isAll: false, isMulti: false, ...more });

await lab.case('variables are filled in as Grafana does', () => {
    const chosen = { job: one(['a.b']), many: one(['a.b', 'c'], { isMulti: true }), all: one(['x', 'y'], { isMulti: true, isAll: true, allValue: '.+' }) };
    expect(fillIn('up{job="$job"}', chosen), 'up{job="a.b"}');
    expect(fillIn('up{job=~"$many"}', chosen), 'up{job=~"(a\\\\.b|c)"}');
    expect(fillIn('up{job=~"${all}"} $unknown [[job]]', chosen), 'up{job=~".+"} $unknown a.b');
    expect(fillIn('${many:csv} ${many:pipe} ${many:json}', chosen), 'a.b,c a.b|c ["a.b","c"]');
    expect(fillIn('up{job="$many"} $many', chosen, { many: 'q.r' }), 'up{job="q.r"} q\\\\.r', 'the scope of a repeated panel');
    expect(fillIn('$toString ${constructor}', chosen), '$toString ${constructor}', 'names that every object has');
    expect(variableQuery('label_values(up{job="x"}, instance)'), { ask: 'values', match: 'up{job="x"}', label: 'instance' });
    expect(variableQuery('label_values(job)').label, 'job');
    expect(customOptions('a, b : 2, c\\,d'), [{ text: 'a', value: 'a' }, { text: 'b', value: '2' }, { text: 'c,d', value: 'c,d' }]);
    expect(optionsFrom({ regex: '/^(\\w+)-/', sort: 2 }, ['a-1', 'b-1', 'a-2', 'x']), ['b', 'a']);
    const v = { kind: 'query', usual: ['gone'], multi: true, all: true, allValue: '' };
    expect(choose(v, [{ value: 'a' }, { value: 'b' }]).isAll, true, 'a default that is gone');
    expect(choose(v, [{ value: 'a' }, { value: 'b' }], ['b']).values, ['b']);
});

await lab.case('units, thresholds and mappings look as they should', () => {
    const look = lookOf({ unit: 'percentunit', thresholds: { mode: 'absolute', steps: [{ color: 'red', value: null }, { color: 'yellow', value: 0.5 }, { color: 'green', value: 0.8 }] } });
    expect([0.2, 0.5, 0.79, 0.8].map((v) => toneFor(look, v)), ['bad', 'warn', 'warn', 'good']);
    expect(textOf(look, 0.123), '12.3\u202f%');
    expect(textOf(lookOf({ unit: 'ms' }), 1500), '1.5\u202fs');
    expect(textOf(lookOf({ mappings: [{ type: 'value', options: { 1: { text: 'up', color: 'green' } } }] }), 1), 'up');
    expect(textOf(lookOf({ mappings: [{ type: 'range', options: { from: 0.5, to: null, result: { text: 'high' } } }] }), 7), 'high');
});

await lab.case('panels repeat and push the ones below them down', () => {
    const d = dashboardOf({ title: 'x', panels: [
        { id: 1, type: 'stat', repeat: 's', maxPerRow: 2, gridPos: { x: 0, y: 3, w: 24, h: 4 }, targets: [{ expr: '1' }] },
        { id: 2, type: 'stat', gridPos: { x: 0, y: 7, w: 24, h: 4 }, targets: [{ expr: '1' }] }] });
    const at = place(d.sections[0].panels, { s: one(['a', 'b', 'c'], { isMulti: true }) }).map((p) => [p.id, p.at.x, p.at.y, p.at.w]);
    expect(at, [['1', 0, 0, 12], ['1.1', 12, 0, 12], ['1.2', 0, 4, 12], ['2', 0, 8, 24]]);
});

/* ---- with one ---- */

const url = await lab.vedette('--demo', '--self-interval', '1s');
const names = (await (await fetch(url + '/api/v1/dashboards')).json()).dashboards.map((d) => d.name);

const axe = (() => {
    try {
        return createRequire(import.meta.url)('axe-core').source;
    } catch {
        return null; /* a11y_test.mjs says so, loudly */
    }
})();

/* What axe-core finds serious or critical. */
async function faults(page) {
    if (!axe) return [];
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
    return violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')).join(' | ')}`);
}

/* Every panel has drawn something, and none says that it has no data. */
async function drawn(page) {
    await until(
        async () => {
            const [panels, empty] = await page.evaluate(() => [document.querySelectorAll('.cell').length, [...document.querySelectorAll('.cell .empty')].map((e) => e.closest('.cell').querySelector('h3').textContent + ': ' + e.textContent)]);
            if (panels > 0 && empty.length === 0) return true;
            throw new Error(`${panels} panels, ${empty.join('; ')}`);
        },
        'all panels drawn',
        90,
    );
}

await lab.case('every panel of every built-in dashboard shows data', async () => {
    expect(names.length, 12, 'built in');
    for (const name of names) {
        const page = await open(browser, `${url}/dashboards/${name}?refresh=5s`);
        await drawn(page);
        await shot(page, 'dashboard-' + name);
        await quiet(page);
        await page.context().close();
    }
});

await lab.case('the list leads to a dashboard, by keys too, and the way back', async () => {
    const page = await open(browser, url + '/explore');
    await page.locator('.editor textarea').waitFor();
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press('g');
    await page.keyboard.press('d');
    await page.locator('.board').first().waitFor();
    expect(await page.locator('.board').count(), 12);
    await page.keyboard.press('/');
    await page.keyboard.type('circuit');
    await until(async () => (await page.locator('.board').count()) === 1, 'narrowed down');
    await page.locator('.board > a').press('Enter');
    await drawn(page);
    claim(page.url().includes('/dashboards/circuit-breaker-status'), page.url());
    await page.goBack();
    await page.locator('.board').first().waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.case('a variable narrows, repeats and is in the address', async () => {
    const page = await open(browser, url + '/dashboards/circuit-breaker-status');
    await until(async () => (await page.locator('.is-gauge').count()) === 5, 'a gauge for each service');
    await page.getByRole('button', { name: 'Service: All' }).click();
    await page.getByRole('checkbox', { name: 'kg-store' }).click();
    await until(async () => (await page.locator('.is-gauge').count()) === 1, 'one gauge');
    claim(page.url().includes('vars=service%3Dkg-store'), page.url());
    await page.reload();
    await until(async () => (await page.locator('.is-gauge figcaption').allTextContents()).join().includes('kg-store'), 'the same after a reload');
    await quiet(page);
    await page.context().close();
});

await lab.case('a panel is enlarged, is a table, and leads to Explore', async () => {
    const page = await open(browser, url + '/dashboards/load-balancer');
    await drawn(page);
    const panel = page.locator('[data-panel="1"]');
    await panel.hover();
    await panel.getByRole('button', { name: 'Request Rate as a table' }).click();
    await panel.locator('td').first().waitFor();
    await panel.getByRole('button', { name: 'Enlarge Request Rate' }).click();
    await until(async () => (await page.locator('.cell').count()) === 1, 'one panel');
    claim(page.url().includes('panel=1'), page.url());
    await page.keyboard.press('Escape');
    await until(async () => (await page.locator('.cell').count()) === 8, 'all again');
    await panel.hover();
    await panel.getByRole('link', { name: 'Explore Request Rate' }).click();
    await until(() => page.url().includes('/explore?q=rate%28load_balancer_requests_total'), 'Explore');
    await quiet(page);
    await page.context().close();
});

const hostile = {
    title: HOSTILE[0], uid: 'hostile', description: HOSTILE[1],
    templating: { list: [{ name: 'v', type: 'custom', query: HOSTILE.map((h) => h.replaceAll(',', '\\,')).join(','), label: HOSTILE[3] }, { name: '__proto__', type: 'custom', query: 'a' }] },
    panels: [
        ...['timeseries', 'stat', 'gauge', 'bargauge', 'piechart', 'table', 'state-timeline', 'heatmap'].map((type, i) => ({
            id: i, type, title: HOSTILE[i % HOSTILE.length] + type, description: HOSTILE[1], gridPos: { x: (i % 3) * 8, y: Math.floor(i / 3) * 6, w: 8, h: 6 },
            targets: HOSTILE.map((h, k) => ({ refId: 'R' + k, expr: `label_replace(vector(${k + 1}), "le", ${JSON.stringify(h)}, "", "")`, legendFormat: h })),
        })),
        { id: 20, type: 'text', title: 'text', gridPos: { x: 0, y: 30, w: 8, h: 6 }, options: { mode: 'markdown', content: HOSTILE.join('\n\n') + '\n\n[go](javascript:window.hit=1) **bold** [home](/)' } },
        { id: 21, type: 'geomap', title: 'World', gridPos: { x: 8, y: 30, w: 8, h: 6 } },
        { id: 22, type: 'timeseries', title: 'Other', gridPos: { x: 16, y: 30, w: 8, h: 6 }, targets: [{ refId: 'A', datasource: { type: 'mysql', uid: 'x' }, rawSql: 'select 1' }] },
        { id: 23, type: 'timeseries', title: 'Wrong', gridPos: { x: 0, y: 36, w: 8, h: 6 }, targets: [{ refId: 'A', expr: 'rate(' }] },
        { id: 24, type: 'row', title: 'Folded', collapsed: true, gridPos: { x: 0, y: 42, w: 24, h: 1 }, panels: [{ id: 25, type: 'stat', title: 'Inside', gridPos: { x: 0, y: 43, w: 6, h: 4 }, targets: [{ refId: 'A', expr: 'vector(42)' }] }] },
    ],
};

await lab.case('one is imported by its file, drawn, harmless, and deleted', async () => {
    const page = await open(browser, url + '/dashboards');
    const file = (name, text) => ({ name, mimeType: 'application/json', buffer: Buffer.from(text) });
    await page.locator('input[type=file]').setInputFiles([file('mine.json', JSON.stringify(hostile)), file('broken.json', '{'), file('none.json', '{"a":1}')]);
    await page.getByText('which is not drawn here').waitFor();
    expect(await page.locator('.note.bad').count(), 2, 'files that are none');
    await page.locator('.note.info').getByRole('button', { name: 'Open' }).click();
    await page.getByText('A panel of the kind “geomap” is not drawn here.').waitFor();
    await page.getByText('a data source of the type “mysql”').waitFor();
    await page.locator('[data-panel="23"] .trouble').waitFor();
    await page.locator('[data-panel="1"] .statbox').first().waitFor();
    expect(await page.locator('[data-panel="20"] a').count(), 1, 'links that lead somewhere');
    expect(await page.locator('[data-panel="25"]').count(), 0);
    await page.getByRole('button', { name: /Folded/ }).click();
    await page.locator('[data-panel="25"] strong', { hasText: '42' }).waitFor();
    claim(page.url().includes('folded=24'), page.url());
    await shot(page, 'dashboard-hostile');
    expect(await page.evaluate(() => window.hit), undefined);
    await page.goto(url + '/dashboards');
    page.on('dialog', (d) => d.accept());
    await page.getByRole('button', { name: /^Delete/ }).click();
    await until(async () => (await page.locator('.board').count()) === 12, 'gone');
    await quiet(page);
    await page.context().close();
});

await lab.case('nothing that axe-core finds serious, dark and light', async () => {
    for (const name of ['circuit-breaker-status', 'load-balancer', 'security-monitoring', 'mcp-performance'])
        for (const [colorScheme, width] of [['dark', 1440], ['light', 1440], ['light', 360]]) {
            const page = await open(browser, `${url}/dashboards/${name}`, { colorScheme, viewport: { width, height: 900 } });
            await drawn(page);
            expect(await faults(page), [], `${name}, ${colorScheme}, ${width} px`);
            await page.context().close();
        }
});

await lab.case('narrow and light, nothing scrolls sideways', async () => {
    for (const [width, colorScheme] of [[360, 'dark'], [360, 'light'], [1440, 'light']]) {
        for (const where of ['', '/load-balancer', '/capacity-planning']) {
            const page = await open(browser, url + '/dashboards' + where, { viewport: { width, height: 800 }, colorScheme });
            if (where) await drawn(page);
            else await page.locator('.board').first().waitFor();
            expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `sideways at ${width} ${where}`);
            await shot(page, `dashboards${where.replace('/', '-')}-${width}-${colorScheme}`);
            await quiet(page);
            await page.context().close();
        }
    }
});

await lab.case('a dashboard that is not there says so', async () => {
    const page = await open(browser, url + '/dashboards/nothing');
    await page.getByText('no dashboard is called "nothing"').waitFor();
    await page.getByRole('button', { name: 'All dashboards' }).click();
    await page.locator('.board').first().waitFor();
    await page.context().close();
});

await lab.done();
