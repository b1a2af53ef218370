#!/usr/bin/env python3
"""isolation_bench.py - what 50 heavy queries at once do to those who send telemetry.

    isolation_bench.py [BUILD] [SECONDS] [-- FLAG...]     flags go to the server

Three senders at a steady pace, each on one connection: remote write of 100 series, OTLP spans (JSON, 50 a request), Loki
lines (50 a request), each 25 times a second. The time of an acknowledgement counts from when a request was due and its
connection free, so a server that stands still is not forgiven the requests that could not be sent meanwhile.

    alone    nothing else
    hogs     as many processes that only compute as there are processors, at the niceness of queries: what the scheduler of
             this machine costs by itself; nobody can be better beside queries that use all processors
    queries  50 clients that ask without a pause, each of the five kinds below in turn

The senders run at niceness -10 and the clients of the queries at 19 when we may (root), so that it is the server that is
measured. Prints p50, p99 and the worst, the share of the disk in it, and how the queries fared. Nothing is asserted.
TMPDIR=/dev/shm takes the disk away: what is left is what queries do to senders.
"""
import json
import multiprocessing
import os
import random
import socket
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from lab import Lab  # noqa: E402
from rw import send, series, snappy  # noqa: E402

EVERY_S, CLIENTS, HOURS = 0.04, 50, 4
SEED_SERIES, SEED_LINES, SEED_SPANS = 1000, 200_000, 100_000
PATHS = ["checkout", "cart", "search", "login", "prompt", "tool", "embed", "plan"]


def nice(n):
    try:
        os.nice(n)
    except PermissionError:
        print("(niceness %d is not allowed here)" % n, flush=True)


class Connection:
    """One kept connection, by hand: http.client costs a millisecond a request."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        self.socket.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise ConnectionError("closed")
            got += piece
        head, body = got.split(b"\r\n\r\n", 1)
        left = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                left = int(line.split(b":")[1]) - len(body)
        while left > 0:
            left -= len(self.socket.recv(min(left, 1 << 20)))
        return int(head.split(b" ", 2)[1])


def request(path, body, kind, *more):
    head = "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n" % (
        path, kind, len(body), "".join(m + "\r\n" for m in more))
    return head.encode() + body


# ---- what is sent ----

def write_request(i, at_ms):
    body = b"".join(series({"__name__": "steady", "job": "bench", "n": str(n)}, [(at_ms, i + n)]) for n in range(100))
    return request("/api/v1/write", snappy(body), "application/x-protobuf", "Content-Encoding: snappy")


def loki_lines(r, at_ns, n, step_ns):
    return [[str(at_ns + k * step_ns), "level=%s path=/%s/%d took=%dms user=%08x" % (
        r.choice(["info", "warn", "error"]), r.choice(PATHS), r.randrange(1000), r.randrange(900), r.getrandbits(32))] for k in range(n)]


def loki_request(i, at_ms):
    r = random.Random(i)
    body = {"streams": [{"stream": {"job": "bench", "pod": "p%d" % (i % 10)}, "values": loki_lines(r, at_ms * 1000000, 50, 1000)}]}
    return request("/loki/api/v1/push", json.dumps(body).encode(), "application/json")


def spans(r, at_ns, n, step_ns):
    out, trace = [], ""
    for k in range(n):
        if k % 10 == 0:
            trace = "%032x" % r.getrandbits(128)
        start = at_ns + k * step_ns
        out.append({"traceId": trace, "spanId": "%016x" % r.getrandbits(64), "name": r.choice(PATHS),
                    "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + r.randrange(10**9)),
                    "attributes": [{"key": "http.url", "value": {"stringValue": "/%s/%d" % (r.choice(PATHS), r.randrange(1000))}},
                                   {"key": "user.id", "value": {"stringValue": "%08x" % r.getrandbits(32)}}]})
    return json.dumps({"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": r.choice(PATHS)}}]},
                                          "scopeSpans": [{"spans": out}]}]}).encode()


def span_request(i, at_ms):
    return request("/v1/traces", spans(random.Random(i), at_ms * 1000000, 50, 1000), "application/json")


KINDS = {"remote write": write_request, "otlp spans": span_request, "loki lines": loki_request}


def seed(server, now_ms):
    """Four hours of everything, so that a query has something to read."""
    step = 15000
    begin = now_ms - HOURS * 3600000
    for first in range(0, SEED_SERIES, 50):
        send(server.base, [({"__name__": "seed", "job": "j%d" % (n % 7), "instance": "host-%d.example" % n},
                            [(t, float(t // step % 1000 * (n % 13))) for t in range(begin, now_ms, step)]) for n in range(first, first + 50)])
    c, r, chunk = Connection(server.port), random.Random(1), 5000
    for i in range(SEED_LINES // chunk):
        at_ns = (begin + i * (HOURS * 3600000 * chunk // SEED_LINES)) * 1000000
        body = {"streams": [{"stream": {"job": "seed", "pod": "p%d" % (i % 10)}, "values": loki_lines(r, at_ns, chunk, 70_000_000)}]}
        assert c.ask(request("/loki/api/v1/push", json.dumps(body).encode(), "application/json")) == 204
    for i in range(SEED_SPANS // chunk):
        at_ns = (begin + i * (HOURS * 3600000 * chunk // SEED_SPANS)) * 1000000
        assert c.ask(request("/v1/traces", spans(r, at_ns, chunk, 140_000_000), "application/json")) == 200


# ---- senders ----

def sender(kind, port, seconds, salt, out):
    nice(-10)
    n = int(seconds / EVERY_S)
    start_ms = int(time.time() * 1000)
    ready = [KINDS[kind](salt + i, start_ms + int(i * EVERY_S * 1000)) for i in range(n)]
    c, took, bad = Connection(port), [], 0
    offset = list(KINDS).index(kind) * EVERY_S / len(KINDS)
    begin = free = time.monotonic() + 0.5 + offset
    for i, body in enumerate(ready):
        due = begin + i * EVERY_S
        time.sleep(max(due - time.monotonic(), 0))
        since = due if free > due else time.monotonic()
        bad += c.ask(body) // 100 != 2
        free = time.monotonic()
        took.append((free - since) * 1000)
    out.put((kind, took, bad))


def syncs(server):
    """Of the log so far: how many, their seconds, how many longer than 20 ms. The disk is everybody's."""
    name = "vedette_store_wal_sync_seconds_"
    got = {line.split(" ")[0]: float(line.split(" ")[1]) for line in server.get("/metrics")[2].decode().split("\n") if line.startswith(name)}
    n = got[name + "count"]
    return n, got[name + "sum"], n - got[name + 'bucket{le="0.02"}']


