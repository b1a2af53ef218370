/* agent_graph.h - which agent uses what: other agents, tools, MCP servers, models.
 *
 *     vedette_agent_graph_request_total, vedette_agent_graph_request_failed_total,
 *     vedette_agent_graph_request_seconds_*
 *         {client, server, connection_type="agent" | "tool" | "mcp" | "model"}
 *
 * The client is the nearest agent above the span (or the one the span names itself), whatever lies between
 * them; spans may come in any order. OpenTelemetry's GenAI and MCP attributes and OpenInference's are known.
 * A use whose agent does not come in time is counted as unpaired. Between an agent and itself (a step of its
 * own run) there is no edge. */
#pragma once
#include "derive/service_graph.h"

struct agent_graph;
struct agent_graph *agent_graph_new(const struct service_graph_conf *);
void agent_graph_free(struct agent_graph *); /* NULL is fine */
struct series_out *agent_graph_out(struct agent_graph *);

/* ---- with the lock of agent_graph_out ---- */

void agent_graph_seen(struct agent_graph *, const struct record *, const struct value *picked,
                      int64_t now_ms);
void agent_graph_expire(struct agent_graph *, int64_t now_ms);
uint64_t agent_graph_unpaired(const struct agent_graph *);
