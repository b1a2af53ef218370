"""visible_test.py BUILD - what was answered with success is seen by the very next query, whatever door it came through; how long that took is
printed. And what becomes of spans that are not as they should be, as the query shows them."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, expect  # noqa: E402
from records import counter, post  # noqa: E402

lab = Lab(sys.argv)
server = lab.vedette("--retention", "forever")
NOW = time.time_ns()
SERVICE = {"attributes": [{"key": "service.name", "value": {"stringValue": "visible"}}]}


def get(path, params=None):
    status, _, text = server.get(path, params, timeout=60)
    expect(status, 200, "%s: %s" % (path, text[:200]))
    return json.loads(text)


def span(trace, sid, parent=0, start=NOW, end=NOW + 10**7, **more):
    return dict({"traceId": "%032x" % trace, "spanId": "%016x" % sid, "parentSpanId": "%016x" % parent if parent else "", "name": "s%d" % sid,
                 "startTimeUnixNano": str(start), "endTimeUnixNano": str(end)}, **more)


def otlp(spans):
    return json.dumps({"resourceSpans": [{"resource": SERVICE, "scopeSpans": [{"spans": spans}]}]})


def otlp_log(text):
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": text}}
    return json.dumps({"resourceLogs": [{"resource": SERVICE, "scopeLogs": [{"logRecords": [record]}]}]})


DOORS = {  # path, body that says a word; and how the word is found
    "otlp traces": ("/v1/traces", lambda w: otlp([span(int(w[1:]), 1)]), "trace"),
    "zipkin": ("/api/v2/spans", lambda w: json.dumps([{"traceId": "%032x" % int(w[1:]), "id": "1", "name": "z", "timestamp": NOW // 1000, "duration": 5}]), "trace"),
    "otlp logs": ("/v1/logs", otlp_log, "log"),
    "loki": ("/loki/api/v1/push", lambda w: json.dumps({"streams": [{"stream": {"app": "visible"}, "values": [[str(time.time_ns()), w]]}]}), "log"),
    "json lines": ("/api/v1/logs", lambda w: json.dumps({"service": "visible", "message": w}), "log"),
    "_bulk": ("/elastic/_bulk", lambda w: '{"create":{"_index":"visible"}}\n{"message":"%s"}\n' % w, "log"),
}


def seen(kind, word):
    if kind == "trace":
        return server.get("/api/v1/traces/%x" % int(word[1:]))[0] == 200
    return word in [line["message"] for line in get("/api/v1/logs", {"text": word})["logs"]]


def seen_at_once(door, number):
    path, body, kind = DOORS[door]
    for i in range(20):
        word = "w%d" % (number * 1000 + i + 1)
        status = post(server, path, body(word))[0]
        expect(200 <= status < 300, True, "%s answered %d" % (path, status))
        answered = time.monotonic()
        expect(seen(kind, word), True, "%s: not seen by the query after the answer" % word)
        took.append(time.monotonic() - answered)


def ends_before_it_starts():
    expect(post(server, "/v1/traces", otlp([span(0xbad1, 1, start=NOW, end=NOW - 5)]))[0], 200)
    one = get("/api/v1/traces/bad1")["spans"][0]
    expect((one["duration_ms"], one["attributes"]["vedette.clock_skew_ns"]), (0, 5))


def the_same_id_twice():
    """In one body and in two: one span, the finished one; said as two names of one id it is the later."""
    twice = [span(0xbad2, 1, end=0), span(0xbad2, 1), span(0xbad2, 2, 1), span(0xbad2, 2, 1)]
    for body in (twice, twice[1:]):
        expect(post(server, "/v1/traces", otlp(body))[0], 200)
    trace = get("/api/v1/traces/bad2")
    expect((trace["span_count"], [s["status"] == "running" for s in trace["spans"]], trace["running_count"]), (2, [False, False], 0))


def orphans_and_circles():
    expect(post(server, "/v1/traces", otlp([span(0xbad3, 1), span(0xbad3, 2, 99), span(0xbad3, 3, 4), span(0xbad3, 4, 3), span(0xbad3, 5, 5)]))[0], 200)
    trace = get("/api/v1/traces/bad3")
    expect((trace["span_count"], len(trace["spans"]), trace["orphan_count"], trace["cycle_count"]), (5, 5, 1, 2))
    expect(len(get("/api/traces/bad3")["data"][0]["spans"]), 5, "as Jaeger shows it")


def never_the_whole_batch():
    before = counter(server, "vedette_rejected_total", reason="record_id")
    status, _, text = post(server, "/v1/traces", otlp([span(0xbad4, 1), span(0, 2), span(0xbad4, 0), span(0xbad4, 3)]))
    expect((status, json.loads(text)["partialSuccess"]["rejectedSpans"]), (200, "2"))
    expect(get("/api/v1/traces/bad4")["span_count"], 2)
    expect(counter(server, "vedette_rejected_total", reason="record_id") - before, 2)


took = []
for number, door in enumerate(DOORS):
    lab.case("seen-at-once: " + door, lambda door=door, number=number: seen_at_once(door, number))
print("   from the answer to the query that shows it: %.0f ms at most of %d" % (max(took, default=0) * 1e3, len(took)))
lab.case("ends-before-it-starts", ends_before_it_starts)
lab.case("the-same-id-twice", the_same_id_twice)
lab.case("orphans-and-circles", orphans_and_circles)
lab.case("never-the-whole-batch", never_the_whole_batch)
lab.done()
