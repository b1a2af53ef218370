/* panels.mjs - charts of the load balancer (pages/overview/panels.mjs says what a panel is). */
const by = '{backend_id}',
    about = 'by backend';
const FAILED = 'status!~"success|ok|completed|[123].."';

export const lbPanels = [
    { id: 'requests', title: 'Requests', about, unit: 'req/s', stacked: true, name: by, queries: ['sum by (backend_id) (rate(load_balancer_requests_total[$w]))'] },
    {
        id: 'failed',
        title: 'Failed',
        about,
        unit: 'percent',
        least: 1,
        name: by,
        queries: [`100 * sum by (backend_id) (rate(load_balancer_requests_total{${FAILED}}[$w])) / sum by (backend_id) (rate(load_balancer_requests_total[$w]))`],
    },
    { id: 'took', title: 'Response time', about: 'p95 ' + about, unit: 'seconds', name: by, queries: ['histogram_quantile(0.95, sum by (le, backend_id) (rate(load_balancer_request_duration_seconds_bucket[$w])))'] },
    { id: 'cost', title: 'Cost', about, unit: 'usd/h', stacked: true, name: by, queries: ['3600 * sum by (backend_id) (rate(load_balancer_total_cost_usd[$w]))'] },
    { id: 'quality', title: 'Quality', about: 'between 0 and 1', unit: '', max: 1, name: by, queries: ['avg by (backend_id) (load_balancer_quality_score)'] },
    { id: 'used', title: 'Utilization', about, unit: 'percent', max: 100, name: by, queries: ['avg by (backend_id) (load_balancer_backend_utilization_percent)'] },
    { id: 'pool', title: 'Pool', about: 'backends', unit: '', name: ['available', 'all'], queries: ['sum(load_balancer_pool_size_available)', 'sum(load_balancer_pool_size_total)'] },
    { id: 'hits', title: 'Cache hits', about: 'by cache', unit: 'percent', max: 100, name: '{cache_type}', queries: ['avg by (cache_type) (load_balancer_cache_hit_rate_percent)'] },
    { id: 'budget', title: 'Budgets', about: 'used', unit: 'percent', name: ['day', 'month'], queries: ['max(load_balancer_daily_budget_usage_percent)', 'max(load_balancer_monthly_budget_usage_percent)'] },
];
