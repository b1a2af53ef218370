#!/usr/bin/python3
"""otlp_traces_test.py BUILD - what no SDK would send, to POST /v1/traces: kept or refused by rule, counted, never the whole batch for one span."""
import gzip
import json
import os
import sys
import threading
import time

from lab import Lab, expect, http
from records import counter, kept, post

TRACE = "5b8efff798038103d269b633813fc60c"


def span(n, **fields):
    now = time.time_ns()
    return {"traceId": TRACE, "spanId": "%016x" % n, "name": "s%d" % n, "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1000), **fields}


def request(spans):
    return {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "hostile"}}]},
                               "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]}


def attr(value, key="k"):
    return {"attributes": [{"key": key, "value": value}]}


def nested(depth):
    return '{"arrayValue":{"values":[' * depth + '{"intValue":"1"}' + "]}}" * depth


def main():
    lab = Lab(sys.argv)
    server = lab.vedette()
    post(server, "/v1/traces", json.dumps(request([span(20)])))
    at_rest = server.rss()

    def send(body, want_kept, want_refused):
        before = kept(server, "otlp_http", "spans")
        status, _, answer = post(server, "/v1/traces", body if isinstance(body, (str, bytes)) else json.dumps(body))
        expect(status, 200, "status (%s)" % answer[:200])
        partial = json.loads(answer).get("partialSuccess", {})
        expect(int(partial.get("rejectedSpans", 0)), want_refused, "refused (%s)" % answer[:300])
        expect(kept(server, "otlp_http", "spans") - before, want_kept, "kept (%s)" % answer[:300])
        return partial.get("errorMessage", "")

    lab.case("ids-of-zeros", lambda: send(request([span(1), span(2, traceId="0" * 32), span(0), span(3, traceId="12")]), 1, 3))
    lab.case("ends-before-it-starts", lambda: send(request([span(4, endTimeUnixNano="5"), span(5)]), 2, 0))
    lab.case("still-running", lambda: send(request([span(6, endTimeUnixNano="0")]), 1, 0))
    lab.case("the-same-id-twice", lambda: send(request([span(7), span(7)]), 2, 0))
    lab.case("orphans-and-circles", lambda: send(request([span(8, parentSpanId="%016x" % 9), span(9, parentSpanId="%016x" % 8),
                                                          span(10, parentSpanId="%016x" % 10), span(11, parentSpanId="f" * 16)]), 4, 0))
    lab.case("an-attribute-of-3-MB", lambda: send(request([span(12, **attr({"stringValue": "x" * (3 << 20)})), span(13)]), 2, 0))

    def invalid_utf8():
        body = json.dumps(request([span(14, name="NAME"), span(15)])).encode().replace(b"NAME", b"\xff\xfe\xc3(")
        send(body, 2, 0)
    lab.case("invalid-utf-8", invalid_utf8)

    def bomb():
        body = json.dumps(request([span(16, **attr({"stringValue": "BOMB"})), span(17)])).replace('{"stringValue": "BOMB"}', nested(20000))
        status, _, answer = post(server, "/v1/traces", body)
        if status not in (200, 400):
            raise AssertionError("%d %s" % (status, answer[:200]))
        body = json.dumps(request([span(18, **attr({"stringValue": "BOMB"})), span(19)])).replace('{"stringValue": "BOMB"}', nested(17))
        send(body, 2, 0)  # deeper than values may be: the value goes, the spans stay
    lab.case("recursion-bombs", bomb)

    def gzip_bomb():
        status = http("POST", server.base + "/v1/traces", gzip.compress(b" " * (300 << 20), 9),
                      {"Content-Type": "application/json", "Content-Encoding": "gzip"})[0]
        expect(status, 413)
    lab.case("gzip-bomb", gzip_bomb)

    def hostile_memory():
        grown = (server.rss() - at_rest) >> 20
        print("   memory after all of the above: %d MiB more" % grown)
        if grown > 40:
            raise AssertionError("memory grew by %d MiB" % grown)
    lab.case("memory-after-hostile-bodies", hostile_memory)

    def empty_logs():
        """Two million log records of two bytes each, which say nothing: some are kept, the others are counted, memory hardly notices."""
        def length(n):
            return bytes([n & 127 | 128] + ([n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21] if n >= 128 else []))

        def wrap(tag, inner):
            return bytes([tag]) + length(len(inner)) + inner
        body, before, kept_before = wrap(10, wrap(18, b"\x12\x00" * 2000000)), server.rss(), counter(server, "vedette_ingest_records_total", table="logs")
        status, _, text = http("POST", server.base + "/v1/logs", body, {"Content-Type": "application/x-protobuf"}, 120)
        expect((status, b"more log records or spans" in text), (200, True), "partial success: %r" % text[:200])
        grown, kept_now = (server.rss() - before) >> 20, counter(server, "vedette_ingest_records_total", table="logs") - kept_before
        print("   memory grew by %d MiB for %d kept of 2,000,000" % (grown, kept_now))
        expect(0 < kept_now < 400000, True, "kept: %d" % kept_now)
        if grown > 40:
            raise AssertionError("memory grew by %d MiB" % grown)
    lab.case("two-million-empty-log-records", empty_logs)

    def memory():
        """A flood: sixty bodies of 4 MB, four at a time, of attributes that do not pack, faster than parts are written."""
        before, most, done = server.rss(), [0], threading.Event()

        def watch():
            while not done.is_set():
                most[0] = max(most[0], server.rss())
                time.sleep(0.02)

        def sender(first):
            for i in range(15):
                spans = [span(1000 + first * 100000 + i * 1000 + k, **attr({"stringValue": os.urandom(8192).hex()})) for k in range(250)]
                expect(post(server, "/v1/traces", json.dumps(request(spans)))[0], 200)
        watcher = threading.Thread(target=watch)
        watcher.start()
        senders = [threading.Thread(target=sender, args=(n,)) for n in range(4)]
        [t.start() for t in senders]
        [t.join() for t in senders]
        done.set()
        watcher.join()
        grown = (most[0] - before) >> 20
        print("   memory grew by %d MiB at most" % grown)
        if grown > 400:  # the head, twice while it is written, the part being packed, and four requests of 4 MB at work
            raise AssertionError("memory grew by %d MiB" % grown)
    lab.case("memory-is-bounded", memory)

    def counted():
        expect(counter(server, "vedette_rejected_total", reason="record_id") >= 3, True, "refused ids are counted")
        expect(server.process.alive(), True, "alive")
    lab.case("counted-and-alive", counted)
    lab.done()


main()
