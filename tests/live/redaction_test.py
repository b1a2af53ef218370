#!/usr/bin/python3
"""redaction_test.py BUILD - a thousand secrets sent through every door of a server that redacts, and looked for in all its files; the same
without redaction shows that they would be found. A mistake in the section keeps the server from starting, and says where."""
import json
import os
import socket
import subprocess
import sys
import time

from lab import Lab, expect, free_port
from records import counter, post

CONFIG = """
redaction:
  builtin: [email]
  rules:
    - { name: plants, pattern: 'PLANT-[0-9]{6}', action: mask }
    - { name: plants in names, pattern: 'PLANT-[0-9]{6}', fields: [names], action: hash }
    - { name: keys, keys: ['*secret*'], action: hash }
log_files:
  - { paths: ['%s'], from: beginning }
"""
PLAIN = "log_files:\n  - { paths: ['%s'], from: beginning }\n"


def secret(i):
    # Not a round number of letters apart, so that what packs texts cannot make one of another.
    return "PLANT-%06d" % (i * 7919 % 1000003)


def bodies(i):
    now, s = time.time_ns(), secret(i)
    attr = [{"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps([{"role": "user", "content": s}])}}]
    span = {"traceId": "%032x" % (i + 1), "spanId": "%016x" % (i + 1), "name": "n", "startTimeUnixNano": str(now), "endTimeUnixNano": str(now), "attributes": attr}
    return [
        ("/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}),
        ("/v1/logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": str(now), "body": {"stringValue": "a " + s}}]}]}]}),
        ("/loki/api/v1/push", {"streams": [{"stream": {"app": s}, "values": [[str(now), "x", {"user": s}]]}]}),
        ("/api/v1/logs", {"service": "s", "message": "m", "payload": {"deep": {"my_secret": s}}}),
        ("/api/v2/spans", [{"traceId": "%x" % (i + 1), "id": "%x" % (i + 1), "timestamp": now // 1000, "duration": 1, "name": s, "tags": {"a": s}}]),
        ("/v1/logs", {"resourceLogs": [{"resource": {"attributes": [{"key": "r " + s, "value": {"stringValue": "x"}}]}, "scopeLogs": [{"logRecords": [
            {"timeUnixNano": str(now), "body": {"kvlistValue": {"values": [{"key": s, "value": {"stringValue": "x"}}]}},
             "attributes": [{"key": "a " + s, "value": {"intValue": "1"}}]}]}]}]}),
    ][i % 6]


def found(data):
    """Files are packed, so they are looked at as they were before that: in the write-ahead log, whose frames hold records as they came."""
    left = set(secret(i) for i in range(1000))
    seen = set()
    for folder, _, names in os.walk(data):
        for name in names:
            if name == "tail.json":
                continue
            with open(os.path.join(folder, name), "rb") as f:
                text = f.read()
            seen |= set(s for s in left if s.encode() in text)
    return len(seen)


def fill(lab, server, log, port):
    with open(log, "a") as f:
        for i in range(900, 930):
            f.write("followed %s\n" % secret(i))
    for i in range(900):  # one by one: what shares a frame of the log is packed, and would not be found without redaction, either
        path, body = bodies(i)
        status = post(server, path, json.dumps(body))[0]
        expect(status in (200, 202, 204), True, "%s answered %d" % (path, status))
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"".join(b"<14>1 - host app 1 - [x@1 %s=\"1\" y=\"%s\"] m\n" % (secret(i).encode(), secret(i).encode()) for i in range(930, 940)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i in range(940, 950):
            s.sendto(b"<14>" + time.strftime("%b %d %H:%M:%S", time.gmtime()).encode() + b" host app[1]: " + secret(i).encode(), ("127.0.0.1", port))
    lines = "".join('{"create":{}}\n{"message":"%s"}\n' % secret(i) for i in range(950, 1000))
    expect(post(server, "/elastic/_bulk", lines)[0], 200)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (counter(server, "vedette_ingest_records_total", protocol="tail") < 30 or
                                           counter(server, "vedette_ingest_records_total", protocol="syslog") < 20):
        time.sleep(0.05)
    return found(server.data)


def shown(server):
    """Secrets in what the API says: lines with all their fields, spans with theirs, names and values of labels."""
    window = {"start": str(time.time_ns() - 3600 * 10**9), "end": str(time.time_ns() + 60 * 10**9)}
    asked = [("/api/v1/logs", {"limit": 5000, "since": "1h"}), ("/loki/api/v1/query_range", dict(window, query='{service_name=~".+"}', limit=5000)),
             ("/loki/api/v1/labels", window), ("/api/v1/traces", {"limit": 1000}), ("/api/search/tags", {})]
    text = b"".join(server.get(path, params, timeout=60)[2] for path, params in asked)
    for i in range(0, 900, 30):
        text += server.get("/api/v1/traces/%x" % (i + 1), {"content": "true"}, timeout=60)[2]
    return sum(secret(i).encode() in text for i in range(1000)), len(text)


def main():
    lab = Lab(sys.argv)

    def nothing():
        log = lab.path("with.log")
        port = free_port()
        at = "127.0.0.1:%d" % port
        server = lab.vedette("--listen-syslog", at, "--listen-syslog-udp", at, config=lab.write("with.yml", CONFIG % log))
        expect(fill(lab, server, log, port), 0, "secrets found in the files of a running server")
        n, size = shown(server)
        print("   looked through %d bytes of answers" % size)
        expect(n, 0, "secrets found in answers")
        hits = counter(server, "vedette_redacted_values_total", mode="applied")
        if hits < 1000:
            raise AssertionError("only %d hits were counted" % hits)
        server.stop()
        expect(found(server.data), 0, "secrets found in the files that are left")
    lab.case("of-a-thousand-secrets-none-is-found", nothing)

    def all_of_them():
        log = lab.path("without.log")
        port = free_port()
        at = "127.0.0.1:%d" % port
        server = lab.vedette("--listen-syslog", at, "--listen-syslog-udp", at, config=lab.write("without.yml", PLAIN % log))
        n, answers = fill(lab, server, log, port), shown(server)[0]
        if n < 900 or answers < 800:
            raise AssertionError("without redaction only %d of 1000 can be seen, %d in answers: this test would prove nothing" % (n, answers))
    lab.case("without-redaction-they-are", all_of_them)

    def mistakes():
        for text, why in (("redaction:\n  rules:\n    - { keys: [a], action: burn }\n", "line 3"), ("redaction:\n  rule: []\n", "rule"),
                          ("sampling: { one_in: -5 }\n", "one_in"), ("log_files:\n  - { path: x }\n", "line 2")):
            config = lab.write("bad.yml", text)
            r = subprocess.run([lab.binary, "serve", "--listen", "127.0.0.1:%d" % free_port(), "--listen-otlp", "none", "--listen-grpc", "none",
                                "--data", lab.path("bad"), "--config", config], capture_output=True, text=True, timeout=20)
            if r.returncode == 0 or why not in r.stderr or "bad.yml" not in r.stderr:
                raise AssertionError("%r: exit %d, %s" % (text, r.returncode, r.stderr))
    lab.case("mistakes-are-named", mistakes)
    lab.done()


main()
