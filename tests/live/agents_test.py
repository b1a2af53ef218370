#!/usr/bin/env python3
"""MCP servers, agents, workflows, conflicts, beliefs and the business: records through the doors give the series and the answers
that hand calculation from the records gives (docs/metrics-reference.md has the formulas and the same numbers)."""
import json
import sys
import time

from lab import Lab, expect, http, wait_for


def post(server, path, records, want=200):
    status, _, body = http("POST", server.base + path, json.dumps(records).encode())
    expect(status, want, "%s: %s" % (path, body[:300]))
    return json.loads(body)


def get(server, path, want=200, **params):
    status, _, body = server.get(path, params)
    expect(status, want, path)
    return json.loads(body) if status == 200 else body


def value(server, selector, want):
    def close():
        got = server.scalar("sum(%s)" % selector)
        return got is not None and abs(got - want) <= 1e-9 + 1e-6 * abs(want)
    try:
        wait_for(close, 20, 0.2, selector)
    except AssertionError:
        raise AssertionError("%s: got %r, want %r" % (selector, server.scalar("sum(%s)" % selector), want))


# Two records of qa: 1 request at 90 % and 3 at 98 %: (90 + 3 x 98) / 4 = 96. One of code.
MCP = [
    {"mcp_id": "m1", "task_type": "qa", "accuracy_percentage": 90, "avg_prompt_tokens": 100, "avg_completion_tokens": 10, "latency_ms": 200,
     "success_rate": 1, "cost_per_request": 0.000001},
    {"mcp_id": "m1", "task_type": "qa", "accuracy_percentage": 98, "avg_prompt_tokens": 60, "avg_completion_tokens": 30, "latency_ms": 400,
     "success_rate": 0.5, "cost_per_request": 0.000003, "request_count": 3, "model": "m", "prompt_version": "v2"},
    {"mcp_id": "m2", "task_type": "code", "accuracy_percentage": 50, "avg_prompt_tokens": 10, "avg_completion_tokens": 5, "latency_ms": 50,
     "success_rate": 0.25, "cost_per_request": 0.1},
]
QA = '{mcp_id="m1",task_type="qa"}'
MCP_VALUES = {
    "S0-011 accuracy weighed by requests": [("mcp_accuracy_percent" + QA, 96)],
    "S0-012 prompt tokens": [("mcp_prompt_tokens_count" + QA, 4), ("mcp_prompt_tokens_sum" + QA, 280), ("mcp_avg_prompt_tokens" + QA, 70)],
    "S0-013 completion tokens": [("mcp_completion_tokens_sum" + QA, 100), ("mcp_avg_completion_tokens" + QA, 25)],
    "S0-014 latency": [("mcp_latency_ms_count" + QA, 4), ("mcp_latency_ms_sum" + QA, 1400), ('mcp_latency_ms_bucket{mcp_id="m1",le="200.0"}', 1)],
    "S0-015 success: (1 + 3 x 0.5) of 4": [("mcp_success_rate" + QA, 0.625), ("mcp_failure_rate" + QA, 0.375),
                                           ('mcp_requests_total{mcp_id="m1",status="success"}', 2.5)],
    "S0-016 S0-067 cost to the nano-dollar": [("mcp_cost_usd_total" + QA, 0.00001), ("mcp_cost_per_request_usd" + QA, 0.0000025)],
    "S0-069 S1-168 by task, model and prompt": [('mcp_accuracy_percent{task_type="code"}', 50),
                                                ('model_quality_score{model="m",prompt_version="v2"}', 0.98)],
}
BAD_MCP = {
    "S0-061": ({"task_type": "qa"}, "mcp_id"), "S0-062": ({"mcp_id": "m", "accuracy_percentage": 100.5}, "accuracy_percentage"),
    "S0-063": ({"mcp_id": "m", "avg_prompt_tokens": -1}, "avg_prompt_tokens"),
    "S0-064": ({"mcp_id": "m", "avg_completion_tokens": "10"}, "avg_completion_tokens"),
    "S0-065": ({"mcp_id": "m", "latency_ms": -0.1}, "latency_ms"), "S0-066": ({"mcp_id": "m", "success_rate": 1.01}, "success_rate"),
    "S0-067": ({"mcp_id": "m", "cost_per_request": -1e-9}, "cost_per_request"), "S0-068": ({"mcp_id": "m", "timestamp": "noon"}, "timestamp"),
    "S0-069": ({"mcp_id": "m", "task_type": 7}, "task_type"),
}


