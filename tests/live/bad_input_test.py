"""bad_input_test.py BUILD - every door of a real server with what nobody should send it.

For each refusal: the status code of docs/limits.md, a text that says what and where, the good rest kept and found by a query, one
counter of /metrics risen, memory bounded; at the end the server is alive, answers right, and leaves with status 0.
Mutations are drawn from VEDETTE_SEED (printed), VEDETTE_MUTATIONS of them a door (default 1500).
"""
import http.server
import json
import os
import random
import struct
import sys
import threading
import time

import bad_wire as w
import rw
from lab import Lab, expect, wait_for

MIB = 1 << 20
NOW = int(time.time() * 1000)
RW1 = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
RW2 = {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request", "Content-Encoding": "snappy",
       "X-Prometheus-Remote-Write-Version": "2.0.0"}
OTLP_PATH = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
SANITIZED = os.environ.get("VEDETTE_SANITIZED") == "1"  # a sanitizer's quarantine keeps what was freed: memory is not judged


class World:
    """One server, its doors, and one valid body for each of them."""

    def __init__(self, lab, *flags):
        self.server = lab.vedette("--self-metrics=no", "--host-metrics=no", *flags)
        port = self.server.port
        self.v1 = w.Door("remote_write_v1", port, "POST", "/api/v1/write", RW1)
        self.v2 = w.Door("remote_write_v2", port, "POST", "/api/v1/write", RW2)
        self.text = w.Door("prometheus_text", port, "POST", "/api/v1/import/prometheus", {"Content-Type": "text/plain"})
        self.om = w.Door("openmetrics", port, "POST", "/api/v1/import/prometheus",
                         {"Content-Type": "application/openmetrics-text; version=1.0.0; charset=utf-8"})
        self.push = w.Door("pushgateway", port, "POST", "/metrics/job/bad", {"Content-Type": "text/plain; version=0.0.4"})
        self.proto = w.Door("otlp_http", self.server.otlp_port, "POST", "/v1/metrics", {"Content-Type": "application/x-protobuf"})
        self.json = w.Door("otlp_http", self.server.otlp_port, "POST", "/v1/metrics", {"Content-Type": "application/json"})
        self.read = w.Door("remote_read", port, "POST", "/api/v1/read",
                           {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"})
        self.query = w.Door("query", port, "POST", "/api/v1/query", {"Content-Type": "application/x-www-form-urlencoded"})

    def doors(self):
        return [self.v1, self.v2, self.text, self.om, self.push, self.proto, self.json, self.read, self.query]

    def valid(self, door, tag="valid"):
        """A body that is taken as it is; raw, before packing."""
        if door is self.v1:
            return w.raw_series([("__name__", tag), ("a", "b")], [(NOW, 1.0), (NOW + 1, 2.0)]) + w.raw_series(
                [("__name__", tag + "_native")], extra=w.histogram_v1(NOW)) + rw.field(3, w.varint_field(1, 1) + rw.field(2, tag.encode()))
        if door is self.v2:
            return w.request_v2(["", "__name__", tag, "a", "b"], [([1, 2, 3, 4], [(NOW, 1.0)], w.histogram_v1(NOW, no=3))])
        if door is self.text or door is self.push:
            return ("# HELP %s a gauge\n# TYPE %s gauge\n%s{a=\"b\",c=\"d\"} 1.5\n%s{a=\"x\"} 2\n" % (tag, tag, tag, tag)).encode()
        if door is self.om:
            return ("# TYPE %s counter\n# UNIT %s_total x\n%s_total{a=\"b\"} 1 # {trace_id=\"x\"} 0.5\n# EOF\n" % (tag, tag, tag)).encode()
        if door is self.proto:
            return w.otlp_gauge(tag, [(NOW * 10 ** 6, 1.0, [("k", "v")]), (NOW * 10 ** 6, 2.0, [("k", "w")])])
        if door is self.json:
            return json.dumps(otlp_json(tag, [{"timeUnixNano": str(NOW * 10 ** 6), "asDouble": 1.0,
                                               "attributes": [{"key": "k", "value": {"stringValue": "v"}}]}])).encode()
        if door is self.read:
            return w.read_request([(0, "__name__", tag), (2, "a", "b|c.*")])
        return b"query=sum(rate(valid%5B5m%5D))by(a)&time=" + str(NOW // 1000).encode()

    def packed(self, door, raw):
        return rw.snappy(raw) if door in (self.v1, self.v2, self.read) else raw


def otlp_json(name, points):
    return {"resourceMetrics": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "bad"}}]},
                                 "scopeMetrics": [{"metrics": [{"name": name, "gauge": {"dataPoints": points}}]}]}]}


def has(text, *words):
    for word in words:
        if word not in text:
            raise AssertionError("the answer does not say %r: %r" % (word, text[:300]))


def refused(world, door, body, status, *words, counter=None, by=1, **how):
    """One request, its status and words, and the counter that has risen. What the doors count by themselves is known here."""
    before = w.counters(world.server)
    got, headers, text = door.send(body, **how)
    expect(got, status, "status of %s (%s)" % (door.name, text[:200].strip()))
    has(text, *words)
    after = w.counters(world.server)
    if counter is None and door.name not in ("remote_read", "query") and door is not world.om:
        counter = 'vedette_ingest_requests_total{protocol="%s",code="%d"}' % (door.name, status)
    if counter:
        expect(after[counter] - before[counter], by, counter)
    return headers, text


def ingest_doors(world):
    return [world.v1, world.v2, world.text, world.push, world.proto, world.json]


# ---- one refusal after the other ----


