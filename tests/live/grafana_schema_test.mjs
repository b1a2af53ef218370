/* grafana_schema_test.mjs - every built-in dashboard against the types that Grafana publishes (@grafana/schema): the dashboard, its
 * variables, panels and field settings, and the options of each panel by its kind.
 *
 *     node tests/live/grafana_schema_test.mjs BUILD
 *
 * The types are TypeScript's, so its compiler judges: each JSON becomes a literal of the type Dashboard. A JSON text cannot name
 * a member of an enum; in a copy of the declarations enums are therefore the unions of their values. */
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url)),
    source = path.join(here, 'node_modules/@grafana/schema/dist/types'),
    boards = path.join(here, '../../deploy/grafana/dashboards');
const KINDS = { timeseries: 'timeseries', stat: 'stat', gauge: 'gauge', bargauge: 'bargauge', piechart: 'piechart', table: 'table', heatmap: 'heatmap', 'state-timeline': 'statetimeline', logs: 'logs', text: 'text' };

const ts = existsSync(source) ? await import('typescript').then((m) => m.default, () => null) : null;
if (!ts) {
    console.log('skip dashboards against the types of Grafana: @grafana/schema or typescript is not installed (npm ci in tests/live)');
    process.exit(0);
}

const dir = mkdtempSync(path.join(tmpdir(), 'vedette-schema-'));

function unionOf(name, body) {
    const members = [...body.replace(/\/\*[\s\S]*?\*\//g, '').matchAll(/(\w+)\s*=\s*("[^"]*"|-?\d+)/g)];
    return `export type ${name} = ${members.map((m) => m[2]).join(' | ') || 'never'};\nexport declare namespace ${name} {\n${members.map((m) => `    type ${m[1]} = ${m[2]};`).join('\n')}\n}\n`;
}

function copyTypes() {
    cpSync(source, path.join(dir, 'types'), { recursive: true });
    for (const name of readdirSync(path.join(dir, 'types'), { recursive: true })) {
        const file = path.join(dir, 'types', name);
        if (!name.endsWith('.d.ts')) continue;
        writeFileSync(file, readFileSync(file, 'utf8').replace(/export declare enum (\w+) \{([\s\S]*?)\n\}/g, (_, enumName, body) => unionOf(enumName, body)));
    }
}

function literals(name) {
    const d = JSON.parse(readFileSync(path.join(boards, name), 'utf8'));
    const own = d.panels.filter((p) => KINDS[p.type]).map((p) => ({ kind: KINDS[p.type], p }));
    const imports = [...new Set(own.map((o) => o.kind))].map((k) => `import type * as ${k} from './types/raw/composable/${k}/panelcfg/x/types.gen';`);
    const options = own.map(({ kind, p }) => `export const options${p.id}: Partial<${kind}.Options> = ${JSON.stringify(p.options)};`);
    const custom = own
        .filter(({ kind, p }) => p.fieldConfig?.defaults?.custom && /interface FieldConfig|type FieldConfig/.test(readFileSync(path.join(dir, `types/raw/composable/${kind}/panelcfg/x/types.gen.d.ts`), 'utf8')))
        .map(({ kind, p }) => `export const custom${p.id}: Partial<${kind}.FieldConfig> = ${JSON.stringify(p.fieldConfig.defaults.custom)};`);
    return `import type { Dashboard } from './types/raw/dashboard/x/types.gen';\n${imports.join('\n')}\nexport const dashboard: Dashboard = ${JSON.stringify(d, null, 1)};\n${[...options, ...custom].join('\n')}\n`;
}

let failed = 0;
try {
    copyTypes();
    const names = readdirSync(boards).filter((n) => n.endsWith('.json'));
    const files = names.map((n) => path.join(dir, n.replace('.json', '.ts')));
    names.forEach((n, i) => writeFileSync(files[i], literals(n)));
    const program = ts.createProgram(files, {
        noEmit: true, strict: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
        baseUrl: dir, paths: { '@grafana/schema': ['types/index.d.ts'] }, types: [], typeRoots: [],
    });
    for (const [i, file] of files.entries()) {
        const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
        const texts = found.map((x) => `line ${x.file ? x.file.getLineAndCharacterOfPosition(x.start).line + 1 : 0}: ${ts.flattenDiagnosticMessageText(x.messageText, ' ')}`);
        if (texts.length > 0) failed++;
        console.log(texts.length === 0 ? `ok ${names[i]} is of Grafana's types` : `not ok ${names[i]}: ${texts.slice(0, 6).join('; ').slice(0, 1500)}`);
    }
    /* That the compiler does judge: a dashboard that is wrong must not pass. */
    const wrong = path.join(dir, 'wrong.ts');
    writeFileSync(wrong, literals(names[0]).replace('"mode": "absolute"', '"mode": "no such mode"'));
    const judge = ts.createProgram([wrong], program.getCompilerOptions());
    const caught = ts.getPreEmitDiagnostics(judge, judge.getSourceFile(wrong)).length > 0;
    if (!caught) failed++;
    console.log(`${caught ? 'ok' : 'not ok'} a threshold mode that Grafana does not know is found`);
} finally {
    rmSync(dir, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
