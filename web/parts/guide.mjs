/* guide.mjs - how to send telemetry here: texts to copy, with this server's own address in them. */
import { html } from '../vendor/preact.mjs';
import { Icon } from './icons.mjs';

/* Every port answers everything over HTTP, so the address the browser has reached is sure to work. */
function recipes(origin) {
    return [
        [
            'OpenTelemetry (OTLP)',
            'Any OpenTelemetry SDK or collector. Environment of the program that is watched:',
            `export OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=${origin}/v1/metrics\nexport OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf`,
        ],
        [
            'Prometheus remote write',
            'In the prometheus.yml of a Prometheus, or of an agent that speaks remote write:',
            `remote_write:\n  - url: ${origin}/api/v1/write`,
        ],
        [
            'Let Vedette scrape',
            'The scrape_configs of a prometheus.yml work as they are. Start with --config FILE:',
            'scrape_configs:\n  - job_name: my-agent\n    scrape_interval: 15s\n    static_configs:\n      - targets: ["127.0.0.1:9464"]',
        ],
        [
            'One line from a shell',
            'The Prometheus text format, to see whether it works:',
            `echo 'hello_total{from="shell"} 1' | curl --data-binary @- ${origin}/api/v1/import/prometheus`,
        ],
    ].map(([title, about, text]) => ({ title, about, text }));
}

export function GuideText({ say }) {
    const copy = (text) =>
        navigator.clipboard.writeText(text).then(
            () => say('Copied'),
            () => say('The browser does not let us copy'),
        );
    return html`<div class="guide">${recipes(location.origin).map(
        (r) => html`
        <section key=${r.title}>
            <header><h3 class="grow">${r.title}</h3><button class="quiet icon" aria-label=${'Copy: ' + r.title}
                title="Copy" onClick=${() => copy(r.text)}><${Icon} name="copy" /></button></header>
            <p class="soft">${r.about}</p>
            <pre tabindex="0">${r.text}</pre>
        </section>`,
    )}</div>`;
}
