/* panels.mjs - what the overview shows: a table of sections, panels and the tiles that are taken from panels.
 *
 * In a query $s stands for the section's selector, $w for the window of its rates, which is at least four times the interval
 * at which the section's series are taken. `probe` is the series that tells whether a section has data and how often.
 *     name     label of each series: a text, a list of texts (one a query), or {label}
 *     unit     see format.mjs         stacked  areas on top of each other         least  the axis reaches at least so far
 *     tile     {title, of}: of "total" adds up the series, "max" takes the greatest, a number picks that one */

export const MODEL_CALLS = {
    id: 'calls',
    title: 'Model calls',
    about: 'what agents ask of models',
    probe: 'gen_ai_client_requests_total',
    leastWindow: 60,
    panels: [
        {
            id: 'requests',
            title: 'Requests',
            about: 'by model',
            unit: 'req/s',
            stacked: true,
            name: '{gen_ai_request_model}',
            queries: ['sum by (gen_ai_request_model) (rate(gen_ai_client_requests_total{$s}[$w]))'],
            tile: { title: 'Model requests', of: 'total' },
        },
        {
            id: 'latency',
            title: 'Latency',
            about: 'of a call',
            unit: 'seconds',
            name: ['p50', 'p95', 'p99'],
            queries: [0.5, 0.95, 0.99].map(
                (q) =>
                    `histogram_quantile(${q}, sum by (le) (rate(gen_ai_client_operation_duration_seconds_bucket{$s}[$w])))`,
            ),
            tile: { title: 'Latency, p95', of: 1 },
        },
        {
            id: 'first',
            title: 'Time to first token',
            about: 'p95 by model',
            unit: 'seconds',
            name: '{gen_ai_request_model}',
            queries: [
                'histogram_quantile(0.95, sum by (le, gen_ai_request_model) (rate(gen_ai_server_time_to_first_token_seconds_bucket{$s}[$w])))',
            ],
        },
        {
            id: 'tokens',
            title: 'Tokens',
            about: 'in and out',
            unit: 'tokens/s',
            stacked: true,
            name: '{gen_ai_token_type}',
            queries: ['sum by (gen_ai_token_type) (rate(gen_ai_client_tokens_total{$s}[$w]))'],
            tile: { title: 'Tokens', of: 'total' },
        },
        {
            id: 'errors',
            title: 'Failed calls',
            about: 'by model',
            unit: 'percent',
            least: 1,
            name: '{gen_ai_request_model}',
            queries: [
                '100 * sum by (gen_ai_request_model) (rate(gen_ai_client_requests_total{$s,status="error"}[$w])) / ' +
                    'sum by (gen_ai_request_model) (rate(gen_ai_client_requests_total{$s}[$w]))',
            ],
        },
        {
            id: 'cost',
            title: 'Cost',
            about: 'by agent',
            unit: 'usd/h',
            stacked: true,
            name: '{gen_ai_agent_name}',
            queries: ['3600 * sum by (gen_ai_agent_name) (rate(gen_ai_client_cost_usd_total{$s}[$w]))'],
            tile: { title: 'Cost', of: 'total' },
        },
    ],
};

const NETWORK = 'device!~"lo|veth.*|docker.*|br-.*|cali.*|flannel.*"';
const FILES = 'fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660|devtmpfs|nsfs|fuse.*"';

