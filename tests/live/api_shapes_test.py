#!/usr/bin/env python3
"""The Prometheus API side by side: the same requests to a real Prometheus and to us, over the same samples.

Answers about data must be equal; answers about the server itself must have the same shape; refusals the same status and
errorType, and the same words where the peer (2.x) still uses those of today's release.
"""
import json
import os
import struct
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
from lab import Lab, expect, http, wait_for  # noqa: E402

REWORDED = ("", "up[5m]", "requests_total / on(job) requests_total")  # since the peer's release
CONFIG = "global: {scrape_interval: 1h}\n"


# ---- remote write 1.0, by hand ----

def varint(n):
    out = b""
    while n > 0x7f:
        out, n = out + bytes([n & 0x7f | 0x80]), n >> 7
    return out + bytes([n])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def write_request(series):
    body = b""
    for labels, samples in series:
        ts = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
        for ms, value in samples:
            ts += field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(ms))
        body += field(1, ts)
    return body


def snappy(data):
    """A valid block of literals only."""
    out = varint(len(data))
    for i in range(0, len(data), 60):
        piece = data[i:i + 60]
        out += bytes([len(piece) - 1 << 2]) + piece
    return out


def remote_write(base, series):
    status, _, text = http("POST", base + "/api/v1/write", snappy(write_request(series)), {
        "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"})
    if status not in (200, 204):
        raise AssertionError("write: %d %s" % (status, text))


def corpus(now_ms):
    """A few minutes of counters, gauges, a classic histogram, odd values and odd label values."""
    steps = [now_ms - 300000 + 15000 * i for i in range(20)]
    series = []
    for job in ("api", "web"):
        for k in range(3):
            labels = {"__name__": "requests_total", "job": job, "instance": "host-%d" % k}
            series.append((labels, [(t, float(i * (k + 1) * (2 if job == "web" else 1))) for i, t in enumerate(steps)]))
    odd = [1e-7, 1e21, 1e20, 0.1, -0.0, 123456.789, float("inf"), float("-inf"), float("nan"), 5e-324, 1 / 3, 1e15, 1e16]
    for i, v in enumerate(odd):
        series.append(({"__name__": "odd", "i": "%02d" % i, "text": "a\"b\\c\nd<>&\u00e9"}, [(steps[-1], v)]))
    for le, share in (("0.1", 1), ("1", 2), ("+Inf", 4)):
        series.append(({"__name__": "latency_bucket", "le": le}, [(t, float(i * share)) for i, t in enumerate(steps)]))
    return series


# ---- comparing ----

def near(a, b):
    """Equal, but that values may differ in their last digits."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(near(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(near(x, y) for x, y in zip(a, b))
    if a == b or not isinstance(a, str) or not isinstance(b, str):
        return a == b
    try:
        return abs(float(a) - float(b)) <= 1e-12 * max(abs(float(a)), abs(float(b)))
    except ValueError:
        return False


def shape(value):
    """The tree of keys and kinds; of a list the shape of its first element."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def by_labels(data):
    """Results without a promised order, in one."""
    if isinstance(data, dict) and data.get("resultType") == "vector":
        return dict(data, result=sorted(data["result"], key=lambda s: json.dumps(s["metric"], sort_keys=True)))
    if isinstance(data, list):
        return sorted(data, key=lambda v: json.dumps(v, sort_keys=True))
    return data


