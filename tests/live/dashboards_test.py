"""dashboards_test.py - dashboards over HTTP: the built-in ones have data in every panel on the demo load, imported ones are kept, a
folder's are read at start and on reload, and what is exported for Grafana is what Grafana takes.

    python3 tests/live/dashboards_test.py BUILD
"""
import json
import os
import re
import signal
import subprocess
import sys
import time

from lab import Lab, expect, http, wait_for

lab = Lab(sys.argv)

# Panels of each built-in dashboard, as promised: S2-041, S2-049, S2-056 are the nineteen.
PROMISED = {
    "embedding-performance": (6, "30s"), "circuit-breaker-status": (6, "15s"), "system-health": (7, "30s"), "load-balancer": (8, None),
    "mcp-performance": (None, None), "cost-analysis": (None, None), "predictive-alerts": (None, None), "system-overview": (None, None),
    "agent-coordination": (None, None), "api-performance": (None, None), "security-monitoring": (None, None), "capacity-planning": (None, None),
}

# Panel: expressions as they are promised. {title: ([expressions], feature id)}
EXPRESSIONS = {
    "embedding-performance": {
        "Embedding Generation Rate": (["rate(embedding_generated_total[1m])"], "S2-042"),
        "Text Length Distribution": (["histogram_quantile(0.50, rate(embedding_text_length_bucket[5m]))",
                                      "histogram_quantile(0.95, rate(embedding_text_length_bucket[5m]))",
                                      "histogram_quantile(0.99, rate(embedding_text_length_bucket[5m]))"], "S2-043"),
        "Real vs Fallback Mode Ratio": (['sum(embedding_generated_total{mode="real"}) / sum(embedding_generated_total)'], "S2-044"),
        "Total Embeddings Generated": (["sum(embedding_generated_total)"], "S2-045"),
        "Average Text Length": (["embedding_text_length_sum / embedding_text_length_count"], "S2-046"),
        "Batch Processing Metrics": (["rate(embedding_batch_generated_total[1m])"], "S2-047"),
    },
    "circuit-breaker-status": {
        "Circuit Breaker States": (['sum(circuit_state{state="0"})', 'sum(circuit_state{state="1"})', 'sum(circuit_state{state="2"})'], "S2-050"),
        "Service Success Rates": (['circuit_success_rate{service_name="$service"}'], "S2-051"),
        "Total Calls by Service": (["sum(circuit_total_calls) by (service_name)"], "S2-052"),
        "Call Success/Failure Ratio": (["sum(circuit_successful_calls)", "sum(circuit_failed_calls)", "sum(circuit_rejected_calls)"], "S2-053"),
        "Consecutive Failures by Service": (["circuit_consecutive_failures"], "S2-054"),
        "Recent Circuit Breaker Trips": ([], "S2-055"),
    },
    "system-health": {
        "Analytics Operations Rate": (["rate(analytics_metrics_added_total[1m])", "rate(analytics_trend_completed_total[1m])"], "S2-057"),
        "Knowledge Graph Growth": (["kg_entities_total", "kg_edges_total"], "S2-058"),
        "Trend Analysis Strength Distribution": (["sum(rate(analytics_trend_strength_bucket[5m])) by (le)"], "S2-059"),
        "Anomaly Detection Rate": (["avg(analytics_anomaly_rate)"], "S2-060"),
        "Knowledge Graph Operations": (["rate(kg_entities_added_total[1m])", "rate(kg_edges_added_total[1m])"], "S2-061"),
        "System Health Score": (["avg(circuit_success_rate)"], "S2-062"),
        "Active Traces": ([], "S2-063"),
    },
    "load-balancer": {
        "Request Rate": (["rate(load_balancer_requests_total[5m])"], "S1-135"),
        "Response-time Percentiles P95, P99": (["histogram_quantile(0.95, rate(load_balancer_request_duration_seconds_bucket[5m]))",
                                                "histogram_quantile(0.99, rate(load_balancer_request_duration_seconds_bucket[5m]))"], "S1-136"),
        "Error Rate": (["load_balancer_error_rate_percent"], "S1-137"),
        "Cost Tracking": (["load_balancer_cost_per_request_usd", "load_balancer_daily_budget_usage_percent"], "S1-138"),
        "Quality Score": (["load_balancer_quality_score"], "S1-139"),
        "SLA Compliance": (["load_balancer_sla_compliance_percent"], "S1-140"),
        "Circuit Breaker": (["load_balancer_circuit_breaker_state"], "S1-141"),
        "Backend Pool": (["load_balancer_pool_size_available", "load_balancer_pool_size_total"], "S1-144"),
    },
}

