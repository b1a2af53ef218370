/* page_test.mjs - the pages in a real browser, against the real server with its demo workload.
 *
 *     node tests/browser/page_test.mjs BUILD                           the test; screenshots in BUILD/browser
 *     node tests/browser/page_test.mjs BUILD --picture FILE [URL]      only the README's picture, of a server that has been up a while */
import path from 'node:path';
import { HOSTILE, Lab, claim, expect, open as openIn, quiet, sleep, until } from './lab.mjs';

const lab = new Lab(process.argv);
const browser = await lab.browser();
if (!browser) await lab.done();

/* Always there, whatever the machine; disks, file systems and networks depend on it. */
const PANELS = [
    'requests',
    'latency',
    'first',
    'tokens',
    'errors',
    'cost',
    'cpu',
    'memory',
    'load',
    'ingest',
    'queries',
    'answers',
    'rss',
    'cores',
    'writes',
];

const open = (url, options) => openIn(browser, url, options);

/* Where it stands once the page around it has stopped moving: a press on a place of a moment ago misses. */
async function settledBox(locator) {
    let last = '';
    for (let i = 0; i < 100; i++) {
        await locator.scrollIntoViewIfNeeded(); /* what is wrong now stands above the charts */
        const box = await locator.boundingBox();
        if (box && JSON.stringify(box) === last) return box;
        last = JSON.stringify(box);
        await new Promise((done) => setTimeout(done, 200));
    }
    throw new Error('the page does not come to rest');
}

const shot = (page, name, fullPage = true) =>
    page.screenshot({ path: path.join(lab.shots, name + '.png'), fullPage });
const sidewaysScroll = (page) =>
    page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/* How many of the canvas' points are not empty. */
const painted = (page, inside) =>
    page
        .locator(inside + ' canvas')
        .first()
        .evaluate((c) => {
            const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
            let n = 0;
            for (let i = 3; i < data.length; i += 4) n += data[i] > 0;
            return n;
        });

const box = (page) => page.locator('.editor textarea');

async function write(page, text) {
    await box(page).focus();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.press('Delete');
    await page.keyboard.type(text);
}

async function ask(page, query) {
    await box(page).fill(query);
    await page.keyboard.press('Control+Enter');
}

async function import_(url, text) {
    const r = await fetch(url + '/api/v1/import/prometheus', { method: 'POST', body: text });
    claim(r.status < 300, `import answered ${r.status}: ${await r.text()}`);
}

/* ---- the README's picture ---- */

if (process.argv[3] === '--picture') {
    const url = process.argv[5] ?? (await lab.vedette('--demo'));
    const page = await open(url + '/', { viewport: { width: 1440, height: 960 } });
    await until(
        async () => (await page.locator('[data-panel] canvas').count()) >= PANELS.length,
        'panels',
        40,
    );
    await page.screenshot({ path: process.argv[4] });
    await lab.done();
}

/* ---- the overview ---- */

const url = await lab.vedette('--demo');

await lab.case('every panel of the overview shows data within seconds', async () => {
    const page = await open(url + '/');
    for (const id of PANELS)
        await until(
            async () => (await page.locator(`[data-panel=${id}] canvas`).count()) === 1,
            'panel ' + id,
            40,
        );
    for (const id of PANELS) claim((await painted(page, `[data-panel=${id}]`)) > 500, `panel ${id} is blank`);
    for (const tile of await page.locator('.tile dd').allTextContents())
        claim(/\d/.test(tile), `tile without a number: ${tile}`);
    claim(await page.locator('.note.demo').isVisible(), 'nothing says that this is a demo');
    await quiet(page);
    await shot(page, 'overview-dark');
    const seen = await page.evaluate(() =>
        performance
            .getEntriesByType('resource')
            .filter((e) => e.name.includes('/assets/'))
            .reduce((n, e) => n + e.encodedBodySize, 0),
    );
    claim(
        seen > 20000 && seen <= 150 * 1024,
        `the page's files are ${seen} bytes compressed, wanted at most 150 KiB`,
    );
    console.log(`# files of the page, compressed: ${seen} bytes`);
    await page.context().close();
});

await lab.case('the first figures come soon', async () => {
    const page = await open(url + '/');
    await page.locator('[data-panel=cpu] canvas').waitFor();
    console.log(
        `# first chart after ${Math.round(await page.evaluate(() => performance.now()))} ms`,
    ); /* told, not judged: the machine may be busy */
    await page.context().close();
});

