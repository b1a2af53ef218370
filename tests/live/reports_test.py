#!/usr/bin/env python3
"""Reports and dashboards' data: figures worked out by hand from what was sent, nulls and names of series where nothing was sent, and
recorded requests replayed at 60 times their speed, to the token.

Rows of the feature list: S1-132 S1-133 S1-165 S1-167 S1-025 S1-026 S1-131 S0-031 S0-034 S0-080 S0-096 S2-081 S3-008 S3-013 S3-026 S3-027
S3-034 S3-042 S3-049 S3-050 S3-051 S3-057 S4-050 S4-051 S1-031"""
import csv
import json
import math
import os
import random
import sys
import threading
import time
import urllib.parse
from decimal import Decimal

from lab import Lab, expect, http, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.path.join(HERE, "..", "..", "..", "shared", "data")


def get(server, path, status=200, **params):
    code, _, body = http("GET", server.base + path + ("?" + urllib.parse.urlencode(params) if params else ""), timeout=60)
    expect(code, status, "%s: %s" % (path, body[:300]))
    return json.loads(body, parse_float=Decimal)


def push(server, lines):
    code, _, body = http("POST", server.base + "/api/v1/import/prometheus", ("\n".join(lines) + "\n").encode(), {"Content-Type": "text/plain"})
    expect(code in (200, 204), True, "import: %d %s" % (code, body[:200]))


def attribute(key, value):
    kind = "intValue" if isinstance(value, int) else "doubleValue" if isinstance(value, float) else "stringValue"
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def send(server, kind, records, service="reports"):
    scope = {"spans": "scopeSpans", "logRecords": "scopeLogs"}[kind]
    path = {"spans": "traces", "logRecords": "logs"}[kind]
    outer = "resourceSpans" if kind == "spans" else "resourceLogs"
    body = {outer: [{"resource": {"attributes": [attribute("service.name", service)]}, scope: [{kind: records}]}]}
    code, _, answer = http("POST", "http://127.0.0.1:%d/v1/%s" % (server.otlp_port, path), json.dumps(body).encode(),
                           {"Content-Type": "application/json"}, timeout=60)
    expect(code, 200, answer[:300])


def call(model, tokens_in, tokens_out, cached=0, at_ns=None, **more):
    at_ns = at_ns or time.time_ns() - 5 * 10**9
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model,
                  "gen_ai.usage.input_tokens": tokens_in, "gen_ai.usage.output_tokens": tokens_out}
    if cached:
        attributes["gen_ai.usage.cache_read.input_tokens"] = cached
    attributes.update(more)
    return {"traceId": "%032x" % random.getrandbits(128), "spanId": "%016x" % random.getrandbits(64), "name": "chat " + model, "kind": 3,
            "startTimeUnixNano": str(at_ns), "endTimeUnixNano": str(at_ns + 10**9), "attributes": [attribute(k, v) for k, v in attributes.items()]}


def event(name, at_ns=None, **attributes):
    at_ns = at_ns or time.time_ns() - 5 * 10**9
    return {"timeUnixNano": str(at_ns), "eventName": name, "body": {"stringValue": name},
            "attributes": [{"key": k, "value": {"boolValue": v}} if isinstance(v, bool) else
                           {"key": k, "value": {"arrayValue": {"values": [{"stringValue": x} for x in v]}}} if isinstance(v, list) else
                           attribute(k, v) for k, v in attributes.items()]}


# ---- nothing was sent ----

def empty(server):
    """S0-080 S0-031: an unknown id is an empty answer, not an error; what is missing is named."""
    for path, params in (("/dashboard/data", {"mcp_id": "nobody"}), ("/api/v1/reports/performance", {"backend_id": "nobody"}),
                         ("/api/v1/reports/throughput", {"agent_id": "nobody"}), ("/api/v1/reports/cost", {"backend_id": "nobody"})):
        answer = get(server, path, **params)
        for key in ("mcps", "backends", "agents"):
            expect(answer.get(key, []), [], path + " " + key)
    performance = get(server, "/api/v1/reports/performance")
    expect(performance["overview"]["requests"], None, "unknown is null")
    expect("load_balancer_requests_total" in performance["missing_series"], True, "and its series is named")
    cost = get(server, "/api/v1/reports/cost")
    expect(cost["total_cost_usd"], 0, "nothing was spent")


