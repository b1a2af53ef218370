"""alert_beyond_test.py - what goes beyond Alertmanager and needs more than alerts: cascades along the call graph that spans have drawn,
and actions: commands and webhooks that alerts set off.

    alert_beyond_test.py BUILD
"""
import json
import os
import subprocess
import sys
import time

from am_lab import Sink, get, post, stamp, vedette_with
from lab import Lab, expect, free_port, http, wait_for

lab = Lab(sys.argv)
FAST = "group_wait: 300ms, group_interval: 1s, repeat_interval: 1h"


def span(trace, ident, parent, name, kind, now_ns, **attributes):
    return {"traceId": trace, "spanId": ident, "parentSpanId": parent, "name": name, "kind": kind, "startTimeUnixNano": str(now_ns),
            "endTimeUnixNano": str(now_ns + 5_000_000), "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()]}


def of_service(name, *spans):
    return {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": name}}]}, "scopeSpans": [{"spans": list(spans)}]}


def calls(s, *path):
    """One trace in which path[0] calls path[1] calls path[2] ..."""
    trace, now, parent, parts = os.urandom(16).hex(), time.time_ns() - 1_000_000_000, "", []
    for i, name in enumerate(path):
        server, client = os.urandom(8).hex(), os.urandom(8).hex()
        spans = [span(trace, server, parent, "serve", 2, now)] if i > 0 else []
        if i + 1 < len(path):
            spans.append(span(trace, client, server if i > 0 else "", "call", 3, now))
        parts.append(of_service(name, *spans))
        parent = client
    status, _, body = http("POST", "http://127.0.0.1:%d/v1/traces" % s.otlp_port, json.dumps({"resourceSpans": parts}).encode(),
                           {"Content-Type": "application/json"})
    expect(status, 200, body.decode())


def agent_uses(s, agent, model):
    trace, now, run = os.urandom(16).hex(), time.time_ns() - 1_000_000_000, os.urandom(8).hex()
    agent_span = span(trace, run, "", "invoke_agent", 1, now, **{"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent})
    chat = span(trace, os.urandom(8).hex(), run, "chat", 3, now, **{"gen_ai.operation.name": "chat", "gen_ai.request.model": model})
    status, _, body = http("POST", "http://127.0.0.1:%d/v1/traces" % s.otlp_port,
                           json.dumps({"resourceSpans": [of_service("agents", agent_span, chat)]}).encode(), {"Content-Type": "application/json"})
    expect(status, 200, body.decode())


def alert(**labels):
    return {"labels": labels}


def cascades(s):
    return get(s.base, "/api/v1/alerts/cascades")["data"]


def names(one):
    return one["root"]["labels"]["alertname"], sorted(e["labels"]["alertname"] for e in one["effects"])


# S4-031, S4-032: the root is told, what follows from it is marked, and not told where a route says so
def cascade():
    sink = Sink()
    config = ("route: {receiver: all, group_by: [alertname], %s, routes: [{receiver: quiet, continue: true, cascade: suppress}, {receiver: all}]}\n"
              "cascade_detection: {window: 5m}\n"
              "receivers:\n- name: all\n  webhook_configs: [{url: '%s'}]\n- name: quiet\n  webhook_configs: [{url: '%s'}]\n"
              % (FAST, sink.url("all"), sink.url("quiet")))
    s = vedette_with(lab, config)
    calls(s, "web", "shop", "db")
    agent_uses(s, "planner", "m-large")
    # The graph is there before its alerts are: an alert of nobody makes the server look for it.
    def series(name):
        return json.loads(http("GET", s.base + "/api/v1/query?query=" + name)[2])["data"]["result"]
    wait_for(lambda: len(series("traces_service_graph_request_total")) >= 2 and series("vedette_agent_graph_request_total"), 60, what="call graph")
    post(s.base, "/api/v2/alerts", [alert(alertname="other", service="mail")])
    wait_for(lambda: cascades(s)["calls"] >= 3, 60, what="the graph is known to the alerts")
    expect(cascades(s)["cascades"], [])

    post(s.base, "/api/v2/alerts", [alert(alertname="DbDown", service="db")])
    post(s.base, "/api/v2/alerts", [alert(alertname="ShopErrors", service="shop"), alert(alertname="WebSlow", service_name="web")])
    post(s.base, "/api/v2/alerts", [alert(alertname="ModelErrors", model="m-large"), alert(alertname="AgentFails", agent="planner")])
    found = sorted(names(c) for c in cascades(s)["cascades"])
    expect(found, [("DbDown", ["ShopErrors", "WebSlow"]), ("ModelErrors", ["AgentFails"])])

    by_name = {a["labels"]["alertname"]: a for a in get(s.base, "/api/v2/alerts")}
    db, web = by_name["DbDown"], by_name["WebSlow"]
    expect((db["status"]["cascade"]["role"], len(db["status"]["cascade"]["effects"])), ("root", 2))
    expect((web["status"]["cascade"]["role"], web["status"]["cascade"]["root"], web["status"]["cascade"]["cause"]),
           ("effect", db["fingerprint"], by_name["ShopErrors"]["fingerprint"]))
    expect("cascade" in by_name["other"]["status"], False)
    expect(web["status"]["state"], "active", "one of its routes tells it")

    def told(path):
        return sorted(a["labels"]["alertname"] for g in sink.taken() if g[1] == path for a in g[2]["alerts"] if a["status"] == "firing")
    wait_for(lambda: len(told("/all")) == 6, 30, what="everything is told where effects are only marked")
    wait_for(lambda: told("/quiet") == ["DbDown", "ModelErrors", "other"], 30, what="roots alone")

    # When the root has ended, what still fires is told: it has a reason of its own.
    status, _, body = http("POST", s.base + "/api/v1/alerts/%s/resolve" % db["fingerprint"], json.dumps({"by": "ann"}).encode())
    expect(status, 200, body.decode())
    wait_for(lambda: "ShopErrors" in told("/quiet"), 30, what="the next root is told")
    expect([names(c) for c in cascades(s)["cascades"] if c["root"]["labels"]["alertname"] == "ShopErrors"], [("ShopErrors", ["WebSlow"])])
    s.stop()


# S3-010: off by default, dry by default; an allow list, no shell, a time limit, a rate limit, an audit that survives a kill
def audit(s, **params):
    return get(s.base, "/api/v1/actions/audit?" + "&".join("%s=%s" % p for p in params.items()))["data"]["events"]


def outcomes(s, action):
    return [e["outcome"] for e in reversed(audit(s, action=action))]


def actions():
    sink = Sink()
    done = lab.path("done.txt")
    script = lab.write("fix.sh", "#!/bin/sh\necho \"$0|$1|$2|$HOME\" >> %s\necho fixed\n[ \"$1\" != hang ] || sleep 600\n[ \"$1\" != fail ] || exit 7\n" % done)
    os.chmod(script, 0o755)
    rules = ("""
actions:
  enabled: %%s
  allow_commands: [%s]
  rules:
  - {name: fix, matchers: [alertname=~"Stuck.*"], command: [%s, '{{ .Labels.agent }}', 'n={{ .Labels.n }}'], timeout: 1s, dry_run: false, rate_limit: {runs: 4, window: 1h}}
  - {name: dry, matchers: [alertname=~"Stuck.*"], command: [%s, '{{ .Labels.agent }}']}
  - {name: tell, matchers: [alertname=~"Stuck.*"], on: both, webhook: {url: '%s', hmac_secret: s3cret}, dry_run: false}
""" % (script, script, script, sink.url("robot")))
    s = vedette_with(lab, "route: {receiver: none}\nreceivers: [{name: none}]\n", main=rules % "false")

    def fire(name, agent, ended=False):
        one = alert(alertname=name, agent=agent, n="a b; touch /tmp/never")
        if ended:
            one["endsAt"] = stamp(time.time() - 0.01)
        post(s.base, "/api/v2/alerts", [one])
    fire("StuckOff", "off")
    with open(s.config) as f:
        text = f.read()
    with open(s.config, "w") as f:
        f.write(text.replace("enabled: false", "enabled: true"))
    expect(http("POST", s.base + "/-/reload")[0], 200)
    silence = {"matchers": [{"name": "alertname", "value": "StuckSilenced", "isRegex": False}], "startsAt": stamp(time.time()), "endsAt": stamp(time.time() + 600),
               "createdBy": "ann", "comment": "known"}
    post(s.base, "/api/v2/silences", silence)
    for i, (name, agent, want) in enumerate((("StuckA", "one", "done"), ("StuckB", "fail", "failed"), ("StuckC", "hang", "timed_out"),
                                             ("StuckD", "--force", "refused"), ("StuckSilenced", "no", "muted"), ("StuckE", "five", "rate_limited"))):
        fire(name, agent)
        fire(name, agent)  # the same alert again sets nothing off
        wait_for(lambda: len(outcomes(s, "fix")) == i + 1, 60, what=name)
        expect(outcomes(s, "fix")[-1], want, name)
    with open(done) as f:
        got = f.read().splitlines()
    expect(got, ["%s|%s|n=a b; touch /tmp/never|" % (script, a) for a in ("one", "fail", "hang")], "what ran, and with which arguments")
    ok, failed = audit(s, action="fix")[-1], audit(s, action="fix")[-2]
    expect((json.loads(ok["detail"])["result"], ok["labels"]["agent"], ok["trigger"]), ({"exit": 0, "output": "fixed\n"}, "one", "firing"))
    expect(json.loads(failed["detail"])["result"]["exit"], 7)
    wait_for(lambda: len(outcomes(s, "dry")) == 6, 30)
    expect(sorted(set(outcomes(s, "dry"))), ["dry_run", "muted", "refused"])
    fire("StuckA", "one", ended=True)
    wait_for(lambda: [e["trigger"] for e in audit(s, action="tell")].count("resolved") == 1, 30)
    told = [(g[2]["alerts"][0]["labels"]["alertname"], g[2]["alerts"][0]["status"]) for g in sink.taken()]
    expect(sorted(told), sorted([("Stuck" + c, "firing") for c in "ABCDE"] + [("StuckA", "resolved")]))
    before = len(audit(s))
    s.kill9()
    s.start()
    expect(len(audit(s)), before, "the audit after a kill")
    fire("StuckB", "fail")
    fire("StuckNew", "again")
    wait_for(lambda: [e["labels"]["alertname"] for e in audit(s, action="fix")].count("StuckNew") == 1, 30)
    expect([e["labels"]["alertname"] for e in audit(s, action="fix")].count("StuckB"), 1, "what fired before a restart sets nothing off")
    expect("StuckOff" in [e["labels"]["alertname"] for e in audit(s)], False, "off is off")
    with open(s.config, "w") as f:
        f.write(text.replace("allow_commands: [%s]" % script, "allow_commands: [/bin/true]"))
    status, _, body = http("POST", s.base + "/-/reload")
    expect((status != 200, "not among actions.allow_commands" in body.decode()), (True, True), body.decode())
    s.stop()


# What people said and did is in snapshots and backups, fsck and doctor look at it.
def state_is_kept():
    def vedette(*argv):
        p = subprocess.run([lab.binary, *argv], capture_output=True, text=True, timeout=120)
        return p.returncode, p.stdout + p.stderr

    def silences(data):
        other = lab.vedette("--builtin-rules=no", "--host-metrics=no", "--self-metrics=no", data=data)
        found = [x["comment"] for x in get(other.base, "/api/v2/silences")]
        other.stop()
        return found

    s = vedette_with(lab, "route: {receiver: none}\nreceivers: [{name: none}]\n", "--admin-api")
    post(s.base, "/api/v2/silences", {"matchers": [{"name": "a", "value": "b", "isRegex": False}], "startsAt": stamp(time.time()),
                                      "endsAt": stamp(time.time() + 600), "createdBy": "ann", "comment": "kept"})
    status, said = vedette("snapshot", "--server", s.base)
    expect(status, 0, said)
    name = json.loads(said)["data"]["name"]
    target, restored = lab.path("backup"), lab.path("restored")
    expect(vedette("backup", "--server", s.base, "--data", s.data, target)[0], 0)
    data = s.data
    s.stop()
    expect(silences(os.path.join(data, "snapshots", name)), ["kept"], "in a snapshot")
    expect(vedette("restore", target, restored)[0], 0)
    expect(silences(restored), ["kept"], "in a backup")
    offline = lab.path("offline")
    expect(vedette("snapshot", "--data", data, offline)[0], 0)
    expect(silences(offline), ["kept"], "in a snapshot made without a server")
    expect(vedette("fsck", "--data", offline)[0], 0)
    status, said = vedette("doctor", "--data", offline, "--listen", "127.0.0.1:%d" % free_port())
    expect("state.db is sound" in said, True, said)
    with open(os.path.join(offline, "state.db"), "r+b") as f:
        f.write(b"this is no database any more")
    status, said = vedette("fsck", "--data", offline)
    expect((status, "state.db is damaged" in said), (1, True), said)


lab.case("cascades follow the call graph; roots are told, effects marked or left out", cascade)
lab.case("actions: commands and webhooks, dry, limited, muted, timed out; audited", actions)
lab.case("snapshots and backups hold the state; fsck and doctor look at it", state_is_kept)
lab.done()
