#!/usr/bin/env python3
"""overload_test.py - far more than a small server can take: it refuses in time, is never killed, loses nothing that it took.

    R8  senders of large bodies and heavy queries without a pause, under --memory-limit: 429, resident memory <= limit + 5 %,
        what was acknowledged is there, and afterwards everything is taken again
    S9  one metric with ever new series: its limit holds, other metrics go on
    R4  the same load in a control group whose limit the server finds by itself, in episodes: never killed

A share of it here; RELEASE=1 runs long. Times are printed, not judged: this machine may be busy.
"""
import itertools
import json
import os
import sys
import threading
import time
import urllib.parse

from lab import Lab, expect, http, wait_for
from records import counter
from rw import series, snappy

RELEASE = bool(os.environ.get("RELEASE"))
MIB = 1 << 20
NOW_MS = int(time.time() * 1000)


# ---- load ----

def post(server, path, body, kind, coding=None, timeout=60):
    return http("POST", server.base + path, body, {"Content-Type": kind, **({"Content-Encoding": coding} if coding else {})}, timeout)[0]


def log_body(mib):
    """OTLP logs in JSON with a place for a number that makes each body another one."""
    line = {"timeUnixNano": str(NOW_MS * 1000000), "body": {"stringValue": "a line of some length that says little " * 3},
            "attributes": [{"key": "k", "value": {"stringValue": "v"}}]}
    one = json.dumps(line)
    many = ",".join([one] * (mib * MIB // (len(one) + 1)))
    return ('{"resourceLogs":[{"resource":{"attributes":[{"key":"n","value":{"stringValue":"%016x"}}]},"scopeLogs":[{"logRecords":[' + many +
            "]}]}]}").replace("%016x", "N" * 16).encode()


def span_body(mib):
    span = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "step", "startTimeUnixNano": str(NOW_MS * 1000000),
            "endTimeUnixNano": str(NOW_MS * 1000000 + 5), "attributes": [{"key": "prompt", "value": {"stringValue": "words and words " * 60}}]}
    one = json.dumps(span)
    many = ",".join([one] * (mib * MIB // (len(one) + 1)))
    return ('{"resourceSpans":[{"resource":{"attributes":[{"key":"n","value":{"stringValue":"' + "N" * 16 + '"}}]},"scopeSpans":[{"spans":[' +
            many + "]}]}]}").encode()


class Load:
    """Everything at once until it is stopped; statuses counted by kind."""

    def __init__(self, server, senders, queriers):
        self.server, self.stopping, self.mu = server, threading.Event(), threading.Lock()
        self.seen, self.health_ms, self.peak = {}, [], 0
        self.acknowledged = self.sent = 0
        self.numbers = itertools.count()
        bodies = [("/v1/logs", log_body(4)), ("/v1/traces", span_body(2)), ("/v1/logs", log_body(1))]
        runs = [lambda i=i: self.send(*bodies[i % len(bodies)]) for i in range(senders)]
        runs += [lambda i=i: self.ask(i) for i in range(queriers)]
        runs += [self.new_series, self.samples, self.health, self.watch]
        self.threads = [threading.Thread(target=self.for_ever, args=(r,), daemon=True) for r in runs]
        for t in self.threads:
            t.start()

    def for_ever(self, run):
        while not self.stopping.is_set():
            try:
                run()
            except OSError as e:  # a connection that the server closed is an answer, too
                self.count("connection", type(e).__name__)
                time.sleep(0.05)

    def count(self, kind, status):
        with self.mu:
            self.seen[kind, status] = self.seen.get((kind, status), 0) + 1

    def send(self, path, body):
        body = body.replace(b"N" * 16, b"%016x" % next(self.numbers), 1)
        status = post(self.server, path, body, "application/json")
        self.count("large", status)
        if status // 100 != 2:
            time.sleep(0.02)

    def new_series(self):
        n = next(self.numbers)
        body = b"".join(series({"__name__": "load_%d" % (i % 50), "n": "%d-%d" % (n, i)}, [(NOW_MS, 1.0)]) for i in range(2000))
        self.count("series", post(self.server, "/api/v1/write", snappy(body), "application/x-protobuf", "snappy"))

    def samples(self):
        """Each batch has times of its own: what is found later can be counted."""
        first = NOW_MS - 3600000 + self.sent * 5
        status = post(self.server, "/api/v1/write", snappy(series({"__name__": "counted"}, [(first + k, 1.0) for k in range(5)])),
                      "application/x-protobuf", "snappy")
        self.sent += 1
        self.acknowledged += status == 204
        self.count("small", status)
        time.sleep(0.01)

    def ask(self, i):
        now = NOW_MS / 1000
        questions = [("/api/v1/query_range", {"query": 'sum by (n) (rate({__name__=~"load.*"}[1h]))', "start": now - 3600, "end": now, "step": 1}),
                     ("/api/v1/query", {"query": 'count({n=~".*(1|2|3).*"})'}),
                     ("/loki/api/v1/query_range", {"query": '{service_name=~".+"} |~ "l[a-z]+tle.*says?"', "start": now - 3600, "end": now + 60, "limit": 5000}),
                     ("/tempo/api/search", {"q": '{ span.prompt =~ ".*words.*" }', "limit": 100})]
        path, ask = questions[i % len(questions)]
        status = http("GET", self.server.base + path + "?" + urllib.parse.urlencode(ask), timeout=120)[0]
        self.count("query", status)

    def health(self):
        began = time.monotonic()
        status = http("GET", self.server.base + "/health", timeout=60)[0]
        self.health_ms.append((time.monotonic() - began) * 1000)
        self.count("health", status)
        time.sleep(0.05)

    def watch(self):
        self.peak = max(self.peak, self.server.rss())
        time.sleep(0.01)

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(150)
        ms = sorted(self.health_ms)
        print("  /health: p50 %.0f ms, p99 %.0f ms of %d; peak %.0f MiB; %s" % (
            ms[len(ms) // 2], ms[int(len(ms) * 0.99)], len(ms), self.peak / MIB,
            ", ".join("%s %s: %d" % (k, s, n) for (k, s), n in sorted(self.seen.items(), key=str))), flush=True)

    def refusals(self):
        return sum(n for (_, status), n in self.seen.items() if status in (429, 503))


def no_crash(load):
    if not load.server.process.alive():
        raise AssertionError("the server is gone: " + load.server.process.tail())
    bad = {k: n for k, n in load.seen.items() if k[1] in (500, 502, "TimeoutError")}
    expect(bad, {}, "answers that say we failed, or never came")


def back_to_normal(server):
    began = time.monotonic()
    body = snappy(series({"__name__": "afterwards"}, [(NOW_MS, 1.0)]))
    wait_for(lambda: post(server, "/api/v1/write", body, "application/x-protobuf", "snappy") == 204, 60, what="a write is taken again")
    wait_for(lambda: server.scalar("afterwards", NOW_MS / 1000) == 1.0, 60, what="a query is answered again")
    print("  back to normal after %.1f s" % (time.monotonic() - began), flush=True)


def nothing_lost(server, load):
    found = server.scalar("count_over_time(counted[2h])", NOW_MS / 1000 + 60) or 0
    if not 5 * load.acknowledged <= found <= 5 * load.sent:
        raise AssertionError("%d samples found, %d acknowledged, %d sent" % (found, 5 * load.acknowledged, 5 * load.sent))
    return load.acknowledged


# ---- R8 ----

def overload(lab):
    limit = 256 * MIB
    server = lab.vedette("--memory-limit", "256MiB")
    load = Load(server, 12, 50 if RELEASE else 16)
    time.sleep(600 if RELEASE else 10)
    load.stop()
    no_crash(load)
    if load.refusals() == 0:
        raise AssertionError("nothing was refused: this was no overload")
    if load.peak > limit * 1.05:
        raise AssertionError("%d MiB resident, the limit is %d" % (load.peak / MIB, limit / MIB))
    back_to_normal(server)
    print("  %d batches acknowledged, all there" % nothing_lost(server, load), flush=True)
    expect(server.stop(), 0, "exit status")


# ---- S9 ----

def cardinality(lab):
    most = 50_000 if RELEASE else 5_000
    server = lab.vedette("--max-series-per-metric", str(most), "--self-metrics=no", "--host-metrics=no")

    def push(metric, first, n):
        body = b"".join(series({"__name__": metric, "id": str(first + i)}, [(NOW_MS, 1.0)]) for i in range(n))
        return post(server, "/api/v1/write", snappy(body), "application/x-protobuf", "snappy")

    statuses = [push("attack", first, 1000) for first in range(0, 10 * most if RELEASE else 3 * most, 1000)]
    expect(set(statuses[:most // 1000]), {204}, "below the limit")
    expect(set(statuses[most // 1000:]), {400}, "beyond the limit")
    expect(push("calm", 0, 100), 204, "new series of another metric")
    expect(push("attack", 0, 100), 204, "known series of the attacked metric")
    expect(server.scalar("count(attack)", NOW_MS / 1000), float(most))
    expect(server.scalar("count(calm)", NOW_MS / 1000), 100.0)
    expect(server.stop(), 0, "exit status")


# ---- R4 ----

class Group:
    """A control group with a limit, of either version."""

    def __init__(self, limit):
        name = "vedette-test-%d" % os.getpid()
        for base, limit_file in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
            self.dir = os.path.join(base, name)
            if not os.path.isdir(base):
                continue
            try:
                os.mkdir(self.dir)
                with open(os.path.join(self.dir, limit_file), "w") as f:
                    f.write(str(limit))
                return
            except OSError as e:
                self.why = "%s: %s" % (self.dir, e.strerror)
                if os.path.isdir(self.dir):
                    os.rmdir(self.dir)
        raise OSError(getattr(self, "why", "no control groups here"))

    def kills(self):
        for name in ("memory.oom_control", "memory.events"):
            path = os.path.join(self.dir, name)
            if os.path.exists(path):
                with open(path) as f:
                    return next((int(line.split()[1]) for line in f if line.startswith("oom_kill ")), 0)
        return 0

    def remove(self):
        wait_for(lambda: os.rmdir(self.dir) is None, 10, what="the control group is empty")


def pressure(lab, group, limit):
    # The shell enters the group and becomes the server.
    wrapped = lab.write("in-group.sh", '#!/bin/sh\necho 0 > "%s/cgroup.procs" && exec "%s" "$@"\n' % (group.dir, lab.binary))
    os.chmod(wrapped, 0o755)
    plain, lab.binary = lab.binary, wrapped
    try:
        server = lab.vedette()
    finally:
        lab.binary = plain
    expect(int(counter(server, "vedette_memory_limit_bytes")), limit // 5 * 4, "the limit that the server found")
    for episode in range(200 if RELEASE else 4):
        load = Load(server, 10, 12)
        time.sleep(3 if RELEASE else 2.5)
        load.stop()
        no_crash(load)
        expect(group.kills(), 0, "processes killed in the control group")
        if load.peak > limit * 0.84:
            raise AssertionError("%d MiB resident, told to stay below %d" % (load.peak / MIB, limit * 0.8 / MIB))
        back_to_normal(server)
    expect(server.stop(), 0, "exit status")


def main():
    lab = Lab(sys.argv)
    lab.case("overload is refused within the memory limit", lambda: overload(lab))
    lab.case("series of one metric stop at its limit, others go on", lambda: cardinality(lab))
    limit = 320 * MIB
    try:
        group = Group(limit)
    except OSError as e:
        lab.skip("pressure in a control group", "none can be made here (%s)" % e)
    else:
        lab.case("pressure in a control group kills nobody", lambda: pressure(lab, group, limit))
        for p in lab.processes:
            p.stop()
        group.remove()
    lab.done()


if __name__ == "__main__":
    main()
