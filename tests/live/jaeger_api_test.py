"""jaeger_api_test.py - the requests that Grafana's Jaeger source and Jaeger's own pages send, replayed on a real server: every
field that these read is there. Jaeger's pages themselves are not installable here."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, expect, http  # noqa: E402

NOW = int(time.time()) * 10**9
TRACE = "5b8efff798038103d269b633813fc60c"
lab = Lab(sys.argv)
server = lab.vedette()


def attrs(**kv):
    return [{"key": k.replace("__", "."), "value": {"stringValue": v}} for k, v in kv.items()]


def resource(service, spans):
    return {"resource": {"attributes": attrs(service__name=service, host__name="h1")}, "scopeSpans": [{"scope": {"name": "lib"}, "spans": spans}]}


def span(sid, parent, name, kind, offset_ms, ms, **more):
    start = NOW + offset_ms * 10**6
    return dict({"traceId": TRACE, "spanId": sid, "parentSpanId": parent, "name": name, "kind": kind,
                 "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + ms * 10**6)}, **more)


body = {"resourceSpans": [
    resource("frontend", [span("00f067aa0ba902b7", "", "GET /dispatch", 2, 0, 100), span("00f067aa0ba902b8", "00f067aa0ba902b7", "HTTP GET", 3, 10, 50)]),
    resource("a service/with slash", [span("00f067aa0ba902b9", "00f067aa0ba902b8", "find", 2, 20, 30, status={"code": 2, "message": "boom"},
             events=[{"timeUnixNano": str(NOW + 25 * 10**6), "name": "exception", "attributes": attrs(exception__type="E")}])])]}
status, _, text = http("POST", server.base + "/v1/traces", json.dumps(body).encode(), {"Content-Type": "application/json"})
if status != 200:
    raise SystemExit("push: %d %s" % (status, text[:300]))


def get(path, params=None, want=200, **headers):
    status, _, text = server.get(path, params, headers=headers)
    expect(status, want, "%s: %s" % (path, text[:200]))
    return json.loads(text)


def envelope(answer):
    expect(sorted(answer), ["data", "errors", "limit", "offset", "total"])
    expect(answer["errors"], None)
    return answer["data"]


def names(prefix):
    def run():
        expect(envelope(get(prefix + "/api/services")), ["a service/with slash", "frontend"])
        expect(envelope(get(prefix + "/api/services/frontend/operations")), ["GET /dispatch", "HTTP GET"])
        expect(envelope(get(prefix + "/api/services/a%20service%2Fwith%20slash/operations")), ["find"])
        expect(envelope(get(prefix + "/api/operations", {"service": "frontend"})),
               [{"name": "GET /dispatch", "spanKind": "server"}, {"name": "HTTP GET", "spanKind": "client"}])
    return run


def check_trace(trace):
    expect(trace["traceID"], TRACE)
    expect(len(trace["spans"]), 3)
    for s in trace["spans"]:
        for key in ("traceID", "spanID", "operationName", "references", "startTime", "duration", "tags", "logs", "processID", "warnings"):
            if key not in s:
                raise AssertionError("no %s in %r" % (key, s))
        if s["processID"] not in trace["processes"]:
            raise AssertionError("no process " + s["processID"])
        for t in s["tags"] + [f for l in s["logs"] for f in l["fields"]]:
            expect(t["type"] in ("string", "bool", "int64", "float64", "binary"), True, "type of a tag")
    find = next(s for s in trace["spans"] if s["operationName"] == "find")
    expect(find["references"], [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": "00f067aa0ba902b8"}])
    expect((find["startTime"], find["duration"]), (NOW // 1000 + 20000, 30000))
    tags = {t["key"]: t["value"] for t in find["tags"]}
    expect((tags["error"], tags["span.kind"], tags["otel.status_description"]), (True, "server", "boom"))
    expect(find["logs"][0]["fields"][0], {"key": "event", "type": "string", "value": "exception"})
    expect(trace["processes"][find["processID"]]["serviceName"], "a service/with slash")


def grafana_trace():
    ms = NOW // 10**6
    for times in ({}, {"start": ms - 1000, "end": ms + 1000}, {"start": ms * 1000, "end": ms * 1000 + 10**6}):
        check_trace(envelope(get("/api/traces/" + TRACE, times))[0])
    check_trace(envelope(get("/jaeger/api/traces/" + TRACE.upper()))[0])
    missing = get("/api/traces/" + TRACE[:-1] + "d", want=404)
    expect(missing["errors"], [{"code": 404, "msg": "trace not found"}])


def grafana_search():
    us = NOW // 1000
    base = {"service": "frontend", "start": us - 10**7, "end": us + 10**7, "limit": 20, "lookback": "custom"}
    check_trace(envelope(get("/api/traces", base))[0])
    for more, found in (({"operation": "HTTP GET"}, 1), ({"operation": "none"}, 0), ({"minDuration": "90ms"}, 1), ({"minDuration": "1.2s"}, 0),
                        ({"maxDuration": "60ms"}, 1), ({"tags": json.dumps({"span.kind": "client"})}, 1), ({"tags": json.dumps({"host.name": "h2"})}, 0)):
        expect(len(envelope(get("/api/traces", dict(base, **more)))), found, repr(more))
    expect(len(envelope(get("/api/traces", {"traceID": [TRACE, "77"]}))), 1)
    get("/api/traces", want=400)


def dependencies():
    edges = envelope(get("/api/dependencies", {"endTs": NOW // 10**6 + 1000, "lookback": 3600000}))
    expect(edges, [{"parent": "frontend", "child": "a service/with slash", "callCount": 1}])


def tempo_v1():
    status, headers, data = server.get("/api/traces/" + TRACE, headers={"Accept": "application/protobuf"})
    expect((status, headers["Content-Type"], data[0]), (200, "application/protobuf", 0x0A))


def v3():
    window = {"query.startTimeMin": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW / 1e9 - 60)),
              "query.startTimeMax": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(NOW / 1e9 + 60))}
    expect(get("/api/v3/services"), {"services": ["a service/with slash", "frontend"]})
    expect(get("/api/v3/operations", {"service": "frontend", "spanKind": "client"}), {"operations": [{"name": "HTTP GET", "spanKind": "client"}]})
    one = get("/api/v3/traces/" + TRACE)["result"]["resourceSpans"]
    expect(sum(len(ss["spans"]) for rs in one for ss in rs["scopeSpans"]), 3)
    found = get("/api/v3/traces", dict(window, **{"query.serviceName": "frontend", "query.searchDepth": 20}))
    expect(found["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"], TRACE)
    summary = get("/api/v3/trace-summaries", dict(window, **{"query.service_name": "frontend"}))["summaries"][0]
    expect((summary["traceId"], summary["rootServiceName"], summary["rootOperationName"], summary["spanCount"], summary["errorSpanCount"]),
           (TRACE, "frontend", "GET /dispatch", 3, 1))
    expect(int(summary["maxEndTimeUnixNano"]) - int(summary["minStartTimeUnixNano"]), 100 * 10**6)
    expect(get("/api/v3/traces/77", want=404)["error"]["httpCode"], 404)
    get("/api/v3/traces", {"query.serviceName": "frontend"}, want=400)


lab.case("names", names(""))
lab.case("names under /jaeger", names("/jaeger"))
lab.case("a trace as Grafana opens it", grafana_trace)
lab.case("search as Grafana sends it", grafana_search)
lab.case("dependencies", dependencies)
lab.case("protobuf for Tempo's first API", tempo_v1)
lab.case("version 3", v3)
lab.done()
