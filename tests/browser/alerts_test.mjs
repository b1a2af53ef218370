/* alerts_test.mjs - alerts as a person meets them: what fires, acknowledged, silenced; rules, history, routes, in a real browser.
 *
 *     node tests/browser/alerts_test.mjs BUILD */
import path from 'node:path';
import { HOSTILE, Lab, claim, expect, open, quiet, until } from './lab.mjs';

const lab = new Lab(process.argv);
const browser = await lab.browser();
if (!browser) await lab.done();

const url = await lab.vedette();
const shot = (page, name) => page.screenshot({ path: path.join(lab.shots, name + '.png'), fullPage: true });

async function fire(list) {
    const r = await fetch(url + '/api/v2/alerts', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(list) });
    expect(r.status, 200, 'alerts taken');
}

await fire([
    {
        labels: { alertname: 'HighErrorRate', service: 'checkout', severity: 'critical' },
        annotations: { summary: 'every tenth call fails', description: '10.2 % of calls', runbook_url: 'https://runbooks.invalid/errors' },
        generatorURL: 'http://prometheus.invalid/graph?g0.expr=rate(errors_total%5B5m%5D)',
    },
    { labels: { alertname: 'SlowAgent', agent: 'planner', severity: 'warning' }, annotations: { summary: 'planner takes 20 s' } },
    ...HOSTILE.map((h, i) => ({ labels: { alertname: h, n: String(i), severity: 'info' }, annotations: { summary: h, runbook_url: 'javascript:window.hit=1' } })),
]);

const alert = (page, name) => page.locator('.alert', { has: page.locator('b', { hasText: name }) });

await lab.case('what fires is listed, the worst first', async () => {
    const page = await open(browser, url + '/alerts');
    await alert(page, 'HighErrorRate').waitFor();
    expect(await page.locator('.alert b').nth(0).textContent(), 'HighErrorRate');
    expect(await page.locator('.alert').count(), 2 + HOSTILE.length);
    await page.locator('[data-search]').fill('planner');
    await until(async () => (await page.locator('.alert').count()) === 1, 'one found');
    claim(page.url().includes('q=planner'), page.url());
    await shot(page, 'alerts');
    await quiet(page);
    await page.context().close();
});

await lab.case('an alert is acknowledged by somebody, and that is in its history', async () => {
    const page = await open(browser, url + '/alerts');
    await alert(page, 'HighErrorRate').locator('.head').click();
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    await page.locator('.said').getByText('Say who you are first').waitFor();
    await page.getByLabel('You are').fill('ann');
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    await page.getByText('acknowledged by ann').waitFor();
    await shot(page, 'alerts-opened');
    await page.getByRole('tab', { name: 'History' }).click();
    await page.getByRole('row').filter({ hasText: 'acknowledged' }).filter({ hasText: 'ann' }).waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.case('an alert is silenced with its own labels, and the silence expired', async () => {
    const page = await open(browser, url + '/alerts');
    await alert(page, 'SlowAgent').locator('.head').click();
    await page.getByRole('button', { name: 'Silence', exact: true }).click();
    const form = page.getByRole('form', { name: 'New silence' });
    expect((await form.locator('textarea').inputValue()).split('\n').sort(), ['agent="planner"', 'alertname="SlowAgent"', 'severity="warning"']);
    await form.getByLabel('By').fill('ann');
    await form.getByLabel('Why').fill('known, being mended');
    await form.getByRole('button', { name: 'Silence' }).click();
    await alert(page, 'SlowAgent').getByText('silenced').waitFor();
    await page.getByRole('tab', { name: 'Silences' }).click();
    await page.getByRole('row').filter({ hasText: 'known, being mended' }).getByRole('button', { name: 'Expire' }).click();
    await page.getByRole('row').filter({ hasText: 'expired' }).waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.case('rules are listed with what they ask', async () => {
    const page = await open(browser, url + '/alerts?tab=rules');
    await page.getByText('CircuitBreakerOpen').first().waitFor();
    await page.locator('[data-search]').fill('CircuitBreakerOpen');
    await until(async () => (await page.locator('.rules tbody tr').count()) === 1, 'one rule');
    await shot(page, 'alerts-rules');
    await page.locator('button.expr').click();
    await until(() => page.url().includes('/explore?q='), 'explored');
    await page.context().close();
});

await lab.case('who would get this is answered', async () => {
    const page = await open(browser, url + '/alerts?tab=routes');
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.locator('.to li').first().waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.case('hostile alerts are shown, never run, on a phone too', async () => {
    for (const width of [1440, 360]) {
        const page = await open(browser, url + '/alerts', { viewport: { width, height: 800 } });
        await alert(page, HOSTILE[0]).first().waitFor();
        for (const head of await page.locator('.alert .head').all()) await head.click();
        expect(await page.locator('a[href^="javascript"]').count(), 0, 'links that run');
        expect(await page.evaluate(() => window.hit), undefined);
        expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'scrolls sideways at ' + width);
        await shot(page, 'alerts-' + width);
        await quiet(page);
        await page.context().close();
    }
});

await lab.done();