# Thresholds where they are promised (S2-051, S2-054, S2-060, S2-062; S2-094: green, yellow, red).
THRESHOLDS = {
    "Service Success Rates": [(None, "red"), (0.5, "yellow"), (0.8, "green")],
    "Consecutive Failures by Service": [(None, "green"), (3, "yellow"), (5, "red")],
    "Anomaly Detection Rate": [(None, "green"), (0.05, "yellow"), (0.1, "red")],
    "System Health Score": [(None, "red"), (0.8, "yellow"), (0.95, "green")],
}

quiet = ("--host-metrics=yes", "--self-interval=1s")
demo = lab.vedette("--demo", *quiet)


def ask(path, method="GET", body=None):
    status, _, answer = http(method, demo.base + path, body)
    return status, (json.loads(answer) if answer else None)


def board(name):
    status, answer = ask("/api/v1/dashboards/" + name)
    expect(status, 200, name)
    return answer


def panels_of(d):
    out = []
    for p in d["panels"]:
        out += p.get("panels", []) if p["type"] == "row" else [p]
    return out


def chosen_values(d):
    """Variables of the type query, all of their values, as a dashboard chooses at first."""
    out = {}
    for v in d["templating"]["list"]:
        if v["type"] != "query":
            continue
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", v["query"]["query"]).groups()
        out[v["name"]] = demo.api("/api/v1/label/%s/values" % label, {"match[]": metric})
    return out


def filled(expr, values, repeat, span=3600):
    for name, text in (("__rate_interval", "1m"), ("__range", "%ds" % span), ("__interval", "15s")):
        expr = expr.replace("$" + name, text)
    for name, all_of in values.items():
        expr = expr.replace("$" + name, all_of[0] if name == repeat else "|".join(re.escape(v).replace("\\", "\\\\") for v in all_of))
    return expr


def answer_of(panel, target, values):
    source = (target.get("datasource") or panel["datasource"])["type"]
    expr, now = filled(target["expr"], values, panel.get("repeat")), time.time()
    if source == "loki":
        status, body = ask("/loki/api/v1/query_range?" + __import__("urllib.parse").parse.urlencode(
            {"query": expr, "start": int((now - 3600) * 1e9), "end": int(now * 1e9), "step": 60, "limit": 50}))
        expect(status, 200, expr + " " + json.dumps(body)[:200])
        return body["data"]["result"]
    if target["instant"]:
        return demo.query(expr)
    return demo.api("/api/v1/query_range", {"query": expr, "start": now - 1800, "end": now, "step": 15}, "POST")["result"]


def has_number(result):
    for s in result:
        for point in s.get("values", [s["value"]] if "value" in s else []):
            if point[1] not in ("NaN", ""):
                return True
    return False


def every_panel_of(name):
    def one():
        """S2-040, S2-092: each panel and each of its targets returns data through the public API."""
        d = board(name)
        missing = ["not looked"]

        def look():
            values = chosen_values(d)
            missing[:] = [p["title"] + ": " + t["expr"] for p in panels_of(d) for t in p.get("targets", [])
                          if not has_number(answer_of(p, t, values))]
            return not missing
        try:
            wait_for(look, 90, 1, "data in every panel")
        except AssertionError as e:
            raise AssertionError("%s: %s" % (e, missing))
    return one


