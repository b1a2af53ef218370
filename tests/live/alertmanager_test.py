"""alertmanager_test.py - the parts of notifications that other tests do not see: shapes of the v2 API, alerts from Debian's Prometheus and
from vmalert, our alerts sent on to Debian's Alertmanager, life of an alert, reloads, and receivers that are down, slow or unwilling
with a kill -9 in between.

    alertmanager_test.py BUILD [ALERTS]      or RELEASE=1: 10000 alerts
"""
import json
import os
import re
import shutil
import sys
import time

from am_lab import Alertmanager, Sink, get, post, stamp, vedette_with
from lab import Lab, expect, free_port, http, wait_for

lab = Lab(sys.argv)
ALERTS = int(sys.argv[2]) if len(sys.argv) > 2 else 10000 if os.environ.get("RELEASE") else 300
FAST = "group_wait: 200ms, group_interval: 1s, repeat_interval: 1h"


def plain(sink, extra="", route=""):
    return ("route: {receiver: hook, group_by: [alertname], %s%s}\nreceivers:\n- name: hook\n  webhook_configs: [{url: '%s'}]\n%s"
            % (FAST, route, sink.url("hook"), extra))


def told(sink, path="/hook"):
    return [(sorted(a["labels"]["alertname"] + ("+" if a["status"] == "firing" else "-") for a in g[2]["alerts"])) for g in sink.taken() if g[1] == path]


# ---- shapes ----

# S2-089
def shapes():
    sink = Sink()
    s = vedette_with(lab, plain(sink))
    for path in ("/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/silences", "/am/api/v2/alerts"):
        expect(get(s.base, path), [], path)
    status = get(s.base, "/api/v2/status")
    expect(sorted(status), ["cluster", "config", "uptime", "versionInfo"])
    expect((status["cluster"]["peers"], sorted(status["versionInfo"])),
           ([], ["branch", "buildDate", "buildUser", "goVersion", "revision", "version"]))
    expect("<secret>" in status["config"]["original"], True, "the path of a webhook is hidden")
    expect(get(s.base, "/api/v2/receivers"), [{"name": "hook"}])
    for path, want in (("/alertmanager/api/v2/status", 404), ("/alertmanager/", 404), ("/api/v2/silence/nothing", 404),
                       ("/api/v2/alerts?filter=%7Bbad", 400), ("/api/v2/alerts?active=perhaps", 400), ("/api/v2/alerts?receiver=(", 400)):
        got, _, body = http("GET", s.base + path)
        expect(got, want, path)
        if want == 400:
            expect(type(json.loads(body)), str, path)
    for body, why in (([{"labels": {}}], "at least one label pair"), ([{"labels": {"a": "b"}, "startsAt": "2024-01-02T00:00:00Z", "endsAt": "2024-01-01T00:00:00Z"}], "before end"),
                      ("x", "array"), ([{"labels": {"a": 1}}], "string")):
        got, _, answer = http("POST", s.base + "/api/v2/alerts", json.dumps(body).encode())
        expect((got, why in answer.decode()), (400, True), "%s: %s" % (body, answer))
    now = time.time()
    m = [{"name": "a", "value": "b", "isRegex": False}]
    for silence, want in (({"matchers": []}, 400), ({"matchers": [{"name": "a", "value": ".*", "isRegex": True}]}, 400), ({"matchers": m, "id": "no-such"}, 404),
                          ({"matchers": m, "endsAt": stamp(now - 10), "startsAt": stamp(now - 20)}, 400)):
        full = {"startsAt": stamp(now), "endsAt": stamp(now + 60), "createdBy": "x", "comment": "y", **silence}
        expect(http("POST", s.base + "/api/v2/silences", json.dumps(full).encode())[0], want, str(silence))
    post(s.base, "/api/v2/alerts", [{"labels": {"alertname": "a", "empty": ""}, "startsAt": "0001-01-01T00:00:00.000Z", "annotations": None}])
    one = get(s.base, "/api/v2/alerts")[0]
    expect((one["labels"], one["annotations"], one["receivers"]), ({"alertname": "a"}, {}, [{"name": "hook"}]))
    expect(one["status"], {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []})
    expect(bool(re.fullmatch("[0-9a-f]{16}", one["fingerprint"])), True)
    s.stop()


