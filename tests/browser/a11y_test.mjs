/* a11y_test.mjs - every page of the table of pages, dark and light, wide and narrow, held to WCAG 2.2 AA as far as axe-core can tell: nothing
 * serious, nothing critical. A page that is added to web/pages.mjs is tested without a line here.
 *
 *     node tests/browser/a11y_test.mjs BUILD */
import { createRequire } from 'node:module';
import { PAGES } from '../../web/pages.mjs';
import { Lab, expect, open, until } from './lab.mjs';

const lab = new Lab(process.argv);
const browser = await lab.browser();
if (!browser) await lab.done();
const axe = (() => {
    try {
        return createRequire(import.meta.url)('axe-core').source;
    } catch {
        console.log('skip a11y: axe-core is not installed (npm ci in tests/browser)');
        return null;
    }
})();
if (!axe) await lab.done();

const url = await lab.vedette('--demo');
const TRACE = '0af7651916cd43dd8448eb211c80319c',
    now = Math.floor(Date.now() / 1000);

async function post(to, body, type = 'application/json') {
    const r = await fetch(url + to, { method: 'POST', headers: { 'content-type': type }, body: JSON.stringify(body) });
    expect(r.ok, true, `${to} ${r.status}`);
}

const text = (key, v) => ({ key, value: { stringValue: v } });
const nano = (s) => String(BigInt(Math.round(s * 1000)) * 1000000n);
const span = (id, parent, name, from, to, attributes, status) => ({
    traceId: TRACE,
    spanId: id,
    parentSpanId: parent,
    name,
    kind: 1,
    startTimeUnixNano: nano(now - 60 + from),
    endTimeUnixNano: nano(now - 60 + to),
    attributes,
    status,
});
await post('/v1/traces', {
    resourceSpans: [
        {
            resource: { attributes: [text('service.name', 'planner')] },
            scopeSpans: [
                {
                    spans: [
                        span('00f067aa0ba902b7', '', 'answer', 0, 9, [text('gen_ai.agent.name', 'planner')]),
                        span('00f067aa0ba902b8', '00f067aa0ba902b7', 'chat gpt-4o', 1, 4, [
                            text('gen_ai.operation.name', 'chat'),
                            text('gen_ai.provider.name', 'openai'),
                            text('gen_ai.request.model', 'gpt-4o'),
                            text('gen_ai.usage.input_tokens', '900'),
                            text('gen_ai.usage.output_tokens', '90'),
                            text('gen_ai.input.messages', '[{"role":"user","parts":[{"type":"text","content":"hello"}]}]'),
                        ]),
                        span('00f067aa0ba902b9', '00f067aa0ba902b7', 'tools/call search', 4, 8, [text('gen_ai.tool.name', 'search')], { code: 2, message: 'no' }),
                    ],
                },
            ],
        },
    ],
});
await post('/api/v1/logs', [{ service: 'planner', severity: 'ERROR', message: 'the tool said no', trace_id: TRACE }]);
await post('/api/v2/alerts', [{ labels: { alertname: 'ToolFails', severity: 'critical', service: 'planner' }, annotations: { summary: 'search fails' } }]);

/* A page with a param in its path needs something that is there. */
const PLACES = { trace: ['/traces/' + TRACE, '/traces/' + TRACE + '?span=00f067aa0ba902b8'] };
const TABS = { alerts: ['rules', 'silences', 'history', 'routes'], logs: ['patterns'] };

function places(page) {
    if (PLACES[page.id]) return PLACES[page.id];
    if (page.path.includes('/:')) return [];
    return [page.path, ...(TABS[page.id] ?? []).map((tab) => `${page.path}?tab=${tab}`)];
}

async function faults(page) {
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
    return found.violations
        .filter((v) => v.impact === 'serious' || v.impact === 'critical')
        .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + (v.id === 'color-contrast' ? ' ' + n.any[0]?.message : '')).join(' | ')} (${v.nodes.length})`);
}

/* The page is there when its own module has drawn something and nothing is being loaded. */
const ready = (page) =>
    until(async () => page.evaluate(() => document.querySelector('main')?.children.length > 0 && !document.querySelector('.refresh [aria-busy="true"]')), 'drawn');

for (const spec of PAGES)
    for (const place of places(spec))
        await lab.case(`nothing serious on ${place}`, async () => {
            for (const [colorScheme, width] of [
                ['dark', 1440],
                ['light', 1440],
                ['light', 360],
            ]) {
                const page = await open(browser, url + place, { colorScheme, viewport: { width, height: 900 } });
                await ready(page);
                await page.waitForTimeout(300);
                expect(await faults(page), [], `${colorScheme}, ${width} px`);
                await page.context().close();
            }
        });

await lab.done();
