#!/usr/bin/env python3
"""The load balancer: records of every kind through the doors give all 64 families, with the values that hand calculation from the
records gives (docs/metrics-reference.md has the formulas and the same numbers)."""
import json
import sys
import time

from lab import Lab, expect, http, wait_for

P = "load_balancer_"
# Row of the feature list: family, and a selector that must have a value in the standard load below.
FAMILIES = {
    "S1-004": P + "requests_per_second", "S1-005": P + "queries_per_minute", "S1-006": P + "request_duration_seconds_bucket",
    "S1-007": P + "response_time_ms", "S1-009": P + "errors_total", "S1-010": P + "load_distribution_score",
    "S1-011": P + "balancing_efficiency_percent", "S1-012": P + "backend_availability_percent", "S1-013": P + "backend_uptime_hours",
    "S1-014": P + "backend_response_time_ms", "S1-015": P + 'health_checks_total{result="success"}',
    "S1-016": P + "health_check_duration_seconds_bucket", "S1-017": P + "circuit_breaker_trips_total",
    "S1-018": P + 'circuit_breaker_failures_total{failure_reason="timeout"}', "S1-019": P + "circuit_breaker_recovery_seconds_bucket",
    "S1-020": P + "connection_pool_active", "S1-021": P + "connection_pool_idle", "S1-022": P + "connection_pool_utilization_percent",
    "S1-023": P + "connection_queue_size", "S1-024": P + "connection_queue_wait_seconds_bucket",
    "S1-027": P + "monthly_budget_usage_percent", "S1-028": P + "daily_budget_usd", "S1-028 monthly": P + "monthly_budget_usd",
    "S1-030": P + "cost_efficiency_score", "S1-032": P + "relevance_score", "S1-033": P + "completeness_score",
    "S1-035": P + 'cache_hit_rate_percent{cache_type="prompt"}', "S1-036": P + "cache_hits_total", "S1-036 misses": P + "cache_misses_total",
    "S1-037": P + "cache_size_bytes", "S1-038": P + 'cache_evictions_total{reason="size"}', "S1-039": P + "cache_performance_gain_percent",
    "S1-040": P + "memory_usage_bytes", "S1-041": P + "cpu_usage_percent", "S1-042": P + "network_bytes_sent_total",
    "S1-042 received": P + "network_bytes_received_total", "S1-073": P + 'budget_exceeded_total{period="daily"}',
    "S1-096": P + 'requests_total{backend_id="b1",backend_type="openai",algorithm="rr",status="success",method="chat"}',
    "S1-097": P + "requests_in_flight", "S1-098": P + "request_duration_seconds_count", "S1-099": P + 'response_time_ms{quantile="0.99"}',
    "S1-100": P + "requests_per_second", "S1-101": P + "error_rate_percent", "S1-102": P + "success_rate_percent",
    "S1-103": P + "cost_per_request_usd", "S1-104": P + "total_cost_usd", "S1-105": P + "daily_budget_usage_percent",
    "S1-106": P + "quality_score", "S1-107": P + "user_satisfaction_score", "S1-108": P + "accuracy_score",
    "S1-109": P + 'algorithm_selection_total{algorithm="rr",reason="turn",backend_chosen="b1"}',
    "S1-110": P + "algorithm_effectiveness_score", "S1-111": P + "load_distribution_score", "S1-112": P + "backend_health",
    "S1-113": P + 'circuit_breaker_state{state="half_open"}', "S1-114": P + "pool_size_total", "S1-115": P + "pool_size_available",
    "S1-116": P + "pool_size_unavailable", "S1-117": P + 'sla_compliance_percent{sla_type="quality",backend_id="b1"}',
    "S1-118": P + 'sla_violations_total{sla_type="response_time",backend_id="b2",severity="high"}',
    "S1-119": P + "sla_response_time_violations_total", "S1-120": P + "sla_availability_violations_total",
    "S1-121": P + "sla_error_rate_violations_total", "S1-122": P + "sla_quality_violations_total",
    "S1-129": P + "request_size_bytes_bucket", "S1-130": P + "response_size_bytes_bucket",
    "S1-142": P + "backend_utilization_percent", "S1-143": P + "pool_utilization_percent",
}

