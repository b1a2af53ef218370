"""analytics_test.py - /api/v1/analytics on a real server: a line, an outlier and two systems that go together, sent here, so
that slope, score and correlation are known beforehand."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, expect, http, wait_for  # noqa: E402

lab = Lab(sys.argv)
server = lab.vedette("--retention", "forever")
END = int(time.time()) // 60 * 60
STEP, N = 60, 60


def get(path, params=None, want=200):
    status, _, text = server.get(path, params, timeout=120)
    expect(status, want, "%s %s: %s" % (path, params, text[:400]))
    return json.loads(text)


def post(path, body, want=200):
    status, _, text = http("POST", server.base + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, 120)
    expect(status, want, text[:400])


def fill():
    lines = []
    for i in range(N + 1):
        t = (END - (N - i) * STEP) * 1000
        wave = (i * 37) % 11
        for name, system, value in (("line", "s1", 10 + i), ("bump", "s1", 100 if i == 30 else 1 + i % 2), ("pair", "x", wave),
                                    ("pair", "y", 3 * wave + 1), ("pair", "z", -wave), ("flat_latency", "s1", 20 + 2 * i)):
            lines.append('%s{system_id="%s"} %d %d' % (name, system, value, t))
    status, _, text = http("POST", server.base + "/api/v1/import/prometheus", ("\n".join(lines) + "\n").encode(), {}, 60)
    expect(status in (200, 204), True, "%d %s" % (status, text[:300]))


ASK = {"time_window_hours": "1", "step": "60", "end": str(END)}


def trend():
    """S2-003 S2-009 S2-010 S2-011: one more a minute is 60 an hour, a line without a rest"""
    fill()
    t = get("/api/v1/analytics/trend", dict(ASK, metric="line", system_id="s1"))
    expect((t["points"], t["line"], t["direction"]), (61, "increasing", "improving"))
    expect((round(t["slope_per_hour"], 6), round(t["strength"], 9), round(t["confidence"], 9)), (60, 1, 1))
    t = get("/api/v1/analytics/trend", dict(ASK, metric="flat_latency"))
    expect((t["direction"], round(t["slope_per_hour"], 6)), ("degrading", 120))  # of a latency more is worse


def anomalies():
    """S2-004 S2-013 S2-014 S2-017: 30 values are 1 or 2 each, one is 100: median 1, middle deviation 0 or 1"""
    a = get("/api/v1/analytics/anomalies", dict(ASK, metric="bump", threshold_std="5"))
    expect((a["anomaly_count"], a["points"], round(a["anomaly_rate"] * 61, 6)), (1, 61, 1))
    expect(a["anomalies"][0]["value"], 100)
    get("/api/v1/analytics/anomalies", dict(ASK, metric="bump", threshold_std="none"), want=400)


def correlate():
    """S2-005 S2-006 S2-015 S2-016"""
    c = get("/api/v1/analytics/correlate", dict(ASK, metric="pair"))
    expect((c["series_count"], c["correlated_pairs"]), (3, 3))
    got = {tuple(sorted((p["a"]["labels"]["system_id"], p["b"]["labels"]["system_id"]))): round(p["correlation"], 9) for p in c["pairs"]}
    expect(got, {("x", "y"): 1, ("x", "z"): -1, ("y", "z"): -1})


def failures():
    """S2-012"""
    get("/api/v1/analytics/trend", dict(ASK, metric="nothing_of_that_name"), want=422)
    get("/api/v1/analytics/trend", ASK, want=400)
    get("/api/v1/analytics/correlate", dict(ASK, metric="line"), want=422)
    get("/api/v1/analytics/trend", dict(ASK, metric="line", time_window_hours="-1"), want=400)


def added():
    """S2-007 S2-008: metrics added by events"""
    post("/api/v1/analytics/operations", [{"operation": "add_metric", "metric_name": "mood", "system_id": "s1", "value": v} for v in (1, 2, 6)])
    soon("analytics_metrics_added_total", {"mood": 3})
    soon("analytics_metric_value_sum", {"mood": 9})


def soon(query, want):
    def values():
        return {r["metric"].get("metric_name", r["metric"].get("direction", r["metric"].get("reason", ""))): float(r["value"][1])
                for r in get("/api/v1/query", {"query": query})["data"]["result"]}
    wait_for(lambda: values() == want, 60, 0.5, "%s == %r, is %r" % (query, want, values()))


def series():
    soon("analytics_trend_completed_total", {"improving": 1, "degrading": 1})
    soon("analytics_trend_strength_count", {"improving": 1, "degrading": 1})
    soon("analytics_trend_confidence_count", {"": 2})
    soon("analytics_trend_failed_total", {"not_enough_data": 1, "bad_request": 2})
    soon("analytics_anomaly_detected_total", {"bump": 1})
    soon("round(analytics_anomaly_rate * 61)", {"bump": 1})
    soon("analytics_anomaly_rate_count", {"bump": 1})
    soon("analytics_correlation_count_sum", {"": 3})
    soon("analytics_correlation_completed_total", {"": 2})


def spans():
    """S2-001 S2-017"""
    seen = {}
    for t in get("/api/v1/traces", {"service": "vedette", "limit": 100})["traces"]:
        for s in get("/api/v1/traces/" + t["trace_id"], {"fields": "attributes"})["spans"]:
            seen.setdefault(s["name"], set()).update(s.get("attributes", {}))
    base = {"analytics.metric_name", "analytics.system_id", "analytics.time_window_hours"}
    for name, attrs in (("analytics.analyze_trend", base), ("analytics.detect_anomalies", base | {"analytics.threshold_std"}),
                        ("analytics.correlate_systems", base | {"analytics.system_count"})):
        expect(attrs <= seen.get(name, set()), True, "%s has %r" % (name, seen.get(name)))


lab.case("a trend", trend)
lab.case("anomalies", anomalies)
lab.case("systems that go together", correlate)
lab.case("what cannot be analysed", failures)
lab.case("metrics added by events", added)
lab.case("the series of all that", series)
lab.case("the spans of all that", spans)
lab.done()