class Pair:
    def __init__(self, lab):
        self.peer = lab.prometheus(CONFIG, "--web.enable-remote-write-receiver", "--enable-feature=promql-at-modifier")
        self.ours = lab.vedette("--builtin-rules=no")
        self.now = int(time.time()) // 15 * 15
        self.at = self.now - 7  # between samples: the peer's ranges are closed, today's are left-open
        series = corpus(self.now * 1000)
        for base in (self.peer.base, self.ours.base):
            remote_write(base, series)
        wait_for(lambda: self.peer.scalar("count(odd)", self.now) == self.ours.scalar("count(odd)", self.now) == 13,
                 what="both see the samples")

    def ask(self, path, params, method="GET"):
        form = urllib.parse.urlencode(params, doseq=True)
        answers = []
        for base in (self.peer.base, self.ours.base):
            if method == "GET":
                status, headers, body = http("GET", base + path + ("?" + form if form else ""))
            else:
                status, headers, body = http(method, base + path, form.encode(),
                                             {"Content-Type": "application/x-www-form-urlencoded"})
            answers.append((status, headers.get("Content-Type", ""), body))
        return answers

    def json(self, path, params, method="GET"):
        theirs, ours = self.ask(path, params, method)
        expect(ours[0], theirs[0], "status of %s %s (%s)" % (path, params, ours[2][:300]))
        expect(ours[1].split(";")[0], theirs[1].split(";")[0], "content type")
        return json.loads(theirs[2]), json.loads(ours[2])


def same_data(pair, path, params, method="GET", sort=True):
    theirs, ours = pair.json(path, params, method)
    expect(ours["status"], theirs["status"])
    a, b = theirs["data"], ours["data"]
    if sort:
        a, b = by_labels(a), by_labels(b)
    if not near(a, b):
        expect(b, a, "%s %s" % (path, params))
    expect(list(ours)[:2], list(theirs)[:2], "order of keys")


def same_shape(pair, path, params, without=()):
    theirs, ours = pair.json(path, params)
    a, b = shape(theirs["data"]), shape(ours["data"])
    for key in without:
        a.pop(key, None), b.pop(key, None)
    expect(b, a, path)


def same_refusal(pair, path, params, words=True, method="GET"):
    theirs, ours = pair.json(path, params, method)
    expect(ours["status"], "error")
    expect(ours["errorType"], theirs["errorType"], "%s %s" % (path, params))
    if words:
        expect(ours["error"].lower(), theirs["error"].lower(), "%s %s" % (path, params))  # 3.x begins without a capital


def instant(pair):
    for query in ("1+1", "'text'", "time()", "odd", "-odd", "requests_total", "rate(requests_total[5m])", "sum by (job) (requests_total)",
                  "requests_total{job='api'} > 10", "topk(2, requests_total)", "nothing_here", "requests_total[1m]",
                  "histogram_quantile(0.5, rate(latency_bucket[2m]))", "count_values('v', requests_total)", "vector(1e-7)",
                  "label_replace(odd, 'x', '$1', 'i', '(.).*')", "requests_total @ %d" % pair.now, "requests_total offset 1m",
                  "max_over_time(requests_total[2m:30s])", "absent(nothing_here{a='b'})", "scalar(nothing_here)"):
        for method in ("GET", "POST"):
            same_data(pair, "/api/v1/query", {"query": query, "time": pair.at}, method, sort=not query.startswith("topk"))
    for t in ("4", "1.5", str(pair.now) + ".123", "2015-07-01T20:10:51.781Z", "2015-07-01T22:10:51+02:00", "-1"):
        same_data(pair, "/api/v1/query", {"query": "time()", "time": t})


def ranges(pair):
    for query in ("requests_total", "rate(requests_total[1m])", "sum(requests_total)", "odd", "1", "time()", "nothing_here",
                  "requests_total > 20", "sum by (job) (rate(requests_total[1m])) / 2"):
        for step in ("15", "15s", "30", "4.7"):
            same_data(pair, "/api/v1/query_range", {"query": query, "start": pair.at - 120, "end": pair.at, "step": step}, "POST",
                      sort=False)


def series(pair):
    for params in ({"match[]": "requests_total"}, {"match[]": ["requests_total{job='api'}", "odd{i='00'}"]},
                   {"match[]": "{__name__=~'requests.*'}", "start": pair.now - 300, "end": pair.now}, {"match[]": "nothing_here"}):
        for method in ("GET", "POST"):
            same_data(pair, "/api/v1/series", params, method)