# By hand. b1: three successes of 100, 200, 300 ms at 0.001 USD, quality 1, 0.8, 0.6. b2: one time-out of 2500 ms at 0.002 USD.
VALUES = {
    "S1-008 error rate by backend and algorithm": [(P + 'error_rate_percent{backend_id="b2",algorithm="rr"}', 100),
                                                   (P + 'success_rate_percent{backend_id="b1",algorithm="rr"}', 100)],
    "S1-010 S1-111 distribution: shares 3/4 and 1/4 of equal weights: 1 - 0.25 / 0.5": [(P + "load_distribution_score", 0.5)],
    "S1-011 efficiency: 3 successes of 4 attempts": [(P + "balancing_efficiency_percent", 75)],
    "S1-012 availability: 2 of 3 checks": [(P + 'backend_availability_percent{backend_id="b2"}', 200 / 3)],
    "S1-022 connections: 6 of 8": [(P + "connection_pool_utilization_percent", 75)],
    "S1-025 S1-103 S1-104 cost": [(P + 'cost_per_request_usd{backend_id="b1"}', 0.001), (P + 'total_cost_usd{backend_id="b1"}', 0.003)],
    "S1-030 S1-031 cost efficiency: 2.4 / 0.003 is the best; b2 brought nothing": [(P + 'cost_efficiency_score{backend_id="b1"}', 1),
                                                                                   (P + 'cost_efficiency_score{backend_id="b2"}', 0)],
    "S1-035 S1-036 hits: 3 of 4": [(P + 'cache_hit_rate_percent{cache_type="prompt"}', 75), (P + "cache_hits_total", 3)],
    "S1-039 gain: 3 x (100 - 10) of 4 x 100 ms": [(P + "cache_performance_gain_percent", 67.5)],
    "S1-105 S1-027 budgets: 0.005 of 0.004 and of 0.05 USD": [(P + "daily_budget_usage_percent", 125), (P + "monthly_budget_usage_percent", 10)],
    "S1-106 quality": [(P + 'quality_score{backend_id="b1"}', 0.8)],
    "S1-107 satisfaction: fast successes 1, a failure 0": [(P + 'user_satisfaction_score{backend_id="b1"}', 1),
                                                           (P + 'user_satisfaction_score{backend_id="b2"}', 0)],
    "S1-110 effectiveness: 0.4 x 0.75 + 0.2 x 1 + 0.2 x 1 + 0.2 x 0.8": [(P + "algorithm_effectiveness_score", 0.86)],
    "S1-112 health": [(P + 'backend_health{backend_id="b1"}', 1), (P + 'backend_health{backend_id="b2"}', 0)],
    "S1-113 breaker as a state set": [(P + 'circuit_breaker_state{state="closed"}', 1), (P + 'circuit_breaker_state{state="open"}', 0)],
    "S1-117 compliance": [(P + 'sla_compliance_percent{sla_type="quality",backend_id="b1"}', 200 / 3),
                          (P + 'sla_compliance_percent{sla_type="response_time",backend_id="b2"}', 0),
                          (P + 'sla_compliance_percent{sla_type="availability",backend_id="b1"}', 100),
                          (P + 'sla_compliance_percent{sla_type="error_rate",backend_id="b2"}', 0)],
    "S1-118 violations": [(P + 'sla_violations_total{sla_type="quality",severity="medium",backend_id="b1"}', 1)],
    "S1-143 S1-116 pool: 1 of 4 away": [(P + "pool_utilization_percent", 25), (P + "pool_size_unavailable", 1)],
    "S1-142 utilisation: 3 of 12": [(P + "backend_utilization_percent", 25)],
    "S1-086 S1-160 one request is under way, one was answered": [(P + 'requests_in_flight{backend_id="b9"}', 1)],
}


def requests():
    common = {"backend_type": "openai", "algorithm": "rr", "selection_reason": "turn", "method": "chat"}
    good = [dict(common, request_id="g%d" % i, backend_id="b1", status="success", duration_ms=100 * (i + 1), cost_usd=0.001,
                 quality_score=q, accuracy_score=q, relevance_score=q, completeness_score=q, request_size_bytes=900,
                 response_size_bytes=5000, queue_wait_ms=3) for i, q in enumerate([1.0, 0.8, 0.6])]
    bad = dict(common, request_id="bad", backend_id="b2", status="timeout", error_type="timeout", duration_ms=2500, cost_usd=0.002)
    return good + [bad]


def post(server, path, records, want=200):
    status, _, body = http("POST", server.base + path, json.dumps(records).encode())
    expect(status, want, "%s: %s" % (path, body[:300]))
    return json.loads(body)


def load(server):
    """The standard load; S1-128, S1-086, S1-001, S1-092."""
    now = time.time()
    expect(post(server, "/api/v1/lb/requests", requests())["accepted"], 4)
    post(server, "/api/v1/lb/health-checks", [{"backend_id": "b1", "healthy": True, "response_time_ms": 4}] +
         [{"backend_id": "b2", "healthy": h, "response_time_ms": 9} for h in (True, True, False)])
    post(server, "/api/v1/lb/breakers", [
        {"backend_id": "b2", "state": "open", "failure_reason": "timeout", "timestamp": now - 30},
        {"backend_id": "b2", "state": "half_open", "timestamp": now - 10}, {"backend_id": "b2", "state": "closed", "timestamp": now - 5}])
    post(server, "/api/v1/lb/pools", {"pool": "main", "total": 4, "available": 3, "active_connections": 6, "idle_connections": 2, "queue_size": 5})
    post(server, "/api/v1/lb/cache", {"cache_type": "prompt", "hits": 3, "misses": 1, "evictions": 2, "eviction_reason": "size",
                                      "size_bytes": 4096, "hit_time_ms": 10, "miss_time_ms": 100})
    post(server, "/api/v1/lb/budgets", {"daily_usd": 0.004, "monthly_usd": 0.05})
    post(server, "/api/v1/lb/backends", {"backend_id": "b1", "memory_usage_bytes": 1 << 20, "cpu_usage_percent": 12.5, "active_requests": 3,
                                         "max_requests": 12, "network_bytes_sent": 10, "network_bytes_received": 20})


