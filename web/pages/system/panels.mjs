/* panels.mjs - charts of this server itself (pages/overview/panels.mjs says what a panel is). */
export const systemPanels = [
    { id: 'samples', title: 'Samples taken in', about: 'by protocol', unit: 'samples/s', stacked: true, name: '{protocol}', queries: ['sum by (protocol) (rate(vedette_ingest_samples_total[$w])) > 0'] },
    { id: 'records', title: 'Spans and logs taken in', about: 'by protocol', unit: '/s', stacked: true, name: '{protocol}', queries: ['sum by (protocol) (rate(vedette_ingest_records_total[$w])) > 0'] },
    { id: 'memory', title: 'Memory', about: 'resident, and of it in caches', unit: 'bytes', name: ['resident', 'pages', 'answers'], queries: ['sum(process_resident_memory_bytes{job="vedette"})', 'sum(vedette_page_cache_bytes)', 'sum(vedette_query_cache_bytes)'] },
    { id: 'queue', title: 'In hand', about: 'requests and queries', unit: 'bytes', least: 1024, name: ['requests', 'queries'], queries: ['sum(vedette_http_inflight_bytes)', 'sum(vedette_query_memory_bytes)'] },
    { id: 'answers', title: 'Answers', about: 'p99 of the slowest routes', unit: 'seconds', name: '{route}', queries: ['topk(6, histogram_quantile(0.99, sum by (le, route) (rate(vedette_http_request_duration_seconds_bucket[$w]))))'] },
    { id: 'rules', title: 'Rule groups', about: 'longest evaluation', unit: 'seconds', name: 'longest', queries: ['max(vedette_rule_group_last_duration_seconds)'] },
];
