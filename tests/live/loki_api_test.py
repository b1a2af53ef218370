#!/usr/bin/env python3
"""Loki's API as Grafana's Loki source and Logs Drilldown use it, our own search over logs, and both live tails.

Expectations are counts of what was pushed and shapes that Grafana's readers need; none is copied from our answers.
The WebSocket client below is written after RFC 6455, apart from the server's library.
"""
import base64
import hashlib
import json
import os
import socket
import struct
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
from lab import Lab, expect, http, wait_for  # noqa: E402

LOKI = "/loki-api/loki/api/v1"
NS = 10**9


# ---- a WebSocket client ----

class WebSocket:
    def __init__(self, port, path, headers=()):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET %s HTTP/1.1" % path, "Host: 127.0.0.1:%d" % port, "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key, *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])
        if self.status == 101:
            want = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
            assert b"sec-websocket-accept: " + want.lower() in head.lower(), head

    def more(self):
        got = self.socket.recv(65536)
        if not got:
            raise EOFError("closed")
        self.rest += got

    def take(self, n):
        while len(self.rest) < n:
            self.more()
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def frame(self, seconds=10):
        self.socket.settimeout(seconds)
        first, n = self.take(2)
        if n == 126:
            n, = struct.unpack(">H", self.take(2))
        elif n == 127:
            n, = struct.unpack(">Q", self.take(8))
        return first, self.take(n)

    def message(self, seconds=10):
        first, body = self.frame(seconds)
        expect(first, 0x81, "a whole text frame")
        return json.loads(body)

    def send(self, opcode, body=b""):
        mask = os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(body))
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(body)]) + mask + masked)

    def close(self):
        self.socket.close()


# ---- pushing and asking ----

lab = Lab(sys.argv)
server = lab.vedette("--retention", "forever")
if server.get(LOKI + "/status/buildinfo")[0] != 200:
    lab.skip("loki api", "this build does not serve it")
    lab.done()

now = time.time_ns()
start = now - 600 * NS


def push(streams):
    body = json.dumps({"streams": [{"stream": s, "values": v} for s, v in streams]}).encode()
    status, _, text = http("POST", server.base + "/loki/api/v1/push", body, {"Content-Type": "application/json"})
    expect(status, 204, text)


def ask(path, headers=None, status=200, **params):
    params = {k: v for k, v in params.items() if v is not None}
    got, _, body = server.get(path, params, headers=headers)
    expect(got, status, path + " " + body[:300].decode("utf-8", "replace"))
    return body.decode()


def loki(path, headers=None, **params):
    return json.loads(ask(LOKI + path, headers, **{"start": start, "end": now + NS, **params}))


def own(path, **params):
    return json.loads(ask("/api/v1/logs" + path, **{"start": start, "end": now + NS, **params}))


def line_of(i):
    if i % 4 == 0:
        return 'level=error msg="task %d failed" dur=%dms retry=false' % (i, i)
    return '{"level":"info","n":%d,"user":{"name":"u%d"},"msg":"step %d started"}' % (i, i % 3, i)


PROD, DEV = {"service_name": "planner", "env": "prod"}, {"service_name": "critic", "env": "dev"}
push([(PROD, [[str(now - (300 - i) * NS), line_of(i), {"task_id": "t%d" % (i % 5)}] for i in range(200)]),
      (DEV, [[str(now - 50 * NS), "hello world"]])])


# ---- Grafana's questions ----

def health():
    data = loki("/query", query="vector(1)+vector(1)", direction="backward")["data"]
    expect(data["resultType"], "vector")
    expect([s["value"][1] for s in data["result"]], ["2"])


def lines_without_categories():
    data = loki("/query_range", query='{env="prod"} |= "failed"', limit=1000)["data"]
    expect(data["resultType"], "streams")
    expect(sum(len(s["values"]) for s in data["result"]), 50)
    expect({s["stream"]["task_id"] for s in data["result"]}, {"t%d" % i for i in range(5)})
    expect({s["stream"]["detected_level"] for s in data["result"]}, {"error"})
    for s in data["result"]:
        times = [int(v[0]) for v in s["values"]]
        expect(times, sorted(times, reverse=True))
        expect({len(v) for v in s["values"]}, {2})
    expect("encodingFlags" in data, False)
    assert data["stats"]["summary"]["totalEntriesReturned"] == 50, data["stats"]


