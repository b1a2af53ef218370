#!/usr/bin/python3
"""traces_late_series_test.py BUILD - spans of last week, sent now: their rates, errors and durations are found last week, once, however often they come."""
import json
import sys
import time

from lab import Lab, expect, wait_for
from records import post

HOUR = 3600
BEGIN = (int(time.time()) - 7 * 86400) // HOUR * HOUR  # an hour of last week
SELECTOR = 'traces_spanmetrics_%s{service="replay",vedette_late="true"%s}'


def span(n, start_s, seconds, error=False):
    start = int(start_s * 10 ** 9)
    return {"traceId": "%032x" % n, "spanId": "%016x" % n, "name": "run", "kind": 2, "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + int(seconds * 10 ** 9)), **({"status": {"code": 2}} if error else {})}


def send(server, spans):
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "replay"}}]}
    status, _, answer = post(server, "/v1/traces", json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}))
    expect((status, json.loads(answer)), (200, {}))


def main():
    lab = Lab(sys.argv)
    config = lab.write("vedette.yaml", "span_metrics: { interval: 1s }\n")
    server = lab.vedette(config=config)
    # Two hours, a span a minute, ten seconds into it; every fourth failed; half a second long, in the second hour two.
    spans = [span(i + 1, BEGIN + 60 * i + 10, 0.5 if i < 60 else 2.0, i % 4 == 0) for i in range(120)]

    def at(expr, t):
        value = server.scalar(expr, t)
        return None if value is None else round(value, 6)

    def calls(more="", t=BEGIN + HOUR - 20):
        return at("sum(" + SELECTOR % ("calls_total", more) + ")", t)

    def shown():
        send(server, spans[:30])
        send(server, spans[30:])
        wait_for(lambda: calls(t=BEGIN + 2 * HOUR - 20) == 60 and calls() == 60, 30, what="both hours counted")
        expect(calls(',status_code="STATUS_CODE_ERROR"'), 15.0, "errors")
        expect(at("sum(rate(" + SELECTOR % ("calls_total", "") + "[5m]))", BEGIN + 1800), round(1 / 60, 6), "rate")
        expect(at("sum(" + SELECTOR % ("latency_sum", "") + ")", BEGIN + HOUR - 20), 30.0, "seconds")
        expect(at("sum(increase(" + SELECTOR % ("calls_total", "") + "[2m]))", BEGIN + HOUR + 150) > 0, True, "across the hour")
        slow = at("histogram_quantile(0.5, sum by (le) (rate(" + SELECTOR % ("latency_bucket", "") + "[10m])))", BEGIN + HOUR + 1800)
        expect(1.0 <= slow <= 2.5, True, "median of the second hour: %r" % slow)
    lab.case("last-week-is-shown-last-week", shown)

    def exemplars():
        found = server.api("/api/v1/query_exemplars", {"query": SELECTOR % ("latency_bucket", ""), "start": BEGIN, "end": BEGIN + HOUR})
        ids = {e["labels"]["trace_id"] for s in found for e in s["exemplars"]}
        expect("%032x" % 57 in ids, True, "an exemplar of the last failed span")
    lab.case("with-exemplars", exemplars)

    def again():
        send(server, spans[:40])
        send(server, [span(1000, BEGIN + 95, 0.5)])  # and one more, so that we see it was counted anew
        wait_for(lambda: calls() == 61, 30, what="the hour counted anew")
        server.stop()
        server.start()
        send(server, spans[10:70])
        send(server, [span(1001, BEGIN + 155, 0.5), span(1002, BEGIN + HOUR + 155, 0.5)])
        wait_for(lambda: calls() == 62 and calls(t=BEGIN + 2 * HOUR - 20) == 61, 30, what="both hours counted anew")
        expect(at("sum(rate(" + SELECTOR % ("calls_total", "") + "[5m]))", BEGIN + 1800), round(1 / 60, 6), "rate")
    lab.case("sent-again-counts-once", again)

    def ends():
        expect(calls(t=BEGIN + 2 * HOUR + 1), None, "after the last hour")
        expect(calls(t=BEGIN - 1), None, "before the first")
    lab.case("it-ends-with-its-hours", ends)

    def now():
        send(server, [span(2000 + i, time.time() - 30, 1.0) for i in range(5)])
        live = 'sum(traces_spanmetrics_calls_total{service="replay",vedette_late=""})'
        wait_for(lambda: server.scalar(live) == 5, 30, what="live spans counted as live")
        expect(calls(t=int(time.time())), None, "late ones of now")
        flagged = json.loads(server.get("/api/v1/traces/%032x" % 5)[2])["spans"][0]
        expect("flags" in flagged, False, "our mark is not shown")
    lab.case("spans-of-now-are-not-late", now)
    lab.done()


main()