def labels(pair):
    window = {"start": pair.now - 300, "end": pair.now}
    ours = dict(window, **{"match[]": "{__name__=~'requests_total|odd|latency_bucket'}"})
    same_data(pair, "/api/v1/labels", ours, sort=False)
    same_data(pair, "/api/v1/labels", ours, "POST", sort=False)
    same_data(pair, "/api/v1/labels", dict(window, **{"match[]": ["requests_total", "odd"]}), sort=False)
    for name in ("job", "instance", "text", "le", "nope"):
        same_data(pair, "/api/v1/label/%s/values" % name, ours, sort=False)


def exemplars_and_metadata(pair):
    same_data(pair, "/api/v1/query_exemplars", {"query": "test", "start": pair.now * 1000, "end": pair.now * 1000 + 60000})
    same_data(pair, "/api/v1/metadata", {"metric": "nothing_here"})
    same_data(pair, "/api/v1/targets/metadata", {"metric": "nothing_here"})


def formatting(pair):
    for query in ("sum(rate(foo[5m]))by(job)", "a+on(x)group_left(y)b", "foo{a='b'}", "-(1)", "histogram_quantile(0.9, sum by (le, a_long_label_name, "
                  "another_long_label_name) (rate(a_rather_long_metric_name_bucket{label='value'}[5m])))",
                  "sum by (job) (rate(http_requests_total{job='one'}[5m])) / sum by (job) (rate(http_requests_total{job='two'}[5m])) > 0.5"):
        same_data(pair, "/api/v1/format_query", {"query": query})


def about_itself(pair):
    same_shape(pair, "/api/v1/status/config", {})
    same_shape(pair, "/api/v1/status/walreplay", {})
    same_shape(pair, "/api/v1/status/buildinfo", {})
    same_shape(pair, "/api/v1/status/runtimeinfo", {}, without=("hostname", "serverTime", "GOMEMLIMIT"))  # newer than the peer
    same_shape(pair, "/api/v1/status/tsdb", {})
    same_shape(pair, "/api/v1/rules", {})
    same_shape(pair, "/api/v1/alerts", {})
    same_shape(pair, "/api/v1/alertmanagers", {})
    _, ours = pair.json("/api/v1/status/flags", {})
    expect(set(shape(list(ours["data"].values()))), {"str"}, "flags are texts")
    theirs, ours = pair.json("/api/v1/targets", {"state": "active"})
    expect(set(ours["data"]) - {"droppedTargetCounts"}, set(theirs["data"]) - {"droppedTargetCounts"}, "keys of targets")


def refusals(pair):
    for path, params in (
            ("/api/v1/query", {"query": ""}),
            ("/api/v1/query", {"query": "foo bar", "time": "1"}),
            ("/api/v1/query", {"query": "sum(", "time": "1"}),
            ("/api/v1/query", {"query": "rate(foo)", "time": "1"}),
            ("/api/v1/query", {"query": "{}", "time": "1"}),
            ("/api/v1/query", {"query": "nope(foo)", "time": "1"}),
            ("/api/v1/query", {"query": "up", "time": "x"}),
            ("/api/v1/query", {"query": "up", "timeout": "x"}),
            ("/api/v1/query_range", {"query": "up", "end": "1", "step": "1"}),
            ("/api/v1/query_range", {"query": "up", "start": "0", "end": "x", "step": "1"}),
            ("/api/v1/query_range", {"query": "up", "start": "2", "end": "1", "step": "1"}),
            ("/api/v1/query_range", {"query": "up", "start": "0", "end": "1", "step": "0"}),
            ("/api/v1/query_range", {"query": "up", "start": "0", "end": "1", "step": "-1"}),
            ("/api/v1/query_range", {"query": "up", "start": "0", "end": "1", "step": "x"}),
            ("/api/v1/query_range", {"query": "up", "start": "0", "end": "1"}),
            ("/api/v1/query_range", {"query": "up", "start": "0", "end": "11001", "step": "1"}),
            ("/api/v1/query_range", {"query": "up[5m]", "start": "0", "end": "1", "step": "1"}),
            ("/api/v1/series", {}),
            ("/api/v1/series", {"match[]": "up", "start": "x"}),
            ("/api/v1/labels", {"match[]": "{}"}),
            ("/api/v1/labels", {"start": "x"}),
            ("/api/v1/label/job/values", {"end": "x"}),
            ("/api/v1/query_exemplars", {"query": "up", "start": "2", "end": "1"}),
            ("/api/v1/query_exemplars", {"query": "sum("}),
            ("/api/v1/format_query", {"query": "sum("}),
            ("/api/v1/metadata", {"limit": "x"}),
            ("/api/v1/targets/metadata", {"limit": "x"}),
            ("/api/v1/rules", {"type": "x"}),
            ("/api/v1/query", {"query": "requests_total / on(job) requests_total", "time": pair.now}),
    ):
        same_refusal(pair, path, params, words=params.get("query") not in REWORDED)
    same_refusal(pair, "/api/v1/admin/tsdb/snapshot", {}, method="POST")
    same_refusal(pair, "/api/v1/admin/tsdb/delete_series", {"match[]": "up"}, method="POST")
    same_refusal(pair, "/api/v1/admin/tsdb/clean_tombstones", {}, method="PUT")


