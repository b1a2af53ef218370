"""Rules in a running server, beside Debian's Prometheus: the same alerts from the same data, reload, restart, logs, the API."""
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from lab import Lab, expect, free_port, http, wait_for  # noqa: E402

lab = Lab(sys.argv)
QUIET = ("--self-metrics=no", "--host-metrics=no", "--builtin-rules=no")

RULES = """
groups:
  - name: pairs
    interval: 1s
    rules:
      - {record: "job:load:sum", expr: sum by (job) (load), labels: {made: here}}
      - {alert: Loud, expr: load > 5, for: 3s, labels: {severity: page}, annotations: {summary: "{{ $labels.host }} has {{ $value }}"}}
      - {alert: Kept, expr: load > 5, keep_firing_for: 1h}
      - {alert: Sum, expr: "job:load:sum > 10", annotations: {summary: "{{ with query \\"count(load)\\" }}{{ . | first | value }}{{ end }} hosts, {{ humanize $value }}"}}
      - {alert: Never, expr: load > 1000}
      - {alert: Broken, expr: "load / on (job) load"}
"""


def push(server, lines):
    status, _, body = http("POST", server.base + "/api/v1/import/prometheus", lines.encode())
    assert status in (200, 204), (status, body)


class Exporter:
    """A file the Prometheus and ours scrape, served by a thread."""

    def __init__(self):
        import http.server
        import threading
        exporter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(exporter.text.encode())

            def log_message(self, *args):
                pass
        self.text, self.port = "", free_port()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def load(self, **hosts):
        self.text = "# TYPE load gauge\n" + "".join('load{host="%s"} %g\n' % h for h in hosts.items())


def config(exporter, rules):
    return ("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: {cluster: lab}}\n"
            "rule_files: [%s]\nscrape_configs: [{job_name: j, static_configs: [{targets: ['127.0.0.1:%d']}]}]\n" % (rules, exporter.port))


def alerts(server):
    """{labels and state: annotations}, without what only one run can know."""
    return {json.dumps([a["labels"], a["state"]], sort_keys=True): a["annotations"] for a in server.api("/api/v1/alerts")["alerts"]}


def series(server, name):
    return sorted(json.dumps(s["metric"], sort_keys=True).replace('"127.0.0.1:%d"' % exporter.port, "x") for s in server.query(name))


exporter = Exporter()
exporter.load(a=1, b=9)
rules_path = lab.write("rules.yml", RULES)
config_path = lab.write("vedette.yml", config(exporter, "rules.yml"))
ours = lab.vedette(*QUIET, config=config_path)


# S2-084
def same_as_prometheus():
    if not lab.have("prometheus"):
        return
    theirs = lab.prometheus(config(exporter, rules_path))

    def same(what, **firing):
        """Both have these hosts firing under these names, and all else is equal, too."""
        def check():
            got, want = alerts(ours), alerts(theirs)
            for name, hosts in firing.items():
                found = sorted(json.loads(k)[0].get("host", "") for k in got if json.loads(k)[1] == "firing" and json.loads(k)[0]["alertname"] == name)
                expect(found, sorted(hosts.split()), name + " firing")
            if got != want:
                raise AssertionError("%s: %s here, %s there" % (what, got, want))
            for name in ("ALERTS", "job:load:sum", "count by (alertname) (ALERTS_FOR_STATE)"):
                expect(series(ours, name), series(theirs, name), name)
            return bool(want)
        wait_for(check, 40, 0.3, what)
    lab.case("the_same_alerts_fire", lambda: same("one host is loud", Loud="b", Kept="b"))
    exporter.load(a=7, b=8, c=1)
    lab.case("more_alerts_and_new_values", lambda: same("two hosts are loud", Loud="a b", Kept="a b"))
    exporter.load(c=1)
    lab.case("series_go_and_alerts_end_or_are_kept", lambda: same("none is loud", Loud="", Kept="a b"))

    def same_rules():
        def plain(server):
            groups = server.api("/api/v1/rules")["groups"]
            for g in groups:
                for key in ("file", "evaluationTime", "lastEvaluation"):
                    g.pop(key)
                for r in g["rules"]:
                    for key in ("evaluationTime", "lastEvaluation", "alerts", "lastError"):
                        r.pop(key, None)
            return groups
        wait_for(lambda: plain(ours) == plain(theirs), 20, what="the same rules")
        expect(plain(ours), plain(theirs), "rules")
    lab.case("the_same_list_of_rules", same_rules)
    theirs.process.stop()


# S2-088, S2-090
def the_api_finds_and_pages():
    def names(**ask):
        data = ours.api("/api/v1/rules", ask)
        return [r["name"] for g in data["groups"] for r in g["rules"]], data.get("groupNextToken")
    expect(names(type="record")[0], ["job:load:sum"])
    expect(names(**{"rule_name[]": ["Loud", "Kept"]})[0], ["Loud", "Kept"])
    expect(names(**{"rule_group[]": "none"})[0], [])
    expect(names(**{"match[]": '{severity="page"}'})[0], ["Loud"])
    expect(names(file=rules_path, type="alert")[0][0], "Loud")
    group = ours.api("/api/v1/rules")["groups"][0]
    broken = next(r for r in group["rules"] if r["name"] == "Broken")
    assert group["file"] == rules_path and group["interval"] == 1 and group["lastEvaluation"] > "2", group
    wait_for(lambda: ours.scalar("vector(1)") == 1)
    assert broken["health"] in ("ok", "err"), broken
    expect(ours.get("/api/v1/rules", {"group_next_token": "x"})[0], 400)
    expect(ours.get("/api/v1/rules", {"group_limit": "1", "group_next_token": "x"})[0], 400)
    assert all(r.get("alerts", []) == [] for g in ours.api("/api/v1/rules", {"exclude_alerts": "true"})["groups"] for r in g["rules"])


