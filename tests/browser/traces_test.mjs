/* traces_test.mjs - looking for traces and looking at one, in a real browser, over spans sent by OTLP.
 *
 *     node tests/browser/traces_test.mjs BUILD */
import path from 'node:path';
import { HOSTILE, Lab, claim, expect, open, quiet, until } from './lab.mjs';

const lab = new Lab(process.argv);
const browser = await lab.browser();
if (!browser) await lab.done();

const hex = (n, width) => n.toString(16).padStart(width, '0');
const now = Math.floor(Date.now() / 1000) - 300;

function span(trace, id, parent, name, from, took, attributes = {}, rest = {}) {
    return {
        traceId: hex(trace, 32),
        spanId: hex(id, 16),
        ...(parent ? { parentSpanId: hex(parent, 16) } : {}),
        name,
        kind: 1,
        startTimeUnixNano: String(BigInt(now + from) * 1000000000n),
        endTimeUnixNano: String(BigInt(Math.round((now + from + took) * 1000)) * 1000000n),
        attributes: Object.entries(attributes).map(([key, v]) => ({ key, value: { stringValue: v } })),
        ...rest,
    };
}

async function send(url, service, spans, logs = []) {
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: service } }] };
    const post = async (to, body) => {
        const r = await fetch(url + to, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
        expect(r.status, 200, to);
    };
    await post('/v1/traces', { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
    if (logs.length) await post('/v1/logs', { resourceLogs: [{ resource, scopeLogs: [{ logRecords: logs }] }] });
}

const url = await lab.vedette();
const shot = (page, name) => page.screenshot({ path: path.join(lab.shots, name + '.png'), fullPage: true });

await send(
    url,
    'planner',
    [
        span(1, 1, 0, 'answer the question', 0, 10, { 'gen_ai.agent.name': 'planner' }),
        span(1, 2, 1, 'chat big-model', 1, 3, {
            'gen_ai.operation.name': 'chat',
            'gen_ai.request.model': 'big-model',
            'gen_ai.input.messages': '[{"role":"user","parts":[{"type":"text","content":"how far is the moon?"}]}]',
            'gen_ai.output.messages': '[{"role":"assistant","parts":[{"type":"tool_call","id":"1","name":"lookup","arguments":{"what":"moon"}}]}]',
        }),
        span(1, 3, 1, 'execute_tool lookup', 4, 5, { 'gen_ai.tool.name': 'lookup' }, { status: { code: 2, message: 'timed out' } }),
        span(1, 4, 3, 'GET /moon', 5, 3),
    ],
    [
        {
            timeUnixNano: String(BigInt(now + 6) * 1000000000n),
            severityNumber: 17,
            severityText: 'ERROR',
            body: { stringValue: 'the moon did not answer' },
            traceId: hex(1, 32),
            spanId: hex(3, 16),
        },
    ],
);
await send(url, 'shop', [...Array(30).keys()].map((i) => span(100 + i, 1, 0, 'checkout', -i, 0.05 + i / 100)));
await send(url, HOSTILE[0], HOSTILE.map((name, i) => span(200 + i, 1, 0, name, -10, 1, { [name]: name })));

await lab.case('traces are listed, with facets and a heatmap', async () => {
    const page = await open(browser, url + '/traces');
    await page.locator('table.traces tbody tr').nth(35).waitFor();
    expect(await page.locator('table.traces tbody tr').count(), 31 + HOSTILE.length, 'rows');
    await page.locator('.facet', { hasText: 'Agents' }).getByText('planner').waitFor();
    await shot(page, 'traces');
    await page.locator('.facet', { hasText: 'Services' }).getByRole('button', { name: /^shop/ }).click();
    await until(async () => (await page.locator('table.traces tbody tr').count()) === 30, 'only shop');
    claim(page.url().includes('q=service%3Dshop'), 'the facet is in the address: ' + page.url());
    await page.goBack();
    await until(async () => (await page.locator('table.traces tbody tr').count()) > 30, 'all again');
    await quiet(page);
    await page.context().close();
});

await lab.case('a box in the heatmap narrows time and duration', async () => {
    const page = await open(browser, url + '/traces?q=service%3Dshop');
    const canvas = page.locator('.heat canvas');
    await canvas.waitFor();
    const box = await canvas.boundingBox();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 5);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 2, box.y + box.height - 3, { steps: 5 });
    await page.mouse.up();
    await until(() => /from=\d+&to=\d+/.test(page.url()), 'a time range in the address');
    await quiet(page);
    await page.context().close();
});

