/* panels.mjs - charts of all MCP servers, or of one by tool (pages/overview/panels.mjs says what a panel is). */
import { quote } from '../../lib/prom.mjs';

export function mcpPanels(server) {
    const by = server === undefined ? 'mcp_server' : 'tool',
        only = server === undefined ? 'mcp_server!=""' : `mcp_server=${quote(server)}`,
        about = server === undefined ? 'by server' : 'by tool';
    const name = `{${by}}`;
    const sides = (of) => `${of('side="client"')} or ${of('side!="client"')}`;
    const rate = (status) => sides((side) => `sum by (${by}) (rate(mcp_requests_total{${side},${only}${status}}[$w]))`);
    const share = (status) => `100 * (${rate(status)}) / (${rate('')})`;
    return [
        { id: 'calls', title: 'Calls', about, unit: '/s', stacked: true, name, queries: [rate('')] },
        { id: 'failed', title: 'Failed calls', about, unit: 'percent', least: 1, name, queries: [share(',status="error"')] },
        { id: 'refused', title: 'Tool said no', about, unit: 'percent', least: 1, name, queries: [share(',status="tool_error"')] },
        {
            id: 'took',
            title: 'Time of a call',
            about: 'p95 ' + about,
            unit: 'seconds',
            name,
            queries: [sides((side) => `histogram_quantile(0.95, sum by (le, ${by}) (rate(mcp_operation_duration_seconds_bucket{${side},${only}}[$w])))`)],
        },
        ...(server === undefined
            ? [{ id: 'accuracy', title: 'Accuracy', about: 'as recorded', unit: 'percent', max: 100, name: '{mcp_id}', queries: ['avg by (mcp_id) (mcp_accuracy_percent)'] }]
            : [
                  { id: 'why', title: 'Why calls fail', about: 'by error type', unit: '/s', stacked: true, name: '{error_type}', queries: [`sum by (error_type) (rate(mcp_requests_total{${only},status!="ok"}[$w]))`] },
                  { id: 'recorded', title: 'Accuracy', about: 'as recorded', unit: 'percent', max: 100, name: '{task_type}', queries: [`avg by (task_type) (mcp_accuracy_percent{mcp_id=${quote(server)}})`] },
              ]),
    ];
}