def lines_with_categories():
    flags = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
    data = loki("/query_range", flags, query='{env="prod"} | logfmt | dur > 150ms', limit=1000)["data"]
    expect(data["encodingFlags"], ["categorize-labels"])
    expect([s["stream"] for s in data["result"]], [PROD])
    values = data["result"][0]["values"]
    expect(len(values), len([i for i in range(152, 200, 4)]))
    for _, line, more in values:
        expect(set(more), {"structuredMetadata", "parsed"})
        assert more["parsed"]["dur"] in line and more["structuredMetadata"]["task_id"], more


def limits_and_directions():
    data = loki("/query_range", query='{env=~".+"}', limit=7, direction="forward")["data"]["result"]
    times = sorted(int(v[0]) for s in data for v in s["values"])
    expect(times, [now - (300 - i) * NS for i in range(7)])
    for bad in ({"limit": 100000}, {"limit": "x"}, {"direction": "up"}, {"step": "0"}, {"start": "monday"}):
        ask(LOKI + "/query_range", status=400, **{"query": '{env="prod"}', **bad})


def volume_of_levels():
    data = loki("/query_range", {"X-Query-Tags": "Source=logvolhist"}, step="60000ms",
                query='sum by (level, detected_level) (count_over_time({env=~".+"}[1m]))')["data"]
    expect(data["resultType"], "matrix")
    totals = {s["metric"]["detected_level"]: sum(int(v[1]) for v in s["values"]) for s in data["result"]}
    expect((totals["error"], totals["info"]), (50, 150))


def names():
    expect(loki("/labels")["data"], ["env", "service_name"])
    expect(loki("/label/env/values")["data"], ["dev", "prod"])
    expect(loki("/label/env/values", query='{service_name="critic"}')["data"], ["dev"])
    expect(loki("/series", **{"match[]": '{env="dev"}'})["data"], [DEV])
    expect(len(loki("/series")["data"]), 2)
    expect(loki("/detected_labels")["detectedLabels"],
           [{"label": "env", "cardinality": 2}, {"label": "service_name", "cardinality": 2}])


def fields():
    found = {f["label"]: f for f in loki("/detected_fields", query='{env="prod"}')["fields"]}
    expect({k: f["type"] for k, f in found.items() if k in ("dur", "n", "retry", "user_name")},
           {"dur": "duration", "n": "int", "retry": "boolean", "user_name": "string"})
    expect((found["n"]["parsers"], found["dur"]["parsers"], found["task_id"]["parsers"]), (["json"], ["logfmt"], []))
    expect((found["n"]["cardinality"], found["task_id"]["cardinality"]), (150, 5))
    expect(loki("/detected_field/user_name/values", query='{env="prod"}')["values"], ["u0", "u1", "u2"])


def sizes():
    size = sum(len(line_of(i)) for i in range(200))
    got = loki("/index/stats", query='{env="prod"}')
    expect({k: got[k] for k in ("streams", "entries", "bytes")}, {"streams": 1, "entries": 200, "bytes": size})
    volume = loki("/index/volume", query='{env=~".+"}')["data"]
    expect(volume["resultType"], "vector")
    expect([(v["metric"], int(v["value"][1])) for v in volume["result"]],
           [({"env": "prod"}, size), ({"env": "dev"}, len("hello world"))])
    by_label = loki("/index/volume", query='{env=~".+"}', targetLabels="service_name", aggregateBy="labels")["data"]["result"]
    expect([(v["metric"], int(v["value"][1])) for v in by_label], [({"service_name": ""}, size + 11)])
    steps = loki("/index/volume_range", query='{env="prod"}', step="60s")["data"]
    expect((steps["resultType"], sum(int(v[1]) for v in steps["result"][0]["values"])), ("matrix", size))


