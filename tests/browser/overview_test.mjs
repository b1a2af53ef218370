/* overview_test.mjs - ten seconds to what is wrong: the verdict and its reasons, who fails, what failed; and the palette, by keys alone.
 *
 *     node tests/browser/overview_test.mjs BUILD */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { HOSTILE, Lab, claim, expect, open, quiet, until } from './lab.mjs';
import { hex, post, send, span } from './otlp.mjs';

const lab = new Lab(process.argv);
const browser = await lab.browser();
if (!browser) await lab.done();

const config = path.join(lab.dir, 'soon.yml');
writeFileSync(config, 'genai:\n  interval: 1s\n  wait: 2s\n'); /* series without waiting for what may come late */
const url = await lab.vedette('--config', config, '--builtin-rules=false');
const shot = (page, name) => page.screenshot({ path: path.join(lab.shots, name + '.png'), fullPage: true });
const now = Date.now() / 1000;
const verdict = (page) => page.locator('.verdict h2');

await lab.case('nothing is wrong, and that is said', async () => {
    const page = await open(browser, url + '/');
    await verdict(page).waitFor();
    expect(await verdict(page).textContent(), '✓Healthy');
    expect(await page.locator('.now').getByRole('table').count(), 0, 'tables without rows');
    await quiet(page);
    await page.context().close();
});

/* Ten runs of "shopper", three of which fail. */
for (let n = 1; n <= 10; n++)
    await send(url, 'shop', [
        span({ trace: n, id: n, name: 'invoke_agent shopper', start: now - 60 + n, took: 2, is: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'shopper' }, failed: n > 7 ? 'out of stock' : undefined }),
    ]);
await send(url, 'shop', [span({ trace: 40, id: 40, name: 'long job', start: now - 800, took: null })]);
await send(url, HOSTILE[1], HOSTILE.map((h, i) => span({ trace: 50 + i, id: 50 + i, name: h, start: now - 30, took: 1, is: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': h }, failed: i < 2 ? h : undefined })));
await post(url, '/api/v2/alerts', [{ labels: { alertname: 'CheckoutDown', severity: 'critical' }, annotations: { summary: 'nobody can pay' } }, { labels: { alertname: HOSTILE[0], severity: 'warning' }, annotations: { summary: HOSTILE[2] } }]);
const ask = async (q) => (await (await fetch(url + '/api/v1/query?query=' + encodeURIComponent(q))).json()).data.result;
await until(async () => Number((await ask('sum(vedette_genai_operations_total{name="shopper"})'))[0]?.value[1]) === 10, 'the runs are counted', 60);

await lab.case('what is wrong comes first, the worst first, and leads to where it is', async () => {
    const page = await open(browser, url + '/?range=15m&refresh=off');
    await verdict(page).waitFor();
    expect(await verdict(page).textContent(), '!Something is wrong');
    const reasons = page.locator('.verdict li');
    expect(await reasons.first().locator('a').textContent(), 'CheckoutDown');
    await reasons.filter({ hasText: 'shopper fails 30 %' }).waitFor();
    await reasons.filter({ hasText: 'One run hangs' }).waitFor();
    await page.getByRole('table', { name: 'Agents' }).getByRole('row').filter({ hasText: 'shopper' }).filter({ hasText: '30 %' }).waitFor();
    await page.getByRole('table', { name: 'Failed traces' }).getByRole('link', { name: 'invoke_agent shopper' }).first().waitFor();
    await page.getByRole('table', { name: 'Error groups' }).getByRole('row').filter({ hasText: 'out of stock' }).filter({ hasText: '3' }).waitFor();
    await shot(page, 'overview-wrong');
    await reasons.filter({ hasText: 'shopper' }).getByRole('link').click();
    await until(() => page.url().includes('/agents?agent=shopper'), 'the agent');
    await page.goBack();
    await reasons.first().getByRole('link').click();
    await page.locator('.alert').first().waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.case('the palette goes to pages, agents and traces by keys alone', async () => {
    const page = await open(browser, url + '/logs');
    await page.locator('main [data-search]').waitFor(); /* the page listens */
    const input = page.getByRole('combobox', { name: 'Go to' });
    const go = async (text, option) => {
        await page.keyboard.press('Control+k');
        await input.waitFor();
        await page.keyboard.type(text);
        await page.getByRole('option').filter({ hasText: option }).first().waitFor();
    };
    await go('explo', 'Explore');
    await page.keyboard.press('Enter');
    await until(() => page.url().includes('/explore'), 'a page');
    await go('shopp', 'agent');
    await page.keyboard.press('Enter');
    await until(() => page.url().includes('agent=shopper'), 'an agent');
    await go('long job', 'trace');
    await page.keyboard.press('Enter');
    await until(() => page.url().includes('/traces/' + hex(40, 32)), 'a recent trace');
    await go(hex(3, 32), 'open this trace');
    await page.keyboard.press('Enter');
    await until(() => page.url().includes('/traces/' + hex(3, 32)), 'a trace by its id');
    await go('no such thing', 'search the logs');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await until(() => page.url().includes('/explore?q=no+such+thing'), 'asked in Explore');
    await page.keyboard.press('Control+k');
    await input.waitFor();
    await page.keyboard.press('Escape');
    await until(async () => !(await input.isVisible()), 'closed');
    await quiet(page);
    await page.context().close();
});

await lab.case('hostile names are shown, never run', async () => {
    for (const width of [1440, 360]) {
        const page = await open(browser, url + '/?range=15m&refresh=off', { viewport: { width, height: 800 } });
        await page.getByRole('table', { name: 'Agents' }).getByText(HOSTILE[0]).first().waitFor();
        await page.getByRole('table', { name: 'Error groups' }).waitFor();
        await page.keyboard.press('Control+k');
        await page.getByRole('combobox', { name: 'Go to' }).fill('window.hit');
        await page.getByRole('option').filter({ hasText: HOSTILE[0] }).first().waitFor();
        claim(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)), 'scrolls sideways at ' + width);
        expect(await page.evaluate(() => window.hit), undefined);
        expect(await page.locator('main img, main script, dialog img').count(), 0, 'foreign elements');
        await shot(page, 'hostile-overview-' + width);
        await quiet(page);
        await page.context().close();
    }
});

await lab.done();
