"""PromQL that Debian's Prometheus does not know, asked of us and of a plain evaluator in Python over the same generated data.

    promql_newer_test.py BUILD [--count 400] [--seed 1] [--data-seed 1]

Every answer must be the same: the same series and times, floats and each bucket of native histograms within 1e-9 relative, an error
where the other has one. A disagreement is cut down to the smallest tree that shows it. The seed is printed; 5,000 queries for a release.
"""
import collections
import http.client
import json
import math
import random
import sys
import time
import urllib.parse

import promql_plain_gen as gen
import rw
from lab import Lab, expect
from promql_plain import Plain
from promql_plain_histogram import Histogram
from promql_plain_values import Refused

TOLERANCE = 1e-9


# ---- remote write of histograms ----

def zigzag(n):
    return rw.varint((n << 1) ^ (n >> 63))


def double(number, value):
    return rw.varint(number << 3 | 1) + rw.double_bytes(value)


def spans_of(buckets):
    """[(offset, length)] and the counts, gaps left out."""
    spans, counts, after = [], [], 0
    for i, c in sorted(buckets.items()):
        if spans and i == after:
            spans[-1][1] += 1
        else:
            spans.append([i - after, 1])
        counts.append(c)
        after = i + 1
    return spans, counts


def side(buckets, spans_field, counts_field):
    spans, counts = spans_of(buckets)
    out = b"".join(rw.field(spans_field, b"\x08" + zigzag(offset) + b"\x10" + rw.varint(length)) for offset, length in spans)
    return out + (rw.field(counts_field, b"".join(rw.double_bytes(c) for c in counts)) if counts else b"")


def histogram_bytes(h, t):
    out = double(2, h.count) + double(3, h.total) + b"\x20" + zigzag(h.schema) + double(5, h.zero_threshold) + double(7, h.zero_count)
    out += side(h.negative, 8, 10) + side(h.positive, 11, 13)
    out += b"\x70" + rw.varint(3 if h.gauge else 0) + b"\x78" + rw.varint(t)
    return out + (rw.field(16, b"".join(rw.double_bytes(b) for b in h.custom)) if h.custom else b"")


def series_bytes(labels, samples):
    body = b"".join(rw.field(1, rw.field(1, k.encode()) + rw.field(2, v.encode())) for k, v in sorted(labels.items()))
    native = labels["__name__"].startswith("nh")
    for t, v in samples:
        if v == "stale" and native:
            v = Histogram(0, total=rw.STALE)
            stale = histogram_bytes(v, t)
            body += rw.field(4, stale[:10] + rw.STALE_BYTES + stale[18:])  # a NaN of Python need not keep its bits
        elif isinstance(v, Histogram):
            body += rw.field(4, histogram_bytes(v, t))
        else:
            body += rw.field(2, b"\x09" + rw.double_bytes(v) + b"\x10" + rw.varint(t))
    return rw.field(1, body)


def send(server, rows):
    for labels, samples in rows:
        status, _, text = rw.http("POST", server.base + "/api/v1/write", rw.snappy(series_bytes(labels, samples)), {
            "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"})
        if status // 100 != 2:
            raise AssertionError("remote write of %s: %d %s" % (labels, status, text[:300]))


# ---- ours ----

class Ours:
    def __init__(self, server):
        self.host, self.connection = server.base.split("//")[1], None

    def ask(self, text, start, end, step):
        fields = {"query": text, "timeout": "30s", **({"start": start / 1000, "end": end / 1000, "step": step / 1000} if step else {"time": start / 1000})}
        for attempt in (1, 2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.host, timeout=60)
                self.connection.request("POST", "/api/v1/query_range" if step else "/api/v1/query", urllib.parse.urlencode(fields),
                                        {"Content-Type": "application/x-www-form-urlencoded"})
                answer = json.loads(self.connection.getresponse().read())
                break
            except (http.client.HTTPException, OSError):
                self.connection = None
                if attempt == 2:
                    raise
        return ("error", answer["error"]) if answer["status"] != "success" else ("data", points(answer["data"]))


def points(data):
    result, out = data["result"], {}
    if data["resultType"] == "scalar":
        return {"scalar": {round(result[0] * 1000): float(result[1])}}
    for s in result:
        key = tuple(sorted(s["metric"].items()))
        if key in out:
            raise AssertionError("the same labels twice in one answer: %r" % (key,))
        own = out[key] = {}
        for t, v in s.get("values", []) + ([s["value"]] if "value" in s else []):
            own[round(t * 1000)] = float(v)
        for t, h in s.get("histograms", []) + ([s["histogram"]] if "histogram" in s else []):
            own[round(t * 1000)] = shown(h)
    return out


def shown(h):
    """(count, sum, [(lower, upper, count)])"""
    return float(h["count"]), float(h["sum"]), sorted((float(b[1]), float(b[2]), float(b[3])) for b in h.get("buckets", []) if float(b[3]) != 0)


# ---- theirs ----

def plain_answer(plain, tree, start, end, step):
    try:
        if isinstance(tree, gen.Limited):
            found = limited(plain, tree, start, end, step)
        else:
            found = plain.ranged(tree, start, end, step) if step else plain.instant(tree, start)
    except Refused as e:
        return "error", str(e)
    out = {}
    for key, values in found.items():
        if key == "scalar" and step:
            key = ()
        out[key] = {t: (v.count, v.total, sorted(v.buckets())) if isinstance(v, Histogram) else v for t, v in values.items()}
    return "data", out