def bad_asks(server):
    for path, params in (("/api/v1/reports/cost", {"hours": "0"}), ("/api/v1/reports/cost", {"hours": "x"}), ("/api/v1/reports/cost", {"window": "-1h"}),
                         ("/api/v1/reports/cost", {"start": "2", "end": "1"}), ("/api/v1/reports/cost", {"hours": "nan"}),
                         ("/api/v1/reports/cost", {"hours": "1e99"}), ("/api/v1/reports/performance", {"window": "4000d"})):
        get(server, path, 400, **params)


# ---- load balancer ----

def feed_balancer(server):
    """Two backends over half an hour, a value a minute: counters that began before the window and one that is reset in it."""
    now = int(time.time()) * 1000
    lines = []
    for i in range(31):
        t = now - (30 - i) * 60000
        dear = 1000 + 10 * i  # 300 in the window
        cheap = 5 + 10 * i if i < 20 else 10 * (i - 20)  # 190 until the reset, then 0 (a new start), then 100
        lines += ['load_balancer_requests_total{backend_id="dear",algorithm="round_robin",status="success"} %d %d' % (dear, t),
                  'load_balancer_requests_total{backend_id="cheap",algorithm="least_cost",status="success"} %d %d' % (cheap, t),
                  'load_balancer_requests_total{backend_id="cheap",algorithm="least_cost",status="500"} %d %d' % (i, t),
                  'load_balancer_errors_total{backend_id="cheap",error_type="500"} %d %d' % (i, t),
                  'load_balancer_errors_total{backend_id="dear",error_type="timeout"} 0 %d' % t,
                  'load_balancer_total_cost_usd{backend_id="dear"} %.9f %d' % (0.000000007 + 0.03 * i, t),
                  'load_balancer_total_cost_usd{backend_id="cheap"} %.9f %d' % (0.0011 * i, t),
                  'load_balancer_quality_score{backend_id="dear"} 0.9 %d' % t, 'load_balancer_quality_score{backend_id="cheap"} 0.89 %d' % t,
                  'load_balancer_backend_health{backend_id="dear"} 1 %d' % t]
    push(server, lines)
    return now / 1000


def performance(server, end):
    """S1-132: exact counts over the window, by backend; a reset counts from nothing."""
    r = get(server, "/api/v1/reports/performance", start=end - 1800, end=end)
    rows = {b["backend_id"]: b for b in r["backends"]}
    # dear: 300. cheap: 190 up to i=19 (from 5 to 195), then 0 at the reset, then 100; 30 failures beside them.
    expect(rows["dear"]["requests"], 300, "dear")
    expect(rows["cheap"]["requests"], 190 + 100 + 30, "cheap")
    expect(rows["cheap"]["errors"], 30, "errors")
    expect(abs(float(rows["cheap"]["error_rate_percent"]) - 100 * 30 / 320) < 1e-9, True, "error rate")
    expect(rows["dear"]["total_cost_usd"], Decimal("0.9"), "money")
    expect(rows["dear"]["cost_per_request_usd"], Decimal("0.003"), "money a request")
    expect(r["overview"]["requests"], 620, "all")
    expect(r["errors_by_type"], [{"error_type": "500", "errors": 30}], "errors by type")
    one = get(server, "/api/v1/reports/performance", start=end - 1800, end=end, backend_id="dear")
    expect([b["backend_id"] for b in one["backends"]], ["dear"], "the filter")
    expect(one["overview"]["requests"], 300, "and its overview")
    part = get(server, "/api/v1/reports/performance", start=end - 600, end=end, backend_id="dear")
    expect(part["overview"]["requests"], 100, "ten minutes of it")


