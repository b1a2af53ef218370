/* kg_test.mjs - knowledge graphs and the server itself as a person meets them: snapshots, one drawn, two compared, neighbours, paths; system.
 *
 *     node tests/browser/kg_test.mjs BUILD */
import path from 'node:path';
import { HOSTILE, Lab, claim, expect, open, quiet, until } from './lab.mjs';
import { post } from './otlp.mjs';

const lab = new Lab(process.argv);
const browser = await lab.browser();
if (!browser) await lab.done();

const url = await lab.vedette();
const shot = (page, name) => page.screenshot({ path: path.join(lab.shots, name + '.png'), fullPage: true });

const graph = (nodes, links) => ({ nodes: nodes.map(([id, type]) => ({ id, type })), links: links.map(([source, target, type]) => ({ source, target, type })) });
const snapshot = (graph_id, nodes, links, rest) => ({
    message: 'thought of ' + graph_id,
    task_id: 'task-' + graph_id,
    kgot_snapshot: { graph_id, node_count: nodes.length, edge_count: links.length, serialized_graph: graph(nodes, links), ...rest },
});
await post(url, '/api/v1/kgot/events', snapshot('moon', [['moon', 'body'], ['earth', 'body'], ['tide', 'thing']], [['moon', 'earth', 'orbits'], ['moon', 'tide', 'causes']], { active_thoughts: ['how far is it?'], reasoning_path: ['look it up', 'guess'], confidence_scores: { fact: 0.6 } }));
await new Promise((r) => setTimeout(r, 1100));
await post(
    url,
    '/api/v1/kgot/events',
    snapshot('moon', [['moon', 'body'], ['earth', 'body'], ['sun', 'body']], [['moon', 'earth', 'orbits'], ['earth', 'sun', 'orbits']], { active_thoughts: ['how old is it?'], reasoning_path: ['look it up', 'reckon'], confidence_scores: { fact: 0.9 } }),
);
await post(url, '/api/v1/kgot/events', snapshot(HOSTILE[0], HOSTILE.map((h) => [h, h]), HOSTILE.map((h, i) => [h, HOSTILE[(i + 1) % HOSTILE.length], h]), { active_thoughts: HOSTILE, reasoning_path: HOSTILE, confidence_scores: Object.fromEntries(HOSTILE.map((h) => [h, 0.5])) }));

await lab.case('snapshots are listed; one is drawn, with its path and how sure it was', async () => {
    const page = await open(browser, url + '/kg');
    const list = page.getByRole('table', { name: 'Snapshots' });
    await list.getByRole('link', { name: 'moon', exact: true }).nth(1).waitFor();
    await list.getByRole('link', { name: 'moon', exact: true }).first().click();
    await page.getByRole('group', { name: /^Graph: 3 nodes/ }).locator('canvas').waitFor();
    expect(await page.locator('ol.steps li').allTextContents(), ['look it up', 'reckon'], 'the newest first');
    await page.getByRole('button', { name: 'Table', exact: true }).click();
    await page.getByRole('table', { name: 'Graph: edges' }).getByRole('row').filter({ hasText: 'earth' }).filter({ hasText: 'sun' }).waitFor();
    await shot(page, 'kg-snapshot');
    claim(page.url().includes('snapshot='), page.url());
    await quiet(page);
    await page.context().close();
});