def the_promised_ones_are_there():
    """S0-076 S0-077 S0-078 S0-079 S2-041 S2-049 S2-056 S4-003 S4-065 S4-066 S4-067 S4-068 S4-069 S2-093"""
    listed = {d["name"]: d for d in ask("/api/v1/dashboards")[1]["dashboards"]}
    for name, (panels, refresh) in PROMISED.items():
        d = listed[name]
        expect(d["origin"], "built-in", name)
        if panels:
            expect(d["panels"], panels, "panels of " + name)
        if refresh:
            expect(d["refresh"], refresh, "refresh of " + name)
        assert d["refresh"] in ("15s", "30s"), d
    expect(sum(listed[n]["panels"] for n in ("embedding-performance", "circuit-breaker-status", "system-health")), 19, "S2-040")
    expect([v["name"] for v in board("circuit-breaker-status")["templating"]["list"] if v["type"] == "query"], ["service"])


def expressions_are_the_promised_ones():
    """S1-135..S1-144, S2-042..S2-063"""
    for name, panels in EXPRESSIONS.items():
        there = {p["title"]: p for p in panels_of(board(name))}
        for title, (expressions, feature) in panels.items():
            asked = [t["expr"] for t in there[title]["targets"]]
            for e in expressions:
                assert e in asked, "%s: %s asks %s, not %s" % (feature, title, asked, e)
        for title, steps in THRESHOLDS.items():
            if title in there:
                expect([(s["value"], s["color"]) for s in there[title]["fieldConfig"]["defaults"]["thresholds"]["steps"]], steps, title)


def promtool_parses_every_expression():
    promtool = "/usr/bin/promtool"
    if not os.path.exists(promtool):
        return lab.skip("promtool parses every expression", "no promtool on this machine")
    rules = [{"record": "x:%d" % i, "expr": e} for i, e in enumerate(sorted(all_expressions()))]
    path = os.path.join(lab.dir, "expressions.yml")
    with open(path, "w") as f:
        json.dump({"groups": [{"name": "dashboards", "rules": rules}]}, f)
    done = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-600:] + done.stderr[-600:]


def all_expressions():
    out = set()
    for name in PROMISED:
        d = board(name)
        for p in panels_of(d):
            for t in p.get("targets", []):
                if (t.get("datasource") or p["datasource"])["type"] == "prometheus":
                    out.add(filled(t["expr"], {v["name"]: ["a"] for v in d["templating"]["list"]}, None))
    return out


def ids_and_places_are_sound():
    """S0-075: what Grafana wants of an import: unique ids, panels within 24 columns that do not cover each other, sources by variable."""
    uids = set()
    for name in PROMISED:
        d, cells = board(name), set()
        uids.add(d["uid"])
        expect([len({p["id"] for p in d["panels"]})], [len(d["panels"])], "ids of " + name)
        for p in d["panels"]:
            g = p["gridPos"]
            assert 0 <= g["x"] and g["x"] + g["w"] <= 24, (name, g)
            own = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
            assert not own & cells, "%s: %s lies over another" % (name, p["title"])
            cells |= own
            expect(len({t["refId"] for t in p.get("targets", [])}), len(p.get("targets", [])), p["title"])
    expect(len(uids), len(PROMISED), "uids")


def files_for_grafana():
    """S0-032"""
    listed = ask("/api/v1/grafana/dashboards")[1]["dashboards"]
    for d in listed:
        status, headers, body = http("GET", demo.base + d["url"])
        expect((status, headers["Content-Type"], headers["Content-Disposition"]),
               (200, "application/json", 'attachment; filename="%s.json"' % d["name"]), d["name"])
        expect(json.loads(body)["title"], d["title"])
        if d["origin"] == "built-in":
            with open("deploy/grafana/dashboards/%s.json" % d["name"], "rb") as f:
                expect(body, f.read(), "the file of " + d["name"])
    expect(http("GET", demo.base + "/api/v1/grafana/dashboards/nothing.json")[0], 404)
    expect(http("GET", demo.base + "/api/v1/grafana/dashboards/system-health")[0], 404)