def algorithms(server, end):
    """S1-167: 290 of 320 went well: Wilson's interval by its own formula."""
    r = get(server, "/api/v1/reports/algorithms", start=end - 1800, end=end)
    row = {a["algorithm"]: a for a in r["algorithms"]}["least_cost"]
    expect((row["requests"], row["successful"]), (320, 290), "counts")
    p, n, z = 290 / 320, 320, 1.959964
    mid, half = (p + z * z / (2 * n)) / (1 + z * z / n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low, high = map(float, row["success_rate_interval_95"])
    expect(abs(low - (mid - half)) < 1e-9 and abs(high - (mid + half)) < 1e-9, True, "interval %r" % row)


def balancer_cost(server, end):
    """S1-025 S1-031 S1-133: exact sums, and per backend; sources are told apart."""
    r = get(server, "/api/v1/reports/cost", start=end - 1800, end=end)
    expect(r["total_cost_usd"], Decimal("0.933"), "0.9 + 0.033")
    expect(r["sources"]["load_balancer"]["total_cost_usd"], Decimal("0.933"), "of the load balancer")
    expect([b["backend_id"] for b in r["backends"]], ["dear", "cheap"], "dearest first")
    expect(get(server, "/api/v1/reports/cost", start=end - 1800, end=end, sources="models")["total_cost_usd"], 0, "models only")


def cheaper_backend(server, end):
    """S1-165: cheap fails too often to replace dear; once it does not, the saving is the difference of the means."""
    kinds = [s["kind"] for s in get(server, "/api/v1/reports/cost", start=end - 1800, end=end)["savings"]]
    expect("cheaper_backend" in kinds, False, "not with one failure in ten")
    lines = []
    for i in range(31):
        t = int(end * 1000) - (30 - i) * 60000
        lines += ['load_balancer_requests_total{backend_id="good",algorithm="x",status="success"} %d %d' % (10 * i, t),
                  'load_balancer_errors_total{backend_id="good",error_type="500"} 0 %d' % t,
                  'load_balancer_total_cost_usd{backend_id="good"} %.9f %d' % (0.01 * i, t), 'load_balancer_quality_score{backend_id="good"} 0.89 %d' % t]
    push(server, lines)
    row = [s for s in get(server, "/api/v1/reports/cost", start=end - 1800, end=end)["savings"] if s["kind"] == "cheaper_backend"][0]
    # 0.9 for 300 requests, 0.3 for 300: the 300 would have cost 0.6 less
    expect((row["subject"], row["to"]["backend_id"], row["saving_usd"]), ("dear", "good", Decimal("0.6")), "move")


# ---- model calls ----

def model_cost(server):
    """S1-026 S1-133: gpt-5 at 1.25, 0.125 cached, 10 a million: 91 x 1.25 + 1024 x 0.125 + 101 x 10 = 1251.75 millionths; once, wrapper or not."""
    wrapper = call("gpt-5", 1115, 101, 1024)
    wrapper["attributes"] = [a if a["key"] != "gen_ai.operation.name" else attribute("gen_ai.operation.name", "invoke_agent") for a in wrapper["attributes"]]
    wrapper["attributes"].append(attribute("gen_ai.agent.name", "planner"))
    inner = call("gpt-5", 1115, 101, 1024)
    inner["traceId"], inner["parentSpanId"] = wrapper["traceId"], wrapper["spanId"]
    send(server, "spans", [wrapper, inner, call("no-such-model-of-anyone", 10, 10)])
    r = get(server, "/api/v1/reports/cost", hours=1, sources="models")
    expect(r["total_cost_usd"], Decimal("0.00125175"), "once")
    expect((r["unpriced_calls"], r["is_partial_cost"]), (1, True), "unpriced is seen")
    rows = {m["model"]: m for m in r["models"]}
    expect((rows["gpt-5"]["calls"], rows["gpt-5"]["input_tokens"], rows["gpt-5"]["cached_tokens"], rows["gpt-5"]["output_tokens"]), (1, 1115, 1024, 101), "tokens")
    expect(get(server, "/api/v1/reports/cost", hours=1, agent_id="planner")["total_cost_usd"], Decimal("0.00125175"), "of the agent")
    expect(get(server, "/api/v1/reports/cost", hours=1, agent_id="nobody")["total_cost_usd"], 0, "of nobody")


def long_prompts(server):
    """S1-165: 30 prompts of 100 tokens and one of 10,000 of gpt-4o (2.50 a million): 9,900 above the median are 24,750 nano-dollars."""
    at = time.time_ns() - 3600 * 10**9 * 5
    send(server, "spans", [call("gpt-4o", 100, 1, at_ns=at + i) for i in range(30)] + [call("gpt-4o", 10000, 1, at_ns=at + 40)])
    r = get(server, "/api/v1/reports/cost", start=at / 1e9 - 1, end=at / 1e9 + 60, sources="models")
    row = [s for s in r["savings"] if s["kind"] == "long_prompts"][0]
    expect((row["outliers"], row["median_input_tokens"], row["excess_input_tokens"]), (1, 100, 9900), "outliers")
    expect(row["saving_usd"], Decimal("0.02475"), "9900 x 2.50 millionths")
    expect([t["input_tokens"] for t in row["traces"]], [10000], "its trace")


def prefixes(server):
    """S1-165: blocks of [1,2,3], [1,2,4], [9,2]: two of eight repeat from the beginning on; 2 in the last does not."""
    at = time.time_ns() - 3600 * 10**9 * 8
    send(server, "spans", [call("gpt-4o", 1000, 1, at_ns=at + i * 1000, hash_ids=json.dumps(ids)) for i, ids in enumerate([[1, 2, 3], [1, 2, 4], [9, 2]])])
    r = get(server, "/api/v1/reports/cost", start=at / 1e9 - 1, end=at / 1e9 + 60, sources="models")
    row = [s for s in r["savings"] if s["kind"] == "prompt_cache"][0]
    expect((row["prompts"], row["blocks"], row["repeated_blocks"], row["cacheable_share"]), (3, 8, 2, Decimal("0.25")), "share")
    # 3000 x 0.25 tokens at 2.50 instead of 1.25 a million
    expect(row["saving_usd"], Decimal("0.0009375"), "saving")


# ---- agents ----

def throughput(server):
    """S3-049: three tasks of one agent, one of another; a start is no end."""
    task = "vedette.agent.task"
    send(server, "logRecords", [event(task, task_id="1", agent_id="a", task_type="plan", success=True, duration_ms=100.0, quality_score=0.5, cost_usd=0.1),
                                event(task, task_id="2", agent_id="a", task_type="plan", success=True, duration_ms=200.0, quality_score=1.0, cost_usd=0.2),
                                event(task + ".start", task_id="3", agent_id="a"), event(task + ".complete", task_id="3", agent_id="a", success=False),
                                event(task, task_id="4", agent_id="b", task_type="act", success=True, duration_ms=300.0)])
    r = get(server, "/api/v1/reports/throughput", hours=2)
    expect((r["overview"]["tasks"], r["overview"]["agents"]), (4, 2), "all")
    a = {x["agent_id"]: x for x in r["agents"]}["a"]
    expect((a["tasks"], a["successful"], a["tasks_per_hour"], a["quality_score"], a["mean_ms"]), (3, 2, Decimal("1.5"), Decimal("0.75"), 150), "agent a")
    expect(a["total_cost_usd"], Decimal("0.3"), "money adds up exactly")
    expect(sum(n for _, n in a["by_hour"]), 3, "by hour")
    expect([x["agent_id"] for x in get(server, "/api/v1/reports/throughput", hours=2, agent_id="b")["agents"]], ["b"], "filter")


def conflicts(server):
    """S3-050: by method, type and pair of agents, with times."""
    send(server, "logRecords", [event("vedette.conflict", conflict_id="1", conflict_type="resource", agents=["b", "a"], method="vote", success=True, resolution_time_ms=100.0),
                                event("vedette.conflict", conflict_id="2", conflict_type="resource", agents=["a", "b", "c"], method="vote", success=False, resolution_time_ms=300.0),
                                event("vedette.conflict.start", conflict_id="3", conflict_type="goal", agents=["a", "c"])])
    r = get(server, "/api/v1/reports/conflicts", hours=2)
    expect((r["overview"]["conflicts"], r["overview"]["resolved"], r["overview"]["resolution_rate"]), (2, 1, Decimal("0.5")), "all")
    expect([(m["method"], m["conflicts"], m["mean_ms"]) for m in r["methods"]], [("vote", 2, 200)], "methods")
    expect({p["agents"]: p["conflicts"] for p in r["agent_pairs"]}, {"a,b": 2, "a,c": 1, "b,c": 1}, "pairs")


# ---- dashboards, health ----

def dashboards(server):
    """S1-131 S3-013 S3-034 S3-008 S3-051 S3-057: the members each is documented with."""
    docs = open(os.path.join(HERE, "..", "..", "docs", "reports.md")).read()
    for name, members in (("enterprise", "overview anomalies anomalies_by_severity sla cost trends budgets insights"),
                          ("comprehensive", "system_health monitoring_framework overview business agents mcps sla cost budgets insights"),
                          ("business", "business agents cost trends"), ("health", "system_health monitoring_framework resources recommendations")):
        r = get(server, "/api/v1/dashboard/" + name)
        for m in members.split():
            expect(m in r, True, "%s has %s" % (name, m))
            expect("`%s`" % m in docs, True, "docs/reports.md names " + m)
    r = get(server, "/api/v1/dashboard/comprehensive")
    expect(r["system_health"]["status"] in ("healthy", "degraded", "unhealthy"), True, "status")
    expect(r["monitoring_framework"]["component_health"]["store"]["status"], "ok", "store")


def mcp_data(server):
    """S0-031 S0-080: one MCP of two."""
    now = int(time.time() * 1000)
    push(server, ['mcp_accuracy_percent{mcp_id="%s"} %d %d' % (i, v, now - k * 1000) for i, v in (("m1", 90), ("m2", 50)) for k in range(3)])
    expect([(m["mcp_id"], m["avg_accuracy"]) for m in get(server, "/dashboard/data", mcp_id="m1")["mcps"]], [("m1", 90)], "m1")
    expect(len(get(server, "/dashboard/data")["mcps"]), 2, "all")


def health(server):
    """S3-042 S3-027 S3-026: the score is the weighted mean of the parts it shows."""
    r = get(server, "/api/v1/health/system")
    parts = [p for p in r["system_health"]["score_parts"] if p["value"] is not None]
    want = 100 * sum(p["weight"] * p["value"] for p in parts) / sum(p["weight"] for p in parts)
    expect(abs(float(r["score"]) - float(want)) < 1e-9, True, "score %s, parts give %s" % (r["score"], want))
    expect(isinstance(r["recommendations"], list), True, "recommendations")
    code, headers, body = http("GET", server.base + "/api/v1/system/metrics/health", headers={"Accept": "text/plain"})
    expect((code, headers["Content-Type"].startswith("text/plain")), (200, True), "S4-050: text")
    expect(b"vedette_health_system_health_score " in body, True, body[:200].decode())
    expect("system_health" in get(server, "/api/v1/system/metrics/health"), True, "S4-050: JSON")


def status(server):
    """S0-034 S0-096 S4-051 S2-081"""
    r = get(server, "/api/v1/status")
    expect(r["components"]["store"]["status"], "ok", "store")
    expect(r["components"]["store"]["metrics"]["spans_ingested"] > 0, True, "metrics")
    stats = get(server, "/api/v1/monitoring/stats")
    expect(stats["store"]["spans"]["ingested"], r["components"]["store"]["metrics"]["spans_ingested"], "spans")
    rows = {s["service"]: s for s in get(server, "/api/v1/status/coverage", hours=12)["services"]}
    expect((rows["reports"]["logs"], rows["reports"]["spans"], rows["reports"]["metrics"]), (True, True, False), "coverage")


def insights(server):
    """S1-131: an insight says what, how much, against what, and what to do: cheap fails 30 of 320."""
    rows = [i for i in get(server, "/api/v1/insights", hours=1)["insights"] if i["id"] == "backend_errors"]
    expect([i["subject"] for i in rows], ["cheap"], "who")
    expect(5 < rows[0]["value"] < 15 and rows[0]["threshold"] == 1 and len(rows[0]["action"]) > 10, True, "evidence %r" % rows[0])


# ---- replays ----

def recorded(name):
    """(seconds, input, output) of each request."""
    with open(os.path.join(SHARED, name)) as f:
        if name.endswith(".csv"):
            rows = list(csv.reader(f))[1:]
            def seconds(s):
                day, clock = s.split(" ")
                h, m, rest = clock.split(":")
                return int(h) * 3600 + int(m) * 60 + float(rest)
            return [(seconds(r[0]) - seconds(rows[0][0]), int(r[1]), int(r[2])) for r in rows]
        return [(r["timestamp"] / 1000, r["input_length"], r["output_length"]) for r in map(json.loads, f)]


def replay(server, name, model, seconds):
    """The first `seconds` of wall time of a recording at 60 times its speed; the report has every request and every token."""
    rows = [r for r in recorded(name) if r[0] < 60 * seconds]
    begin = time.time()
    at = 0
    while at < len(rows):
        due = (time.time() - begin) * 60
        upto = at
        while upto < len(rows) and rows[upto][0] <= due and upto - at < 2000:
            upto += 1
        if upto > at:
            send(server, "spans", [call(model, i, o, at_ns=time.time_ns()) for _, i, o in rows[at:upto]])
        at = upto
        time.sleep(0.05)
    r = get(server, "/api/v1/reports/cost", start=begin - 1, sources="models", advice="false")
    got = [m for m in r["models"] if m["model"] == model][0]
    expect((got["calls"], got["input_tokens"], got["output_tokens"]), (len(rows), sum(r[1] for r in rows), sum(r[2] for r in rows)), name)


def main():
    lab = Lab(sys.argv)
    server = lab.vedette("--retention", "forever")
    lab.case("reports_empty", lambda: empty(server))
    lab.case("reports_bad_asks", lambda: bad_asks(server))
    end = feed_balancer(server)
    lab.case("report_performance", lambda: performance(server, end))
    lab.case("report_algorithms", lambda: algorithms(server, end))
    lab.case("report_cost_of_balancer", lambda: balancer_cost(server, end))
    lab.case("insights", lambda: insights(server))
    lab.case("advice_cheaper_backend", lambda: cheaper_backend(server, end))
    lab.case("report_cost_of_models", lambda: model_cost(server))
    lab.case("advice_long_prompts", lambda: long_prompts(server))
    lab.case("advice_prefixes", lambda: prefixes(server))
    lab.case("report_throughput", lambda: throughput(server))
    lab.case("report_conflicts", lambda: conflicts(server))
    lab.case("dashboards", lambda: dashboards(server))
    lab.case("dashboard_data_of_one_mcp", lambda: mcp_data(server))
    lab.case("system_health", lambda: health(server))
    lab.case("status", lambda: status(server))
    for name in ("azure_llm_2023/AzureLLMInferenceTrace_code.csv", "mooncake/conversation_trace_part1.jsonl"):
        if os.path.exists(os.path.join(SHARED, name)):
            lab.case("replay_60x_" + name, lambda n=name: replay(server, n, "replay-" + n[:5], 8))
        else:
            lab.skip("replay_60x_" + name, "the recording is not here")
    return lab.done()


sys.exit(main())