def patterns():
    found = {p["pattern"]: sum(n for _, n in p["samples"]) for p in loki("/patterns", query='{env="prod"}', step="60s")["data"]}
    expect(sorted(found.values()), [50, 150])
    for text, lines in found.items():  # Drilldown filters by them
        data = loki("/query_range", query='{env="prod"} |> `%s`' % text, limit=1000)["data"]["result"]
        expect(sum(len(s["values"]) for s in data), lines, text)


def small_answers():
    expect(json.loads(ask(LOKI + "/format_query", query='{a="b"}|="x"'))["data"], '{a="b"} |= "x"')
    assert json.loads(ask(LOKI + "/status/buildinfo"))["version"]
    expect(ask("/loki-api/ready").strip(), "ready")
    assert json.loads(ask(LOKI + "/drilldown-limits"))["pattern_ingester_enabled"]
    expect(json.loads(ask("/loki-api/prometheus/api/v1/rules"))["data"]["groups"], [])
    ask("/loki-api/unknown", status=404)
    text = ask(LOKI + "/query_range", status=400, query='{a="b"')
    assert text.startswith("parse error at line 1, col"), text
    assert "instant query" in ask(LOKI + "/query", status=400, query='{env="prod"}')
    expect(loki("/query_range", query='{env="none"}')["data"]["result"], [])


# ---- ours ----

def search():
    count = lambda **p: own("", limit=1000, **p)["count"]  # noqa: E731
    expect(count(), 201)
    expect(count(field="task_id=t1"), 40)
    expect(count(field=["task_id!=t1", "env=prod"]), 160)
    expect(count(severity="error"), 50)
    expect(count(severity="warn+", task_id="t0"), 10)
    expect(count(text="FAILED"), 50)
    expect(count(regex="task [0-9]+0 failed"), 9)  # 20, 40, ... 180
    expect(count(service="critic"), 1)
    expect(count(field="message=~step 1[0-9]{2} "), 75)
    for bad in ("=x", "x", "a=~("):
        ask("/api/v1/logs", status=400, field=bad)
    ask("/api/v1/logs", status=400, severity="loud")
    ask("/api/v1/logs", status=400, cursor="7")


def pages():
    seen, cursor = [], None
    while True:
        page = own("", limit=30, cursor=cursor, env=None)
        seen += [r["timestamp"] for r in page["logs"]]
        cursor = page.get("next_cursor")
        if not cursor:
            break
    expect((len(seen), len(set(seen))), (201, 201))
    expect(seen, sorted(seen, reverse=True))


def pages_of_one_moment():
    moment = now - 400 * NS
    push([({"service_name": "burst"}, [[str(moment), "line %d" % i] for i in range(25)])])
    seen, cursor = set(), None
    while True:
        page = own("", limit=4, cursor=cursor, service="burst")
        seen |= {r["message"] for r in page["logs"]}
        cursor = page.get("next_cursor")
        if not cursor:
            break
    expect(seen, {"line %d" % i for i in range(25)})


def counted():
    got = own("", limit=1, histogram=10, service="planner")
    expect((got["total"], sum(b["count"] for b in got["histogram"]["buckets"])), (200, 200))
    stats = own("/stats", service="planner")
    expect({k: v["count"] for k, v in stats["by_severity"].items()}, {"error": 50, "info": 150})
    expect(stats["by_service"], [{"service": "planner", "count": 200}])


def exported():
    lines = ask("/api/v1/logs", start=start, end=now + NS, format="jsonl", service="planner").splitlines()
    expect(len(lines), 200)
    expect({json.loads(r)["service"] for r in lines}, {"planner"})


def live_patterns():
    found = wait_for(lambda: own("/patterns", service="planner")["patterns"], 5)
    expect(sorted(p["count"] for p in found), [50, 150])


# ---- tails ----

def tail_path(query, **params):
    return LOKI + "/tail?" + urllib.parse.urlencode({"query": query, **params})


