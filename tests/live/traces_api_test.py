"""traces_api_test.py - our own API over traces on a real server and the embedded engine: what is answered with success is
seen, real exports are complete trees, a trace of 100,000 spans and one of megabytes of prompts open and page.
Expected figures are counted here from what was sent."""
import base64
import glob
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, expect, http, wait_for  # noqa: E402

NOW = int(time.time()) * 10**9


def attr(key, value):
    kind = "boolValue" if isinstance(value, bool) else "intValue" if isinstance(value, int) else "stringValue"
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def span(trace, sid, parent=None, name="op", start=NOW, ms=10, status=0, attrs=None, kind=1, running=False):
    s = {"traceId": "%032x" % trace, "spanId": "%016x" % sid, "name": name, "kind": kind, "startTimeUnixNano": str(start),
         "endTimeUnixNano": "0" if running else str(start + int(ms * 10**6)), "status": {"code": status},
         "attributes": [attr(k, v) for k, v in (attrs or {}).items()]}
    if parent:
        s["parentSpanId"] = "%016x" % parent
    return s


def request(service, spans):
    return {"resourceSpans": [{"resource": {"attributes": [attr("service.name", service)]}, "scopeSpans": [{"spans": spans}]}]}


lab = Lab(sys.argv)
server = lab.vedette("--retention", "forever")


def push(body, path="/v1/traces"):
    data = json.dumps(body).encode()
    for _ in range(60):
        status, _, text = http("POST", server.base + path, data, {"Content-Type": "application/json"}, 120)
        if status not in (429, 503):
            break
        time.sleep(0.5)  # as every sender must
    expect(status, 200, "push: %s" % text[:300])
    answer = json.loads(text or b"{}")
    expect(answer.get("partialSuccess", {}).get("rejectedSpans", "0"), "0", "refused: %s" % text[:300])


def get(path, params=None, want=200):
    status, _, text = server.get(path, params, timeout=120)
    expect(status, want, "%s: %s" % (path, text[:300]))
    return json.loads(text)


def seen_at_once():
    push(request("shop", [span(1, 1, name="GET /"), span(1, 2, 1, "query", ms=4, status=2)]))
    trace = get("/api/v1/traces/1")
    expect([(s["name"], s["depth"]) for s in trace["spans"]], [("GET /", 0), ("query", 1)])
    expect((trace["span_count"], trace["error_count"], trace["duration_ms"]), (2, 1, 10))
    listed = get("/api/v1/traces", {"service": "shop"})["traces"]
    expect([(t["trace_id"], t["root_name"], t["span_count"]) for t in listed], [("%032x" % 1, "GET /", 2)])
    get("/api/v1/traces/ffff", want=404)


def running_then_ended():
    push(request("agents", [span(2, 1, name="run", start=NOW - 60 * 10**9, running=True)]))
    trace = get("/api/v1/traces/2")
    expect((trace["status"], trace["spans"][0]["duration_ms"]), ("running", None))
    if trace["spans"][0]["age_ms"] < 59000:
        raise AssertionError("age %r" % trace["spans"][0]["age_ms"])
    expect([t["trace_id"] for t in get("/api/v1/traces", {"status": "running"})["traces"]], ["%032x" % 2])
    push(request("agents", [span(2, 1, name="run", start=NOW - 60 * 10**9, ms=1500)]))
    expect((get("/api/v1/traces/2")["status"], get("/api/v1/traces/2")["duration_ms"]), ("ok", 1500))


def strange_shapes():
    push(request("odd", [span(3, 1, 2), span(3, 2, 1), span(3, 3, 99), span(3, 4, 4), span(3, 5, 1)]))
    trace = get("/api/v1/traces/3")
    expect((trace["span_count"], trace["orphan_count"], trace["cycle_count"]), (5, 1, 2))


def logs_and_correlation():
    push(request("shop", [span(4, 1, name="task", attrs={"task_id": "t-4"})]))
    record = {"timeUnixNano": str(NOW), "severityNumber": 17, "body": {"stringValue": "disk full on node 7"},
              "traceId": "%032x" % 4, "spanId": "%016x" % 1}
    push({"resourceLogs": [{"resource": {"attributes": [attr("service.name", "shop")]}, "scopeLogs": [{"logRecords": [record]}]}]},
         "/v1/logs")
    expect([l["body"] for l in get("/api/v1/traces/4")["logs"]], ["disk full on node 7"])
    joined = get("/api/v1/correlate", {"task_id": "t-4"})
    expect((len(joined["spans"]), len(joined["logs"]), len(joined["traces"])), (1, 1, 1))
    groups = get("/api/v1/errors", {"source": "logs"})["errors"]
    expect([(g["pattern"], g["count"]) for g in groups], [("disk full on node <n>", 1)])


def pages_of_the_list():
    push(request("many", [span(0x1000 + i, 1, start=NOW - i * 10**6) for i in range(250)]))
    seen, cursor = [], None
    for _ in range(10):
        page = get("/api/v1/traces", dict({"service": "many", "limit": 60}, **({"cursor": cursor} if cursor else {})))
        seen += [int(t["trace_id"], 16) - 0x1000 for t in page["traces"]]
        cursor = page.get("next_cursor")
        if not cursor:
            break
    expect(seen, list(range(250)))


def windows():
    stats = get("/api/v1/traces/stats")
    expect(stats["span_count"], sum(s["span_count"] for s in stats["services"]))
    for path in ("/api/v1/traces/analysis", "/api/v1/services", "/api/v1/services/map", "/api/v1/services/map?by=agent", "/api/v1/errors"):
        get(path)