await lab.case('a panel is a table at will, and leads to Explore', async () => {
    const page = await open(url + '/');
    const cpu = page.locator('[data-panel=cpu]');
    await cpu.locator('canvas').waitFor();
    claim((await cpu.locator('p.unseen').textContent()).startsWith('CPU. user: now'), 'no summary in words');
    await cpu.getByRole('button', { name: 'CPU as a table' }).click();
    claim((await cpu.locator('tbody tr').count()) >= 4, 'no table');
    claim(/%/.test(await cpu.locator('tbody').textContent()), 'no units');
    await cpu.getByRole('link', { name: 'Explore CPU' }).click();
    await page.locator('#result canvas').waitFor();
    claim(page.url().startsWith(url + '/explore?q='), page.url());
    claim((await box(page).inputValue()).includes('node_cpu_seconds_total'), 'query is not taken along');
    await page.goBack();
    await cpu.locator('canvas').waitFor();
    await quiet(page);
    await page.context().close();
});

await lab.case('time range and refresh live in the address', async () => {
    const page = await open(url + '/?range=1h&refresh=30s');
    const chosen = () => page.locator('.times [aria-checked=true]').textContent();
    expect(await chosen(), '1h');
    expect(await page.getByLabel('Refresh every').inputValue(), '30s');
    await page.getByRole('radio', { name: '6h' }).click();
    expect(new URL(page.url()).search, '?range=6h&refresh=30s');
    await page.goBack();
    expect(await chosen(), '1h');

    const chart = await settledBox(page.locator('[data-panel=requests] .u-over'));
    await page.mouse.move(chart.x + chart.width * 0.5, chart.y + 40);
    await page.mouse.down();
    await page.mouse.move(chart.x + chart.width * 0.8, chart.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/from=/);
    const p = new URL(page.url()).searchParams,
        width = Number(p.get('to')) - Number(p.get('from'));
    claim(width > 900 && width < 1300, `a drag over three tenths of an hour chose ${width} s`);
    await page.reload();
    await page.locator('[data-panel=requests] canvas').waitFor();
    expect(Number(new URL(page.url()).searchParams.get('from')), Number(p.get('from')));
    await page.getByRole('button', { name: 'Back to live' }).click();
    expect(await chosen(), '15m'); /* the range of the page, as the address names none */
    await quiet(page);
    await page.context().close();
});

await lab.case('hovering tells the values, on one chart; all have the crosshair', async () => {
    const page = await open(url + '/');
    await page.locator('[data-panel=requests] canvas').waitFor();
    const chart = await settledBox(page.locator('[data-panel=requests] .u-over'));
    await page.mouse.move(chart.x + chart.width * 0.7, chart.y + chart.height / 2, { steps: 3 });
    const tips = page.locator('.tip:visible');
    await until(async () => (await tips.count()) === 1, 'one tooltip');
    claim(/large-reasoner.*req\/s/.test(await tips.textContent()), await tips.textContent());
    const lines = await page
        .locator('[data-panel] .u-cursor-x')
        .evaluateAll((all) => all.filter((e) => !e.classList.contains('u-off')).length);
    claim(lines >= 10, `crosshair on ${lines} charts`);
    await shot(page, 'overview-hover', false);
    await page.context().close();
});

await lab.case('a hidden page asks for nothing', async () => {
    const page = await open(url + '/?refresh=5s');
    await page.locator('[data-panel=cpu] canvas').waitFor();
    await page.evaluate(() => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
        document.dispatchEvent(new Event('visibilitychange'));
    });
    await sleep(500);
    let asked = 0;
    page.on('request', () => asked++);
    await sleep(6000);
    expect(asked, 0, 'requests while hidden');
    await page.evaluate(() => {
        delete document.hidden;
        document.dispatchEvent(new Event('visibilitychange'));
    });
    await until(() => asked > 0, 'asks again when seen');
    await page.context().close();
});

