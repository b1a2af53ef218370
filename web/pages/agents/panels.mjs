/* panels.mjs - charts of all agents, or of one (pages/overview/panels.mjs says what a panel is). */
import { quote } from '../../lib/prom.mjs';

export function agentPanels(agent) {
    const name = agent === undefined ? '' : `,name=${quote(agent)}`,
        who = agent === undefined ? '' : `agent=${quote(agent)}`;
    const by = agent === undefined ? 'name' : 'status';
    return [
        {
            id: 'runs',
            title: 'Runs',
            about: 'by ' + (agent === undefined ? 'agent' : 'status'),
            unit: '/s',
            stacked: true,
            name: `{${by}}`,
            queries: [`sum by (${by}) (rate(vedette_genai_operations_total{kind="agent"${name}}[$w]))`],
        },
        agent === undefined
            ? {
                  id: 'failed',
                  title: 'Failed runs',
                  about: 'by agent',
                  unit: 'percent',
                  least: 1,
                  name: '{name}',
                  queries: [
                      '100 * sum by (name) (rate(vedette_genai_operations_total{kind="agent",status!="ok"}[$w])) / sum by (name) (rate(vedette_genai_operations_total{kind="agent"}[$w]))',
                  ],
              }
            : {
                  id: 'tools',
                  title: 'Calls to others',
                  about: 'agents, tools, models',
                  unit: '/s',
                  stacked: true,
                  name: '{server}',
                  queries: [`sum by (server) (rate(vedette_agent_graph_request_total{client=${quote(agent)}}[$w]))`],
              },
        {
            id: 'took',
            title: 'Time of a run',
            about: agent === undefined ? 'p95 by agent' : '',
            unit: 'seconds',
            name: agent === undefined ? '{name}' : ['p50', 'p95', 'p99'],
            queries: (agent === undefined ? [0.95] : [0.5, 0.95, 0.99]).map(
                (q) => `histogram_quantile(${q}, sum by (le${agent === undefined ? ', name' : ''}) (rate(vedette_genai_operation_duration_seconds_bucket{kind="agent"${name}}[$w])))`,
            ),
        },
        {
            id: 'cost',
            title: 'Cost',
            about: agent === undefined ? 'by agent' : 'by model',
            unit: 'usd/h',
            stacked: true,
            name: agent === undefined ? '{agent}' : '{model}',
            queries: [`3600 * sum by (${agent === undefined ? 'agent' : 'model'}) (rate(vedette_genai_cost_usd_total{${who}}[$w]))`],
        },
        {
            id: 'tokens',
            title: 'Tokens',
            about: agent === undefined ? 'by agent' : 'by kind',
            unit: 'tokens/s',
            stacked: true,
            name: agent === undefined ? '{agent}' : '{token_type}',
            queries: [`sum by (${agent === undefined ? 'agent' : 'token_type'}) (rate(vedette_genai_tokens_total{${who}}[$w]))`],
        },
        agent === undefined
            ? { id: 'conflicts', title: 'Conflicts resolved', about: '', unit: 'percent', max: 100, name: 'resolved', queries: ['100 * avg(conflict_resolution_rate)'] }
            : { id: 'quality', title: 'Quality of tasks', about: 'between 0 and 1', unit: '', max: 1, name: 'quality', queries: [`avg(agent_task_quality_score{agent_id=${quote(agent)}})`] },
    ];
}