def a_broken_file_keeps_the_old_rules():
    lab.write("rules.yml", RULES.replace("expr: load > 1000", "expr: load >"))
    status, _, body = http("POST", ours.base + "/-/reload", b"")
    assert status >= 400, status
    for word in (b"rules.yml:", b"groups[0].rules[4]", b"could not parse expression"):
        assert word in body, body
    assert "Never" in json.dumps(ours.api("/api/v1/rules"))


def a_reload_changes_rules_and_ends_their_series():
    exporter.load(a=7, c=1)
    wait_for(lambda: ours.scalar('ALERTS{alertname="Loud",alertstate="firing"}') == 1, 30, what="Loud fires")
    since = ours.api("/api/v1/rules", {"rule_name": "Loud"})["groups"][0]["rules"][0]["alerts"][0]["activeAt"]
    lab.write("rules.yml", RULES.replace("load > 5, for: 3s", "load > 6, for: 3s").replace('record: "job:load:sum"', "record: other"))
    os.kill(ours.process.pid, signal.SIGHUP)
    wait_for(lambda: ours.query("other"), 20, what="the new record")
    wait_for(lambda: not ours.query("job:load:sum"), 20, what="the end of the old one")
    now = ours.api("/api/v1/rules", {"rule_name": "Loud"})["groups"][0]["rules"][0]
    expect((now["alerts"][0]["activeAt"], now["alerts"][0]["state"], now["query"]), (since, "firing", "load > 6"), "Loud")


def a_restart_goes_on_waiting():
    lab.write("rules.yml", "groups: [{name: slow, interval: 1s, rules: [{alert: Slow, expr: load > 5, for: 20m}]}]")
    http("POST", ours.base + "/-/reload", b"")
    wait_for(lambda: ours.query("ALERTS_FOR_STATE"), 20, what="Slow is pending")
    time.sleep(8)
    before = ours.scalar('ALERTS_FOR_STATE{alertname="Slow"}')
    ours.kill9()
    killed = time.time()
    time.sleep(2)
    ours.start()
    wait_for(lambda: ours.query('ALERTS{alertname="Slow"} unless timestamp(ALERTS) < %d' % time.time()), 40, what="Slow is pending again")
    after = ours.scalar('ALERTS_FOR_STATE{alertname="Slow"}')
    away = time.time() - killed  # moves its begin; what it had waited before is kept
    assert 1 <= after - before <= away + 3, (before, after, away)


# S4-074
def rules_on_logs():
    lab.write("rules.yml", "groups: [{name: logs, interval: 1s, type: log, rules: ["
              "{alert: Errors, expr: 'sum by (service_name) (count_over_time({service_name=\"shop\"} |= \"error\" [1h])) > 2', annotations: {summary: '{{ $value }} errors in {{ $labels.service_name }}'}},"
              "{record: 'shop:lines', expr: 'sum(count_over_time({service_name=\"shop\"}[1h]))'}]}]")
    http("POST", ours.base + "/-/reload", b"")
    now = time.time_ns()
    lines = [[str(now + i), "error %d" % i if i % 2 else "fine"] for i in range(7)]
    status, _, body = http("POST", ours.base + "/loki/api/v1/push", json.dumps({"streams": [{"stream": {"service_name": "shop"}, "values": lines}]}).encode(),
                           {"Content-Type": "application/json"})
    assert status == 204, (status, body)
    wait_for(lambda: ours.scalar("shop:lines") == 7, 30, what="lines are recorded")
    found = wait_for(lambda: [a for a in ours.api("/api/v1/alerts")["alerts"] if a["labels"]["alertname"] == "Errors"], 20, what="errors alert")
    expect(found[0]["annotations"], {"summary": "3 errors in shop"})


# S2-064, S2-097
def built_in_rules_and_runbooks():
    own = lab.vedette("--self-metrics=no", "--host-metrics=no")
    groups = own.api("/api/v1/rules")["groups"]
    expect(sorted(g["name"] for g in groups), ["agents", "business", "core", "cost", "load_balancer", "security", "sla", "system"])
    for g in groups:
        for r in g["rules"]:
            status, _, page = own.get("/runbooks/" + r["name"])
            assert status == 200 and page.startswith(("# " + r["name"]).encode()), (r["name"], status)
    expect(own.get("/runbooks/Nothing")[0], 404)
    expect(own.stop(), 0)


same_as_prometheus()
lab.case("the_api_finds_and_pages", the_api_finds_and_pages)
lab.case("a_broken_file_keeps_the_old_rules", a_broken_file_keeps_the_old_rules)
lab.case("a_reload_changes_rules_and_ends_their_series", a_reload_changes_rules_and_ends_their_series)
lab.case("a_restart_goes_on_waiting", a_restart_goes_on_waiting)
lab.case("rules_on_logs", rules_on_logs)
lab.case("built_in_rules_and_runbooks", built_in_rules_and_runbooks)
lab.done()