def lifecycle(server):
    post(server, "/api/v1/lb/requests/start", [{"request_id": i, "backend_id": "b9", "backend_type": "local"} for i in ("s1", "s2")])


def value(server, selector, want):
    def close():
        got = server.scalar("sum(%s)" % selector)
        return got is not None and abs(got - want) <= 1e-9 + 1e-6 * abs(want)
    try:
        wait_for(close, 20, 0.2, selector)
    except AssertionError:
        raise AssertionError("%s: got %r, want %r" % (selector, server.scalar("sum(%s)" % selector), want))


def percentiles(server):
    """The histogram has the buckets that are asked for, the summary its quantiles."""
    bounds = {float(s["metric"]["le"]) for s in server.query(P + 'request_duration_seconds_bucket{backend_id="b1"}')}
    want = [.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 15, float("inf")]
    expect(sorted(bounds), want, "bounds in seconds")
    value(server, P + 'response_time_ms{backend_id="b1",quantile="0.5"}', 200)
    value(server, P + 'response_time_ms{backend_id="b1",quantile="0.99"}', 300)


def metadata(server):
    """The list is part of the metadata, with help and type for each."""
    def all_there():
        data = server.api("/api/v1/metadata", {"limit": 100000})
        return {n: d[0] for n, d in data.items() if n.startswith(P)}
    found = wait_for(lambda: (lambda f: f if len(f) >= 64 else None)(all_there()), 20)
    expect(len(found), 64, "families")
    expect([n for n, d in found.items() if not d["help"] or d["type"] in ("", "unknown")], [])
    names = {s.split("{")[0] for s in FAMILIES.values()}
    names = {n[:-7] if n.endswith("_bucket") else n[:-6] if n.endswith("_count") else n for n in names}
    expect(names - set(found), set(), "of the table above")
    expect(set(found) - names, set(), "not in the table above")


def completed(server):
    """A completion says what its start did not, and takes the request out of flight."""
    answer = post(server, "/api/v1/lb/requests/complete", {"request_id": "s1", "status": "200"})
    expect(answer["accepted"], 1)
    value(server, P + 'requests_in_flight{backend_id="b9"}', 1)
    value(server, P + 'requests_total{backend_id="b9",backend_type="local",status="200"}', 1)


def ranking(server):
    def order(by):
        status, _, body = server.get("/api/v1/lb/backends/ranking", {"by": by})
        expect(status, 200)
        return [b["backend_id"] for b in json.loads(body)["backends"] if b[by] is not None]
    expect(order("p95_ms")[-1], "b2", "slowest last")
    expect(order("quality_score"), ["b1"])
    expect(order("success_rate_percent")[-1], "b2", "worst last")
    expect(server.get("/api/v1/lb/backends/ranking", {"by": "beauty"})[0], 400)


def priced(server):
    """1000 input tokens, 200 of them cached, and 500 output tokens at list prices; an unknown model is counted, never free."""
    record = {"request_id": "p1", "backend_id": "priced", "status": "ok", "model": "gpt-4o-mini", "input_tokens": 1000, "cached_tokens": 200,
              "output_tokens": 500}
    post(server, "/api/v1/lb/requests", [record, dict(record, request_id="p2", backend_id="odd", model="no-such-model-at-all")])
    # 800 x 0.15 + 200 x 0.075 + 500 x 0.60 dollars a million
    value(server, P + 'total_cost_usd{backend_id="priced"}', (800 * .15 + 200 * .075 + 500 * .60) / 1e6)
    expect(server.query(P + 'total_cost_usd{backend_id="odd"}'), [])
    text = server.get("/metrics")[2].decode()
    expect("vedette_lb_unpriced_requests_total 1" in text, True, "unpriced request counted")


def main():
    lab = Lab(sys.argv)
    server = lab.vedette()
    lab.case("lb: S1-128 S1-001 request records and all other kinds are taken", lambda: load(server))
    lab.case("lb: S1-097 requests begin", lambda: lifecycle(server))
    lab.case("lb: S1-003 64 families with help and type", lambda: metadata(server))
    for row, selector in FAMILIES.items():
        if not row.startswith("S1-097"):
            lab.case("lb: %s %s" % (row, selector), lambda s=selector: wait_for(lambda: server.query(s), 20, 0.2, s))
    for row, values in VALUES.items():
        if row.startswith("S1-086"):
            lab.case("lb: S1-097 S1-086 S1-160 a request from start to completion", lambda: completed(server))
        lab.case("lb: " + row, lambda v=values: [value(server, s, w) for s, w in v])
    lab.case("lb: S1-006 S1-007 S1-098 S1-099 percentiles", lambda: percentiles(server))
    lab.case("lb: S1-047 backends ranked and compared", lambda: ranking(server))
    lab.case("lb: S1-026 cost worked out from tokens", lambda: priced(server))
    lab.done()


main()