export const HOST = {
    id: 'host',
    title: 'Host',
    about: '',
    probe: 'node_load1',
    leastWindow: 20,
    byInstance: true,
    panels: [
        {
            id: 'cpu',
            title: 'CPU',
            about: 'by mode',
            unit: 'percent',
            stacked: true,
            least: 10,
            name: '{mode}',
            queries: [
                '100 * sum by (mode) (rate(node_cpu_seconds_total{$s,mode!="idle"}[$w])) / scalar(count(node_cpu_seconds_total{$s,mode="idle"}))',
            ],
            order: ['user', 'system', 'iowait', 'nice', 'irq', 'softirq', 'steal'],
            tile: { title: 'CPU', of: 'total' },
        },
        {
            id: 'memory',
            title: 'Memory',
            about: '',
            unit: 'bytes',
            stacked: true,
            name: ['used', 'cache', 'free'],
            queries: [
                'node_memory_MemTotal_bytes{$s} - node_memory_MemFree_bytes{$s} - node_memory_Buffers_bytes{$s} - node_memory_Cached_bytes{$s} - node_memory_SReclaimable_bytes{$s}',
                'node_memory_Buffers_bytes{$s} + node_memory_Cached_bytes{$s} + node_memory_SReclaimable_bytes{$s}',
                'node_memory_MemFree_bytes{$s}',
            ],
            tile: { title: 'Memory used', of: 0 },
        },
        {
            id: 'load',
            title: 'Load',
            about: 'tasks that run or want to',
            unit: '',
            least: 1,
            name: ['1 min', '5 min', '15 min'],
            queries: ['node_load1{$s}', 'node_load5{$s}', 'node_load15{$s}'],
            tile: { title: 'Load, 1 min', of: 0 },
        },
        {
            id: 'disk',
            title: 'Disk I/O',
            about: 'all devices',
            unit: 'bytes/s',
            least: 4096,
            name: ['read', 'written'],
            queries: [
                'sum(rate(node_disk_read_bytes_total{$s}[$w]))',
                'sum(rate(node_disk_written_bytes_total{$s}[$w]))',
            ],
        },
        {
            id: 'network',
            title: 'Network',
            about: 'without loopback',
            unit: 'bytes/s',
            least: 1024,
            name: ['received', 'sent'],
            queries: [
                `sum(rate(node_network_receive_bytes_total{$s,${NETWORK}}[$w]))`,
                `sum(rate(node_network_transmit_bytes_total{$s,${NETWORK}}[$w]))`,
            ],
        },
        {
            id: 'files',
            title: 'File systems',
            about: 'used',
            unit: 'percent',
            max: 100,
            name: '{mountpoint}',
            queries: [
                `100 * max by (mountpoint) (1 - node_filesystem_avail_bytes{$s,${FILES}} / node_filesystem_size_bytes{$s,${FILES}})`,
            ],
            tile: { title: 'Fullest disk', of: 'max' },
        },
    ],
};

const WORK = 'route=~"/api/v1/(query|query_range|series|labels|label/.*)"';

export const SERVER = {
    id: 'server',
    title: 'This server',
    about: '',
    probe: 'vedette_store_samples_total',
    leastWindow: 20,
    panels: [
        {
            id: 'ingest',
            title: 'Samples kept',
            about: '',
            unit: 'samples/s',
            name: 'samples',
            queries: ['sum(rate(vedette_store_samples_total{$s}[$w]))'],
            tile: { title: 'Samples kept', of: 0 },
        },
        {
            id: 'active',
            title: 'Active series',
            about: '',
            unit: '',
            name: 'series',
            needs: 'vedette_store_active_series',
            queries: ['sum(vedette_store_active_series{$s})'],
        },
        {
            id: 'queries',
            title: 'Queries',
            about: 'by route',
            unit: '/s',
            stacked: true,
            least: 1,
            name: '{route}',
            queries: [`sum by (route) (rate(vedette_http_requests_total{$s,${WORK}}[$w]))`],
            tile: { title: 'Queries', of: 'total' },
        },
        {
            id: 'answers',
            title: 'Query time',
            about: 'from request to answer',
            unit: 'seconds',
            name: ['p50', 'p95', 'p99'],
            queries: [0.5, 0.95, 0.99].map(
                (q) =>
                    `histogram_quantile(${q}, sum by (le) (rate(vedette_http_request_duration_seconds_bucket{$s,${WORK}}[$w])))`,
            ),
        },
        {
            id: 'rss',
            title: 'Server memory',
            about: 'resident',
            unit: 'bytes',
            name: 'resident',
            queries: ['sum(process_resident_memory_bytes{$s})'],
            tile: { title: 'Server memory', of: 0 },
        },
        {
            id: 'cores',
            title: 'Server CPU',
            about: 'of one core',
            unit: 'percent',
            least: 2,
            name: 'CPU',
            queries: ['100 * sum(rate(process_cpu_seconds_total{$s}[$w]))'],
        },
        {
            id: 'writes',
            title: 'Store writes',
            about: '',
            unit: 'bytes/s',
            stacked: true,
            least: 1024,
            name: ['log', 'flushes', 'merges'],
            queries: ['wal', 'flush', 'merge'].map(
                (x) => `sum(rate(vedette_store_${x}_written_bytes_total{$s}[$w]))`,
            ),
        },
        {
            id: 'bytes',
            title: 'Store on disk',
            about: '',
            unit: 'bytes',
            name: 'bytes',
            needs: 'vedette_store_disk_bytes',
            queries: ['sum(vedette_store_disk_bytes{$s})'],
        },
    ],
};

export const SECTIONS = [MODEL_CALLS, HOST, SERVER];
