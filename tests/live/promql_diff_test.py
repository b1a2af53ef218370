"""Generated PromQL, asked of us and of Debian's Prometheus over the same data; every answer must be the same.

    promql_diff_test.py BUILD [--count 600] [--seed 1] [--data-seed 1] [--keep-going]

A disagreement is cut down to the smallest query that shows it. Where the language has changed since that Prometheus, the
smallest query must fit one of the causes in promql_causes.py, which calculates what the change makes of the data; anything
else fails the test. docs/promql-differences.md lists the causes and the figures of the last release run.
"""
import collections
import http.client
import json
import math
import random
import sys
import time
import urllib.parse

import promql_causes
import promql_gen
import rw
from lab import Lab

TOLERANCE = 1e-9


class Server:
    """One kept connection; an answer is (kind, value): "error" and its text, or "data" and {labels: {time: value}}."""

    def __init__(self, base, ours):
        self.host, self.ours, self.connection = base.split("//")[1], ours, None

    def ask(self, text, times):
        path = "/api/v1/query_range" if "step" in times else "/api/v1/query"
        body = urllib.parse.urlencode({"query": text, "timeout": "30s", **times})
        for attempt in range(3):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.host, timeout=60)
                self.connection.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
                answer = json.loads(self.connection.getresponse().read())
                break
            except (http.client.HTTPException, OSError):
                self.connection = None
                if attempt == 2:
                    raise
        if answer["status"] != "success":
            return "error", answer["error"]
        return "data", points(answer["data"])

    def answer(self, tree, times):
        return self.ask(tree.text(self.ours), times)


def points(data):
    result = data["result"]
    if data["resultType"] in ("scalar", "string"):
        return {data["resultType"]: {result[0]: result[1]}}
    out = {}
    for s in result:
        key = tuple(sorted(s["metric"].items()))
        if key in out:
            raise AssertionError("the same labels twice in one answer: %r" % (key,))
        out[key] = {t: float(v) for t, v in (s["values"] if "values" in s else [s["value"]])}
    return out