await lab.case('two snapshots are compared: what came, what went, what is surer', async () => {
    const page = await open(browser, url + '/kg');
    const from = page.getByLabel('Compare from'),
        to = page.getByLabel('Compare to');
    await from.waitFor();
    const ids = (await (await fetch(url + '/api/v1/kgot/snapshots')).json()).snapshots.filter((s) => s.graph_id === 'moon').map((s) => s.id);
    await from.selectOption(ids[1]);
    await to.selectOption(ids[0]);
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('group', { name: /^What changed/ }).locator('canvas').waitFor();
    await page.getByRole('button', { name: 'Table', exact: true }).click();
    const nodes = page.getByRole('table', { name: 'What changed: nodes' });
    await nodes.getByRole('row').filter({ hasText: 'sun' }).filter({ hasText: 'added' }).waitFor();
    await nodes.getByRole('row').filter({ hasText: 'tide' }).filter({ hasText: 'removed' }).waitFor();
    await page.getByRole('table', { name: 'Confidence' }).getByRole('row').filter({ hasText: '+0.3' }).waitFor();
    await page.locator('.steps .added').getByText('reckon').waitFor();
    await shot(page, 'kg-compared');
    const again = await open(browser, page.url());
    await again.getByRole('group', { name: /^What changed/ }).waitFor();
    await again.context().close();
    await quiet(page);
    await page.context().close();
});

await lab.case('neighbours and paths in the graph of the server', async () => {
    await until(async () => (await (await fetch(url + '/api/v1/kg/stats')).json()).entities >= 4, 'the graph holds what the snapshots told');
    const page = await open(browser, url + '/kg?tab=entities');
    await page.getByLabel('Entity').fill('moon');
    await page.keyboard.press('Enter');
    await page.getByRole('group', { name: /^Next to moon/ }).locator('canvas').waitFor();
    await page.getByLabel('Path to').fill('sun');
    await page.keyboard.press('Enter');
    await page.locator('.steps.path li').nth(2).waitFor();
    expect(await page.locator('.steps.path b').allTextContents(), ['moon', 'earth', 'sun']);
    claim(page.url().includes('entity=moon&target=sun'), page.url());
    await quiet(page);
    await page.context().close();
});

await lab.case('the server tells of itself: state, series, configuration', async () => {
    const page = await open(browser, url + '/system?range=5m');
    await page.getByRole('table', { name: 'Components' }).getByRole('row').filter({ hasText: 'store' }).waitFor();
    await page.locator('.tile').filter({ hasText: 'Up for' }).waitFor();
    await shot(page, 'system');
    await page.getByRole('tab', { name: 'Series' }).click();
    await page.getByRole('table', { name: 'Series by metric' }).locator('tbody tr').nth(5).waitFor();
    await page.getByRole('tab', { name: 'Configuration' }).click();
    await page.getByRole('table', { name: 'Options' }).getByRole('row').filter({ hasText: 'query-timeout' }).waitFor();
    claim(page.url().includes('tab=config'), page.url());
    await quiet(page);
    await page.context().close();
});

await lab.case('hostile names are shown, never run', async () => {
    for (const width of [1440, 360]) {
        const page = await open(browser, url + '/kg', { viewport: { width, height: 800 }, colorScheme: 'light' });
        await page.getByRole('table', { name: 'Snapshots' }).getByRole('link', { name: HOSTILE[0] }).click();
        await page.locator('ol.steps li').nth(HOSTILE.length - 1).waitFor();
        await page.getByRole('button', { name: 'Table', exact: true }).click();
        await page.getByRole('table', { name: 'Graph: nodes' }).getByText(HOSTILE[1]).first().waitFor();
        expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'scrolls sideways at ' + width);
        expect(await page.evaluate(() => window.hit), undefined);
        expect(await page.locator('main img, main script').count(), 0, 'foreign elements');
        await shot(page, 'hostile-kg-' + width);
        await page.goto(url + '/kg?tab=entities&entity=' + encodeURIComponent(HOSTILE[0]));
        await page.getByRole('group', { name: /^Next to/ }).waitFor();
        expect(await page.evaluate(() => window.hit), undefined);
        await quiet(page);
        await page.context().close();
    }
});

await lab.case('nothing there is said', async () => {
    const page = await open(browser, url + '/kg?from=1000&to=2000');
    await page.getByText('No snapshot of a knowledge graph').waitFor();
    await quiet(page);
    await page.goto(url + '/kg?snapshot=nobody');
    await page.getByRole('alert').waitFor();
    await page.context().close();
});

await lab.done();
