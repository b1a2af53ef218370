#!/usr/bin/python3
"""redaction_test.py BUILD - a thousand secrets sent through every door of a server that redacts, and looked for in all its files; the same
without redaction shows that they would be found. A mistake in the section keeps the server from starting, and says where."""
import json
import os
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
    ][i % 5]


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
        for i in range(900, 950):
            f.write("followed %s\n" % secret(i))
    for i in range(900):
        path, body = bodies(i)
        status = post(server, path, json.dumps(body))[0]
        expect(status in (200, 202, 204), True, "%s answered %d" % (path, status))
    lines = "".join('{"create":{}}\n{"message":"%s"}\n' % secret(i) for i in range(950, 1000))
    expect(post(server, "/elastic/_bulk", lines)[0], 200)
    deadline = time.monotonic() + 10
    while counter(server, "vedette_ingest_records_total", protocol="tail") < 50 and time.monotonic() < deadline:
        time.sleep(0.05)
    return found(server.data)


def main():
    lab = Lab(sys.argv)

    def nothing():
        log = lab.path("with.log")
        server = lab.vedette(config=lab.write("with.yml", CONFIG % log))
        expect(fill(lab, server, log, free_port()), 0, "secrets found in the files of a running server")
        hits = counter(server, "vedette_redacted_values_total", mode="applied")
        if hits < 1000:
            raise AssertionError("only %d hits were counted" % hits)
        server.stop()
        expect(found(server.data), 0, "secrets found in the files that are left")
    lab.case("of-a-thousand-secrets-none-is-found", nothing)

    def all_of_them():
        log = lab.path("without.log")
        server = lab.vedette(config=lab.write("without.yml", PLAIN % log))
        n = fill(lab, server, log, free_port())
        if n < 900:
            raise AssertionError("without redaction only %d of 1000 can be seen: this test would prove nothing" % n)
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