def plain_paths(pair):
    for path in ("/-/healthy", "/-/ready", "/metrics"):
        theirs, ours = pair.ask(path, {})
        expect((ours[0], ours[1].split(";")[0]), (theirs[0], theirs[1].split(";")[0]), path)
    for path in ("/api/v1/nothing", "/nothing/here"):
        expect(pair.ask(path, {})[1][0], 404, path)


def federation(pair):
    """The same lines but for how numbers are written, and the empty instance label that the peer adds where there is none."""
    def lines(body):
        out = []
        for line in body.decode().splitlines():
            if line.startswith("#"):
                out.append((line,))
            elif line:
                name, value, ms = line.rsplit(" ", 2)
                out.append((name.replace(',instance=""', "").replace('instance="",', ""), float(value), int(ms)))
        return sorted(out)
    theirs, ours = pair.ask("/federate", {"match[]": ["requests_total", "odd{i=~'0[0-5]'}"]})
    expect(ours[0], theirs[0])
    expect(lines(ours[2]), lines(theirs[2]), "federate")
    theirs, ours = pair.ask("/federate", {"match[]": "{"})
    expect(ours[0], theirs[0])


def remote_read(pair, lab):
    """A Prometheus without samples of its own that reads ours."""
    reader = lab.prometheus(CONFIG + "remote_read: [{url: '%s/api/v1/read', read_recent: true}]\n" % pair.ours.base)
    for query in ("requests_total", "requests_total{job!='api',instance=~'host-[01]'}", "odd", "rate(requests_total[2m])", "nothing_here"):
        params = {"query": query, "start": pair.at - 120, "end": pair.at, "step": 15}
        a, b = (base.api("/api/v1/query_range", params) for base in (pair.ours, reader))
        if not near(a, b):
            expect(b, a, "remote read of " + query)


def statistics(pair):
    _, ours = pair.json("/api/v1/query", {"query": "requests_total", "time": pair.now, "stats": "true"})
    theirs, _ = pair.json("/api/v1/query", {"query": "requests_total", "time": pair.now, "stats": "true"})
    expect(set(theirs["data"]["stats"]["timings"]) <= set(ours["data"]["stats"]["timings"]), True, "timings")
    expect(set(theirs["data"]["stats"]["samples"]) <= set(ours["data"]["stats"]["samples"]), True, "samples")


def main():
    lab = Lab(sys.argv)
    if lab.have("prometheus"):
        pair = Pair(lab)
        for test in (instant, ranges, series, labels, exemplars_and_metadata, formatting, about_itself, refusals, plain_paths,
                     federation, statistics):
            lab.case("api shapes: " + test.__name__, lambda t=test: t(pair))
        lab.case("api shapes: remote_read", lambda: remote_read(pair, lab))
    lab.done()


main()