def hundred_thousand():
    n, body = 100000, []
    for i in range(1, n + 1):
        body.append(span(5, i, (i + 7) // 8 if i > 1 else None, "step %d" % (i % 50), NOW + i * 1000, 5, attrs={"i": i}))
    for at in range(0, n, 10000):
        push(request("big", body[at:at + 10000]))
    began = time.time()
    first = get("/api/v1/traces/5", {"limit": 500})
    structure = time.time() - began
    expect((first["span_count"], len(first["spans"]), first["next_offset"], first["root_count"]), (n, 500, 500, 1))
    began = time.time()
    middle = get("/api/v1/traces/5", {"limit": 500, "offset": 50000, "logs": 0})
    page = time.time() - began
    expect((middle["offset"], len(middle["spans"])), (50000, 500))
    seen, offset = set(), 0
    while offset is not None:
        part = get("/api/v1/traces/5", {"limit": 20000, "offset": offset, "fields": "structure", "logs": 0})
        seen |= {s["span_id"] for s in part["spans"]}
        offset = part.get("next_offset")
    expect(len(seen), n, "spans of all pages")
    began = time.time()
    jaeger = get("/api/traces/5")
    expect(len(jaeger["data"][0]["spans"]), n)
    print("# 100,000 spans: first page %.0f ms, a page in the middle %.0f ms, all as Jaeger JSON %.0f ms"
          % (structure * 1e3, page * 1e3, (time.time() - began) * 1e3))


def megabytes_of_prompts():
    prompt, n = "word " * 200000, 64  # 1 MB each
    for at in range(0, n, 8):
        push(request("llm", [span(6, i + 1, 1 if i else None, "chat", NOW + i * 1000, attrs={"gen_ai.input.messages": prompt + str(i)})
                             for i in range(at, at + 8)]))
    began = time.time()
    status, _, text = server.get("/api/v1/traces/6", timeout=120)
    opened = time.time() - began
    expect(status, 200)
    trace = json.loads(text)
    expect((trace["span_count"], len(trace["spans"])), (n, n))
    expect(trace["spans"][5]["cut"]["gen_ai.input.messages"] > 10**6, True, "length of what was cut")
    if len(text) > 200000:
        raise AssertionError("%d bytes without content asked for" % len(text))
    got, offset, pages = 0, 0, 0
    while offset is not None:
        part = get("/api/v1/traces/6", {"content": "true", "offset": offset})
        got += sum(len(s["attributes"]["gen_ai.input.messages"]) for s in part["spans"])
        offset, pages = part.get("next_offset"), pages + 1
    expect(got, sum(len(prompt + str(i)) for i in range(n)))
    if pages < 3:
        raise AssertionError("64 MB of content came in %d pages" % pages)
    expect(len(get("/api/v1/traces/6/spans/1")["spans"][0]["attributes"]["gen_ai.input.messages"]), len(prompt) + 1)
    print("# 64 MB of prompts: opens in %.0f ms, %d bytes" % (opened * 1e3, len(text)))


def raw_spans(path):
    with open(path) as f:
        requests = json.load(f)
    return [s for r in (requests if isinstance(requests, list) else [requests])
            for rs in r["resourceSpans"] for ss in rs["scopeSpans"] for s in ss["spans"]], requests


def real_export(path):
    def run():
        spans, requests = raw_spans(path)
        push(requests)
        by_trace = {}
        for s in spans:
            by_trace.setdefault(base64.b64decode(s["traceId"]).hex(), []).append(s)
        for trace_id, members in by_trace.items():
            ids = {m["spanId"] for m in members}
            orphans = sum(1 for m in members if m.get("parentSpanId") and m["parentSpanId"] not in ids)
            errors = sum(1 for m in members if m.get("status", {}).get("code") == "STATUS_CODE_ERROR")
            trace = get("/api/v1/traces/" + trace_id, {"limit": 5000})
            expect((trace["span_count"], trace["orphan_count"], trace["error_count"]), (len(ids), orphans, errors), trace_id)
            parent = {base64.b64decode(m["spanId"]).hex(): base64.b64decode(m.get("parentSpanId") or "").hex() for m in members}
            above = []
            for s in trace["spans"]:  # tree order: the parent is the last span one level up
                del above[s["depth"]:]
                if s["depth"] > 0:
                    expect(parent[s["span_id"]], above[-1], "parent of " + s["span_id"])
                above.append(s["span_id"])
            off = sum(s["critical_ms"] for s in trace["spans"]) + trace["idle_ms"] - trace["duration_ms"]
            expect(abs(off) < 0.001, True, "critical times that are missing: %g ms" % off)
    return run


lab.case("a span that was answered with success is seen", seen_at_once)
lab.case("a run is visible while it goes on", running_then_ended)
lab.case("orphans and rings have a place", strange_shapes)
lab.case("logs of a trace, correlation, errors", logs_and_correlation)
lab.case("pages of the list", pages_of_the_list)
lab.case("statistics, analysis, maps", windows)
files = sorted(glob.glob(os.path.join(lab.root, "..", "shared", "data", "agent_traces", "otlp_json", "*.json")))
for path in files:
    lab.case("complete tree: " + os.path.basename(path), real_export(path))
if not files:
    lab.skip("real exports", "the shared data is not beside the project")
lab.case("a trace of 100,000 spans", hundred_thousand)
lab.case("a trace of 64 MB of prompts", megabytes_of_prompts)
lab.done()