def close(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return a == b or close(float(a), float(b)) if is_number(a) and is_number(b) else a == b
    if a == b or (math.isnan(a) and math.isnan(b)):
        return True
    if math.isinf(a) or math.isinf(b) or math.isnan(a) or math.isnan(b):
        return False
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


def is_number(x):
    try:
        float(x)
        return True
    except ValueError:
        return False


def same(one, other):
    if one[0] != other[0]:
        return False
    if one[0] == "error":
        return True
    a, b = one[1], other[1]
    return a.keys() == b.keys() and all(
        a[k].keys() == b[k].keys() and all(close(a[k][t], b[k][t]) for t in a[k]) for k in a)


def difference(one, other):
    """One line: where they first part."""
    if "error" in (one[0], other[0]):
        return "ours %s, theirs %s" % tuple(("error " + x[1][:200]) if x[0] == "error" else "%d series" % len(x[1]) for x in (one, other))
    a, b = one[1], other[1]
    for k in sorted(set(a) | set(b)):
        for t in sorted(set(a.get(k, {})) | set(b.get(k, {}))):
            x, y = a.get(k, {}).get(t), b.get(k, {}).get(t)
            if x is None or y is None or not close(x, y):
                return "%s @ %s: ours %r, theirs %r" % (dict(k) if isinstance(k, tuple) else k, t, x, y)
    return "same"


class Comparison:
    def __init__(self, ours, theirs):
        self.ours, self.theirs, self.asked = ours, theirs, 0

    def both(self, tree, times):
        self.asked += 1
        return self.ours.answer(tree, times), self.theirs.answer(tree, times)

    def disagree(self, tree, times):
        return not same(*self.both(tree, times))

    def shrink(self, tree, times, budget=250):
        """The smallest tree found that still disagrees, and its times."""
        again = True
        while again and budget > 0:
            again = False
            for candidate, at in smaller(tree, times):
                budget -= 1
                if budget <= 0:
                    break
                if self.disagree(candidate, at):
                    tree, times, again = candidate, at, True
                    break
        return tree, times


def smaller(tree, times):
    nodes = list(tree.walk())
    if "step" in times:
        ms = promql_gen.times_ms(times)
        if "start()" not in tree.text() and "end()" not in tree.text():
            steps = list(range(ms["start"], ms["end"] + 1, ms["step"]))
            if tree.type in ("vector", "scalar"):
                for at in (steps[0], steps[len(steps) // 2], steps[-1]):
                    yield tree, {"time": promql_gen.seconds(at)}
            if len(steps) > 1:
                half = steps[len(steps) // 2]
                yield tree, dict(times, end=promql_gen.seconds(steps[len(steps) // 2 - 1]))
                yield tree, dict(times, start=promql_gen.seconds(half))
    for d in sorted(nodes[1:], key=lambda n: len(n.text())):
        if d.type in ("vector", "scalar") or (d.type == "matrix" and "step" not in times):
            yield d, times
    for n in nodes:
        if n.type == "opt":
            yield tree.replaced(n, promql_gen.Node("none", [" "])), times
            continue
        for d in n.walk():
            if d is not n and d.type == n.type and n is not tree:
                yield tree.replaced(n, d), times
    for n in nodes:
        if n.tag[:1] == ("subquery",) and "step" not in times:  # what the subquery evaluates, as a query of its own
            inner = n.children()[0]
            at = promql_gen.times_ms(times)["time"] // 10_000 * 10_000
            yield inner, {"start": promql_gen.seconds(at - 1_800_000), "end": promql_gen.seconds(at), "step": "10.000"}


def option(argv, name, default):
    return int(argv[argv.index(name) + 1]) if name in argv else default


def main():
    lab = Lab(sys.argv)
    if not lab.have("prometheus"):
        lab.done()
    count, seed, data_seed = (option(sys.argv, n, d) for n, d in (("--count", 600), ("--seed", 1), ("--data-seed", 1)))
    ours = lab.vedette("--self-metrics=no", "--host-metrics=no", "--retention", "forever")
    theirs = lab.prometheus("global: {}\n", "--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=100y")
    rows = promql_gen.data(data_seed)
    for server in (ours, theirs):
        rw.send_in_slices(server.base, rows)
    comparison = Comparison(Server(ours.base, True), Server(theirs.base, False))
    causes, bugs, began = collections.Counter(), [], time.monotonic()
    kinds = collections.Counter()

    def agree():
        for i in range(count):
            generator = promql_gen.Generator(random.Random("%d/%d" % (seed, i)))
            tree, is_range = generator.query()
            times = generator.times(is_range)
            one, other = comparison.both(tree, times)
            kinds["both refuse" if one[0] == other[0] == "error" else "empty" if not one[1] else "answered"] += 1
            if same(one, other):
                continue
            small, at = comparison.shrink(tree, times)
            cause = promql_causes.explain(comparison, small, at)
            if cause:
                causes[cause] += 1
                continue
            a, b = comparison.both(small, at)
            bugs.append(i)
            print("# seed %d query %d of data %d: %s %s" % (seed, i, data_seed, tree.text(), times))
            print("#   smallest: %s %s" % (small.text(), at))
            print("#   %s" % difference(a, b), flush=True)
        print("# seed %d, %d queries (%s), %d explained (%s), %d not, %.0f s" % (
            seed, count, ", ".join("%s %d" % k for k in sorted(kinds.items())), sum(causes.values()),
            ", ".join("%s %d" % c for c in sorted(causes.items())), len(bugs), time.monotonic() - began))
        if bugs:
            raise AssertionError("%d of %d queries disagree, seed %d: %s" % (len(bugs), count, seed, bugs[:20]))

    lab.case("generated_queries_agree_with_prometheus", agree)
    lab.done()


if __name__ == "__main__":
    main()