def tail_of_loki():
    push([({"app": "live"}, [[str(time.time_ns() - NS), "before"]])])
    ws = WebSocket(server.port, tail_path('{app="live"} != "secret"'))
    expect(ws.status, 101)
    first = ws.message()["streams"]
    expect([v[1] for s in first for v in s["values"]], ["before"])  # history comes first
    at = time.time_ns()
    push([({"app": "live"}, [[str(at), "one"], [str(at + 1), "secret"], [str(at + 2), "two"]])])
    pushed = time.monotonic()
    streams = ws.message()["streams"]
    assert time.monotonic() - pushed < 1, "a tail lags by a second at most"
    expect([v for s in streams for v in s["values"]], [[str(at), "one"], [str(at + 2), "two"]])
    expect({s["stream"]["app"] for s in streams}, {"live"})
    ws.send(9, b"ping")
    expect(ws.frame(), (0x8a, b"ping"))
    ws.send(8, b"\x03\xe8")
    expect(ws.frame()[0], 0x88)
    ws.close()


def tail_with_categories():
    ws = WebSocket(server.port, tail_path('{app="live"} | logfmt'), ["X-Loki-Response-Encoding-Flags: categorize-labels"])
    ws.message()
    push([({"app": "live"}, [[str(time.time_ns()), "a=1", {"task_id": "t9"}]])])
    frame = ws.message()
    expect(frame["encodingFlags"], ["categorize-labels"])
    more = frame["streams"][0]["values"][0][2]
    expect((more["parsed"], more["structuredMetadata"]["task_id"]), ({"a": "1"}, "t9"))
    ws.close()


def tail_refusals():
    for path in (tail_path("{"), tail_path("rate({a=\"b\"}[1m])"), tail_path('{a="b"}', delay_for=6)):
        expect(WebSocket(server.port, path).status, 400, path)
    expect(WebSocket(server.port, tail_path('{a="b"}'), ["Origin: http://elsewhere.example"]).status, 403)
    ask(LOKI + "/tail", status=400, query='{a="b"}')


def no_line_is_lost_while_tails_begin():
    sent, stop = [], threading.Event()

    def writer():
        while not stop.is_set():
            at = time.time_ns()
            sent.append("line %d" % at)
            push([({"app": "busy"}, [[str(at), "line %d" % at]])])

    thread = threading.Thread(target=writer)
    thread.start()
    try:
        for _ in range(5):
            ws = WebSocket(server.port, tail_path('{app="busy"}', limit=5000))
            got, until = [], time.monotonic() + 1
            while time.monotonic() < until or not got:
                got += [v[1] for s in ws.message()["streams"] for v in s["values"]]
            ws.close()
            expect(len(got), len(set(got)), "each line once")
            first, last = sent.index(got[0]), sent.index(got[-1])
            expect(got, sent[first:last + 1])
    finally:
        stop.set()
        thread.join()


def tail_of_events():
    s = socket.create_connection(("127.0.0.1", server.port), 10)
    s.sendall(b"GET /api/v1/logs/tail?service=live&severity=warn%2B HTTP/1.1\r\nHost: a\r\n\r\n")
    text = b""
    while b"lines as they come" not in text:
        text += s.recv(65536)
    push([({"service_name": "live"}, [[str(time.time_ns()), "level=info quiet"], [str(time.time_ns()), "level=error loud"]])])
    pushed = time.monotonic()
    while b"loud" not in text:
        text += s.recv(65536)
    assert time.monotonic() - pushed < 1
    record = json.loads(text[text.index(b"data: ") + 6:].split(b"\n", 1)[0])
    expect((record["message"], record["severity"], record["service"]), ("level=error loud", "ERROR", "live"))
    assert b"quiet" not in text
    s.close()


def stop_with_followers():
    ws = WebSocket(server.port, tail_path('{app="live"}'))
    ws.message()
    begun = time.monotonic()
    expect(server.stop(), 0, "exit status")
    assert time.monotonic() - begun < 10
    expect(ws.frame()[0], 0x88, "a close frame")
    ws.close()


for case in (health, lines_without_categories, lines_with_categories, limits_and_directions, volume_of_levels, names, fields,
             sizes, patterns, small_answers, live_patterns, search, pages, pages_of_one_moment, counted, exported,
             tail_of_loki, tail_with_categories, tail_refusals, no_line_is_lost_while_tails_begin, tail_of_events,
             stop_with_followers):
    lab.case(case.__name__, case)
lab.done()