def limited(plain, tree, start, end, step):
    of = plain.ranged(tree.of, start, end, step) if step else plain.instant(tree.of, start)
    if tree.what != "number":
        return of if tree.what == "or" or not of else {}
    out = {}
    for key, values in of.items():
        group = tuple(p for p in key if p[0] in tree.labels)
        for t in values:
            out.setdefault(group, {}).setdefault(t, 0.0)
            out[group][t] = min(out[group][t] + 1, float(tree.k))
    return out if tree.k > 0 else {}


# ---- comparing ----

def close(a, b, scale=0.0):
    if isinstance(a, tuple) or isinstance(b, tuple):
        return isinstance(a, tuple) and isinstance(b, tuple) and close_histograms(a, b)
    if a == b or (math.isnan(a) and math.isnan(b)):
        return True
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= max(TOLERANCE * max(abs(a), abs(b), scale), 1e-15)


def close_histograms(a, b):
    """Bucket by bucket; what is tiny beside the greatest bucket, or below 1e-12, may be nothing: differences leave such dust."""
    scale = max([abs(x[2]) for x in a[2] + b[2]] + [abs(a[0]), abs(b[0]), 1e-3])
    if not (close(a[0], b[0], scale) and close(a[1], b[1], scale)):
        return False
    one, other = ([x for x in h[2] if not abs(x[2]) <= TOLERANCE * scale] for h in (a, b))
    return len(one) == len(other) and all(close(x, y, scale) if i == 2 else close(x, y) for p, q in zip(one, other) for i, (x, y) in enumerate(zip(p, q)))


def same(one, other):
    if one[0] != other[0] or one[0] == "error":
        return one[0] == other[0]
    a, b = one[1], other[1]
    return a.keys() == b.keys() and all(a[k].keys() == b[k].keys() and all(close(a[k][t], b[k][t]) for t in a[k]) for k in a)


def difference(one, other):
    if "error" in (one[0], other[0]):
        return "ours %s, plain %s" % tuple("error " + x[1][:160] if x[0] == "error" else "%d series" % len(x[1]) for x in (one, other))
    a, b = one[1], other[1]
    for k in sorted(set(a) | set(b)):
        for t in sorted(set(a.get(k, {})) | set(b.get(k, {}))):
            x, y = a.get(k, {}).get(t), b.get(k, {}).get(t)
            if x is None or y is None or not close(x, y):
                return "%s @ %d: ours %r, plain %r" % (dict(k) if isinstance(k, tuple) else k, t, x, y)
    return "same"


def smaller(tree, start, end, step):
    for k in tree.walk():
        if k is not tree and k.type in ("vector", "scalar"):
            yield k, start, end, step
    if step and "range()" not in tree.text() and "step()" not in tree.text():
        for at in range(start, end + 1, step):
            yield tree, at, at, 0
    if isinstance(tree, gen.Limited):
        return
    for n in tree.walk():
        for changes in ({"matchers": ()}, {"offset": None}, {"at": None}, {"extent": ""}, {"keep": "", "labels": (), "group": "", "include": ()},
                        {"fill_left": None, "fill_right": None}, {"include": ()}):
            if all(getattr(n, f, v) != v for f, v in changes.items() if hasattr(n, f)) and all(hasattr(n, f) for f in changes):
                yield tree.replaced(n, n.but(**changes)), start, end, step
        for k in n.walk():
            if k is not n and n is not tree and k.type == n.type:
                yield tree.replaced(n, k), start, end, step


class Comparison:
    def __init__(self, ours, plain):
        self.ours, self.plain = ours, plain

    def both(self, tree, *times):
        return self.ours.ask(tree.text(), *times), plain_answer(self.plain, tree, *times)

    def shrink(self, tree, *times, budget=150):
        again = True
        while again and budget > 0:
            again = False
            for candidate, *at in smaller(tree, *times):
                budget -= 1
                if budget <= 0:
                    break
                if not same(*self.both(candidate, *at)):
                    tree, times, again = candidate, at, True
                    break
        return tree, times


def option(name, default):
    return int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else default


def main():
    lab = Lab(sys.argv)
    count, seed, data_seed = option("--count", 400), option("--seed", 1), option("--data-seed", 1)
    server = lab.vedette("--self-metrics=no", "--host-metrics=no", "--retention", "forever")
    rows = gen.data(random.Random(data_seed))
    send(server, rows)
    comparison = Comparison(Ours(server), Plain(rows))

    def agree():
        kinds, wrong, began = collections.Counter(), [], time.monotonic()
        for i in range(count):
            rng = random.Random("%d/%d" % (seed, i))
            generator = gen.Generator(rng, rng.random() < 0.5)
            tree, times = generator.query(), generator.times()
            one, other = comparison.both(tree, *times)
            if getattr(tree, "name", "").startswith("sort_by_label") and not times[2] and same(one, other) and one[0] == "data":
                expect(list(one[1]), list(other[1]), "order of %s at %s" % (tree.text(), times))
            kinds["both refuse" if one[0] == other[0] == "error" else "empty" if not one[1] else "answered"] += 1
            if same(one, other):
                continue
            wrong.append(i)
            small, at = comparison.shrink(tree, *times)
            print("# seed %d query %d of data %d: %s %s" % (seed, i, data_seed, tree.text(), times))
            print("#   smallest: %s %s" % (small.text(), tuple(at)))
            print("#   %s" % difference(*comparison.both(small, *at)), flush=True)
        print("# seed %d, %d queries (%s), %d differ, %.0f s" % (
            seed, count, ", ".join("%s %d" % k for k in sorted(kinds.items())), len(wrong), time.monotonic() - began))
        if wrong:
            raise AssertionError("%d of %d queries differ, seed %d: %s" % (len(wrong), count, seed, wrong[:20]))

    lab.case("newer_queries_agree_with_a_plain_evaluator", agree)
    lab.done()


if __name__ == "__main__":
    main()