await lab.case('keys do what the help says', async () => {
    const page = await open(url + '/');
    await page.locator('[data-panel=cpu] canvas').waitFor();
    await page.keyboard.press('t');
    expect(await page.evaluate(() => document.activeElement.textContent), '15m');
    await page.keyboard.press('ArrowRight');
    expect(new URL(page.url()).search, '?range=1h');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await shot(page, 'help', false);
    await page.keyboard.press('Escape');
    expect(await page.locator('dialog[open]').count(), 0, 'dialogs');
    await page.keyboard.press('g');
    await page.keyboard.press('e');
    await box(page).waitFor();
    await box(page).press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    await page.locator('[data-panel=cpu]').waitFor();
    await page.keyboard.press('/');
    await box(page).waitFor();
    await until(() => box(page).evaluate((e) => e === document.activeElement), 'the box has the focus');
    await quiet(page);
    await page.context().close();
});

/* ---- Explore ---- */

await lab.case('a query is written with completion, run with Enter, drawn and listed', async () => {
    const page = await open(url + '/explore');
    await write(page, 'node_lo');
    await page.locator('.choices').getByRole('option').first().waitFor();
    expect(
        await page.locator('.choices').getByRole('option').first().locator('.what').textContent(),
        'node_load1',
    );
    await shot(page, 'explore-completion', false);
    await page.keyboard.press('Enter');
    expect(await box(page).inputValue(), 'node_load1');
    await page.keyboard.press('Enter');
    await page.locator('#result canvas').waitFor();
    claim((await painted(page, '#result')) > 500, 'the graph is blank');
    expect(new URL(page.url()).searchParams.get('q'), 'node_load1');
    await page.getByRole('tab', { name: 'Table' }).click();
    await page.locator('table.rows tbody tr').first().waitFor();
    claim(
        /^\d/.test(await page.locator('table.rows tbody td').last().textContent()),
        'no value in the table',
    );
    await ask(page, 'vedette_store_samples_total');
    await until(
        async () =>
            /^counter – Samples/.test(await page.locator('#result p.soft').textContent({ timeout: 500 })),
        'what the metric means',
    );
    await quiet(page);
    await page.context().close();
});

await lab.case('label names and values complete inside braces', async () => {
    const page = await open(url + '/explore');
    await write(page, 'node_cpu_seconds_total{mo');
    await page.locator('.choices').getByRole('option', { name: 'mode' }).waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.type('="us');
    await page.locator('.choices').getByRole('option', { name: 'user' }).waitFor();
    await page.keyboard.press('Tab');
    expect(await box(page).inputValue(), 'node_cpu_seconds_total{mode="user"');
    await page.keyboard.type('}');
    await page.keyboard.press('Enter');
    await page.locator('#result canvas').waitFor();
    await page.context().close();
});

await lab.case('functions and keywords complete from the words the server has', async () => {
    const page = await open(url + '/explore');
    await write(page, 'ts_of_ma');
    const choice = page.locator('.choices').getByRole('option', { name: 'ts_of_max_over_time' });
    await choice.waitFor();
    claim(/Experimental/.test(await choice.textContent()), 'nobody says that it is experimental');
    await page.keyboard.press('Tab');
    expect(await box(page).inputValue(), 'ts_of_max_over_time(');
    await page.keyboard.type('up[5m]) unl');
    await page.locator('.choices').getByRole('option', { name: 'unless' }).waitFor();
    await page.context().close();
});

await lab.case('a reload and a link show the same', async () => {
    const page = await open(
        url +
            '/explore?q=sum+by+%28mode%29+%28rate%28node_cpu_seconds_total%5B1m%5D%29%29&range=15m&step=10s',
    );
    await page.locator('#result canvas').waitFor();
    const look = async () => [
        await box(page).inputValue(),
        await page.locator('.times [aria-checked=true]').textContent(),
        await page.locator('.step').inputValue(),
        (await page.locator('.series tbody tr').allTextContents()).length,
    ];
    const before = await look();
    expect(before.slice(0, 3), ['sum by (mode) (rate(node_cpu_seconds_total[1m]))', '15m', '10s']);
    await shot(page, 'explore-graph');
    await page.reload();
    await page.locator('#result canvas').waitFor();
    expect(await look(), before);
    await page.getByRole('tab', { name: 'Table' }).click();
    await page.reload();
    await page.locator('table.rows').waitFor();
    expect(await page.locator('[role=tab][aria-selected=true]').textContent(), 'Table');
    await page.context().close();
});

