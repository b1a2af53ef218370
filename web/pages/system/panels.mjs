/* panels.mjs - charts of this server itself (pages/overview/panels.mjs says what a panel is). */
export const systemPanels = [
    { id: 'samples', title: 'Samples taken in', about: 'by protocol', unit: 'samples/s', stacked: true, name: '{protocol}', queries: ['sum by (protocol) (rate(vedette_ingest_samples_total[$w]))'] },
    { id: 'records', title: 'Spans and logs taken in', about: 'by protocol', unit: '/s', stacked: true, name: '{protocol}', queries: ['sum by (protocol) (rate(vedette_ingest_records_total[$w]))'] },
    { id: 'memory', title: 'Memory', about: 'by use', unit: 'bytes', stacked: true, name: '{use}', queries: ['sum by (use) (vedette_memory_taken_bytes)'] },
    { id: 'queue', title: 'In hand', about: 'requests and queries', unit: 'bytes', least: 1024, name: ['requests', 'queries'], queries: ['sum(vedette_http_inflight_bytes)', 'sum(vedette_query_memory_bytes)'] },
    { id: 'answers', title: 'Answers', about: 'p99 of the slowest routes', unit: 'seconds', name: '{route}', queries: ['topk(6, histogram_quantile(0.99, sum by (le, route) (rate(vedette_http_request_duration_seconds_bucket[$w]))))'] },
    { id: 'rules', title: 'Rule groups', about: 'longest evaluation', unit: 'seconds', name: 'longest', queries: ['max(vedette_rule_group_last_duration_seconds)'] },
];