def visible_soon(server):
    """One record after silence is in the series within a second; the limit here is generous for a machine that is busy."""
    post(server, "/api/v1/mcp/metrics", {"mcp_id": "quick", "accuracy_percentage": 1})
    began = time.monotonic()
    wait_for(lambda: server.query('mcp_accuracy_percent{mcp_id="quick"}'), 15, 0.05)
    print("# seen by a query after %.2f s" % (time.monotonic() - began))


def in_log_entry(server):
    """S0-043, S0-070: rag_mcp_metrics within a log entry feed the same series, and the same report."""
    post(server, "/api/v1/logs", {"service": "s", "message": "m", "rag_mcp_metrics": {"mcp_id": "logged", "latency_ms": 250, "success_rate": 1}})
    value(server, 'mcp_latency_ms_sum{mcp_id="logged"}', 250)
    expect(get(server, "/api/v1/mcp/logged/performance")["avg_latency"], 250)


def performance(server):
    p = get(server, "/api/v1/mcp/m1/performance", window="30m")
    for key, want in {"avg_accuracy": 96, "avg_latency": 350, "avg_prompt_tokens": 70, "avg_completion_tokens": 25, "success_rate": 0.625,
                      "avg_cost": 0.0000025, "count": 4}.items():
        expect(round(p[key], 12), want, key)
    expect(get(server, "/api/v1/mcp/nobody/performance")["count"], 0)
    get(server, "/api/v1/mcp/m1/performance", 400, window="soon")


def top(server):
    def best(metric, limit=5):
        return [m["mcp_id"] for m in get(server, "/api/v1/mcp/top", metric=metric, limit=limit)["mcps"] if m["mcp_id"] in ("m1", "m2")]
    expect(best("avg_accuracy"), ["m1", "m2"], "highest first")
    expect(best("avg_latency"), ["m2", "m1"], "lowest first")
    expect(best("avg_cost"), ["m1", "m2"], "cheapest first")
    expect(len(get(server, "/api/v1/mcp/top", metric="success_rate", limit=1)["mcps"]), 1, "limit")
    get(server, "/api/v1/mcp/top", 400, metric="beauty")


def tasks(server):
    """S3-032, S3-045, S3-046: one-shot tasks, and one that starts and completes."""
    expect(post(server, "/api/v1/agents/tasks", [
        {"task_id": "t1", "agent_id": "a1", "agent_type": "planner", "task_type": "plan", "success": True, "duration_ms": 4000, "waiting_ms": 1000,
         "quality_score": 0.9, "cost_usd": 0.01},
        {"task_id": "t2", "agent_id": "a1", "task_type": "plan", "success": False, "duration_ms": 1000, "error_type": "tool", "quality_score": 0.5},
    ])["accepted"], 2)
    started = post(server, "/api/v1/agents/tasks/start", {"task_id": "t3", "agent_id": "a2", "task_type": "code"})
    expect(len(started["trace_id"]), 32)
    value(server, 'agent_tasks_in_progress{agent_id="a2"}', 1)
    done = post(server, "/api/v1/agents/tasks/complete", {"task_id": "t3", "success": True, "quality_score": 0.7})
    expect(done["trace_id"], started["trace_id"], "one trace")
    value(server, 'agent_tasks_in_progress{agent_id="a2"}', 0)


def workflows(server):
    began = post(server, "/api/v1/workflows", {"workflow_id": "w1", "workflow_type": "research", "agents": ["a1", "a2"]})
    expect(len(began["trace_id"]), 32)
    value(server, 'workflows_in_progress{workflow_type="research"}', 1)
    ended = post(server, "/api/v1/workflows/w1/complete", {"status": "completed", "cost_usd": 0.5})
    expect(ended["trace_id"], began["trace_id"])
    value(server, 'workflows_total{workflow_type="research",status="completed"}', 1)
    value(server, 'workflow_cost_usd_total{workflow_type="research"}', 0.5)
    w = get(server, "/api/v1/workflows")["workflows"][0]
    expect((w["workflow_id"], w["status"], w["agents"], w["trace_id"]), ("w1", "completed", ["a1", "a2"], began["trace_id"]))
    expect(w["duration_ms"] >= 0, True)
    post(server, "/api/v1/workflows/w2/complete", {"status": "splendid"}, 400)