def export_writes_what_grafana_wants():
    """S0-032, S2-083: vedette export grafana DIR"""
    to = os.path.join(lab.dir, "grafana")
    done = subprocess.run([lab.binary, "export", "grafana", to, "--url", "http://vedette:1"], capture_output=True, text=True)
    expect(done.returncode, 0, done.stderr)
    for name in PROMISED:
        with open("%s/dashboards/%s.json" % (to, name), "rb") as mine, open("deploy/grafana/dashboards/%s.json" % name, "rb") as source:
            expect(mine.read(), source.read(), name)
    with open(to + "/provisioning/datasources/vedette.yml") as f:
        urls = re.findall(r"url: (http\S+)", f.read())
    expect(urls, ["http://vedette:1/" + s for s in ("prometheus", "loki-api", "tempo", "jaeger", "am")])
    with open(to + "/provisioning/dashboards/vedette.yml") as f:
        assert "path: " + os.path.realpath(to) + "/dashboards" in f.read()
    expect(subprocess.run([lab.binary, "export", "grafana"], capture_output=True).returncode, 2)


MINE = {"uid": "mine", "title": "Mine", "tags": ["a", "b"], "panels": [
    {"id": 1, "type": "timeseries", "title": "Up", "targets": [{"refId": "A", "expr": "up"}]},
    {"id": 2, "type": "row", "title": "More", "collapsed": True, "panels": [{"id": 3, "type": "geomap", "title": "World"}]}]}


def imported_ones_are_kept():
    """S2-087"""
    body = json.dumps(MINE, indent=3).encode()
    status, answer = ask("/api/v1/dashboards", "POST", body)
    expect((status, answer["name"], answer["panels"]), (201, "mine", 2))
    expect(answer["warnings"], ['panel "World" is of the kind "geomap", which is not drawn here'])
    expect(http("GET", demo.base + "/api/v1/dashboards/mine")[2], body, "byte for byte")
    expect(ask("/api/v1/dashboards", "POST", json.dumps({"dashboard": MINE, "overwrite": True}).encode())[0], 200, "again, as Grafana's API wraps it")
    expect(ask("/api/v1/dashboards?name=other_Name-1", "POST", body)[1]["name"], "other_Name-1")
    expect(ask("/api/v1/dashboards", "POST", json.dumps({"title": "Ünïque Title (2)", "panels": []}).encode())[1]["name"], "n-que-title-2")
    demo.process.kill9()
    demo.start()
    expect(json.loads(http("GET", demo.base + "/api/v1/dashboards/mine")[2]), MINE, "after kill -9")
    names = [d["name"] for d in ask("/api/v1/dashboards")[1]["dashboards"] if d["origin"] == "imported"]
    expect(sorted(names), ["mine", "n-que-title-2", "other_Name-1"])
    for n in names:
        expect(http("DELETE", demo.base + "/api/v1/dashboards/" + n)[0], 204)
    expect(ask("/api/v1/dashboards/mine")[0], 404)
    expect(ask("/api/v1/dashboards/mine", "DELETE")[0], 404)