# ---- life ----

def api(base, method, path, body=None):
    status, _, answer = http(method, base + path, json.dumps(body).encode() if body is not None else None)
    return status, json.loads(answer)


# S1-070, S1-162, S3-020
def life():
    sink = Sink()
    s = vedette_with(lab, plain(sink, "- name: boss\n  webhook_configs: [{url: '%s'}]\n" % sink.url("boss"), ", escalations: [{delay: 3s, receiver: boss}]"))
    post(s.base, "/api/v2/alerts", [{"labels": {"alertname": n}} for n in "ab"])
    fp = {a["labels"]["alertname"]: a["fingerprint"] for a in get(s.base, "/api/v2/alerts")}
    expect(api(s.base, "POST", "/api/v1/alerts/%s/ack" % fp["a"], {"by": "ann", "comment": "mine"})[0], 200)
    expect(api(s.base, "POST", "/api/v1/alerts/%s/ack" % fp["a"], {})[0], 400)
    expect(api(s.base, "POST", "/api/v1/alerts/%s/ack" % ("0" * 16), {"by": "ann"})[0], 404)
    expect(api(s.base, "POST", "/api/v1/alerts/%s/comment" % fp["b"], {"by": "bob", "comment": "looking"})[0], 200)
    wait_for(lambda: told(sink, "/boss"), 20, what="escalation")
    expect(told(sink, "/boss"), [["b+"]], "only what nobody acknowledged")
    acknowledged = [a.get("acknowledged", {}).get("by") for a in get(s.base, "/api/v2/alerts")]
    expect(sorted(acknowledged, key=str), sorted([None, "ann"], key=str))
    expect(api(s.base, "POST", "/api/v1/alerts/%s/resolve" % fp["b"], {"by": "bob"})[0], 200)
    wait_for(lambda: ["b-"] in told(sink) and ["b-"] in told(sink, "/boss"), 20, what="its end is told to both")
    post(s.base, "/api/v2/alerts", [{"labels": {"alertname": "b"}}])
    events = api(s.base, "GET", "/api/v1/alerts/history?fingerprint=" + fp["b"])[1]["data"]["events"]
    expect([e["event"] for e in events], ["reopened", "resolved", "commented", "escalated", "commented", "raised"])
    expect([e["by"] for e in events], ["", "", "bob", "boss", "bob", ""])
    noise = api(s.base, "GET", "/api/v1/alerts/noise")[1]["data"]["alerts"]
    expect([(n["alertname"], n["raised"], n["reopened"], n["acknowledged"]) for n in noise], [("b", 1, 1, 0), ("a", 1, 0, 1)])
    who = api(s.base, "POST", "/api/v1/alerts/route-test", {"labels": {"alertname": "x"}})[1]["data"]
    expect([(r["receiver"], r["integrations"], [e["receiver"] for e in r["escalations"]]) for r in who["routes"]], [("hook", ["webhook"], ["boss"])])
    s.kill9()
    s.start()
    expect(sorted([a.get("acknowledged", {}).get("by") for a in get(s.base, "/api/v2/alerts")], key=str), sorted([None, "ann"], key=str), "after a kill")
    s.stop()


# ---- reload ----