def conflicts(server):
    """3 of 4 resolved."""
    post(server, "/api/v1/conflicts", [{"conflict_id": "c%d" % i, "conflict_type": "resource", "agents": ["a2", "a1"], "method": "vote",
                                        "success": i > 0, "resolution_time_ms": 500} for i in range(3)])
    post(server, "/api/v1/conflicts/start", {"conflict_id": "c9", "conflict_type": "resource", "agents": ["a1", "a2"]})
    value(server, 'conflicts_in_progress{conflict_type="resource"}', 1)
    post(server, "/api/v1/conflicts/resolve", {"conflict_id": "c9", "method": "arbiter", "success": True})
    value(server, 'conflict_resolution_rate{conflict_type="resource"}', 0.75)
    value(server, 'conflicts_total{method="arbiter",status="resolved"}', 1)
    value(server, 'conflict_agent_pairs_total{agents="a1,a2"}', 4)
    value(server, "conflict_resolution_seconds_count", 4)


def together(server):
    """S4-022, S3-016, S3-017, S3-011."""
    post(server, "/api/v1/agents/coordination", [
        {"agent_id": "p1", "peer_id": "p2", "coordination_type": "review", "duration_ms": 8000, "waiting_ms": 2000},
        {"agent_id": "p1", "peer_id": "p2", "coordination_type": "review", "duration_ms": 2000, "waiting_ms": 2000, "success": False,
         "error_type": "timeout"},
        {"coordination_id": "open", "agent_id": "p3", "coordination_type": "plan", "state": "started"}])
    post(server, "/api/v1/agents/dependencies", [
        {"dependency_id": "d1", "agent_id": "a1", "depends_on": "a2", "state": "started", "timestamp": time.time() - 20},
        {"dependency_id": "d1", "agent_id": "a1", "state": "resolved", "timestamp": time.time() - 10}])
    post(server, "/api/v1/agents/messages", {"sender": "a1", "receiver": "a2", "message_type": "ask", "latency_ms": 20})
    # (8 - 2 + 2 - 2) of 10 s not spent waiting, half of the sessions good
    value(server, 'agent_collaboration_efficiency{agent_id="p1"}', 0.6 * 0.5)
    value(server, 'agent_pair_collaboration_efficiency{agent_id="p1",peer_id="p2"}', 0.3)
    value(server, 'agent_coordination_requests_total{agent_id="p1"}', 2)
    value(server, "agent_coordination_duration_seconds_sum", 10)
    value(server, 'agent_coordination_errors_total{error_type="timeout"}', 1)
    value(server, 'agent_coordination_concurrent_sessions{agent_id="p3"}', 1)
    value(server, 'agent_dependency_resolution_seconds_count{agent_id="a1",depends_on="a2"}', 1)
    value(server, 'agent_dependency_resolution_seconds_bucket{agent_id="a1",le="30.0"}', 1)
    value(server, 'agent_messages_total{sender="a1",receiver="a2"}', 1)


def minds(server):
    post(server, "/api/v1/beliefs", [{"agent_id": "a1", "belief_type": "world", "accuracy": a, "convergence_seconds": 2, "free_energy": -1.5,
                                      "prediction_error": a < 0.5} for a in (0.9, 0.4)])
    post(server, "/api/v1/agents/inference", {"agent_id": "a1", "model": "m", "operation": "infer", "duration_ms": 250})
    for selector, want in [("belief_accuracy_ratio", 0.65), ("belief_convergence_seconds_sum", 4), ("belief_free_energy", -1.5),
                           ("belief_updates_total", 2), ("belief_prediction_errors_total", 1),
                           ('agent_inference_duration_seconds_sum{agent_id="a1"}', 0.25),
                           ('business_inference_operations_total{operation="infer",status="success"}', 1)]:
        value(server, selector, want)


