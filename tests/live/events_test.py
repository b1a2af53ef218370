#!/usr/bin/env python3
"""The doors of typed events: every kind is documented, checked field by field, idempotent by id, and gives the same series whether it
comes by its own door, by the common one, or as an OTLP log event."""
import json
import os
import re
import sys
import time

from lab import Lab, expect, http, wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def send(server, path, body, want=200):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, _, answer = http("POST", server.base + path, data)
    expect(status, want, "%s: %s" % (path, answer[:300]))
    return json.loads(answer)


def kinds(server):
    return {k["event_name"]: k for k in json.loads(server.get("/api/v1/events/kinds")[2])["kinds"]}


def documented(server):
    """docs/events.md has a section for each kind and a row for each of its fields, with type and requirement."""
    with open(os.path.join(ROOT, "docs", "events.md")) as f:
        sections = dict(re.findall(r"^### `([\w.]+)`\n(.*?)(?=^##|\Z)", f.read(), re.M | re.S))
    for name, kind in kinds(server).items():
        expect(name in sections, True, name)
        expect("POST %s`" % kind["path"] in sections[name], True, kind["path"])
        for field in kind["fields"]:
            row = re.search(r"^\| `%s` \| (\w+)([^|]*)\| (yes|) *\|" % re.escape(field["name"]), sections[name], re.M)
            expect(row is not None, True, "%s %s" % (name, field["name"]))
            expect((row.group(1), row.group(3) == "yes"), (field["type"], field["required"]), "%s %s" % (name, field["name"]))


def sample(field):
    if field.get("words"):
        return field["words"][0]
    return {"text": "x", "number": field.get("min", 1), "integer": max(1, field.get("min", 1)), "boolean": True, "time": time.time(),
            "list": ["a"], "object": {"a": 1}}[field["type"]]


WRONG = {"text": 7, "number": "7", "integer": 1.5, "boolean": "yes", "time": "noon", "list": {}, "object": []}


def each_kind(server):
    """Every door takes a record of all its fields, and refuses one by the name of the field that is wrong."""
    special = {"vedette.kg.graph", "vedette.kgot.snapshot"}  # whose fields have a form of their own
    for name, kind in kinds(server).items():
        path = kind["path"].replace("{workflow_id}", "w-%s" % name)
        if not name.startswith("vedette.") or name in special or name.startswith(("vedette.kg", "vedette.analytics", "vedette.embedding",
                                                                                  "vedette.circuit")):
            continue
        whole = {f["name"]: sample(f) for f in kind["fields"]}
        expect(send(server, path, whole)["accepted"], 1, name)
        for f in kind["fields"]:
            if f["name"] in ("timestamp", "task_id", "correlation_id") or ("{%s}" % f["name"]) in kind["path"]:
                continue  # known to all log records: their own tests
            cases = [WRONG[f["type"]]]
            if f["required"]:
                cases.append(None)
            if "min" in f:
                cases.append(f["min"] - 1)
            if "max" in f:
                cases.append(f["max"] + 1)
            if f.get("words"):
                cases.append("no such word")
            for bad in cases:
                text = send(server, path, dict(whole, **{f["name"]: bad, kind.get("id", "other"): "fresh" if f["name"] != kind.get("id") else bad}), 400)
                expect(text["errors"][0].get("field"), f["name"], "%s = %r" % (f["name"], bad))


def batches(server):
    """One object, an array, lines; the good of a batch is kept, what is wrong is told with its line."""
    expect(send(server, "/api/v1/lb/requests", {"backend_id": "f1", "status": "ok"})["accepted"], 1)
    lines = b'{"backend_id":"f1","status":"ok"}\n{"backend_id":"f1"}\n{"backend_id":"f1","status":"ok","more":{"a":1}}\n{"broken\n'
    a = send(server, "/api/v1/lb/requests", lines, 207)
    expect((a["accepted"], a["rejected"]), (2, 2))
    expect([(e["line"], e.get("field")) for e in a["errors"]][0], (2, "status"))
    wait_for(lambda: server.scalar('sum(load_balancer_requests_total{backend_id="f1"})') == 3, 20)
    found = server.get("/api/v1/logs", {"query": 'more="{\\"a\\":1}"', "limit": 5})
    expect(found[0], 200)
    send(server, "/api/v1/lb/requests", b"[", 400)
    send(server, "/api/v1/lb/requests", b"7", 400)