def reload():
    sink = Sink()
    s = vedette_with(lab, plain(sink))
    path = os.path.join(os.path.dirname(s.config), os.path.basename(s.config).replace("vedette", "am-of"))
    post(s.base, "/api/v2/alerts", [{"labels": {"alertname": "a"}}])
    wait_for(lambda: told(sink), 20)
    with open(path, "w") as f:
        f.write(plain(sink, "inhibit_rules:\n- {sauce_matchers: [a=b]}\n"))
    status, _, body = http("POST", s.base + "/-/reload")
    expect((status != 200, "am-of-" in body.decode(), 'unknown key "sauce_matchers"' in body.decode()), (True, True, True), body.decode())
    post(s.base, "/api/v2/alerts", [{"labels": {"alertname": "b"}}])
    wait_for(lambda: len(told(sink)) == 2, 20, what="the old configuration goes on")
    with open(path, "w") as f:
        f.write(plain(sink).replace("/hook", "/moved"))
    expect(http("POST", s.base + "/-/reload")[0], 200)
    post(s.base, "/api/v2/alerts", [{"labels": {"alertname": "c"}}])
    wait_for(lambda: told(sink, "/moved"), 20, what="the new configuration")
    expect((told(sink, "/moved"), len(told(sink))), ([["c+"]], 2), "what was told is not told again")
    s.stop()


# ---- receivers that fail, and a kill ----