def business(server):
    post(server, "/api/v1/business/interactions", [{"user_id": u, "interaction_type": "chat"} for u in ("u1", "u2", "u1")])
    post(server, "/api/v1/business/responses", {"quality_score": 0.3, "model": "r"})
    value(server, 'business_user_interactions_total{interaction_type="chat"}', 3)
    value(server, "business_active_users", 2)
    value(server, "business_response_quality_score", (0.9 + 0.5 + 0.7 + 0.3) / 4)
    # 2 of 3 tasks good; (3 of 4 s of t1, and 6 of 10 s of the sessions) not spent waiting
    value(server, "business_system_efficiency_ratio", 2 / 3 * 9 / 14)
    expect([s for s in server.query('{user_id!=""}')], [], "users are no labels")


def agents(server):
    post(server, "/api/v1/agents/state", [{"agent_id": "a1", "state": "busy", "memory_bytes": 35000000}, {"agent_id": "a2", "state": "idle"}])
    value(server, 'agent_state{agent_id="a1",state="busy"}', 1)
    value(server, 'agent_state{agent_id="a1",state="idle"}', 0)
    value(server, 'agent_memory_bytes{agent_id="a1"}', 35000000)
    for path in "/api/v1/agents", "/api/v1/monitoring/agents":
        listed = {a["agent_id"]: a for a in get(server, path)["agents"]}
        a1 = listed["a1"]
        expect((a1["state"], a1["memory_bytes"], a1["throughput_per_hour"], a1["errors_total"]), ("busy", 35000000, 1, 1))
        expect((a1["quality_score"], a1["success_rate"], listed["a2"]["state"]), (0.7, 0.5, "idle"))
    one = get(server, "/api/v1/agents/a1/performance")
    expect((one["known"], one["throughput"]["level"], one["throughput"]["target"]), (True, "critical", 10))
    expect(get(server, "/api/v1/agents/a1")["mean_duration_seconds"], 2.5)
    expect(get(server, "/api/v1/agents/nobody")["known"], False)


def throughput(server):
    """Twelve tasks in the last hour; one of two hours ago is not among them."""
    now = time.time()
    post(server, "/api/v1/agents/tasks", [{"task_id": "h%d" % i, "agent_id": "h", "success": True, "timestamp": now - 240 * i} for i in range(12)])
    post(server, "/api/v1/agents/tasks", {"task_id": "old", "agent_id": "h", "success": True, "timestamp": now - 7200})
    value(server, 'agent_task_throughput_per_hour{agent_id="h"}', 12)


def main():
    lab = Lab(sys.argv)
    server = lab.vedette()
    lab.case("mcp: S0-018 aggregates are visible at once", lambda: visible_soon(server))
    lab.case("mcp: S0-070 records are taken", lambda: expect(post(server, "/api/v1/mcp/metrics", MCP)["accepted"], 3))
    for row, values in MCP_VALUES.items():
        lab.case("mcp: " + row, lambda v=values: [value(server, s, w) for s, w in v])
    for row, (bad, field) in BAD_MCP.items():
        lab.case("mcp: %s %s is refused by name" % (row, field),
                 lambda b=bad, f=field: expect(post(server, "/api/v1/mcp/metrics", b, 400)["errors"][0]["error"].split(": ")[1], f))
    lab.case("mcp: S0-043 S0-070 within log entries", lambda: in_log_entry(server))
    lab.case("mcp: S0-071 S0-020 performance of one", lambda: performance(server))
    lab.case("mcp: S0-072 the best by a metric", lambda: top(server))
    lab.case("agents: S3-032 S3-045 S3-046 S3-018 tasks", lambda: tasks(server))
    lab.case("agents: S3-031 S3-033 workflows", lambda: workflows(server))
    lab.case("agents: S3-043 S3-047 S3-048 S3-015 conflicts", lambda: conflicts(server))
    lab.case("agents: S3-016 S3-017 S4-022 S3-002 together", lambda: together(server))
    lab.case("agents: S4-023 S4-024 beliefs and inferences", lambda: minds(server))
    lab.case("agents: S4-008 S4-025 S4-026 S4-027 business", lambda: business(server))
    lab.case("agents: S3-001 S3-007 S3-044 S4-041 S4-052 S3-040 agents", lambda: agents(server))
    lab.case("agents: S3-014 tasks of the last hour", lambda: throughput(server))
    lab.done()


main()