def wrong_type(world):
    body = world.packed(world.v1, world.valid(world.v1))
    refused(world, world.v1, body, 415, "Content-Type", "application/x-protobuf", headers={"Content-Type": "text/html"})
    refused(world, world.v1, body, 415, "proto", headers={"Content-Type": "application/x-protobuf;proto=no.such.Message"})
    refused(world, world.proto, world.valid(world.proto), 415, "Content-Type", headers={"Content-Type": "text/plain"})
    refused(world, world.proto, world.valid(world.proto), 415, "Content-Type", headers={"Content-Type": None})
    wrong = 'vedette_ingest_requests_refused_total{protocol="otlp_http",reason="unsupported"}'
    refused(world, world.proto, b"", 415, "Content-Type", counter=wrong, headers={"Content-Type": "application/xml"})
    # JSON said to be protobuf and the other way round
    refused(world, world.proto, world.valid(world.json), 400)
    refused(world, world.json, world.valid(world.proto), 400)


def wrong_encoding(world):
    for door in ingest_doors(world):
        refused(world, door, world.valid(door), 415, "Content-Encoding", "br", headers={"Content-Encoding": "br"})
        refused(world, door, world.valid(door), 400, headers={"Content-Encoding": "gzip"})
        refused(world, door, world.valid(door), 400, headers={"Content-Encoding": "zstd"})
        refused(world, door, b"\xff\xff\xff\xff\xff\xff", 400, "snappy", headers={"Content-Encoding": "snappy"})