await lab.case('a click on a series shows it alone, another all again', async () => {
    const page = await open(
        url + '/explore?q=sum+by+%28mode%29+%28rate%28node_cpu_seconds_total%5B1m%5D%29%29&range=15m',
    );
    const rows = page.locator('.series tbody tr');
    await rows.first().waitFor();
    const all = await rows.count();
    await rows.nth(1).click();
    expect(await page.locator('.series tr.off').count(), all - 1);
    await rows.nth(1).getByRole('button').press('Enter');
    expect(await page.locator('.series tr.off').count(), 0);
    await rows.nth(0).click({ modifiers: ['Control'] });
    expect(await page.locator('.series tr.off').count(), 1);
    await page.context().close();
});

await lab.case('a mistake is shown where it is, and told when run', async () => {
    const page = await open(url + '/explore');
    await box(page).fill('sum(rate(up[5m]) by (job');
    await page.locator('.q-wrong').first().waitFor();
    expect(await box(page).getAttribute('aria-invalid'), 'true');
    claim((await page.locator('#syntax').textContent()).length > 5, 'no reason given');
    await page.keyboard.press('Control+Enter');
    await page.getByRole('alert').waitFor();
    await shot(page, 'explore-error', false);
    await box(page).fill('rate(node_load1) + 1');
    await until(
        async () => (await page.locator('.q-wrong').allTextContents()).join('') === 'node_load1',
        'the argument is underlined',
    );
    await quiet(page);
    await page.context().close();
});

await lab.case(
    'warnings, scalars, strings, raw ranges and native histograms have their own form',
    async () => {
        const page = await open(url + '/explore?tab=table');
        await ask(page, '1 + 1');
        await until(async () => (await page.locator('.big').textContent()) === '2', 'a scalar');
        await ask(page, '"a <b>text</b>"');
        await until(async () => (await page.locator('.big').textContent()) === '"a <b>text</b>"', 'a string');
        await ask(page, 'node_load1[1m]');
        await until(
            async () =>
                /samples/.test(await page.locator('table.rows details summary').first().textContent()),
            'a raw range',
        );
        await ask(page, 'rate(node_load1[1m])');
        await until(
            async () => /counter/.test(await page.locator('.note.info').first().textContent()),
            'a note',
        );
        await page.getByRole('tab', { name: 'Graph' }).click();
        await ask(page, '"text"');
        await page.getByRole('button', { name: 'Show it as a table' }).click();
        await until(
            async () => (await page.locator('.big').textContent()) === '"text"',
            'the way to the table',
        );

        const histogram = {
            count: '12',
            sum: '3.6',
            buckets: [
                [0, '0.1', '0.2', '4'],
                [0, '0.2', '0.4', '8'],
            ],
        };
        await page.route('**/api/v1/query', (route) =>
            route.fulfill({
                json: {
                    status: 'success',
                    data: {
                        resultType: 'vector',
                        result: [{ metric: { job: 'x' }, histogram: [1, histogram] }],
                    },
                },
            }),
        );
        await ask(page, 'some_histogram');
        await until(
            async () => /count 12, sum 3.6, mean 0.3/.test(await page.locator('table.rows').textContent()),
            'a histogram',
        );
        await page.locator('table.rows summary').click();
        expect(await page.locator('table.rows meter').count(), 2, 'buckets');
        await shot(page, 'explore-histogram', false);
        await quiet(page);
        await page.context().close();
    },
);

/* ---- looks ---- */

for (const colorScheme of ['dark', 'light']) {
    await lab.case(`${colorScheme} as the system wishes, the other by choice, and it stays`, async () => {
        const page = await open(url + '/', { colorScheme });
        await page.locator('[data-panel=cpu] canvas').waitFor();
        const light = async () =>
            Number(
                (await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).match(
                    /\d+/,
                )[0],
            ) > 128;
        expect(await light(), colorScheme === 'light');
        if (colorScheme === 'light') await shot(page, 'overview-light');
        await page.getByRole('button', { name: /Switch to the/ }).click();
        expect(await light(), colorScheme !== 'light');
        await page.reload();
        await page.locator('[data-panel=cpu] canvas').waitFor();
        expect(await light(), colorScheme !== 'light', 'after a reload');
        await page.goto(url + '/explore?q=node_load1&range=15m');
        await page.locator('#result canvas').waitFor();
        await shot(page, `explore-chosen-${colorScheme === 'light' ? 'dark' : 'light'}`, false);
        await quiet(page);
        await page.context().close();
    });
}