def measure(what, server, seconds, salt):
    out, before = multiprocessing.Queue(), syncs(server)
    all_senders = [multiprocessing.Process(target=sender, args=(k, server.port, seconds, salt, out)) for k in KINDS]
    for p in all_senders:
        p.start()
    got = sorted(out.get() for _ in all_senders)
    for p in all_senders:
        p.join()
    for kind, took, bad in got:
        took.sort()
        print("%-8s %-13s p50 %6.1f  p99 %6.1f  worst %6.1f ms   of %d%s" % (
            what, kind, took[len(took) // 2], took[int(len(took) * 0.99)], took[-1], len(took), ", %d refused" % bad if bad else ""), flush=True)
    n, total, slow = (a - b for a, b in zip(syncs(server), before))
    print("%-8s the disk      %d syncs, %.1f ms each, %d longer than 20 ms" % (what, n, 1000 * total / max(n, 1), slow), flush=True)
    return max(took[int(len(took) * 0.99)] for _, took, _ in got)


# ---- queries ----

def heavy(now_s):
    """Name and path of each kind; what their seeds make costly is that all of four hours must be read."""
    span = {"start": now_s - HOURS * 3600, "end": now_s}
    million = "max_over_time(sum(seed)[%dh:14ms])" % HOURS
    wide = {"query": "sum by (job) (rate(seed[1h]))", "step": 10, "nocache": 1, **span}
    regex = {"query": 'count({__name__=~".+", instance=~".*(1|3|5).*ex.*"})', "step": 5, "nocache": 1, **span}
    logql = {"query": 'sum by (job) (count_over_time({job=~".+"} |~ "user=[0-9a-f]*(dead|beef|cafe)" [1m]))', "step": 60, **span}
    lines = {"query": '{job=~".+"} |~ "took=1.*7" | logfmt | user =~ ".*00.*"', "limit": 1000, **span}
    traces = {"q": '{ span.http.url =~ ".*/.*77.*" && span.user.id =~ ".*f.*" } | count() > 3', "limit": 1000, **span}
    return [("million steps", "/api/v1/query?" + urllib.parse.urlencode({"query": million, "time": now_s})),
            ("wide rate", "/api/v1/query_range?" + urllib.parse.urlencode(wide)),
            ("regex over all", "/api/v1/query_range?" + urllib.parse.urlencode(regex)),
            ("LogQL counts", "/loki/api/v1/query_range?" + urllib.parse.urlencode(logql)),
            ("LogQL lines", "/loki/api/v1/query_range?" + urllib.parse.urlencode(lines)),
            ("TraceQL", "/tempo/api/search?" + urllib.parse.urlencode(traces))]


def ask_for_ever(port, queries, first, stop, tally, mu):
    i, c = first, None
    while not stop.is_set():
        name, path = queries[i % len(queries)]
        i += 1
        began = time.monotonic()
        try:
            c = c or Connection(port)
            status = c.ask(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        except (OSError, ConnectionError, IndexError):
            status, c = 0, None
        with mu:
            tally.setdefault((name, status), []).append(time.monotonic() - began)


def query_clients(port, now_s, stop, ready, out):
    nice(19)
    queries, tally, mu, began = heavy(now_s), {}, threading.Lock(), time.monotonic()
    threads = [threading.Thread(target=ask_for_ever, args=(port, queries, i, stop, tally, mu), daemon=True) for i in range(CLIENTS)]
    for t in threads:
        t.start()
    ready.set()
    stop.wait()
    with mu:
        out.put((time.monotonic() - began, {k: (len(v), sum(v) / len(v)) for k, v in tally.items()}))


def hog(stop):
    nice(10)
    while not stop.is_set():
        sum(i * i for i in range(100000))


def beside(target, args_of, n, run):
    stop = multiprocessing.Event()
    others = [multiprocessing.Process(target=target, args=args_of(stop)) for _ in range(n)]
    for p in others:
        p.start()
    run()
    stop.set()
    for p in others:
        p.join(20)
        p.kill()


def main():
    argv, flags = sys.argv[1:], []
    if "--" in argv:
        flags = argv[argv.index("--") + 1:]
        argv = argv[:argv.index("--")]
    lab = Lab([sys.argv[0], argv[0] if argv else "build"])
    seconds = float(argv[1]) if len(argv) > 1 else 30
    server = lab.vedette("--self-metrics=no", "--host-metrics=no", *flags)
    now_ms = int(time.time() * 1000)
    began = time.monotonic()
    seed(server, now_ms)
    print("seeded in %.1f s: %d series x %d h, %d lines, %d spans; %d MB resident; load %s" % (
        time.monotonic() - began, SEED_SERIES, HOURS, SEED_LINES, SEED_SPANS, server.rss() >> 20, os.getloadavg()[0]), flush=True)
    for name, path in heavy(now_ms // 1000):
        began = time.monotonic()
        status = Connection(server.port).ask(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        print("  %-15s alone: %d after %.2f s" % (name, status, time.monotonic() - began), flush=True)

    alone = measure("alone", server, seconds, 1 << 20)
    beside(hog, lambda stop: (stop,), os.cpu_count(), lambda: measure("hogs", server, seconds, 2 << 20))
    ready, out = multiprocessing.Event(), multiprocessing.Queue()
    worst = []

    def under_queries():
        ready.wait()
        time.sleep(2)
        worst.append(measure("queries", server, seconds, 3 << 20))
        print("%d MB resident" % (server.rss() >> 20), flush=True)
    beside(query_clients, lambda stop: (server.port, now_ms // 1000, stop, ready, out), 1, under_queries)
    took, tally = out.get(timeout=30)
    print("%.0f queries a second were answered" % (sum(n for (_, status), (n, _) in tally.items() if status == 200) / took))
    for (name, status), (n, mean) in sorted(tally.items()):
        print("  %-15s %s: %d, %.1f s each" % (name, status or "lost", n, mean), flush=True)
    print("p99 %.1f ms alone, %.1f ms beside %d heavy queries: %.1f times" % (alone, worst[0], CLIENTS, worst[0] / alone))
    lab.done()


if __name__ == "__main__":
    main()
