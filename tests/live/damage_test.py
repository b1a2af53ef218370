"""damage_test.py - a block of a part is damaged: every API answers with what is sound, and says what is missing."""
import glob
import json
import os
import sys
import time

from lab import Lab, expect, http

lab = Lab(sys.argv)
data = lab.path("data")
server = lab.vedette("--self-metrics=no", "--host-metrics=no", data=data)
now = int(time.time())
start_ns, end_ns = (now - 3600) * 10**9, (now + 60) * 10**9


def post(path, body, kind):
    status = http("POST", server.base + path, body, {"Content-Type": kind})[0]
    if status // 100 != 2:
        raise AssertionError("POST %s: %d" % (path, status))


def get(path):
    status, headers, body = http("GET", server.base + path)
    expect(status, 200, path + ": " + body[:300].decode())
    return headers, json.loads(body)


def fill():
    post("/api/v1/import/prometheus", "".join('m{i="%d"} %d %d\n' % (i, i, (now - 60) * 1000) for i in range(500)).encode(), "text/plain")
    lines = [[str((now - 60) * 10**9 + i), "line %d" % i] for i in range(500)]
    post("/loki/api/v1/push", json.dumps({"streams": [{"stream": {"service_name": "shop"}, "values": lines}]}).encode(), "application/json")
    spans = [{"traceId": "%032x" % (i + 1), "spanId": "%016x" % (i + 1), "name": "step", "startTimeUnixNano": str((now - 60) * 10**9 + i),
              "endTimeUnixNano": str((now - 60) * 10**9 + i + 1000)} for i in range(500)]
    post("/v1/traces", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode(), "application/json")


def damage():
    """A byte in the first block of every part: behind its header, which is 64 bytes."""
    server.stop()
    for table in ("metrics", "logs", "spans"):
        parts = glob.glob(os.path.join(data, table, "*", "*.part"))
        if not parts:
            raise AssertionError("no part of %s: %s" % (table, os.listdir(data)))
        for path in parts:
            with open(path, "r+b") as f:
                f.seek(64 + 24)
                byte = f.read(1)
                f.seek(64 + 24)
                f.write(bytes([byte[0] ^ 0x10]))
    server.start()


def says(answer, headers):
    texts = answer.get("warnings") or []
    if not any("data is missing" in t for t in texts):
        raise AssertionError("no warning in %s" % json.dumps(answer)[:300])
    in_header(headers)


def in_header(headers):
    if "data is missing" not in headers.get("X-Vedette-Warning", ""):
        raise AssertionError("no warning in the headers")


def prometheus():
    for path in ("/api/v1/query?query=count(m)&time=%d" % now, "/api/v1/query_range?query=count(m)&start=%d&end=%d&step=15" % (now - 120, now)):
        for _ in range(2):  # a partial answer is not kept
            answer = get(path)[1]
            if not any("data is missing" in t for t in answer.get("warnings", [])):
                raise AssertionError("no warning in %s" % json.dumps(answer)[:300])


def loki():
    window = "&start=%d&end=%d" % (start_ns, end_ns)
    for query in ('{service_name="shop"}', 'sum(count_over_time({service_name="shop"}[5m]))&step=60'):
        answer = get("/loki/api/v1/query_range?query=" + query.replace("{", "%7B").replace("}", "%7D").replace('"', "%22") + window)[1]
        if not any("data is missing" in t for t in answer.get("warnings", [])):
            raise AssertionError("no warning in %s" % json.dumps(answer)[:300])


def ours():
    headers, answer = get("/api/v1/logs?start=%d&end=%d" % (start_ns, end_ns))
    says(answer, headers)
    headers, answer = get("/api/v1/traces?limit=5&start=%d&end=%d" % (now - 3600, now + 60))
    says(answer, headers)


def tempo_and_jaeger():
    in_header(get("/tempo/api/search?q=%7B%7D&start={}&end={}".format(now - 3600, now + 60))[0])


def counted():
    body = http("GET", server.base + "/metrics")[2].decode()
    n = sum(float(line.split()[-1]) for line in body.splitlines() if line.startswith('vedette_store_damaged_blocks_total{kind="block"}'))
    if n < 3:
        raise AssertionError("%g places counted" % n)


lab.case("a store with a damaged block of each table starts", lambda: (fill(), damage()))
lab.case("Prometheus' API warns", prometheus)
lab.case("Loki's API warns", loki)
lab.case("our own APIs warn", ours)
lab.case("Tempo's API warns in a header", tempo_and_jaeger)
lab.case("the places are counted", counted)
lab.done()