# S4-070: retries; S1-164
def unwilling():
    late = free_port()

    def answer(path, n):
        kind = path.strip("/")
        if kind == "slow" and n % 50 == 1:
            time.sleep(2)
        if kind == "500" and n % 3 == 1:
            return 500
        if kind == "429" and n % 3 == 1:
            return 429
        return 302 if kind == "302" else 200
    sink = Sink(answer)
    kinds = ["ok", "slow", "500", "429", "down", "302"]
    urls = {k: sink.url(k) for k in kinds}
    urls["down"] = "http://127.0.0.1:%d/down" % late
    config = json.dumps({"route": {"receiver": "ok", "group_by": ["n"], "group_wait": "100ms", "group_interval": "5s", "repeat_interval": "1h",
                                   "routes": [{"receiver": k, "matchers": ["r=\"%s\"" % k]} for k in kinds]},
                         "receivers": [{"name": k, "webhook_configs": [{"url": urls[k]}]} for k in kinds]})
    s = vedette_with(lab, config)
    begin = time.time()
    alerts = [{"labels": {"alertname": "x", "n": str(n), "r": kinds[n % len(kinds)]}, "startsAt": stamp(begin)} for n in range(ALERTS)]
    for first in range(0, ALERTS, 1000):
        post(s.base, "/api/v2/alerts", alerts[first:first + 1000])
    wait_for(lambda: len(sink.taken()) > ALERTS // 6, 120, what="some are told")
    s.kill9()
    s.start()
    wanted = {n for n in range(ALERTS) if kinds[n % len(kinds)] not in ("down", "302")}
    seen = lambda status: {int(a["labels"]["n"]) for g in sink.taken() + down.taken() for a in g[2]["alerts"] if a["status"] == status}
    down = Sink.__new__(Sink)
    down.taken = lambda: []
    wait_for(lambda: seen("firing") >= wanted, 300, 0.5, "all that can be told is told")
    down = sink_at(late)
    wait_for(lambda: len(down.taken()) >= len([n for n in range(ALERTS) if kinds[n % len(kinds)] == "down"]), 300, 0.5, "a receiver that comes back")
    ends = [dict(a, endsAt=stamp(time.time())) for a in alerts if int(a["labels"]["n"]) % 2 == 0]
    for first in range(0, len(ends), 1000):
        post(s.base, "/api/v2/alerts", ends[first:first + 1000])
    gone = {int(a["labels"]["n"]) for a in ends if a["labels"]["r"] != "302"}
    wait_for(lambda: seen("resolved") >= gone, 300, 0.5, "ends are told")
    order, count = {}, {}
    for g in sorted(sink.taken() + down.taken(), key=lambda g: g[0]):
        for a in g[2]["alerts"]:
            n, status = int(a["labels"]["n"]), a["status"]
            order.setdefault(n, []).append(status)
            count[(n, status)] = count.get((n, status), 0) + 1
    expect([n for n, o in order.items() if o != sorted(o)], [], "groups whose end came before their beginning")  # "firing" < "resolved"
    twice = [k for k, c in count.items() if c > 1]
    expect([k for k in twice if count[k] > 2 or k[1] == "resolved"], [], "told more than twice, or an end twice")
    expect(any(g[1] == "/stolen" for g in sink.got), False, "a redirect was followed")
    print("%d alerts, %d attempts, %d told twice because of the kill, %.0f s, %d MiB" % (ALERTS, len(sink.got), len(twice), time.time() - begin, s.rss() >> 20), flush=True)
    s.stop()


def sink_at(port):
    import am_lab
    made = am_lab.http_server.ThreadingHTTPServer
    sink = Sink()
    again = made(("127.0.0.1", port), sink.server.RequestHandlerClass)
    import threading
    threading.Thread(target=again.serve_forever, daemon=True).start()
    return sink


# ---- others ----

def from_prometheus():
    if not lab.have("prometheus"):
        return
    sink = Sink()
    s = vedette_with(lab, plain(sink))
    rules = lab.write("r.yml", "groups: [{name: g, interval: 1s, rules: [{alert: Up, expr: vector(1), labels: {team: x}, annotations: {summary: 'is {{ $value }}'}}]}]\n")
    p = lab.prometheus("global: {evaluation_interval: 1s}\nrule_files: ['%s']\nalerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:%d']}]}]}\n" % (rules, s.port), "--rules.alert.resend-delay=1s")
    wait_for(lambda: told(sink) == [["Up+"]], 60, what="an alert of Prometheus")
    expect(sink.taken()[0][2]["commonAnnotations"], {"summary": "is 1"})
    p.process.stop()
    s.stop()


def from_vmalert():
    if shutil.which("vmalert") is None:
        lab.skip("vmalert", "vmalert is not installed")
        return
    sink = Sink()
    s = vedette_with(lab, plain(sink))
    rules = lab.write("vm.yml", "groups: [{name: g, interval: 1s, rules: [{alert: Up, expr: vector(1)}]}]\n")
    p = lab.run("vmalert", ["vmalert", "-rule=" + rules, "-datasource.url=" + s.base, "-notifier.url=" + s.base, "-evaluationInterval=1s",
                            "-httpListenAddr=127.0.0.1:%d" % free_port()])
    wait_for(lambda: told(sink) == [["Up+"]], 60, what="an alert of vmalert")
    p.stop()
    s.stop()


# S0-102
def forward():
    if not lab.have("prometheus-alertmanager"):
        return
    outside, inside = Sink(), Sink()
    am = Alertmanager(lab, plain(outside))
    rules = lab.write("fr.yml", "groups: [{name: g, interval: 1s, rules: [{alert: Up, expr: vector(1), labels: {secret: x}}]}]\n")
    main = ("global: {evaluation_interval: 1s, external_labels: {site: here}}\nrule_files: ['%s']\n"
            "alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:%d']}],\n"
            "  alert_relabel_configs: [{target_label: via, replacement: us}, {regex: secret, action: labeldrop}]}]}\n" % (rules, am.port))
    s = vedette_with(lab, plain(inside), main=main)
    wait_for(lambda: told(outside) == [["Up+"]] and told(inside) == [["Up+"]], 60, what="our rule's alert inside and outside")
    expect(outside.taken()[0][2]["commonLabels"], {"alertname": "Up", "site": "here", "via": "us"}, "relabelled for those outside")
    expect(inside.taken()[0][2]["commonLabels"], {"alertname": "Up", "site": "here", "secret": "x"}, "and only for them")
    expect(get(s.base, "/api/v1/alertmanagers")["data"], {"activeAlertmanagers": [{"url": "http://127.0.0.1:%d/api/v2/alerts" % am.port}], "droppedAlertmanagers": []})
    s.stop()
    am.stop()


lab.case("shapes_of_the_v2_api", shapes)
lab.case("life_of_an_alert", life)
lab.case("a_broken_file_keeps_the_old_configuration", reload)
lab.case("unwilling_receivers_and_a_kill", unwilling)
lab.case("alerts_of_prometheus", from_prometheus)
lab.case("alerts_of_vmalert", from_vmalert)
lab.case("our_alerts_sent_on_to_alertmanager", forward)
lab.done()
