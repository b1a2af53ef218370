/* sources.mjs - the counters money is read from, and what each of them tells apart.
 *
 * spans: worked out here, from the tokens of spans. metrics: what clients count themselves. backends: what a load balancer reports.
 * records: what MCP records tell. They may speak of the same calls, so they are shown one at a time and never added. */

export const DIMENSIONS = [
    { id: 'model', title: 'Model' },
    { id: 'agent', title: 'Agent' },
    { id: 'workflow', title: 'Workflow' },
    { id: 'mcp', title: 'MCP' },
    { id: 'tool', title: 'Tool' },
    { id: 'backend', title: 'Backend' },
    { id: 'service', title: 'Service' },
];

export const SOURCES = [
    {
        id: 'spans',
        title: 'Spans',
        about: 'worked out from the tokens of spans',
        cost: 'vedette_genai_cost_usd_total',
        calls: 'vedette_genai_requests_total',
        unpriced: 'vedette_genai_unpriced_requests_total',
        untold: 'vedette_genai_unknown_usage_requests_total',
        tokens: 'vedette_genai_tokens_total',
        kind: 'token_type',
        labels: { model: 'model', agent: 'agent', workflow: 'workflow', mcp: 'mcp_server', tool: 'tool', service: 'service' },
    },
    {
        id: 'metrics',
        title: 'Metrics of clients',
        about: 'as clients count it themselves',
        cost: 'gen_ai_client_cost_usd_total',
        calls: 'gen_ai_client_requests_total',
        tokens: 'gen_ai_client_tokens_total',
        kind: 'gen_ai_token_type',
        labels: { model: 'gen_ai_request_model', agent: 'gen_ai_agent_name' },
    },
    {
        id: 'backends',
        title: 'Load balancer',
        about: 'as the load balancer reports it',
        cost: 'load_balancer_total_cost_usd',
        calls: 'load_balancer_requests_total',
        labels: { backend: 'backend_id' },
    },
    {
        id: 'records',
        title: 'MCP records',
        about: 'as MCP records tell it',
        cost: 'mcp_cost_usd_total',
        calls: 'mcp_requests_total{mcp_id!=""}',
        labels: { mcp: 'mcp_id' },
    },
];

/* The columns of one dimension. Clients' own metrics know no caches: their input holds what came from one. */
export function queriesOf(source, dimension) {
    const by = source.labels[dimension];
    const grown = (series) => `sum by (${by}) (increase(${series}[$w] anchored))`;
    const tokens = (kinds) => grown(`${source.tokens}{${source.kind}=~"${kinds}"}`);
    return {
        cost: grown(source.cost),
        calls: grown(source.calls),
        ...(source.unpriced ? { unpriced: grown(source.unpriced), untold: grown(source.untold) } : {}),
        ...(source.tokens ? { inputAll: tokens('input|cache_read|cache_write'), cacheRead: tokens('cache_read'), output: tokens('output|reasoning') } : {}),
    };
}
