"""correlate_test.py - /api/v1/correlate and one trace: spans, logs and alerts that an id joins. Alerts come as another Prometheus
posts them; one has ended and is known from the history alone after a restart."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, expect, http, wait_for  # noqa: E402

NOW = int(time.time()) * 10**9
TRACE, OTHER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7a3ce929d0e0e4736"

lab = Lab(sys.argv)
server = lab.vedette("--retention", "forever")


def post(path, body):
    status, _, text = http("POST", server.base + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, 60)
    if status not in (200, 204):
        raise AssertionError("%s: %d %s" % (path, status, text[:300]))


def get(path, params=None):
    status, _, text = server.get(path, params, timeout=60)
    expect(status, 200, "%s: %s" % (path, text[:300]))
    return json.loads(text)


def text_attr(key, value):
    return {"key": key, "value": {"stringValue": value}}


def spans(trace, task):
    return {"resourceSpans": [{"resource": {"attributes": [text_attr("service.name", "planner")]}, "scopeSpans": [{"spans": [
        {"traceId": trace, "spanId": "%016x" % i, "name": "step", "startTimeUnixNano": str(NOW), "endTimeUnixNano": str(NOW + 10**6),
         "attributes": [text_attr("task_id", task)] if i == 1 else []} for i in (1, 2)]}]}]}


def alert(name, labels=None, annotations=None, ends=None):
    one = {"labels": dict({"alertname": name}, **(labels or {})), "annotations": annotations or {}}
    if ends is not None:
        one["endsAt"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
    return one


def names(answer):
    return sorted((a["name"], a["status"]) for a in answer["alerts"])


def joined():
    post("/v1/traces", spans(TRACE, "task-7"))
    post("/v1/traces", spans(OTHER, "task-8"))
    post("/api/v1/logs", {"message": "task-7 takes long", "task_id": "task-7", "service": "planner"})
    post("/api/v2/alerts", [alert("TaskStuck", {"task_id": "task-7"}),
                            alert("SlowTrace", annotations={"trace_id": TRACE.upper(), "summary": "too slow"}),
                            alert("ByCorrelation", {"correlationId": "c-1"}),
                            alert("OfNothing", {"task_id": "task-77", "trace_id": "no id"})])
    got = get("/api/v1/correlate", {"task_id": "task-7"})
    expect(sorted({s["trace_id"] for s in got["spans"]}), [TRACE])
    expect((len(got["spans"]), [line["body"] for line in got["logs"]]), (2, ["task-7 takes long"]))
    expect(names(got), [("SlowTrace", "firing"), ("TaskStuck", "firing")])
    slow = [a for a in got["alerts"] if a["name"] == "SlowTrace"][0]
    expect(slow["annotations"]["summary"], "too slow")
    expect(names(get("/api/v1/correlate", {"correlation_id": "c-1"})), [("ByCorrelation", "firing")])
    expect(names(get("/api/v1/correlate", {"trace_id": OTHER})), [])


def in_one_trace():
    expect(names(get("/api/v1/traces/" + TRACE)), [("SlowTrace", "firing")])
    expect(get("/api/v1/traces/" + TRACE, {"offset": 1})["alerts"], [])
    expect(names(get("/api/v1/traces/" + OTHER)), [])


def history():
    post("/api/v2/alerts", [alert("TaskStuck", {"task_id": "task-7"}, ends=time.time() - 1)])
    wait_for(lambda: ("TaskStuck", "resolved") in names(get("/api/v1/correlate", {"task_id": "task-7"})), what="the alert to end")
    server.stop()
    server.start()
    stuck = [a for a in get("/api/v1/correlate", {"task_id": "task-7"})["alerts"] if a["name"] == "TaskStuck"]
    expect([(a["status"], a["labels"]["task_id"]) for a in stuck], [("resolved", "task-7")])
    expect([e["event"] for e in stuck[0]["history"]][-1:], ["raised"])


lab.case("a-task-joins-spans-logs-alerts", joined)
lab.case("alerts-of-one-trace", in_one_trace)
lab.case("ended-alerts-from-the-history", history)
lab.done()