def truncated(world):
    """Cut anywhere: never a success for what is not whole, never more than a 400. Text may end at a line's end."""
    for door in (world.v1, world.v2, world.proto, world.json, world.read):
        raw = world.valid(door, "cut")
        for n in range(1, len(raw)):
            status, _, text = door.send(world.packed(door, raw[:n]))
            if door is world.json:
                expect(status, 400, "JSON of %d bytes" % n)
            elif status not in (200, 204, 400):
                raise AssertionError("%s cut at %d: %d %s" % (door.name, n, status, text[:200]))
            if status == 400 and not text.strip():
                raise AssertionError("%s cut at %d: 400 without a word" % (door.name, n))
        packed = world.packed(door, raw)
        if packed is not raw:
            for n in range(1, len(packed)):
                expect(door.send(packed[:n])[0], 400, "%s packed, cut at %d" % (door.name, n))
        for pack, coding in ((w.gzip_of, "gzip"), (w.zstd_raw, "zstd")):
            if door is world.read:
                continue
            whole = pack(raw)
            expect(door.send(whole, headers={"Content-Encoding": coding})[0] // 100, 2, "%s %s whole" % (door.name, coding))
            for n in (1, 5, 9, len(whole) // 2, len(whole) - 4, len(whole) - 1):
                expect(door.send(whole[:n], headers={"Content-Encoding": coding})[0], 400, "%s %s cut at %d" % (door.name, coding, n))
            expect(door.send(whole + b"more", headers={"Content-Encoding": coding})[0], 400, "%s %s and more" % (door.name, coding))
    cut = world.valid(world.om, "cut")[:-len("# EOF\n")]
    refused(world, world.om, cut, 400, "EOF")


def oversized(world):
    """Declared: before a byte of it has come. Chunked: when the limit is passed."""
    for door in world.doors():
        port, path = door.port, door.path
        head = "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (door.method, path, 65 * MIB)
        got, closed = w.raw_http(port, head.encode(), 10)
        has(got.decode(), " 413 ", "larger than the limit")
        expect(closed, True, "closed")
    with w.Peak(world.server) as peak:
        status, _, text = world.text.send(b"#" * (65 * MIB), chunked=True)
    expect(status, 413)
    has(text, "larger than the limit")
    bounded(peak.grown, 140 * MIB, "65 MiB chunked")  # room for the limit itself, twice while it moves
    before = w.counters(world.server)
    expect(world.json.send(b" " * (66 * MIB))[0], 413)
    expect(world.json.send(world.valid(world.json))[0], 200, "the same connection goes on")
    grown = w.counters(world.server).since(before)
    expect(any(k.startswith("vedette_http_refused_total") and 'reason="body"' in k for k in grown), True, "counted: %r" % grown)


def bounded(grown, limit, what):
    if not SANITIZED and grown > limit:
        raise AssertionError("%s: memory grew by %.1f MiB, more than %.1f" % (what, grown / MIB, limit / MIB))


def bombs_of(world):
    """(name, door, body, headers, statuses)"""
    nested = b"[" * 10 ** 6
    sample = rw.field(2, b"")  # two bytes that are a whole sample
    series = rw.field(1, rw.field(1, rw.field(1, b"__name__") + rw.field(2, b"x")) + sample)
    many = rw.field(1, rw.field(1, rw.field(1, b"__name__") + rw.field(2, b"x")) + sample * (3 << 20))
    out = []
    for door in ingest_doors(world):
        for size in (16, 48, 256, 1024):
            out.append(("gzip %d MiB of zeros" % size, door, w.gzip_bomb(size * MIB), {"Content-Encoding": "gzip"}, (413, 400)))
            out.append(("zstd %d MiB of zeros" % size, door, w.zstd_bomb(size * MIB), {"Content-Encoding": "zstd"}, (413, 400)))
        for claim in (1, 0xFFFFFFFF, 40 * MIB):
            out.append(("gzip that claims %d" % claim, door, w.gzip_bomb(64 * MIB, trailer=claim), {"Content-Encoding": "gzip"}, (413, 400)))
        out.append(("zstd with a window of 2 GiB", door, w.zstd_bomb(MIB, window_log=31), {"Content-Encoding": "zstd"}, (413, 400)))
        for claim in (2 ** 32 - 1, 2 ** 31, 33 * MIB, 31 * MIB):
            out.append(("snappy that claims %d" % claim, door, rw.varint(claim) + b"\x00a", {"Content-Encoding": "snappy"}, (413, 400)))
        out.append(("snappy 31 MiB of zeros", door, w.snappy_run(b"\0" * 32, 31 * MIB // 32), {"Content-Encoding": "snappy"}, (413, 400)))
    for door in (world.v1, world.v2, world.proto):
        for tag in (1, 4, 5):
            out.append(("length 2^31", door, world.packed(door, rw.varint(tag << 3 | 2) + rw.varint(2 ** 31)), {}, (400,)))
            out.append(("length 2^64-1", door, world.packed(door, rw.varint(tag << 3 | 2) + rw.varint(2 ** 64 - 1)), {}, (400,)))
    for body in (nested, b'{"a":' * 200000, b'{"resourceMetrics":' + nested, b'[{"x":' * 10 ** 5):
        out.append(("JSON 10^6 deep", world.json, body, {}, (400, 413)))
        out.append(("JSON 10^6 deep, packed", world.json, w.gzip_of(body), {"Content-Encoding": "gzip"}, (400, 413)))
    deep = rw.field(1, b"x")
    for _ in range(20000):
        deep = rw.field(5, rw.field(1, deep))
        if len(deep) > 200000:
            break
    deep = rw.field(1, rw.field(1, rw.field(1, rw.field(1, b"k") + rw.field(2, deep))))
    out.append(("AnyValue thousands deep", world.proto, deep, {}, (200, 400, 413)))
    out.append(("three million empty samples", world.v1, w.gzip_of(many), {"Content-Encoding": "gzip"}, (400, 413)))
    out.append(("a million series of nothing", world.v1, w.gzip_of(series * (8 * MIB // len(series))), {"Content-Encoding": "gzip"}, (400, 413)))
    out.append(("millions of symbols", world.v2, w.gzip_of(rw.field(4, b"") * (4 * MIB)), {"Content-Encoding": "gzip"}, (204, 413)))
    out.append(("millions of data points", world.proto, w.gzip_of(
        rw.field(1, rw.field(2, rw.field(2, rw.field(1, b"m") + rw.field(5, rw.field(1, b"") * (3 * MIB)))))),
        {"Content-Encoding": "gzip"}, (200, 400, 413)))
    out.append(("millions of bad lines", world.text, w.gzip_of(b"{\n" * (4 * MIB)), {"Content-Encoding": "gzip"}, (400, 413)))
    out.append(("a million lines", world.text, w.gzip_of(b"a 1 1\n" * (1 * MIB)), {"Content-Encoding": "gzip"}, (400, 413)))
    return out


def bombs(world):
    world.v1.send(b"")  # what the first request of a connection takes is not the bomb's
    all_of_them, slow, fat = bombs_of(world), [], []
    with w.Peak(world.server) as whole:
        for name, door, body, headers, statuses in all_of_them:
            begin = time.monotonic()
            with w.Peak(world.server) as peak:
                status, _, text = door.send(body, headers=headers)
            took = time.monotonic() - begin
            if status not in statuses or (status >= 400 and not text.strip()):
                raise AssertionError("%s at %s: %d %s" % (name, door.name, status, text[:200]))
            fat.append((peak.grown, name, door.name))
            if took > 1:
                slow.append((took, name, door.name))
    fat.sort(reverse=True)
    print("# %d bombs; most memory: %s" % (len(all_of_them), ", ".join("%.1f MiB %s (%s)" % (g / MIB, n, d) for g, n, d in fat[:5])))
    if slow and not SANITIZED:
        print("# slow: %s" % slow)
    bounded(fat[0][0], 40 * MIB, "%s at %s" % fat[0][1:])


def bombs_together(world):
    """200 more, mixed: what stays after them is bounded."""
    choice = random.Random(7)
    all_of_them = [b for b in bombs_of(world) if len(b[2]) < 2 * MIB]
    before = world.server.rss()
    for _ in range(200):
        name, door, body, headers, statuses = choice.choice(all_of_them)
        status = door.send(body, headers=headers)[0]
        if status not in statuses:
            raise AssertionError("%s at %s: %d" % (name, door.name, status))
    grown = world.server.rss() - before
    print("# resident after 200 bombs: %+.1f MiB" % (grown / MIB))
    bounded(grown, 64 * MIB, "what stays after 200 bombs")


# ---- the good rest ----


def values(world, selector):
    wait_for(lambda: world.server.query(selector, NOW / 1000 + 1), 5, what=selector)
    return {tuple(sorted((k, v) for k, v in s["metric"].items() if k != "__name__")): float(s["value"][1])
            for s in world.server.query(selector, NOW / 1000 + 1)}


def rejected(reason):
    return 'vedette_rejected_total{reason="%s"}' % reason


def rest_v1(world):
    """Each bad series between two good ones: they are kept, it is not, and its own reason has risen by its rows."""
    far, good = NOW + 11 * 60000, [(NOW, 1.0)]
    cases = [
        ("duplicate label", "labels", w.raw_series([("__name__", "x"), ("a", "1"), ("a", "2")], good), ["duplicate", '"a"']),
        ("empty name", "labels", w.raw_series([("__name__", "x"), ("", "1")], good), ["empty"]),
        ("no labels", "labels", w.raw_series([], good), ["without labels"]),
        ("value not UTF-8", "utf8", w.raw_series([("__name__", "x"), ("a", b"\xff\xfe")], good), ["UTF-8", '"a"']),
        ("name not UTF-8", "utf8", w.raw_series([("__name__", "x"), (b"\xc3\x28", "1")], good), ["UTF-8"]),
        ("surrogate", "utf8", w.raw_series([("__name__", "x"), ("a", b"\xed\xa0\x80")], good), ["UTF-8"]),
        ("65 labels", "label_limit", w.raw_series([("__name__", "x")] + [("l%03d" % i, "v") for i in range(64)], good), ["64"]),
        ("200 labels", "label_limit", w.raw_series([("__name__", "x")] + [("l%03d" % i, "v") for i in range(200)], good), ["too many"]),
        ("long name", "label_limit", w.raw_series([("__name__", "x"), ("n" * 257, "v")], good), ["256"]),
        ("long value", "label_limit", w.raw_series([("__name__", "x"), ("a", "v" * 4097)], good), ["4096", '"a"']),
        ("huge value", "label_limit", w.raw_series([("__name__", "x"), ("a", "v" * 200000)], good), ["too long"]),
        ("future", "future", w.raw_series([("__name__", "x")], [(far, 1.0)]), ["future", "x"]),
        ("year 292 million", "future", w.raw_series([("__name__", "x")], [(2 ** 63 - 1, 1.0)]), ["future"]),
        ("before 1970", "too_old", w.raw_series([("__name__", "x")], [(-1, 1.0)]), ["1970"]),
        ("past the retention", "too_old", w.raw_series([("__name__", "x")], [(NOW - 3 * 86400000, 1.0)]), ["retention"]),
        ("buckets do not add up", "histogram", w.raw_series([("__name__", "x")], extra=w.histogram_v1(NOW, deltas=(5, 5))), ["histogram"]),
        ("spans and buckets differ", "histogram", w.raw_series([("__name__", "x")], extra=w.histogram_v1(NOW, spans=((0, 9),))), ["span"]),
        ("span of 2^32-1", "histogram", w.raw_series([("__name__", "x")], extra=w.histogram_v1(NOW, spans=((0, 2 ** 32 - 1),))), ["bucket"]),
        ("schema 99", "histogram", w.raw_series([("__name__", "x")], extra=w.histogram_v1(NOW, schema=99)), ["schema"]),
        ("exemplar with a bad label", "exemplar", w.raw_series([("__name__", "ok")], good, rw.field(3, rw.field(1, rw.field(1, b"a") +
            rw.field(2, b"\xff")) + w.double_field(2, 1) + w.varint_field(3, NOW))), ["exemplar"]),
    ]
    for n, (name, reason, bad, words) in enumerate(cases):
        metric = "rest_v1_%d" % n
        body = w.raw_series([("__name__", metric), ("a", "before")], good) + bad + w.raw_series([("__name__", metric), ("a", "after")], good)
        try:
            _, text = refused(world, world.v1, rw.snappy(body), 400, "1 of the rows refused", *words, counter=rejected(reason))
            expect(values(world, metric), {(("a", "before"),): 1.0, (("a", "after"),): 1.0}, "kept")
        except AssertionError as e:
            raise AssertionError("%s: %s" % (name, e))
    expect(world.v1.send(rw.snappy(w.raw_series([("z", "1"), ("__name__", "unsorted"), ("a", "2")], good)))[0], 204, "unsorted labels")
    expect(values(world, "unsorted"), {(("a", "2"), ("z", "1")): 1.0})
    expect(world.v1.send(rw.snappy(w.raw_series([("__name__", "empty_value"), ("a", "")], good)))[0], 204, "an empty value")
    expect(values(world, "empty_value"), {(): 1.0})
    ten = w.raw_series([("__name__", "ten_minutes")], [(int(time.time() * 1000) + 595000, 1.0)])
    expect(world.v1.send(rw.snappy(ten))[0], 204, "not quite ten minutes ahead")


def rest_v2(world):
    good = [(NOW, 1.0)]
    symbols = ["", "__name__", "M", "a", "before", "after", b"\xff\xfe", "x" * 5000, "b"]
    cases = [
        ("odd references", "labels", ([1, 2, 3], good, b""), ["odd"]),
        ("reference beyond the table", "labels", ([1, 2, 3, 99], good, b""), ["symbol"]),
        ("reference 2^64-1", "labels", ([1, 2, 3, 2 ** 64 - 1], good, b""), ["symbol"]),
        ("no references", "labels", ([], good, b""), ["without labels"]),
        ("duplicate", "labels", ([1, 2, 3, 4, 3, 5], good, b""), ["duplicate"]),
        ("not UTF-8", "utf8", ([1, 2, 3, 6], good, b""), ["UTF-8"]),
        ("long value", "label_limit", ([1, 2, 3, 7], good, b""), ["4096"]),
        ("many labels", "label_limit", ([1, 2] + [3, 4] * 150, good, b""), ["too many"]),
        ("future", "future", ([1, 2], [(NOW + 11 * 60000, 1.0)], b""), ["future"]),
        ("histogram", "histogram", ([1, 2], [], w.histogram_v1(NOW, deltas=(7, 7), no=3)), ["histogram"]),
    ]
    for n, (name, reason, bad, words) in enumerate(cases):
        table = list(symbols)
        table[2] = "rest_v2_%d" % n
        body = w.request_v2(table, [([1, 2, 3, 4], good, b""), bad, ([1, 2, 3, 5], good, b"")])
        try:
            headers, _ = refused(world, world.v2, rw.snappy(body), 400, *words, counter=rejected(reason))
            expect(headers["X-Prometheus-Remote-Write-Samples-Written"], "2", "Samples-Written")
            expect(headers["X-Prometheus-Remote-Write-Histograms-Written"], "0", "Histograms-Written")
            expect(values(world, table[2]), {(("a", "before"),): 1.0, (("a", "after"),): 1.0}, "kept")
        except AssertionError as e:
            raise AssertionError("%s: %s" % (name, e))
    headers, _ = refused(world, world.v2, rw.snappy(w.request_v2(["oops", "__name__"], [])), 400, "symbols[0]")
    expect(headers["X-Prometheus-Remote-Write-Samples-Written"], "0", "Samples-Written of a broken request")


BAD_LINES = [  # (line, reason, words)
    (b"x{a=\"1\",a=\"2\"} 1", "labels", ["duplicate"]),
    (b"x{a=\"\xff\"} 1", "utf8", ["UTF-8"]),
    (b"x{a=\"" + b"v" * 5000 + b"\"} 1", "label_limit", ["4096"]),
    (b"x{" + b",".join(b"l%d=\"v\"" % i for i in range(70)) + b"} 1", "label_limit", ["64"]),
    (b"x{" + b",".join(b"l%d=\"v\"" % i for i in range(200)) + b"} 1", "label_limit", []),
    (b"x{a=\"1\" 1", "labels", []),
    (b"x{=\"1\"} 1", "labels", []),
    (b"x one", "value", ["one"]),
    (b"x", "value", []),
    (b"x 1 2 3", "value", []),
    (b"\x00\x01\x02 1", "labels", []),
]


def rest_text(world):
    for n, (line, reason, words) in enumerate(BAD_LINES + [
            (b"x 1 %d" % (NOW + 3600000), "future", ["future"]), (b"x 1 -5", "too_old", ["1970"]), (b"x 1 1000", "too_old", ["retention"])]):
        metric = "rest_text_%d" % n
        body = b"%s{a=\"before\"} 1 %d\n%s\n%s{a=\"after\"} 1 %d\n" % (metric.encode(), NOW, line, metric.encode(), NOW)
        try:
            _, text = refused(world, world.text, body, 400, *words, counter=rejected(reason))
            answer = json.loads(text)
            expect((answer["accepted"], answer["rejected"]), (2, 1), "accepted and rejected")
            if reason not in ("future", "too_old"):
                expect(answer["lines"][0]["line"], 2, "line")
            expect(values(world, metric), {(("a", "before"),): 1.0, (("a", "after"),): 1.0}, "kept")
        except AssertionError as e:
            raise AssertionError("%r: %s" % (line[:60], e))


def push_is_all_or_nothing(world):
    for n, (line, reason, words) in enumerate(BAD_LINES):
        metric = b"push_%d" % n
        refused(world, world.push, metric + b" 1\n" + line + b"\n", 400, "line 2", *words, counter=rejected(reason),
                path="/metrics/job/push_%d" % n)
        expect(world.server.query(metric.decode()), [], "kept of %r" % line[:40])
    for path, words in (("/metrics/job/", ["job"]), ("/metrics/job/a/b", ["value"]), ("/metrics/job/a/__x/1", ["label name"]),
                        ("/metrics/job/a/b@base64/%21", ["base64"]), ("/metrics/job/a/b/1/b/2", ["duplicate"]),
                        ("/metrics/job@base64/_w/x/y", ["UTF-8"]), ("/metrics/job/a" + "/b/c" * 40, ["labels"])):
        refused(world, world.push, b"x 1\n", 400, *words, path=path)


def rest_otlp(world):
    ns = NOW * 10 ** 6
    cases = [("future", "future", (ns + 11 * 60 * 10 ** 9, 1.0, [("k", "bad")])),
             ("not UTF-8", "utf8", (ns, 1.0, [("k", b"\xff")])),
             ("value too long", "label_limit", (ns, 1.0, [("k", "v" * 5000)])),
             ("too many attributes", "label_limit", (ns, 1.0, [("k%d" % i, "v") for i in range(100)]))]
    for n, (name, reason, bad) in enumerate(cases):
        metric = "rest_otlp_%d" % n
        body = w.otlp_gauge(metric, [(ns, 1.0, [("k", "before")]), bad, (ns, 1.0, [("k", "after")])])
        before = w.counters(world.server)
        status, _, text = world.proto.send(body)
        expect(status, 200, name)
        has(text, "1 data points refused")
        expect(w.counters(world.server)[rejected(reason)] - before[rejected(reason)], 1, "%s: %s" % (name, rejected(reason)))
        got = {dict(k)["k"] for k in values(world, metric)}
        expect(got, {"before", "after"}, name)
    refused(world, world.json, b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":1}]}]}]}', 400, "code", "message")
    refused(world, world.json, b'{"resourceMetrics":"x"}', 400, "column 20", "array")
    refused(world, world.json, b'{"resourceMetrics":[]} x', 400)
    refused(world, world.json, b'\xef\xbb\xbf{}x', 400)
    refused(world, world.proto, b"\x0b\x0c", 400)  # groups


def series_limit(lab):
    """A small --max-series: known series go on, new ones are refused with their reason, more of them take no memory."""
    world = World(lab, "--max-series", "100")
    for i in range(150):
        status = world.v1.send(rw.snappy(w.raw_series([("__name__", "few"), ("i", str(i))], [(NOW, float(i))])))[0]
        expect(status, 204 if i < 100 else 400, "series %d" % i)
    _, text = refused(world, world.v1, rw.snappy(w.raw_series([("__name__", "few"), ("i", "7")], [(NOW + 1000, 70.0)]) + w.raw_series(
        [("__name__", "few"), ("i", "new")], [(NOW, 1.0), (NOW + 1, 1.0)])), 400, "2 of the rows", "series", counter=rejected("series_limit"), by=2)
    refused(world, world.v1, rw.snappy(w.raw_series([("__name__", "few"), ("a", b"\xff")], [(NOW, 1.0)])), 400, "UTF-8", counter=rejected("utf8"))
    expect(world.server.scalar("count(few)", NOW / 1000 + 2), 100.0)
    expect(world.server.scalar('few{i="7"}', NOW / 1000 + 2), 70.0)
    with w.Peak(world.server) as peak:
        for i in range(20):
            body = b"".join(w.raw_series([("__name__", "flood"), ("i", "%d_%d" % (i, k))], [(NOW, 1.0)]) for k in range(5000))
            expect(world.v1.send(rw.snappy(body))[0], 400)
    bounded(peak.grown, 40 * MIB, "100000 refused series")
    expect(world.server.query("flood"), [])
    expect(world.server.stop(), 0, "exit status")


# ---- gRPC, remote read, query ----


def grpc(world):
    port, good = world.server.grpc_port, world.valid(world.proto, "by_grpc")
    expect(w.grpc_call(port, OTLP_PATH, good)[0], 0, "a good call")
    zipped = {"grpc-encoding": "gzip"}
    cases = [
        ("unknown method", "/no.such.Service/Export", good, {}, 12),
        ("garbage", OTLP_PATH, b"\xff" * 100, {}, 3),
        ("cut message", OTLP_PATH, good[:-3], {}, 3),
        ("length beyond the message", OTLP_PATH, good, {"length": len(good) + 5}, 3),
        ("length below the message", OTLP_PATH, good, {"length": len(good) - 5}, 3),
        ("declared 4 GiB", OTLP_PATH, good, {"length": 2 ** 32 - 1}, 8),
        ("declared 65 MiB", OTLP_PATH, good, {"length": 65 * MIB}, 8),
        ("unknown encoding", OTLP_PATH, good, {"headers": {"grpc-encoding": "br"}}, 12),
        ("compressed without encoding", OTLP_PATH, good, {"compressed": True}, 3),
        ("not gzip", OTLP_PATH, good, {"compressed": True, "headers": zipped}, 3),
        ("gzip cut off", OTLP_PATH, w.gzip_of(good)[:-3], {"compressed": True, "headers": zipped}, 3),
        ("gzip bomb of 48 MiB", OTLP_PATH, w.gzip_bomb(48 * MIB), {"compressed": True, "headers": zipped}, 8),
        ("gzip bomb of 2 GiB", OTLP_PATH, w.gzip_bomb(2048 * MIB), {"compressed": True, "headers": zipped}, 8),
        ("gzip that claims one byte", OTLP_PATH, w.gzip_bomb(16 * MIB, trailer=1), {"compressed": True, "headers": zipped}, 3),
        ("bad timeout", OTLP_PATH, good, {"headers": {"grpc-timeout": "soon"}}, 3),
    ]
    for name, path, message, how, want in cases:
        before = w.counters(world.server)
        with w.Peak(world.server) as peak:
            status, text, fields = w.grpc_call(port, path, message, **how)
        expect(status, want, "%s (%s)" % (name, fields))
        if not text:
            raise AssertionError("%s: no grpc-message" % name)
        bounded(peak.grown, 40 * MIB, name)
        grown = w.counters(world.server).since(before)
        if not any(k.startswith("vedette_grpc_requests_total") and 'code="%d"' % want in k for k in grown):
            raise AssertionError("%s: not counted: %r" % (name, grown))
    expect(w.grpc_call(port, OTLP_PATH, good, headers={"content-type": "text/plain"})[2].get(":status"), "415")
    expect(w.grpc_call(port, OTLP_PATH, w.gzip_of(good), compressed=True, headers=zipped)[0], 0, "a good call, packed")
    for junk in (b"", b"PRI", b"GET / HTTP/1.1\r\n\r\n", w.PREFACE + b"\xff" * 100, w.PREFACE + w.frame(1, 4, 1, b"\xff" * 50),
                 w.PREFACE + w.frame(0, 0, 7, b"x"), w.PREFACE + w.frame(4, 0, 0, b"12345"), w.PREFACE + w.frame(9, 4, 1, b"x" * 10),
                 w.PREFACE + w.frame(4, 0, 0, b"") * 3000, w.PREFACE + w.frame(6, 0, 0, b"12345678") * 20000,
                 w.PREFACE + b"\xff\xff\xff" + b"\0" * 6):
        w.raw_http(port, junk, 0.5)
    choice = random.Random(11)
    for _ in range(200):
        w.grpc_call(port, OTLP_PATH, mutate(good, choice))
    expect(w.grpc_call(port, OTLP_PATH, good)[0], 0, "a good call after all that")


def remote_read(world):
    def read(raw):
        return world.read.send(rw.snappy(raw))
    expect(read(w.read_request([(0, "__name__", "rest_v1_0")]))[0], 200)
    dear = "(\\pL{120}|b)c"  # letters of all scripts, 120 times over: twenty bytes, milliseconds
    cases = [
        ("not snappy", b"\xff" * 20, 400, "snappy"),
        ("snappy of 2^32-1", rw.varint(2 ** 32 - 1) + b"\0a", 400, "limit"),
        ("snappy bomb", w.snappy_run(b"\0" * 32, MIB), 400, ""),
        ("garbage", rw.snappy(b"\xff" * 20), 400, ""),
        ("bad regex", rw.snappy(w.read_request([(2, "a", "(")])), 400, "queries[0]"),
        ("unknown matcher", rw.snappy(w.read_request([(9, "a", "b")])), 400, "matcher type 9"),
        ("65 queries", rw.snappy(w.read_request([(0, "a", "b")]) * 65), 400, "64"),
        ("257 matchers", rw.snappy(w.read_request([(0, "a", "b")] * 257)), 400, "256"),
        ("only chunks", rw.snappy(w.read_request([(0, "a", "b")], types=[1])), 400, "SAMPLES"),
    ]
    for name, body, want, words in cases:
        with w.Peak(world.server) as peak:
            status, _, text = world.read.send(body)
        expect(status, want, "%s (%s)" % (name, text[:200]))
        has(text, words)
        bounded(peak.grown, 40 * MIB, name)
    begin = time.monotonic()
    status, _, text = read(w.read_request([(2, "a", dear + str(i)) for i in range(250)]) * 8)
    took = time.monotonic() - begin
    print("# 2000 dear regexes: %d %s in %.2f s" % (status, text.strip()[:80], took))
    if status != 200:
        expect(status, 400, text[:200])
    if not SANITIZED and took > 10:
        raise AssertionError("2000 regexes took %.1f s" % took)


def queries(world):
    """The API's own error form; the language itself is tried by hostile_queries_test.py."""
    q = "/api/v1/query"
    cases = [
        (q, b"", 400), (q, b"query=", 400), (q, b"query=((((", 400), (q, b"query=%00", 400), (q, b"query=%ff%fe", 400),
        (q, b"query=up&time=yesterday", 400), (q, b"query=up&time=NaN", 400), (q, b"query=up&timeout=x", 400), (q, b"\xff" * 1000, 400),
        (q, b"query=" + b"(" * 10000 + b"1" + b")" * 10000, 400), (q, b"query=" + b"1%2B" * 100000 + b"1", 400),
        (q, b"query=" + b"a" * (300 << 10), 400),
        ("/api/v1/query_range", b"query=up&start=0&end=10&step=0", 400), ("/api/v1/query_range", b"query=up&start=10&end=0&step=1", 400),
        ("/api/v1/query_range", b"query=up&start=0&end=1000000&step=1", 400), ("/api/v1/query_range", b"query=up&start=0&end=1&step=-1", 400),
        ("/api/v1/series", b"", 400), ("/api/v1/series", b"match[]={}", 400), ("/api/v1/series", b"match[]={__name__=~\"(\"}", 400),
        ("/api/v1/labels", b"start=x", 400), ("/api/v1/query_exemplars", b"query=up&start=x&end=y", 400),
    ]
    for path, body, want in cases:
        counter = 'vedette_http_requests_total{route="%s",code="4xx"}' % path
        before = w.counters(world.server)[counter]
        status, headers, text = world.query.send(body, path=path)
        expect(status, want, "%s %r (%s)" % (path, body[:60], text[:100]))
        answer = json.loads(text)
        expect((answer["status"], answer["errorType"]), ("error", "bad_data"), "%s %r" % (path, body[:60]))
        if not answer["error"]:
            raise AssertionError("%s %r: error without a word" % (path, body[:60]))
        wait_for(lambda: w.counters(world.server)[counter] == before + 1, 5, what=counter)  # counted after the last byte
    expect(world.query.send(None, path="/api/v1/label/%ff/values", method="GET")[0], 400)
    expect(world.query.send(None, path="/no/such/path", method="GET")[0], 404)
    status, headers, _ = world.query.send(None, path="/api/v1/write", method="GET")
    expect((status, "POST" in headers["Allow"]), (405, True))


def http_heads(world):
    """Two readings of one request, and heads that are none: one refusal at most, then the end of the connection. For a
    malformed Content-Length libmicrohttpd 0.9.75 writes the head of its refusal twice; the second lies inside the first's
    body, so no client takes it for an answer."""
    ok = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n"
    post = b"POST /api/v1/import/prometheus HTTP/1.1\r\nHost: x\r\n"
    inner = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    cases = [
        post + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        post + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nx 1\n" + inner,
        post + b"Content-Length: +4\r\n\r\nx 1\n" + inner,
        post + b"Content-Length: 4, 4\r\n\r\nx 1\n" + inner,
        post + b"Content-Length: 0x4\r\n\r\nx 1\n" + inner,
        post + b"Content-Length: 99999999999999999999999\r\n\r\n",
        post + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + inner,
        post + b"Transfer-Encoding: identity\r\n\r\n" + inner,
        post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx 1\n\r\n0\r\n\r\n" + inner,
        post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx" + inner,
        post + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n" + inner,
        ok + b"A: b\nB: c\r\n\r\n" + inner,
        ok + b"A : b\r\n\r\n" + inner,
        ok + b"A: b\r\n folded\r\n\r\n" + inner,
        ok + b"A: b\0c\r\n\r\n" + inner,
        ok + b"Host: y\r\n\r\n" + inner,
        b"GET /-/healthy HTTP/1.1\r\n\r\n" + inner,
        b"GET  /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" + inner,
        b"GET /-/healthy HTTP/9.9\r\nHost: x\r\n\r\n" + inner,
        b"GET /-/%zz HTTP/1.1\r\nHost: x\r\n\r\n" + inner,
        ok + b"A: " + b"x" * 200000 + b"\r\n\r\n",
        ok + b"".join(b"H%d: x\r\n" % i for i in range(20000)) + b"\r\n",
        b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    for data in cases:
        got, closed = w.raw_http(world.server.port, data, 3)
        head = got.split(b"\r\n\r\n")[0] + b"\r\n\r\n"
        answers = got.replace(head + head, head).count(b"HTTP/1.1 ")
        expect(closed, True, "closed after %r (%r)" % (data[:90], got[:80]))
        if answers > 1 or (answers == 1 and got.split()[1] not in (b"400", b"413", b"414", b"431", b"501", b"505")):
            raise AssertionError("%r: %r" % (data[:120], got[:200]))
    for n in range(200):  # and noise
        w.raw_http(world.server.port, random.Random(n).randbytes(300) + b"\r\n\r\n", 2)


# ---- targets that answer badly ----


def scraped(lab):
    """What a target sends may be as bad as what is pushed."""
    far = int(time.time() * 1000) + 3600000
    answers = {
        "/future": ("ok 1\nfar 1 %d\n" % far).encode(),
        "/many": b"".join(b"many{i=\"%d\"} 1\n" % i for i in range(10)),
        "/large": b"large 1\n" * 10000,
        "/garbage": b"ok 1\n\xff\xfe{{{\n",
        "/bomb": w.gzip_bomb(1024 * MIB, b"a 1\n"),
    }

    class Target(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            if self.path == "/bomb":
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(answers[self.path])))
            self.end_headers()
            self.wfile.write(answers[self.path])

        def log_message(self, *_):
            pass

    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    limits = {"/many": "sample_limit: 5, ", "/large": "body_size_limit: 1KB, ", "/bomb": "body_size_limit: 1MB, "}
    jobs = ", ".join('{job_name: %s, metrics_path: %s, %sstatic_configs: [{targets: ["127.0.0.1:%d"]}]}' % (
        path[1:], path, limits.get(path, ""), target.server_address[1]) for path in answers)
    server = lab.vedette("--self-metrics=no", "--host-metrics=no", config=lab.write(
        "bad-targets.yml", "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs: [%s]\n" % jobs))
    try:
        with w.Peak(server) as peak:
            for path in answers:
                want = 1.0 if path == "/future" else 0.0
                wait_for(lambda: server.scalar('up{job="%s"}' % path[1:]) == want, 15, what="up of " + path)
        bounded(peak.grown, 40 * MIB, "a scraped bomb")
        expect(server.scalar('ok{job="future"}'), 1.0, "the good rest of a scrape")
        expect(server.query('{job=~"many|large|garbage|bomb",__name__!~"up|scrape_.*"}'), [], "kept of failed scrapes")
        now = w.counters(server)
        for reason, least in (("future", 1), ("scrape_limit", 6)):
            if now[rejected(reason)] < least:
                raise AssertionError("%s is %g" % (rejected(reason), now[rejected(reason)]))
        expect(server.stop(), 0, "exit status")
    finally:
        target.shutdown()
        target.server_close()


# ---- mutations ----


def mutate(body, choice):
    b = bytearray(body)
    for _ in range(choice.choice((1, 1, 1, 2, 3, 8))):
        if not b:
            break
        at = choice.randrange(len(b))
        kind = choice.randrange(7)
        if kind == 0:
            b[at] ^= 1 << choice.randrange(8)
        elif kind == 1:
            b[at] = choice.choice((0, 1, 0x7F, 0x80, 0xFF, choice.randrange(256)))
        elif kind == 2:
            del b[at:at + choice.choice((1, 1, 2, 9))]
        elif kind == 3:
            b[at:at] = choice.randbytes(choice.choice((1, 1, 2, 9)))
        elif kind == 4:
            b[at:at] = b[choice.randrange(len(b)):][:choice.randrange(1, 40)]
        elif kind == 5:
            b = b[:at]
        else:
            b[at:at + 8] = choice.choice((b"\xff" * 8, b"\0" * 8, b"\x80" * 8, struct.pack("<d", float("nan"))))
    return bytes(b)


def mutations(world, door, n, seed):
    choice, seen = random.Random("%s %d" % (door.path + str(door.headers), seed)), {}
    raw = world.valid(door, "mutant")
    allowed = {world.read: (200, 400), world.query: (200, 400, 422)}.get(door, (200, 204, 400, 413))
    begin, before = time.monotonic(), world.server.rss()
    for i in range(n):
        if i % 3 == 2:  # of the packing
            coding, pack = choice.choice((("gzip", w.gzip_of), ("zstd", w.zstd_raw), ("snappy", rw.snappy)))
            body, headers = mutate(pack(raw), choice), {"Content-Encoding": coding}
        else:
            body, headers = world.packed(door, mutate(raw, choice)), {}
        status, _, text = door.send(body, headers=headers)
        seen[status] = seen.get(status, 0) + 1
        if status not in allowed or (status >= 400 and not text.strip()):
            raise AssertionError("mutation %d of seed %d: %d %s; body %s %s" % (i, seed, status, text[:200], headers, body.hex()))
    print("# %s %s: %s in %.1f s, resident %+.1f MiB" % (door.name, door.headers.get("Content-Type", ""), seen, time.monotonic() - begin,
                                                         (world.server.rss() - before) / MIB))


def alive(world, lab):
    """After all of it: writes, answers, leaves. Nothing in the log that a sanitizer or a check would have written."""
    expect(world.v1.send(rw.snappy(w.raw_series([("__name__", "alive")], [(NOW, 42.0)])))[0], 204)
    expect(world.server.scalar("alive", NOW / 1000 + 1), 42.0)
    expect(world.server.get("/-/ready")[0], 200)
    expect(world.server.stop(), 0, "exit status after SIGTERM")
    with open(world.server.process.log_path, errors="replace") as f:
        log = f.read()
    for word in ("AddressSanitizer", "runtime error", "LeakSanitizer", "check failed", '"level":"error"'):
        if word in log:
            at = log.index(word)
            raise AssertionError("in the log: %s" % log[max(0, at - 200):at + 1500])
    world.server.start()
    expect(world.server.scalar("alive", NOW / 1000 + 1), 42.0, "after a restart")
    expect(world.server.stop(), 0, "exit status of the restarted")


def main():
    lab = Lab(sys.argv)
    seed, n = int(os.environ.get("VEDETTE_SEED", "20")), int(os.environ.get("VEDETTE_MUTATIONS", "1500"))
    print("# seed %d, %d mutations a door" % (seed, n))
    world = World(lab, "--retention", "1d")
    only = os.environ.get("VEDETTE_CASE", "")

    def case(name, function):
        if only in name:
            lab.case(name, function)

    case("wrong content types are told", lambda: wrong_type(world))
    case("wrong encodings are told", lambda: wrong_encoding(world))
    case("truncated bodies are told", lambda: truncated(world))
    case("oversized bodies, declared and chunked", lambda: oversized(world))
    case("remote write 1: the good rest is kept", lambda: rest_v1(world))
    case("remote write 2: the good rest is kept", lambda: rest_v2(world))
    case("import: the good rest is kept", lambda: rest_text(world))
    case("pushgateway: all or nothing", lambda: push_is_all_or_nothing(world))
    case("OTLP: partial success", lambda: rest_otlp(world))
    case("too many series", lambda: series_limit(lab))
    case("gRPC", lambda: grpc(world))
    case("remote read", lambda: remote_read(world))
    case("query API", lambda: queries(world))
    case("HTTP heads", lambda: http_heads(world))
    case("scraped targets", lambda: scraped(lab))
    case("bombs", lambda: bombs(world))
    case("200 bombs", lambda: bombs_together(world))
    for i, door in enumerate(world.doors()):
        case("mutations %d %s" % (i, door.name), lambda: mutations(world, door, n, seed))
    lab.case("alive, correct and exit 0", lambda: alive(world, lab))
    lab.done()


main()
