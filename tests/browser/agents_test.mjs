/* agents_test.mjs - agents and MCP servers as a person meets them: the graph, tables, one of each, by mouse and by keys, over spans sent by OTLP.
 *
 *     node tests/browser/agents_test.mjs BUILD */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { HOSTILE, Lab, claim, expect, open, quiet, until } from './lab.mjs';
import { hex, post, send, span } from './otlp.mjs';

const lab = new Lab(process.argv);
const browser = await lab.browser();
if (!browser) await lab.done();

const config = path.join(lab.dir, 'soon.yml');
writeFileSync(config, 'genai:\n  interval: 1s\n  wait: 2s\n'); /* series without waiting for what may come late */
const url = await lab.vedette('--config', config);
const shot = (page, name) => page.screenshot({ path: path.join(lab.shots, name + '.png'), fullPage: true });
const now = Date.now() / 1000;

/* One run: the planner asks a model and the coder; the coder calls a tool of the MCP server "forge", which fails, says no, or answers. */
function run(n, start, how) {
    const id = n * 10,
        trace = { trace: n, start };
    return [
        span({ ...trace, id, name: 'answer', took: 9, kind: 2 }),
        span({ ...trace, id: id + 1, parent: id, name: 'invoke_agent planner', took: 8, is: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'planner' } }),
        span({
            ...trace,
            id: id + 2,
            parent: id + 1,
            name: 'chat gpt-5',
            kind: 3,
            took: 2,
            is: { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'gpt-5', 'gen_ai.usage.input_tokens': 2000, 'gen_ai.usage.output_tokens': 100 },
        }),
        span({ ...trace, id: id + 3, parent: id + 1, name: 'invoke_agent coder', took: 5, is: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'coder' }, failed: how === 'fails' ? 'no forge' : undefined }),
        span({
            ...trace,
            id: id + 4,
            parent: id + 3,
            name: 'tools/call push',
            kind: 3,
            took: how === 'fails' ? 4 : 1,
            is: { 'mcp.method.name': 'tools/call', 'mcp.server.name': 'forge', 'gen_ai.tool.name': 'push', ...(how === 'fails' ? { 'error.type': '-32603' } : how === 'no' ? { 'error.type': 'tool_error' } : {}) },
            failed: how === 'fails' ? 'internal error' : how === 'no' ? 'the tool said no' : undefined,
        }),
    ];
}

