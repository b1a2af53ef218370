/* cost_test.mjs - money and the load balancer as a person meets them: sums that can be reckoned by hand, what is unpriced, breakers over time.
 *
 *     node tests/browser/cost_test.mjs BUILD */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { HOSTILE, Lab, claim, expect, open, quiet, until } from './lab.mjs';
import { post, send, span } from './otlp.mjs';

const lab = new Lab(process.argv);
const browser = await lab.browser();
if (!browser) await lab.done();

const config = path.join(lab.dir, 'soon.yml');
writeFileSync(config, 'genai:\n  interval: 1s\n  wait: 2s\n'); /* series without waiting for what may come late */
const url = await lab.vedette('--config', config);
const shot = (page, name) => page.screenshot({ path: path.join(lab.shots, name + '.png'), fullPage: true });
const now = Date.now() / 1000;

const call = (n, agent, model, provider, input, output) => [
    span({ trace: n, id: n * 10 + 1, name: 'invoke_agent ' + agent, start: now - 60, took: 5, is: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': agent } }),
    span({
        trace: n,
        id: n * 10 + 2,
        parent: n * 10 + 1,
        name: 'chat ' + model,
        kind: 3,
        start: now - 59,
        took: 2,
        is: { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': provider, 'gen_ai.request.model': model, 'gen_ai.usage.input_tokens': input, 'gen_ai.usage.output_tokens': output },
    }),
];
/* gpt-5 is 1.25 in, 10 out; gpt-5-mini 0.25 in, 2 out, USD a million: 40 x 0.0225 = 0.90. */
for (let n = 1; n <= 40; n++) await send(url, 'shop', call(n, 'writer', 'gpt-5', 'openai', 10000, 1000));
for (let n = 41; n <= 50; n++) await send(url, 'shop', call(n, 'sorter', 'gpt-5-mini', 'openai', 10000, 1000));
for (let n = 51; n <= 53; n++) await send(url, 'shop', call(n, 'writer', 'nobody-knows-1', 'house', 500, 50));
for (const [i, h] of HOSTILE.entries()) await send(url, h, call(60 + i, h, h, h, 100, 10));

const ask = async (q) => (await (await fetch(url + '/api/v1/query?query=' + encodeURIComponent(q))).json()).data.result;
await until(async () => Number((await ask('sum(vedette_genai_requests_total)'))[0]?.value[1]) === 53 + HOSTILE.length, 'the calls are counted', 60);

const rowOf = (page, caption, name) => page.getByRole('table', { name: caption }).getByRole('row').filter({ hasText: name }).first();
async function cells(page, caption, name) {
    const heads = await page.getByRole('table', { name: caption }).locator('thead th').allTextContents();
    const texts = await rowOf(page, caption, name).locator('td').allTextContents();
    return Object.fromEntries(heads.map((h, i) => [h.replace(/ [↑↓]$/, ''), texts[i].trim().replace(/\u202f/g, ' ')]));
}
const tile = (page, title) => page.locator('.tile').filter({ has: page.locator('dt', { hasText: title }) }).locator('dd').first();

await lab.case('cost by model is what tokens and prices come to, and what has no price is said', async () => {
    const page = await open(browser, url + '/cost?range=1h');
    await rowOf(page, 'Cost by model', 'gpt-5-mini').waitFor();
    const big = await cells(page, 'Cost by model', 'gpt-5$0.90');
    expect([big.Cost, big.Requests, big['Tokens in'], big['A request']], ['$0.90', '40', '400 k', '$0.0225']);
    const unknown = await cells(page, 'Cost by model', 'nobody-knows-1');
    expect([unknown.Cost, unknown.Unpriced], ['not known', '3']);
    expect(await tile(page, 'Requests unpriced').textContent(), String(3 + HOSTILE.length));
    await shot(page, 'cost');
    await quiet(page);
    await page.context().close();
});

await lab.case('cost by agent, in the address; an agent leads to its page; the dearest traces', async () => {
    const page = await open(browser, url + '/cost?range=1h');
    await page.getByRole('tab', { name: 'Agent' }).click();
    claim(page.url().includes('by=agent'), page.url());
    await rowOf(page, 'Cost by agent', 'writer').waitFor();
    expect((await cells(page, 'Cost by agent', 'writer')).Cost, '$0.90');
    const dear = page.getByRole('table', { name: 'Dearest traces' });
    await dear.getByRole('row').filter({ hasText: '$0.02' }).first().waitFor();
    await rowOf(page, 'Cost by agent', 'writer').getByRole('link').click();
    await until(() => page.url().includes('/agents?agent=writer'), 'the agent');
    await page.goBack();
    await rowOf(page, 'Cost by agent', 'writer').waitFor();
    await quiet(page);
    await page.context().close();
});

/* ---- the load balancer ---- */

let asked = 0;
async function report(state, healthy) {
    asked += 100;
    const one = (name, share) => `load_balancer_requests_total{backend_id="${name}",backend_type="gpu",algorithm="least_cost",status="success",method="chat"} ${asked * (1 - share)}
load_balancer_requests_total{backend_id="${name}",backend_type="gpu",algorithm="least_cost",status="error",method="chat"} ${asked * share}\n`;
    const states = ['closed', 'half_open', 'open'].map((s) => `load_balancer_circuit_breaker_state{backend_id="flaky",state="${s}"} ${s === state ? 1 : 0}\n`).join('');
    await post(url, '/api/v1/import/prometheus', one('steady', 0) + one('flaky', 0.1) + states + `load_balancer_backend_health{backend_id="steady"} 1\nload_balancer_backend_health{backend_id="flaky"} ${healthy}\nload_balancer_pool_size_total{pool="main"} 2\nload_balancer_pool_size_available{pool="main"} ${1 + healthy}\n` + (state === 'open' ? HOSTILE.map((h) => `load_balancer_backend_health{backend_id=${JSON.stringify(h)}} 1\n`).join('') : ''));
}

await lab.case('backends side by side, and the states of a breaker over time', async () => {
    for (const [state, healthy] of [['closed', 1], ['closed', 1], ['half_open', 1], ['open', 0], ['open', 0]]) {
        await report(state, healthy);
        await new Promise((r) => setTimeout(r, 1100));
    }
    const page = await open(browser, url + '/lb?range=5m&refresh=off');
    await rowOf(page, 'Backends', 'flaky').waitFor();
    const flaky = await cells(page, 'Backends', 'flaky');
    expect([flaky.Health, flaky.Breaker, flaky.Failed], ['down', 'open', '10 %']);
    expect((await cells(page, 'Backends', 'steady')).Failed, '0 %');
    await page.locator('.strip i.open').first().waitFor();
    await page.getByRole('button', { name: 'Table', exact: true }).click();
    const changes = page.getByRole('table', { name: 'Changes of breakers' });
    expect(await changes.locator('tbody tr td:nth-child(3)').allTextContents(), ['open', 'half open', 'closed'], 'newest first');
    await page.getByRole('table', { name: 'Pools' }).getByRole('row').filter({ hasText: 'main' }).waitFor();
    await shot(page, 'lb');
    await quiet(page);
    await page.context().close();
});

await lab.case('hostile names are shown, never run', async () => {
    for (const width of [1440, 360])
        for (const [at, caption] of [['/cost?range=1h', 'Cost by model'], ['/cost?range=1h&by=agent', 'Cost by agent'], ['/lb?range=5m', 'Backends']]) {
            const page = await open(browser, url + at, { viewport: { width, height: 800 }, colorScheme: 'light' });
            await rowOf(page, caption, HOSTILE[0]).waitFor();
            await shot(page, `hostile-${caption.replaceAll(' ', '-')}-${width}`);
            expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${at} scrolls sideways at ${width}`);
            expect(await page.evaluate(() => window.hit), undefined);
            expect(await page.locator('main img, main script').count(), 0, 'foreign elements');
            await quiet(page);
            await page.context().close();
        }
});

await lab.case('nothing spent, and no load balancer, are said', async () => {
    const page = await open(browser, url + '/cost?from=1000&to=2000');
    await page.getByText('Nothing was spent in this time range').waitFor();
    await page.goto(url + '/lb?from=1000&to=2000');
    await page.getByText('No load balancer reports in this time range.').waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.done();
