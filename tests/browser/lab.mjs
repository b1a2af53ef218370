/* lab.mjs - what browser tests share: our server on free ports, Debian's Chromium, cases that print what tools/run_tests.sh counts. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
];

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function freePort() {
    return new Promise((resolve, reject) => {
        const s = createServer();
        s.on('error', reject);
        s.listen(0, '127.0.0.1', () => {
            const { port } = s.address();
            s.close(() => resolve(port));
        });
    });
}

/* The first truthy answer of check(); what it throws counts as not yet. */
export async function until(check, what, seconds = 20) {
    const end = Date.now() + seconds * 1000;
    let last;
    while (Date.now() < end) {
        try {
            const v = await check();
            if (v) return v;
        } catch (e) {
            last = e;
        }
        await sleep(50);
    }
    throw new Error(`${what}: not within ${seconds} s${last ? ` (${last.message.split('\n')[0]})` : ''}`);
}

export function expect(got, want, what = 'value') {
    if (JSON.stringify(got) !== JSON.stringify(want))
        throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

export function claim(truth, what) {
    if (!truth) throw new Error(what);
}

export class Lab {
    constructor(argv) {
        this.build = path.resolve(argv[2] ?? 'build');
        this.dir = mkdtempSync(path.join(tmpdir(), 'vedette-browser-'));
        this.shots = path.join(this.build, 'browser');
        mkdirSync(this.shots, { recursive: true });
        this.children = [];
        this.failed = 0;
    }

    async vedette(...flags) {
        const name = `vedette-${this.children.length}`,
            log = path.join(this.dir, name + '.log');
        const [http, otlp, grpc] = [await freePort(), await freePort(), await freePort()];
        const child = spawn(
            path.join(this.build, 'vedette'),
            [
                'serve',
                '--listen',
                `127.0.0.1:${http}`,
                '--listen-otlp',
                `127.0.0.1:${otlp}`,
                '--listen-grpc',
                `127.0.0.1:${grpc}`,
                '--data',
                path.join(this.dir, name),
                ...flags,
            ],
            { stdio: ['ignore', openSync(log, 'w'), openSync(log, 'a')] },
        );
        child.log = log;
        this.children.push(child);
        const url = `http://127.0.0.1:${http}`;
        await until(
            async () => {
                if (child.exitCode !== null) throw new Error(readFileSync(log, 'utf8').slice(-500));
                return (await fetch(url + '/-/ready')).status === 200;
            },
            'vedette ready',
            30,
        );
        return url;
    }

    /* A browser, or null after a loud skip. */
    async browser() {
        const program = CHROMIUM.find(existsSync);
        const playwright = await import('playwright-core').catch(() => null);
        if (!program || !playwright) {
            console.log(
                `skip browser: ${program ? 'playwright-core is not installed (npm ci in tests/browser)' : 'no chromium on this machine'}`,
            );
            return null;
        }
        this.chromium = await playwright.chromium.launch({ executablePath: program, args: FLAGS });
        return this.chromium;
    }

    async case(name, story) {
        try {
            await story();
            console.log(`ok ${name}`);
        } catch (e) {
            this.failed++;
            console.log(`not ok ${name}: ${e.message.replace(/\s+/g, ' ').slice(0, 600)}`);
            console.log(e.stack);
        }
    }

    async done() {
        await this.chromium?.close();
        for (const c of this.children) {
            if (c.exitCode !== null)
                console.log(`vedette ended early:\n${readFileSync(c.log, 'utf8').slice(-1500)}`);
            else
                await new Promise((ended) => {
                    c.once('exit', ended);
                    c.kill('SIGTERM');
                });
        }
        rmSync(this.dir, { recursive: true, force: true });
        process.exit(this.failed ? 1 : 0);
    }
}

/* ---- what every page is held to ---- */

export const HOSTILE = [
    '<img src=x onerror=window.hit=1>',
    '"><script>window.hit=1</script>',
    "';window.hit=1;//",
    '<svg/onload=window.hit=1>',
    'javascript:window.hit=1',
    '{{constructor.constructor("window.hit=1")()}}',
];

/* A page that remembers what must not happen: errors, policy reports, requests to others. */
export async function open(browser, url, options = {}) {
    const context = await browser.newContext({
        viewport: { width: 1440, height: 1000 },
        colorScheme: 'dark',
        ...options,
    });
    const page = await context.newPage();
    page.trouble = [];
    await page.addInitScript(() => {
        window.reports = [];
        document.addEventListener('securitypolicyviolation', (e) =>
            window.reports.push(e.violatedDirective + ' ' + e.blockedURI),
        );
    });
    /* An answer of 4xx to a query is part of the game, and Chromium writes a line for each. */
    page.on(
        'console',
        (m) => m.type() === 'error' && !/status of 4(00|22)/.test(m.text()) && page.trouble.push(m.text()),
    );
    page.on('pageerror', (e) => page.trouble.push(e.message));
    page.on(
        'request',
        (r) => !r.url().startsWith(new URL(url).origin) && page.trouble.push('asked ' + r.url()),
    );
    await page.goto(url);
    return page;
}

export async function quiet(page) {
    expect(await page.evaluate(() => window.reports), [], 'policy reports');
    expect(page.trouble, [], 'console');
}