def nothing_half(server):
    """A refused record leaves no trace: no series, no id."""
    bad = {"request_id": "half", "backend_id": "half", "status": "ok", "quality_score": 1.5}
    send(server, "/api/v1/lb/requests", bad, 400)
    expect(send(server, "/api/v1/lb/requests", dict(bad, quality_score=1))["accepted"], 1, "the id is still free")
    wait_for(lambda: server.scalar('sum(load_balancer_requests_total{backend_id="half"})') == 1, 20)


def idempotent(server):
    r = [{"request_id": "same", "backend_id": "idem", "status": "ok", "cost_usd": 1}, {"request_id": "other", "backend_id": "idem", "status": "ok"}]
    expect((send(server, "/api/v1/lb/requests", r + r[:1])["accepted"]), 2)
    again = send(server, "/api/v1/lb/requests", r)
    expect((again["accepted"], again["duplicates"], again["events"][0]["duplicate"]), (0, 2, True))
    wait_for(lambda: server.scalar('sum(load_balancer_requests_total{backend_id="idem"})') == 2, 20)
    time.sleep(1.5)
    expect(server.scalar('sum(load_balancer_requests_total{backend_id="idem"})'), 2)
    expect(server.scalar('sum(load_balancer_total_cost_usd{backend_id="idem"})'), 1)


def common_door(server):
    expect(send(server, "/api/v1/events", [{"event_name": "vedette.lb.request", "backend_id": "any", "status": "ok"},
                                           {"event_name": "vedette.mcp.metrics", "mcp_id": "any", "latency_ms": 3}])["accepted"], 2)
    wait_for(lambda: server.query('load_balancer_requests_total{backend_id="any"}') and server.query('mcp_latency_ms_count{mcp_id="any"}'), 20)
    expect("event_name" in send(server, "/api/v1/events", {"a": 1}, 400)["error"], True)
    expect("no.such" in send(server, "/api/v1/events", {"event_name": "no.such"}, 400)["error"], True)


def otlp(server, attributes, name="vedette.lb.request"):
    def any_value(v):
        return {"boolValue": v} if isinstance(v, bool) else {"intValue": str(v)} if isinstance(v, int) else \
            {"doubleValue": v} if isinstance(v, float) else {"stringValue": v}
    record = {"timeUnixNano": str(time.time_ns()), "eventName": name,
              "attributes": [{"key": k, "value": any_value(v)} for k, v in attributes.items()]}
    body = {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "lb"}}]},
                              "scopeLogs": [{"logRecords": [record]}]}]}
    status, _, _ = http("POST", "http://127.0.0.1:%d/v1/logs" % server.otlp_port, json.dumps(body).encode(), {"Content-Type": "application/json"})
    expect(status, 200)


def by_otlp(server):
    """The same by OTLP: counted once by id, and one that is not right is kept as a record, counted as invalid, and gives no series."""
    good = {"request_id": "o1", "backend_id": "otlp", "status": "ok", "cost_usd": 0.25, "duration_ms": 12}
    otlp(server, good)
    otlp(server, good)
    otlp(server, dict(good, request_id="o2", quality_score=7))
    wait_for(lambda: server.scalar('sum(load_balancer_requests_total{backend_id="otlp"})') == 1, 20)
    expect(server.scalar('sum(load_balancer_total_cost_usd{backend_id="otlp"})'), 0.25)
    text = server.get("/metrics")[2].decode()
    expect('vedette_events_invalid_total{kind="vedette.lb.request",field="quality_score"} 1' in text, True, "invalid, by field")
    expect('vedette_events_duplicate_total{kind="vedette.lb.request"} 1' in text, True, "duplicate")


def after_restart(server):
    """Records are there after kill -9, and counters go on from zero with a start of their own."""
    send(server, "/api/v1/mcp/metrics", {"mcp_id": "kept", "accuracy_percentage": 80})
    server.kill9()
    server.start()
    status, _, body = server.get("/api/v1/mcp/kept/performance")
    expect((status, json.loads(body)["avg_accuracy"]), (200, 80))


def main():
    lab = Lab(sys.argv)
    server = lab.vedette()
    lab.case("events: kinds and fields are documented", lambda: documented(server))
    lab.case("events: S1-128 S0-061 each kind takes what it says and refuses by field", lambda: each_kind(server))
    lab.case("events: objects, arrays and lines; the good rest is kept", lambda: batches(server))
    lab.case("events: nothing is half applied", lambda: nothing_half(server))
    lab.case("events: idempotent by id", lambda: idempotent(server))
    lab.case("events: one door for all kinds", lambda: common_door(server))
    lab.case("events: S0-043 the same as OTLP log events", lambda: by_otlp(server))
    lab.case("events: what was answered survives kill -9", lambda: after_restart(server))
    lab.done()


main()