await lab.case('a narrow screen scrolls in one direction only', async () => {
    const page = await open(url + '/', { viewport: { width: 360, height: 740 } });
    await page.locator('[data-panel=cpu] canvas').waitFor();
    expect(await sidewaysScroll(page), 0, 'overview');
    await shot(page, 'overview-360');
    await page.getByRole('button', { name: 'Send your own data' }).click();
    await page.getByRole('dialog').waitFor();
    expect(await sidewaysScroll(page), 0, 'guide');
    await shot(page, 'guide-360', false);
    await page.goto(url + '/explore?q=rate%28node_cpu_seconds_total%5B1m%5D%29');
    await page.locator('#result canvas').waitFor();
    expect(await sidewaysScroll(page), 0, 'explore');
    await shot(page, 'explore-360');
    await page.getByRole('tab', { name: 'Table' }).click();
    await page.locator('table.rows').waitFor();
    expect(await sidewaysScroll(page), 0, 'table');
    await page.context().close();
});

await lab.case('a server without data tells how to send some', async () => {
    const empty = await lab.vedette('--self-metrics=no', '--host-metrics=no');
    const page = await open(empty + '/');
    await page.getByRole('heading', { name: 'No data yet' }).waitFor();
    const text = await page.locator('main').textContent();
    for (const needed of [empty + '/v1/metrics', empty + '/api/v1/write', 'scrape_configs'])
        claim(text.includes(needed), 'the guide lacks ' + needed);
    await shot(page, 'empty');
    await quiet(page);
    await page.context().close();
});

await lab.case('when the server goes away the page says so, and keeps what it shows', async () => {
    const mortal = await lab.vedette();
    const page = await open(mortal + '/?refresh=5s');
    await page.locator('[data-panel=load] canvas').waitFor();
    const child = lab.children.pop();
    await new Promise((ended) => {
        child.once('exit', ended);
        child.kill('SIGTERM');
    });
    await page.getByText('The server cannot be reached.').waitFor();
    expect(await page.locator('[data-panel=load] canvas').count(), 1, 'charts');
    await page.context().close();
});

/* ---- hostile data; last, since real telemetry ends the demo ---- */

await lab.case('hostile label values are shown, never run', async () => {
    const safe = (v) => v.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
    await import_(
        url,
        HOSTILE.map(
            (v, i) => `hostile_total{evil="${safe(v)}",job="${safe(v)}",instance="i${i}"} ${i + 1}\n`,
        ).join('') +
            HOSTILE.map(
                (v) =>
                    `node_load1{instance="${safe(v)}",job="node"} 1\nnode_uname_info{instance="${safe(v)}",job="node",nodename="${safe(v)}"} 1\n`,
            ).join('') +
            HOSTILE.map(
                (v) =>
                    `gen_ai_client_requests_total{job="demo",gen_ai_request_model="${safe(v)}",status="ok"} 5\n`,
            ).join(''),
    );
    const page = await open(url + '/explore?q=hostile_total&range=15m');
    await page.locator('#result canvas').waitFor();
    for (const v of HOSTILE)
        claim((await page.locator('.series').textContent()).includes(JSON.stringify(v)), 'not shown: ' + v);
    const chart = await page.locator('#result .u-over').boundingBox();
    for (const at of [0.5, 0.9, 0.97, 0.995])
        await page.mouse.move(chart.x + chart.width * at, chart.y + 100);
    await page.getByRole('tab', { name: 'Table' }).click();
    await page.locator('table.rows tbody tr').first().waitFor();
    await write(page, 'hostile_total{evil="<im');
    await page.locator('.choices').getByRole('option').first().waitFor();
    await shot(page, 'hostile', false);
    await page.keyboard.press('Tab');
    expect(await box(page).inputValue(), `hostile_total{evil="${HOSTILE[0]}"`);
    await page.goto(url + '/explore?q=' + encodeURIComponent(HOSTILE[0]));
    await page.getByRole('alert').waitFor();
    await page.goto(url + '/');
    await page.locator('[data-panel=cpu] canvas').waitFor();
    await page.getByRole('combobox', { name: 'Host' }).selectOption(HOSTILE[0]);
    await sleep(1500);
    expect(await page.evaluate(() => window.hit), undefined, 'script ran');
    expect(await page.locator('main img, main script').count(), 0, 'foreign elements');
    await quiet(page);
    await page.context().close();
});

await lab.done();