/* Twenty runs: four fail, two are refused. */
for (let n = 1; n <= 20; n++) await send(url, 'agents', run(n, now - 200 + n * 5, n % 5 === 0 ? 'fails' : n === 3 || n === 7 ? 'no' : 'answers'));
await send(url, 'agents', [span({ trace: 50, id: 500, name: 'invoke_agent planner', start: now - 600, took: null, is: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'planner' } })]);
await send(
    url,
    'agents',
    HOSTILE.flatMap((h, i) => [
        span({ trace: 60 + i, id: 600 + i * 4, name: h, start: now - 100, took: 2, is: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': h } }),
        span({ trace: 60 + i, id: 601 + i * 4, parent: 600 + i * 4, name: h, kind: 3, start: now - 99, took: 1, is: { 'mcp.method.name': h, 'mcp.server.name': h, 'gen_ai.tool.name': h } }),
        span({ trace: 60 + i, id: 602 + i * 4, parent: 600 + i * 4, name: h, start: now - 98, took: 0.5, is: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': h + h } }),
    ]),
);
const ask = async (q) => (await (await fetch(url + '/api/v1/query?query=' + encodeURIComponent(q))).json()).data.result;
const value = async (q) => Number((await ask(q))[0]?.value[1]);
await until(async () => (await value('sum(mcp_requests_total{mcp_server="forge"})')) === 20, 'the calls are counted', 60);
await until(async () => (await value('sum(vedette_genai_operations_total{kind="agent",name="planner",status="ok"})')) === 20, 'the runs are counted', 60);
await until(async () => (await value('sum(vedette_genai_requests_total{agent="planner"})')) === 20, 'the model calls are counted', 60);

const row = (page, caption, name) => page.getByRole('table', { name: caption }).getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
const cells = async (page, caption, name) => {
    const heads = await page.getByRole('table', { name: caption }).locator('thead th').allTextContents();
    const texts = await row(page, caption, name).first().locator('td').allTextContents();
    return Object.fromEntries(heads.map((h, i) => [h.replace(/ [↑↓]$/, ''), texts[i].trim().replace(/\u202f/g, ' ')]));
};

await lab.case('agents are in a table with figures that can be reckoned by hand', async () => {
    const page = await open(browser, url + '/agents?range=15m');
    await row(page, 'Agents', 'coder').first().waitFor();
    await until(async () => (await cells(page, 'Agents', 'planner')).Runs === '20', 'twenty runs');
    const coder = await cells(page, 'Agents', 'coder'),
        planner = await cells(page, 'Agents', 'planner');
    expect([coder.Runs, coder.Success], ['20', '80 %'], 'coder');
    /* 20 calls of 2000 tokens in at 1.25 and 100 out at 10 USD a million: 20 x 0.0035. */
    expect([planner.Runs, planner.Success, planner.Cost], ['20', '100 %', '$0.07'], 'planner');
    expect(planner.Tokens, '42 k');
    claim(/min$/.test(planner.Stalled), 'stalled: ' + planner.Stalled);
    await page.getByRole('table', { name: 'Traces with running spans' }).getByRole('link', { name: 'invoke_agent planner' }).waitFor();
    await shot(page, 'agents');
    await quiet(page);
    await page.context().close();
});

await lab.case('the graph is drawn, walked by keys, and each line of it is in its table', async () => {
    const page = await open(browser, url + '/agents?range=15m');
    const graph = page.getByRole('group', { name: /^Graph of/ });
    await graph.locator('canvas').waitFor();
    expect(await graph.locator('canvas').evaluate((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 3 && v > 0)), true, 'something is drawn');
    await graph.focus();
    const seen = new Set();
    await until(async () => {
        for (const key of ['ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowDown']) {
            await page.keyboard.press(key);
            const told = page.locator('.told b');
            if (await told.count()) seen.add(await told.textContent());
        }
        return seen.has('planner') || seen.has('coder');
    }, 'an agent is reached by arrows');
    await page.getByRole('tab', { name: 'Table' }).click();
    const edges = page.getByRole('table', { name: 'Calls between agents, tools and models' });
    await edges.getByRole('row').filter({ hasText: 'planner' }).filter({ hasText: 'coder' }).waitFor();
    claim(page.url().includes('tab=edges'), 'the table is in the address: ' + page.url());
    await quiet(page);
    await page.context().close();
});

await lab.case('one agent: peers, tools, traces; back leads back', async () => {
    const page = await open(browser, url + '/agents?range=15m');
    await row(page, 'Agents', 'coder').first().getByRole('link').click();
    await until(() => page.url().includes('agent=coder'), 'the agent is in the address');
    const peers = page.getByRole('table', { name: 'Peers, tools and models' });
    await peers.getByRole('row').filter({ hasText: 'planner' }).waitFor();
    await peers.getByRole('row').filter({ hasText: 'push' }).waitFor();
    await page.getByRole('table', { name: 'Failed' }).getByRole('link', { name: 'answer' }).first().waitFor();
    await shot(page, 'agent');
    const again = await open(browser, page.url());
    await again.getByRole('table', { name: 'Failed' }).waitFor();
    await again.context().close();
    await page.getByRole('table', { name: 'Failed' }).getByRole('link', { name: 'answer' }).first().click();
    await page.locator('.waterfall .row').nth(4).waitFor();
    await page.goBack();
    await peers.waitFor();
    await page.goBack();
    await row(page, 'Agents', 'coder').first().waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.case('MCP: a call that failed is not a tool that said no', async () => {
    const page = await open(browser, url + '/mcp?range=15m');
    await row(page, 'MCP servers', 'forge').first().waitFor();
    await until(async () => (await cells(page, 'MCP servers', 'forge')).Calls === '20', 'twenty calls');
    const forge = await cells(page, 'MCP servers', 'forge');
    expect([forge.Failed, forge['Tool said no']], ['20 %', '10 %']);
    await page.getByRole('button', { name: /^Failed/ }).first().click();
    claim(page.url().includes('order=-failed'), 'the order is in the address: ' + page.url());
    await shot(page, 'mcp');
    await quiet(page);
    await page.context().close();
});

await lab.case('MCP: by keys to one server, its errors and its traces', async () => {
    const page = await open(browser, url + '/mcp?range=15m');
    await row(page, 'MCP servers', 'forge').first().waitFor();
    await page.keyboard.press('j');
    expect(await page.evaluate(() => document.activeElement.textContent), 'forge', 'the busiest first');
    await page.keyboard.press('Enter');
    const why = page.getByRole('table', { name: 'Errors by type' });
    await why.getByRole('row').filter({ hasText: '-32603' }).filter({ hasText: 'the call failed' }).waitFor();
    await why.getByRole('row').filter({ hasText: 'the tool said no' }).waitFor();
    await page.getByRole('table', { name: 'Slowest traces with it' }).getByRole('link', { name: 'answer' }).first().waitFor();
    await shot(page, 'mcp-server');
    await page.getByRole('table', { name: 'Tools and methods' }).getByRole('link', { name: 'push' }).click();
    await until(() => page.url().includes('/traces?q='), 'the traces of the tool');
    await page.locator('table.traces tbody tr').nth(19).waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.case('what records say of a server stands beside what its spans say', async () => {
    await post(url, '/api/v1/import/prometheus', 'mcp_accuracy_percent{mcp_id="docs-search",task_type="qa"} 91.5\n');
    const page = await open(browser, url + '/mcp?range=15m');
    await row(page, 'MCP servers', 'docs-search').first().waitFor();
    expect((await cells(page, 'MCP servers', 'docs-search')).Accuracy, '91.5 %');
    await quiet(page);
    await page.context().close();
});

await lab.case('hostile names are shown, never run', async () => {
    for (const width of [1440, 360])
        for (const [at, caption] of [['/agents?range=15m', 'Agents'], ['/mcp?range=15m', 'MCP servers']]) {
            const page = await open(browser, url + at, { viewport: { width, height: 800 }, colorScheme: 'light' });
            const link = row(page, caption, HOSTILE[0]).first().getByRole('link').first();
            await link.waitFor();
            expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${at} scrolls sideways at ${width}`);
            await link.click();
            await page.locator('h1').getByText(HOSTILE[0]).waitFor();
            await page.getByRole('table').first().waitFor();
            await shot(page, `hostile-${caption.split(' ')[0]}-${width}`);
            expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${page.url()} scrolls sideways at ${width}`);
            expect(await page.evaluate(() => window.hit), undefined);
            expect(await page.locator('main img, main script').count(), 0, 'foreign elements');
            await quiet(page);
            await page.context().close();
        }
});

await lab.case('nothing known is said, and an agent nobody knows', async () => {
    const page = await open(browser, url + '/agents?from=1000&to=2000');
    await page.getByText('No agent in this time range.').waitFor();
    await page.goto(url + '/agents?agent=' + hex(1, 8));
    await page.getByText('Nothing is known of this agent').waitFor();
    await page.goto(url + '/mcp?from=1000&to=2000');
    await page.getByText('No MCP message in this time range.').waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.done();
