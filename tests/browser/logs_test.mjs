/* logs_test.mjs - looking for log lines, following them, and their patterns, in a real browser.
 *
 *     node tests/browser/logs_test.mjs BUILD */
import path from 'node:path';
import { HOSTILE, Lab, claim, expect, open, quiet, until } from './lab.mjs';

const lab = new Lab(process.argv);
const browser = await lab.browser();
if (!browser) await lab.done();

const url = await lab.vedette();
const shot = (page, name) => page.screenshot({ path: path.join(lab.shots, name + '.png') });
const TRACE = 'a'.repeat(32);

async function send(lines) {
    const r = await fetch(url + '/api/v1/logs', { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: lines.map((l) => JSON.stringify(l)).join('\n') });
    expect(r.status, 200, 'push');
}

const ago = (s) => new Date(Date.now() - s * 1000).toISOString();
await send([
    ...[...Array(700).keys()].map((i) => ({ timestamp: ago(600 + i), service: 'checkout', severity: i % 50 ? 'INFO' : 'ERROR', message: `order ${i} taken in ${i} ms`, cart: i })),
    { timestamp: ago(300), service: 'planner', severity: 'WARNING', message: 'no answer from the tool', task_id: 't-1', trace_id: TRACE },
    ...HOSTILE.map((h) => ({ timestamp: ago(200), service: h, severity: 'INFO', message: h, [h]: h })),
]);

const count = (page) => page.locator('.records > li').count();

await lab.case('lines are listed, older ones on demand, with facets and a histogram', async () => {
    const page = await open(browser, url + '/logs');
    await until(async () => (await count(page)) === 300, 'a page of lines');
    await page.getByRole('button', { name: 'Older lines' }).click();
    await until(async () => (await count(page)) === 600, 'two pages');
    await shot(page, 'logs');
    await page.locator('.facet').getByRole('button', { name: /^error/ }).click();
    await until(async () => (await count(page)) === 14, 'the errors');
    claim(page.url().includes('severity%3Derror'), page.url());
    await page.goBack();
    const bars = await page.locator('.bars canvas').boundingBox();
    await page.mouse.move(bars.x + bars.width * 0.8, bars.y + 20);
    await page.mouse.down();
    await page.mouse.move(bars.x + bars.width - 3, bars.y + 20, { steps: 4 });
    await page.mouse.up();
    await until(() => /from=\d+&to=\d+/.test(page.url()), 'the stretch in the address');
    await quiet(page);
    await page.context().close();
});

await lab.case('a line opens: its fields narrow, its trace is a click away', async () => {
    const page = await open(browser, url + '/logs?q=no+answer');
    await until(async () => (await count(page)) === 1, 'one line');
    await page.locator('.records .line').click();
    expect(await page.getByRole('link', { name: 'Open the trace' }).getAttribute('href'), '/traces/' + TRACE);
    await page.getByRole('button', { name: 'Lines around it' }).click();
    await page.locator('.around').getByText('no answer from the tool').waitFor();
    await shot(page, 'logs-opened');
    await page.getByRole('button', { name: 'Only lines with this task_id' }).click();
    await until(() => page.url().includes('task_id%3Dt-1'), 'narrowed to the task');
    await quiet(page);
    await page.context().close();
});

await lab.case('lines are followed as they come', async () => {
    const page = await open(browser, url + '/logs?q=service%3Dtailed&live=1');
    await page.getByText('Waiting for lines').waitFor();
    await until(async () => {
        await send([{ timestamp: ago(0), service: 'tailed', severity: 'INFO', message: 'here I come' }, { timestamp: ago(0), service: 'other', severity: 'INFO', message: 'not me' }]);
        return (await count(page)) > 0;
    }, 'a line');
    expect([...new Set(await page.locator('.records .text').allTextContents())], ['here I come']);
    await page.keyboard.press('v');
    await until(() => !page.url().includes('live'), 'no longer live');
    await quiet(page);
    await page.context().close();
});

await lab.case('patterns are listed, and find their lines', async () => {
    const page = await open(browser, url + '/logs?tab=patterns');
    await page.getByText('order <_> taken in').waitFor();
    await page.getByRole('button', { name: /order <_> taken in/ }).click();
    await until(async () => (await count(page)) === 300, 'their lines');
    await quiet(page);
    await page.context().close();
});

await lab.case('hostile lines are shown, never run; a phone shows them too', async () => {
    for (const width of [1440, 360]) {
        const page = await open(browser, url + '/logs?range=15m', { viewport: { width, height: 800 } });
        await page.locator('.records').getByText(HOSTILE[0]).first().waitFor();
        await page.locator('.records .line', { hasText: HOSTILE[1] }).first().click();
        await page.locator('.opened .attributes').waitFor();
        expect(await page.evaluate(() => window.hit), undefined);
        expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'scrolls sideways at ' + width);
        await shot(page, 'logs-' + width);
        await quiet(page);
        await page.context().close();
    }
});

await lab.done();