await lab.case('a trace opens, its span tells the conversation and the log line', async () => {
    const page = await open(browser, url + '/traces?q=service%3Dplanner');
    await page.getByRole('link', { name: 'answer the question' }).click();
    await page.locator('.waterfall .row').nth(3).waitFor();
    expect(await page.locator('.waterfall .row .name').allTextContents(), ['answer the question', 'chat big-model', 'execute_tool lookup', 'GET /moon']);
    await page.getByText('chat big-model').click();
    await page.locator('.chat').getByText('how far is the moon?').waitFor();
    expect(await page.locator('.chat .call .kind').textContent(), 'calls lookup');
    await shot(page, 'trace');
    await page.getByText('execute_tool lookup').click();
    await page.locator('.drawer .loglines').getByText('the moon did not answer').waitFor();
    claim(page.url().includes('span=' + hex(3, 16)), 'the span is in the address');
    const again = await open(browser, page.url());
    await again.locator('.drawer .loglines').getByText('the moon did not answer').waitFor();
    await quiet(again);
    await again.context().close();
    await page.getByRole('tab', { name: /Logs/ }).click();
    await page.locator('.result .loglines').getByText('the moon did not answer').waitFor();
    await page.getByRole('tab', { name: 'Operations' }).click();
    await page.getByRole('table').getByText('GET /moon').waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.case('what is different about some spans is told, and two traces are compared', async () => {
    const page = await open(browser, url + '/traces?q=service%3Dshop+duration%3E200ms');
    await page.getByRole('button', { name: 'What is different' }).click();
    await page.locator('.differences').getByText('resource.service.name').first().waitFor();
    await shot(page, 'traces-difference');
    await page.locator('table.traces input').nth(0).click();
    await page.locator('table.traces input').nth(1).click();
    await page.getByRole('button', { name: 'Compare two' }).click();
    await page.getByRole('table', { name: 'Operations of both' }).getByText('checkout').waitFor();
    await shot(page, 'traces-compared');
    await quiet(page);
    await page.context().close();
});

await lab.case('a trace is walked by keys alone', async () => {
    const page = await open(browser, url + '/traces/' + hex(1, 32));
    await page.locator('.waterfall .row').nth(3).waitFor();
    const chosen = () => page.locator('.row.chosen .name').textContent();
    for (const [key, name] of [['j', 'answer the question'], ['j', 'chat big-model'], ['ArrowDown', 'execute_tool lookup'], ['k', 'chat big-model'], ['ArrowDown', 'execute_tool lookup']]) {
        await page.keyboard.press(key);
        await until(async () => (await chosen()) === name, `${key} to ${name}`);
    }
    await page.keyboard.press('[');
    await until(async () => (await page.locator('.waterfall .row').count()) === 3, 'folded');
    await page.keyboard.press(']');
    await until(async () => (await page.locator('.waterfall .row').count()) === 4, 'unfolded');
    await page.keyboard.press('Escape');
    await until(async () => (await page.locator('.drawer').count()) === 0, 'the drawer closed');
    await page.keyboard.press('g');
    await page.keyboard.press('t');
    await page.locator('table.traces').waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.case('what is not there, and what nobody understands, is said', async () => {
    const page = await open(browser, url + '/traces/' + hex(999, 32));
    page.trouble.length = 0;
    await page.getByRole('alert').waitFor();
    const list = await open(browser, url + '/traces?q=%3Dx');
    await list.getByRole('alert').getByText('=x').waitFor();
    await page.context().close();
    await list.context().close();
});

await lab.case('hostile names are shown, never run', async () => {
    for (const width of [1440, 360]) {
        const page = await open(browser, url + `/traces`, { viewport: { width, height: 800 } });
        await page.locator('table.traces').getByText(HOSTILE[0]).first().waitFor();
        expect(await page.evaluate(() => window.hit), undefined);
        expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'scrolls sideways at ' + width);
        await page.getByRole('link', { name: HOSTILE[1] }).click();
        await page.locator('.waterfall .row').first().click();
        await page.locator('.attributes').first().waitFor();
        expect(await page.evaluate(() => window.hit), undefined);
        await shot(page, 'trace-hostile-' + width);
        await quiet(page);
        await page.context().close();
    }
});

await lab.done();
