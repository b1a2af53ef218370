#!/usr/bin/python3
"""traces_logs_partial_test.py BUILD - what is said about a body of which a part is refused, at every door for logs and spans: a record of now,
one from the future and one older than the retention. The answer, the counters and what a query finds tell the same."""
import json
import socket
import struct
import sys
import time

from lab import Lab, expect, free_port
from records import counter, kept, post

NOW = time.time_ns()
FUTURE, OLD = NOW + 3600 * 10 ** 9, NOW - 400 * 86400 * 10 ** 9
TIMES = (NOW, FUTURE, OLD)


def refused(server):
    return {r: int(counter(server, "vedette_rejected_total", reason=r)) for r in ("future", "too_old")}


def thrift_batch(service, spans):
    """Jaeger's Batch in Thrift's binary protocol: (trace id, span id, name, start in us)."""
    def text(field, s):
        return b"\x0b" + struct.pack(">hi", field, len(s)) + s.encode()

    def number(field, n):
        return b"\x0a" + struct.pack(">hq", field, n)
    one = b"".join(number(1, s[0]) + number(2, 0) + number(3, s[1]) + number(4, 0) + text(5, s[2]) + b"\x08" + struct.pack(">hi", 7, 1) +
                   number(8, s[3]) + number(9, 1000) + b"\x00" for s in spans)
    return b"\x0c" + struct.pack(">h", 1) + text(1, service) + b"\x00" + b"\x0f" + struct.pack(">hbi", 2, 12, len(spans)) + one + b"\x00"


def main():
    lab = Lab(sys.argv)
    syslog = free_port()
    server = lab.vedette("--listen-syslog", "127.0.0.1:%d" % syslog)

    def door(protocol, table, send):
        """send() gives the status and the answer's text; one record is kept, and each refusal counted once."""
        def run():
            before, were = refused(server), kept(server, protocol, table)
            send()
            expect(kept(server, protocol, table) - were, 1, "kept")
            now = refused(server)
            expect({r: now[r] - before[r] for r in now}, {"future": 1, "too_old": 1}, "refused")
        lab.case(protocol, run)

    def said(answer, *texts):
        for t in texts:
            if t not in answer:
                raise AssertionError("%r is not in %r" % (t, answer))

    def otlp(path, key, inner, part, count):
        def send():
            records = [{"timeUnixNano": str(t), "startTimeUnixNano": str(t), "endTimeUnixNano": str(t + 10 ** 6), "name": "n", "body": {"stringValue": "b"},
                        "traceId": "%032x" % (i + 1), "spanId": "%016x" % (i + 1)} for i, t in enumerate(TIMES)]
            status, _, answer = post(server, path, json.dumps({key: [{inner: [{part: records}]}]}))
            partial = json.loads(answer)["partialSuccess"]
            expect((status, int(partial[count])), (200, 2))
            said(partial["errorMessage"], "future")
        return send
    door("otlp_http", "logs", otlp("/v1/logs", "resourceLogs", "scopeLogs", "logRecords", "rejectedLogRecords"))
    door("otlp_http", "spans", otlp("/v1/traces", "resourceSpans", "scopeSpans", "spans", "rejectedSpans"))

    def zipkin():
        spans = [{"traceId": "%032x" % (i + 1), "id": "%016x" % (i + 1), "name": "n", "timestamp": t // 1000, "duration": 5,
                  "localEndpoint": {"serviceName": "z"}} for i, t in enumerate(TIMES)]
        status, _, answer = post(server, "/api/v2/spans", json.dumps(spans))
        expect(status, 202)
        said(answer.decode(), "1 refused", "future", "1 refused by the store", "older than the retention")
    door("zipkin", "spans", zipkin)

    def jaeger():
        body = thrift_batch("j", [(i + 1, i + 1, "op", t // 1000) for i, t in enumerate(TIMES)])
        status, _, answer = post(server, "/api/traces", body, "application/x-thrift")
        expect(status, 202)
        said(answer.decode(), "1 refused", "future", "1 refused by the store", "older than the retention")
    door("jaeger_thrift", "spans", jaeger)

    def loki():
        body = {"streams": [{"stream": {"app": "l"}, "values": [[str(t), "line"] for t in TIMES]}]}
        status, _, answer = post(server, "/loki/api/v1/push", json.dumps(body))
        expect(status, 400)
        said(answer.decode(), "1 refused", "future", "1 refused by the store", "older than the retention")
    door("loki", "logs", loki)

    def lines():
        body = "\n".join(json.dumps({"service": "s", "message": "m", "timestamp": t // 10 ** 6}) for t in TIMES)
        status, _, answer = post(server, "/api/v1/logs", body)
        answer = json.loads(answer)
        expect((status, answer["accepted"], answer["rejected"]), (207, 1, 2))
        expect([(e["line"], e["kept"]) for e in answer["errors"]], [(2, False)])
        said(answer["error"], "line 2", "future")
    door("json_lines", "logs", lines)

    def bulk():
        body = "".join('{"create":{"_index":"i"}}\n%s\n' % json.dumps({"message": "m", "@timestamp": t // 10 ** 6}) for t in TIMES)
        status, _, answer = post(server, "/elastic/_bulk", body)
        answer = json.loads(answer)
        items = [i["create"] for i in answer["items"]]
        expect((status, answer["errors"], [i["status"] for i in items]), (200, True, [201, 400, 400]))
        said(items[1]["error"]["reason"], "future")
        said(items[2]["error"]["reason"], "older than the retention")
    door("elastic_bulk", "logs", bulk)

    def messages():
        with socket.create_connection(("127.0.0.1", syslog)) as s:
            for t in TIMES:
                s.sendall(b"<14>1 %s host app - - - text\n" % time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t // 10 ** 9)).encode())
        end = time.monotonic() + 20
        while kept(server, "syslog") < 1 and time.monotonic() < end:
            time.sleep(0.05)
    door("syslog", "logs", messages)
    lab.done()


main()
