/* dashboards_builtin.c - deploy/grafana, taken by the assembler as they are; paths are those of
 * the build, which runs at the top of the project. */
#include "base/check.h"
#include "tell/dashboards.h"

#define EMBED(name, path)                                                                                    \
    __asm__(".pushsection .rodata\n"                                                                         \
            ".hidden dashboard_" #name "_begin\n.hidden dashboard_" #name "_end\n"                           \
            ".global dashboard_" #name "_begin\n.global dashboard_" #name "_end\n"                           \
            "dashboard_" #name "_begin:\n.incbin \"" path "\"\ndashboard_" #name "_end:\n.byte 0\n"          \
            ".popsection\n");                                                                                \
    extern const char dashboard_##name##_begin[], dashboard_##name##_end[]

EMBED(embedding_performance, "deploy/grafana/dashboards/embedding-performance.json");
EMBED(circuit_breaker_status, "deploy/grafana/dashboards/circuit-breaker-status.json");
EMBED(system_health, "deploy/grafana/dashboards/system-health.json");
EMBED(load_balancer, "deploy/grafana/dashboards/load-balancer.json");
EMBED(mcp_performance, "deploy/grafana/dashboards/mcp-performance.json");
EMBED(cost_analysis, "deploy/grafana/dashboards/cost-analysis.json");
EMBED(predictive_alerts, "deploy/grafana/dashboards/predictive-alerts.json");
EMBED(system_overview, "deploy/grafana/dashboards/system-overview.json");
EMBED(agent_coordination, "deploy/grafana/dashboards/agent-coordination.json");
EMBED(api_performance, "deploy/grafana/dashboards/api-performance.json");
EMBED(security_monitoring, "deploy/grafana/dashboards/security-monitoring.json");
EMBED(capacity_planning, "deploy/grafana/dashboards/capacity-planning.json");
EMBED(sources, "deploy/grafana/provisioning/datasources/vedette.yml");
EMBED(provider, "deploy/grafana/provisioning/dashboards/vedette.yml");

#define ONE(name, file)                                                                                      \
    {                                                                                                        \
        file, dashboard_##name##_begin, dashboard_##name##_end                                               \
    }

const struct dashboard_file dashboard_files[] = {
    ONE(embedding_performance, "embedding-performance"),
    ONE(circuit_breaker_status, "circuit-breaker-status"),
    ONE(system_health, "system-health"),
    ONE(load_balancer, "load-balancer"),
    ONE(mcp_performance, "mcp-performance"),
    ONE(cost_analysis, "cost-analysis"),
    ONE(predictive_alerts, "predictive-alerts"),
    ONE(system_overview, "system-overview"),
    ONE(agent_coordination, "agent-coordination"),
    ONE(api_performance, "api-performance"),
    ONE(security_monitoring, "security-monitoring"),
    ONE(capacity_planning, "capacity-planning"),
};
const size_t dashboard_files_count = COUNT(dashboard_files);

const struct dashboard_file provisioning_files[] = {
    ONE(sources, "provisioning/datasources/vedette.yml"),
    ONE(provider, "provisioning/dashboards/vedette.yml"),
};
const size_t provisioning_files_count = COUNT(provisioning_files);
