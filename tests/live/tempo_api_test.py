#!/usr/bin/python3
"""Tempo's API of a running server: OTLP spans in, then the requests that Grafana's Tempo data source makes."""
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab  # noqa: E402

TRACE = "5b8efff798038103d269b633813fc60c"


def attribute(key, value):
    return {"key": key, "value": {"stringValue": value}}


def span(span_id, parent, name, start_ns, duration_ns, code):
    return {"traceId": TRACE, "spanId": span_id, "parentSpanId": parent, "name": name, "kind": 2,
            "startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + duration_ns),
            "attributes": [attribute("http.route", "/a")], "status": {"code": code}}


def resource(service, spans):
    return {"resource": {"attributes": [attribute("service.name", service)]}, "scopeSpans": [{"spans": spans}]}


def get(base, path, accept=None, **params):
    url = base + path + ("?" + urllib.parse.urlencode(params) if params else "")
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def post_spans(base, now):
    body = {"resourceSpans": [
        resource("front", [span("eee19b7ec3c1b174", "", "GET /", now, 2 * 10**8, 0)]),
        resource("back", [span("eee19b7ec3c1b175", "eee19b7ec3c1b174", "query", now + 10**6, 10**8, 2)])]}
    request = urllib.request.Request(base + "/v1/traces", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200


def check_search(base, now):
    cases = [("{ status = error }", 1), ('{ name = "GET /" } > { name = "query" }', 1),
             ('{ name = "query" } > { name = "GET /" }', 0), ("{ rootServiceName = `front` } | count() = 2", 1),
             ("{ nestedSetParent < 0 && duration > 100ms }", 1), ('{ resource.service.name = "other" }', 0)]
    for prefix in ("", "/tempo"):
        for query, want in cases:
            status, body = get(base, prefix + "/api/search", q=query, start=now // 10**9 - 60, end=now // 10**9 + 60)
            assert status == 200, (query, status, body)
            traces = json.loads(body)["traces"]
            assert len(traces) == want, (query, body)
            assert all(t["traceID"] == TRACE and t["rootTraceName"] == "GET /" for t in traces), body


def check_rest(base, now):
    assert get(base, "/api/echo") == (200, b"echo")
    status, body = get(base, "/api/v2/traces/" + TRACE)
    assert status == 200 and len(json.loads(body)["trace"]["resourceSpans"]) == 2, body
    status, body = get(base, "/api/v2/traces/" + TRACE, accept="application/protobuf")
    assert status == 200 and body[0] == 0x0a
    assert get(base, "/api/v2/traces/" + "f" * 32)[0] == 404
    status, body = get(base, "/api/v2/search/tags")
    scopes = {s["name"]: s["tags"] for s in json.loads(body)["scopes"]}
    assert "service.name" in scopes["resource"] and "http.route" in scopes["span"], body
    status, body = get(base, "/api/v2/search/tag/resource.service.name/values", q="{ status = error && span.x = }")
    assert [v["value"] for v in json.loads(body)["tagValues"]] == ["back"], body
    status, body = get(base, "/api/metrics/query_range", q="{} | count_over_time() by (resource.service.name)",
                       start=now // 10**9 - 60, end=now // 10**9 + 60, step="10s")
    series = json.loads(body)["series"]
    assert sorted(sum(p["value"] for p in s["samples"]) for s in series) == [1, 1], body
    assert get(base, "/api/search", q="{ nonsense }")[0] == 400


def all_calls(server):
    now = time.time_ns()
    post_spans(server.base, now)
    check_search(server.base, now)
    check_rest(server.base, now)


def main():
    lab = Lab(sys.argv)
    server = lab.vedette("--self-metrics=no", "--host-metrics=no")
    if get(server.base, "/api/echo")[0] == 200:
        lab.case("calls_of_grafana", lambda: all_calls(server))
    else:
        lab.skip("calls_of_grafana", "this server has no Tempo routes")
    lab.done()


main()