def what_is_no_dashboard_is_refused():
    for body, why in (
            (b"", "line 1"), (b"{", "line 1, column 2"), (b"[]", "line 1, column 1"), (b'{"title":"x"}', "panels"),
            (b'{"panels":[]}', "no title"), (b'{"title":"x","rows":[]}', "schema 16"), (b'{"title":"x","elements":{}}', "schema 2"),
            (b'{"title":"x","panels":[{"title":"y"}]}', "without a type"), (b'{"title":"x","panels":{}}', "column 23"),
            (b'{"title":"x","panels":[' + b",".join([b'{"type":"stat"}'] * 501) + b"]}", "more than 500 panels"),
            (b'{"title":"' + b"x" * 400 + b'","panels":[]}', "300 bytes"),
            (b'{"title":"x","panels":[],"a":"' + b"x" * (1 << 20) + b'"}', "at most 1048576"),
            (b'{"title":"???","panels":[]}', "a name is 1 to 64"), (b'{"title":"System Health","uid":"system-health","panels":[]}', "built in"),
            (b"[" * 100000, "line 1")):
        status, answer = ask("/api/v1/dashboards", "POST", body)
        assert status == 400 and why in answer["error"], (body[:60], status, answer)
    expect(ask("/api/v1/dashboards?name=../x", "POST", b'{"title":"x","panels":[]}')[0], 400)
    expect(ask("/api/v1/dashboards/system-health", "DELETE")[0], 400)
    for i in range(200):
        expect(ask("/api/v1/dashboards", "POST", b'{"title":"n%d","panels":[]}' % i)[0], 201)
    status, answer = ask("/api/v1/dashboards", "POST", b'{"title":"one more","panels":[]}')
    assert status == 400 and "200 imported" in answer["error"], answer
    for i in range(200):
        expect(http("DELETE", demo.base + "/api/v1/dashboards/n%d" % i)[0], 204)


def a_folder_is_read_and_read_again():
    """S2-087: loaded at start and on reload"""
    folder = os.path.join(lab.dir, "boards")
    os.mkdir(folder)
    config = os.path.join(lab.dir, "vedette.yml")
    with open(config, "w") as f:
        f.write("dashboards: boards\n")

    def write(name, text):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)

    def there(s):
        return [(d["name"], d["title"]) for d in json.loads(http("GET", s.base + "/api/v1/dashboards")[2])["dashboards"] if d["origin"] == "folder"]
    write("one.json", json.dumps(MINE))
    write("broken.json", "{")
    write("system-health.json", json.dumps(MINE))
    write("notes.txt", "nothing")
    s = lab.vedette(config=config)
    expect(there(s), [("one", "Mine")])
    assert "broken.json" in s.process.tail(1 << 16) and "column 2" in s.process.tail(1 << 16)
    status, _, answer = http("POST", s.base + "/api/v1/dashboards?name=one", json.dumps(MINE).encode())
    assert status == 400 and b"from the folder" in answer, answer
    write("two.json", json.dumps({**MINE, "title": "Another"}))
    os.unlink(os.path.join(folder, "one.json"))
    s.process.child.send_signal(signal.SIGHUP)
    wait_for(lambda: there(s) == [("two", "Another")], 20, what="the folder read again")
    os.rename(folder, folder + ".gone")
    status, _, answer = http("POST", s.base + "/-/reload")
    assert status == 500 and b"dashboards" in answer, (status, answer)
    expect(there(s), [("two", "Another")], "the old ones stay")


def demo_records_are_marked():
    wait_for(lambda: demo.scalar('count(span_duration_milliseconds_count)'), 30, what="span metrics")
    traces = ask("/api/v1/traces?limit=50")[1]["traces"]
    assert traces and all(t["service"].startswith("demo-") for t in traces), traces[:3]
    expect([m for m in demo.api("/api/v1/label/job/values", {"match[]": '{__name__=~"load_balancer_.+|mcp_.+|circuit_.+|embedding_.+"}'})], ["demo"])


lab.case("the promised dashboards are there", the_promised_ones_are_there)
lab.case("their expressions and thresholds are the promised ones", expressions_are_the_promised_ones)
lab.case("promtool parses every expression", promtool_parses_every_expression)
lab.case("ids and places are sound", ids_and_places_are_sound)
for board_name in PROMISED:
    lab.case("every panel of %s returns data on the demo load" % board_name, every_panel_of(board_name))
lab.case("demo records are marked as such", demo_records_are_marked)
lab.case("files for Grafana", files_for_grafana)
lab.case("export writes what Grafana wants", export_writes_what_grafana_wants)
lab.case("what is no dashboard is refused, and says why", what_is_no_dashboard_is_refused)
lab.case("imported ones are kept, after a crash too", imported_ones_are_kept)
lab.case("a folder is read at start and on reload", a_folder_is_read_and_read_again)
lab.done()
