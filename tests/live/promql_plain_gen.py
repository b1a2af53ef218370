"""promql_plain_gen.py - data and queries for what Prometheus 2.42 does not know, both from a seed.

Samples, evaluation times, ranges, steps and offsets are multiples of 5 s most of the time, so that samples lie exactly on the
edges of windows and lookbacks again and again."""
import math

import promql_plain_tree as tree
from promql_plain_histogram import CUSTOM, Histogram
from promql_plain_tree import Aggregate, Binary, Call, Duration, Negate, Number, Range, Selector, Subquery, Text, plain

START = 1_700_000_040_000  # a whole minute
LENGTH = 40 * 60_000
END = START + LENGTH


# ---- data ----

def regular(rng, every=15_000):
    return [t + (rng.randrange(-3, 4) * 1_000 if rng.random() < 0.3 else 0) for t in range(START, END, every)]


def gappy(rng):
    t, out = START + rng.randrange(0, 60) * 5_000, []
    while t < END - rng.randrange(0, 60) * 5_000:
        out.append(t)
        t += rng.choice([5_000, 15_000, 15_000, 30_000, 60_000]) + (rng.randrange(0, 300_000) // 5_000 * 5_000 if rng.random() < 0.08 else 0)
        t += rng.randrange(0, 999) if rng.random() < 0.1 else 0
    return out


def counter(rng, times, most=7, resets=0.03):
    value, out = float(rng.randrange(0, 100)), []
    for t in times:
        value = float(rng.randrange(0, most)) if rng.random() < resets else value + rng.randrange(0, most)
        out.append((t, value))
    return out


def gauge(rng, times, values=None):
    return [(t, rng.choice(values) if values else rng.randrange(-400, 400) / 8) for t in times]


def with_stale(rng, samples, share=0.06):
    return [(t, "stale" if rng.random() < share else v) for t, v in samples]


def histograms(rng, times, schemas=(0,), thresholds=(0.001,), negative=True, gauge_hint=False, bounds=(0.5, 1.0, 2.5, 10.0)):
    """A histogram counter with resets (or a gauge); of several schemas and zero thresholds when more are given."""
    out, now = [], None
    for t in times:
        schema = schemas[0] if now is None or schemas[0] == CUSTOM else rng.choice([now.schema] * 12 + list(schemas))
        threshold = thresholds[0] if now is None else rng.choice([now.zero_threshold] * 12 + list(thresholds))
        if now is None or gauge_hint or rng.random() < 0.03 or (schema, threshold) != (now.schema, now.zero_threshold):
            now = Histogram(schema, 0.0 if schema == CUSTOM else threshold, custom=bounds if schema == CUSTOM else (), gauge=gauge_hint)
        now = now.copy()
        for _ in range(rng.randrange(0, 6)):
            side, i = (now.negative, rng.randrange(-2, 3)) if negative and schema != CUSTOM and rng.random() < 0.2 else (
                now.positive, rng.randrange(0, len(bounds) + 1) if schema == CUSTOM else rng.randrange(-3, 6))
            if schema != CUSTOM and now.upper(i) <= now.zero_threshold:
                continue
            more = float(rng.randrange(1, 5))
            side[i] = side.get(i, 0.0) + more
            now.count += more
            now.total += more * rng.randrange(1, 16) / 4
        if schema != CUSTOM and rng.random() < 0.3:
            now.zero_count, now.count = now.zero_count + 1, now.count + 1
        out.append((t, now))
    return out


def data(rng):
    """[(labels, [(time_ms, value, Histogram or "stale")])]"""
    out = []

    def add(name, samples, **labels):
        out.append((dict(labels, __name__=name), samples))
    for job in ("api", "db"):
        for instance in ("a:1", "b:2", "b:10"):
            base = {"job": job, "instance": instance}
            add("req_total", counter(rng, regular(rng)), code="200", **base)
            add("req_total", with_stale(rng, counter(rng, gappy(rng))), code="500", **base)
            add("err_total", with_stale(rng, counter(rng, gappy(rng), 3, 0.1)), **base)
            if (job, instance) != ("api", "b:2"):
                add("temp", gauge(rng, regular(rng)), zone=rng.choice("xyz"), **base)
            if (job, instance) != ("db", "a:1"):
                add("flap", with_stale(rng, gauge(rng, gappy(rng), [-1.0, 0.0, 1.0, 2.5]), 0.2), **base)
            add("target_info", gauge(rng, regular(rng), [1.0]), version=rng.choice(["v1", "v2"]), zone="w", **base)
            if instance != "b:10":
                add("build_info", gauge(rng, regular(rng, 60_000), [1.0]), revision=rng.choice(["r1", "r2"]), **base)
            for le in ("0.5", "1", "2.5", "+Inf"):
                add("lat_bucket", [(t, v * {"0.5": 1, "1": 2, "2.5": 2, "+Inf": 3}[le]) for t, v in counter(rng, [t for t in range(START, END, 30_000)], 5, 0)], le=le, **base)
            add("nh", histograms(rng, regular(rng)), **base)
            add("nh_coarse", with_stale(rng, histograms(rng, gappy(rng), (1, 0, 3), (0.001, 0.1, 0.5)), 0.04), **base)
            add("nh_custom", histograms(rng, regular(rng, 30_000), (CUSTOM,)), **base)
            add("nh_gauge", histograms(rng, regular(rng), negative=False, gauge_hint=True), **base)
        add("odd", gauge(rng, regular(rng), [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 2.0]), job=job, instance="a:1")
        both = [(t, v) if rng.random() < 0.7 else (t, h) for (t, v), (_, h) in zip(counter(rng, regular(rng)), histograms(rng, regular(rng)))]
        add("mixed", both, job=job, instance="a:1")
    for labels, samples in out:
        samples.sort(key=lambda p: p[0])
        samples[:] = [p for i, p in enumerate(samples) if i == 0 or p[0] != samples[i - 1][0]]
    return out


FLOATS = ["req_total", "req_total", "err_total", "temp", "flap", "odd", "lat_bucket", "target_info"]
NATIVES = ["nh", "nh", "nh_coarse", "nh_custom", "nh_gauge"]
LABELS = {"req_total": ["job", "instance", "code"], "temp": ["job", "instance", "zone"], "lat_bucket": ["job", "instance", "le"], "target_info": ["job", "instance", "version"]}
MATCHERS = {"job": [("=", "api"), ("!=", "api"), ("=~", "a.*|x"), ("!~", "db")], "instance": [("=", "b:2"), ("=~", "b:.*"), ("!=", "a:1"), ("=~", ".*")],
            "code": [("=", "200"), ("=~", "[45].*")], "zone": [("=", "x"), ("=~", "x|y"), ("=", "")], "le": [("=", "1"), ("!=", "+Inf")], "version": [("=", "v1")]}
WINDOWS = ["rate", "increase", "delta", "irate", "idelta", "changes", "resets", "deriv", "avg_over_time", "sum_over_time", "count_over_time", "present_over_time",
           "first_over_time", "last_over_time", "max_over_time", "min_over_time", "stddev_over_time", "stdvar_over_time", "mad_over_time", "quantile_over_time",
           "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time", "double_exponential_smoothing", "predict_linear", "absent_over_time"]
LAST_DIGIT = ("ts_of_m", "changes", "resets", "rate", "increase", "irate")  # hang on whether two values are the same: not asked of computed ones
NEWER = ["mad_over_time", "first_over_time", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time", "double_exponential_smoothing"]
MATHS = ["abs", "ceil", "floor", "sqrt", "exp", "sgn", "ln", "log2", "log10", "sin", "cos", "atan", "deg", "rad"]
DATES = ["hour", "minute", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "year", "month"]
ARITHMETIC = ["+", "-", "*", "/", "%", "^", "atan2"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]


class Generator:
    """top: start(), end(), range() and step() stand for the query's own only outside subqueries; window: limits on the cost."""

    def __init__(self, rng, is_range):
        self.rng, self.is_range, self.inner = rng, is_range, 0

    def pick(self, items):
        return self.rng.choice(items)

    def chance(self, p):
        return self.rng.random() < p

    # ---- durations ----

    def duration(self, least=5, most=900):
        seconds = self.rng.randrange(least // 5, most // 5 + 1) * 5
        kind = self.rng.random()
        if kind < 0.12:
            seconds += self.pick([0.001, 1, 2.5, 3.999])
            return plain(seconds, "%gms" % (seconds * 1000))
        if kind < 0.5 or self.inner:
            return plain(seconds, self.pick(["%ds" % seconds, "%d" % seconds, "%dm%ds" % divmod(seconds, 60) if seconds >= 60 and seconds % 60 else "%ds" % seconds]))
        return self.computed(seconds)

    def computed(self, seconds):
        """An expression whose value is near seconds and not below 5 s."""
        a = self.rng.randrange(1, 12) * 5
        choices = [
            ("%ds + %d" % (seconds, a), lambda q: seconds + a),
            ("(%ds + %ds)" % (seconds, a), lambda q: seconds + a),
            ("%d - %ds" % (seconds + a, a), lambda q: seconds),
            ("%ds * 2" % seconds, lambda q: seconds * 2),
            ("(%d / 2) + 5s" % (seconds * 2), lambda q: seconds + 5),
            ("5 * 2 ^ 3", lambda q: 40),
            ("%d %% 7 + 5" % seconds, lambda q: seconds % 7 + 5),
            ("-%ds + %ds" % (a, seconds + a), lambda q: seconds),
            ("min_of(%ds, %d)" % (seconds, a), lambda q: min(seconds, a)),
            ("max_of(%ds, %ds + 5)" % (seconds, a), lambda q: max(seconds, a + 5)),
        ]
        if self.is_range:
            choices += [
                ("step() + 5s", lambda q: q[2] / 1000 + 5),
                ("step() * 2", lambda q: q[2] / 1000 * 2),
                ("max_of(step(), %ds)" % a, lambda q: max(q[2] / 1000, a)),
                ("range() + %ds" % a, lambda q: (q[1] - q[0]) / 1000 + a),
                ("min_of(range() + 5, %ds)" % seconds, lambda q: min((q[1] - q[0]) / 1000 + 5, seconds)),
            ]
        return Duration(*self.pick(choices))

    def offset(self):
        if self.chance(0.8):
            return None
        d = self.duration(5, 300)
        if " " in d.written or d.written.startswith("-"):
            d = Duration("(%s)" % d.written, d.seconds)
        return Duration("-" + d.written, lambda q, s=d.seconds: -s(q)) if self.chance(0.3) else d

    def at(self):
        if self.chance(0.88):
            return None
        return self.pick(["start()", "end()"] if not self.inner else [self.moment()]) if self.chance(0.5) else self.moment()

    def moment(self):
        return self.rng.randrange(START - 60_000, END + 300_000) // 5_000 * 5_000

    # ---- selectors ----

    def matchers(self, name):
        if self.chance(0.6):
            return ()
        label = self.pick(LABELS.get(name, ["job", "instance"]))
        return ((label,) + self.pick(MATCHERS[label]),)

    def selector(self, names):
        name = self.pick(names)
        smoothed = self.chance(0.15) and not (self.inner and name in NATIVES)  # in a window the last digit of a bucket decides about resets
        return Selector(name, self.matchers(name), "smoothed" if smoothed else "", self.offset(), self.at())

    def range(self, names, extent=""):
        name = self.pick(names)
        return Range(name, self.duration(), self.matchers(name), extent, self.offset(), self.at())

    def subquery(self, of):
        step = None if self.chance(0.3) else plain(self.pick([15, 30, 45, 60, 90]))
        return Subquery(of, plain(self.rng.randrange(60, 420) // 5 * 5), step, self.offset(), self.at())

    def matrix(self, depth, names, vector):
        if depth > 0 and self.inner == 0 and self.chance(0.2):
            self.inner += 1
            of = vector(depth - 1)
            self.inner -= 1
            return self.subquery(of)
        return self.range(names)

    # ---- scalars ----

    def number(self):
        value = self.pick([0.0, 1.0, 2.0, -1.0, 0.5, 3.0, 10.0, -2.5, 100.0])
        return Number(value, "%g" % value)

    def scalar(self, depth):
        kind = self.rng.random()
        if depth <= 0 or kind < 0.5:
            return self.number()
        if kind < 0.6:
            names = ["time", "pi"] + (["start", "end", "range"] if not self.inner else []) + (["step"] if self.is_range and not self.inner else [])
            return Call(self.pick(names), (), "scalar")
        if kind < 0.75:
            return Call(self.pick(["max_of", "min_of"]), (self.scalar(depth - 1), self.scalar(depth - 1)), "scalar")
        if kind < 0.85:
            return Call("scalar", (self.vector(depth - 1),), "scalar")
        op = self.pick(ARITHMETIC + ["==", "<", ">="])
        return Binary(op, self.scalar(depth - 1), self.scalar(depth - 1), op in COMPARISONS)

    # ---- vectors of floats ----

    def vector(self, depth):
        if depth <= 0:
            return self.selector(FLOATS)
        makers = [(0.10, lambda: self.selector(FLOATS + ["mixed"])), (0.14, lambda: self.window(depth, FLOATS)), (0.12, lambda: self.newer_window(depth)), (0.12, lambda: self.extended()),
                  (0.06, lambda: self.maths(depth)), (0.12, lambda: self.aggregate(depth, self.vector)), (0.16, lambda: self.binary(depth)),
                  (0.12, lambda: self.of_native(depth)), (0.06, lambda: self.labels(depth))]
        x = self.rng.random()
        for share, make in makers:
            x -= share
            if x < 0:
                return make()
        return self.classic(depth)

    def window(self, depth, names, functions=WINDOWS, vector=None):
        name = self.pick(functions)
        names = names + (["mixed"] if self.chance(0.2) else [])
        exact = name.startswith(LAST_DIGIT)
        inner = (lambda d: Selector(self.pick(FLOATS), (), "", self.offset(), self.at())) if exact else vector or self.vector
        m = self.range(names) if name.startswith(("std", "deriv", "predict")) else self.matrix(depth, names, inner)
        if name == "quantile_over_time":
            return Call(name, (self.scalar(1), m))
        if name == "predict_linear":
            return Call(name, (m, self.number()))
        if name == "double_exponential_smoothing":
            return Call(name, (m,) + tuple(Number(v, "%g" % v) for v in (self.pick([0.1, 0.5, 0.9]), self.pick([0.1, 0.3, 0.8]))))
        return Call(name, (m,))

    def newer_window(self, depth):
        return self.window(depth, FLOATS, NEWER)

    def extended(self):
        extent = self.pick(["anchored", "smoothed"])
        name = self.pick(["rate", "increase", "delta"] + (["changes", "resets"] if extent == "anchored" else []))
        signed = ["temp", "flap"] if name not in ("rate", "increase") else []  # where a counter below zero would begin anew nobody says
        return Call(name, (self.range(["req_total", "err_total"] + signed, extent),))

    def maths(self, depth):
        kind = self.rng.random()
        if kind < 0.15:
            return Negate(self.vector(depth - 1))
        if kind < 0.3:
            return Call(self.pick(["clamp_min", "clamp_max"]), (self.vector(depth - 1), self.number()))
        if kind < 0.4:
            return Call("clamp", (self.vector(depth - 1), self.number(), self.number()))
        if kind < 0.5:
            return Call("timestamp", (Selector(self.pick(FLOATS), (), "", self.offset(), self.at()),))
        if kind < 0.6:
            return Call("absent", (self.selector(["temp", "nothing"]),))
        if kind < 0.68:  # what the date of infinity is nobody says
            when = self.pick([Call("timestamp", (Selector("temp"),)), Call("vector", (Call("time", (), "scalar"),)), Binary("*", Selector("req_total"), Number(1e6, "1e6"))])
            return Call(self.pick(DATES), (when,))
        return Call(self.pick(MATHS), (self.vector(depth - 1),))

    def aggregate(self, depth, vector, names=None):
        if names is None and self.chance(0.12):  # of values that are all different, so that the choice is forced
            of = self.pick([Selector("temp", self.matchers("temp")), Selector("target_info"), Call("max_over_time", (Range("err_total", plain(300)),))])
            if of.kids() or of.name == "target_info":
                return Aggregate("count_values", of, Text(self.pick(["v", "job"])), self.pick(["", "by"]), ("job",))
            return Aggregate(self.pick(["topk", "bottomk"]), of, self.pick([self.bound(k) for k in (0, 1, 2.5, 3, -1, 1000, math.nan)]), self.pick(["", "by"]), ("job",))
        name = self.pick(names or ["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "quantile"])
        param = self.scalar(1) if name == "quantile" else None
        keep = self.pick(["", "by", "without"])
        labels = tuple(self.rng.sample(["job", "instance", "code", "zone"] + (["__name__"] if keep == "by" and self.chance(0.4) else []), self.pick([0, 1, 2]))) if keep else ()
        of = self.selector(FLOATS) if name in ("stddev", "stdvar") else vector(depth - 1)  # of times they lose digits in float arithmetic
        return Aggregate(name, of, param, keep, labels)

    def matching(self, op):
        if op in ("and", "or", "unless"):
            return {"keep": "on", "labels": ("job", "instance")} if self.chance(0.5) else {}
        kind = self.rng.random()
        out = {}
        if kind < 0.35:
            out = {"keep": "on", "labels": ("job", "instance")}
        elif kind < 0.6:
            out = {"keep": "ignoring", "labels": self.pick([("code",), ("zone", "code"), ("zone", "version")])}
        if out and self.chance(0.4):
            out.update(group=self.pick(["group_left", "group_right"]), include=self.pick([(), ("zone",), ("version",)]) if out["keep"] == "on" else ())
        if self.chance(0.55):
            sides = self.pick([(1, 1), (1, 0), (0, 1)])
            value = self.pick([0.0, 1.0, -2.0, 30.0])
            out.update(fill_left=value if sides[0] else None, fill_right=value if sides[1] else None)
        return out

    def binary(self, depth):
        kind = self.rng.random()
        if kind < 0.3:
            op = self.pick(ARITHMETIC + COMPARISONS)
            sides = [self.vector(depth - 1) if op != "%" else self.selector(["req_total", "temp", "flap", "odd"]).but(extent=""), self.scalar(depth - 1)]
            self.rng.shuffle(sides)
            return Binary(op, *sides, op in COMPARISONS and self.chance(0.4))
        op = self.pick([a for a in ARITHMETIC if a != "%"] + COMPARISONS + ["and", "or", "unless"])  # of two large numbers % leaves the last digits
        pairs = [(["temp"], ["flap"]), (["err_total"], ["temp"]), (["req_total"], ["err_total"]), (["req_total"], ["target_info"]), (["temp"], ["target_info"]), (["flap"], ["flap"])]
        sides = [self.simple(names) for names in self.pick(pairs)] if self.chance(0.7) else [self.vector(depth - 1), self.vector(depth - 1)]
        if self.chance(0.3):
            sides.reverse()
        return Binary(op, *sides, op in COMPARISONS and self.chance(0.4), **self.matching(op))

    def simple(self, names):
        return self.selector(names) if self.chance(0.6) else self.window(0, names, ["last_over_time", "max_over_time", "increase", "ts_of_max_over_time"])

    def labels(self, depth):
        kind, of = self.rng.random(), self.vector(depth - 1)
        if kind < 0.35:
            target, template, source, pattern = self.pick([("shard", "$1", "instance", "(.):.*"), ("job", "x-$1", "job", "(.*)"), ("__name__", "${1}_new", "__name__", "(.*)"),
                                                           ("was", "$1", "__name__", "(.+)"), ("dst", "fixed", "none", ""), ("__name__", "renamed", "job", "api"), ("zone", "", "zone", ".*")])
            return Call("label_replace", (of, Text(target), Text(template), Text(source), Text(pattern)))
        if kind < 0.5:
            return Call("label_join", (of, Text(self.pick(["joined", "__name__", "job"])), Text("-"), Text("job"), Text("instance")))
        if kind < 0.7:
            return Call(self.pick(["sort_by_label", "sort_by_label_desc"]), (of, Text("instance"), Text("job")))
        base = self.pick([lambda: Selector(self.pick(["req_total", "temp", "err_total", "build_info"]), (), "", None, None),
                          lambda: Call("rate", (Range("req_total", plain(120)),)), lambda: Call("abs", (Selector("temp"),))])()
        chosen = self.pick([(), (), (("version", "=~", ".+"),), (("zone", "=~", ".*"),), (("__name__", "=", "build_info"),), (("__name__", "=", "build_info"), ("revision", "=", "r1")),
                            (("version", "=", "v1"),), (("__name__", "=~", ".*_info"),)])
        return Call("info", (base,) + ((Selector("", chosen),) if chosen else ()))

    def classic(self, depth):
        buckets = self.pick([Selector("lat_bucket"), Call("rate", (Range("lat_bucket", self.duration(60)),))])
        if self.chance(0.5):
            buckets = Aggregate("sum", buckets, None, "by", self.pick([("le",), ("job", "le")]))
        return self.fractions(buckets) if self.chance(0.4) else self.quantiles(buckets)

    def fractions(self, of):
        low, high = self.pick([(0.0, 1.0), (-math.inf, 2.0), (0.3, 3.0), (1.0, math.inf), (2.0, 1.0), (0.0, 0.05), (-math.inf, math.inf)])
        return Call("histogram_fraction", (self.bound(low), self.bound(high), of))

    def quantiles(self, of):
        """Round ranks only of counts that are whole: a rank on the edge of a bucket must not hang on the last digit."""
        inside = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9] if isinstance(of, Selector) and not of.extent else [0.0137, 0.2713, 0.5123, 0.7331, 0.9517]
        if self.chance(0.3):
            return Call("histogram_quantiles", (of, Text("q")) + tuple(self.bound(q) for q in self.rng.sample(inside, 2)))
        return Call("histogram_quantile", (self.bound(self.pick(inside + [1.0, -1.0, 2.0, math.nan])), of))

    # ---- native histograms ----

    def of_native(self, depth):
        """Estimates of histograms with counts below zero mean nothing and are not asked for."""
        of, kind = self.native(depth - 1, falling=False), self.rng.random()
        if kind < 0.3:
            return self.quantiles(of)
        if kind < 0.5:
            return self.fractions(of)
        if kind < 0.6:
            return Call(self.pick(["changes", "resets", "count_over_time", "ts_of_last_over_time", "ts_of_first_over_time", "present_over_time", "ts_of_max_over_time"]), (self.range(NATIVES),))
        return Call(self.pick(["histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"]), (of,))

    def bound(self, value):
        return Number(value, {math.inf: "Inf", -math.inf: "-Inf"}.get(value, "NaN" if math.isnan(value) else "%g" % value))

    def native(self, depth, falling=True):
        """A vector of native histograms; falling: counts may come out below zero."""
        kind, falling = self.rng.random(), falling and not self.inner
        inner = lambda d: self.native(d, falling)
        if depth <= 0 or kind < 0.2:
            return self.selector(NATIVES)
        if kind < 0.45:
            m = self.matrix(depth, NATIVES + (["mixed"] if self.chance(0.1) else []), inner)
            return Call(self.pick(["rate", "increase", "irate", "sum_over_time", "avg_over_time", "last_over_time", "first_over_time"] + (["delta", "idelta"] if falling else [])), (m,))
        if kind < 0.55:
            extent = self.pick(["anchored", "smoothed"]) if falling else "anchored"  # a share of dust is anything
            return Call(self.pick(["rate", "increase"] + (["delta"] if falling else [])), (self.range(["nh", "nh_custom", "nh_gauge"], extent),))
        if kind < 0.72:
            return self.aggregate(depth, inner, ["sum", "avg"])
        if kind < 0.8:
            sides = [inner(depth - 1), self.number() if falling else Number(2.0, "2")]
            op = self.pick(["*", "/", "*", "+"])
            if op == "*" and self.chance(0.5):
                sides.reverse()
            return Binary(op, *sides)
        if kind < 0.9:
            name = self.pick(["nh", "nh_coarse", "nh_custom"])
            x = self.pick([0.0, 0.3, 0.7, 1.0, 1.5, 3.0, 10.0, 20.0] + ([-1.0, -0.7] if name != "nh_custom" else []))
            return Binary(self.pick(["</", ">/"]), self.selector([name]), Number(x, "%g" % x))
        if kind < 0.95 or not falling:
            sides = [self.selector(["nh", "nh_coarse"]) for _ in range(2)]
            return Binary(self.pick(["+", "-"]) if falling else "+", *sides, **({"fill_left": 0.0} if self.chance(0.1) else {}))
        return Negate(inner(depth - 1))

    # ---- whole queries ----

    def query(self):
        depth, kind = self.pick([1, 1, 2, 2, 3]), self.rng.random()
        if kind < 0.05:
            return self.scalar(depth)
        if kind < 0.25:
            return self.native(depth)
        if kind < 0.33:
            return self.limited(depth)
        if kind < 0.35:
            return Call(self.pick(["sort_by_label", "sort_by_label_desc"]), (self.vector(depth - 1),) + tuple(Text(l) for l in self.pick([("instance",), ("job", "instance"), ("code", "zone"), ()])))
        return self.vector(depth)

    def limited(self, depth):
        """What limitk and limit_ratio take is theirs to choose: only its number, or that a part and its complement are all."""
        of = self.selector(FLOATS + NATIVES) if self.chance(0.6) else self.window(1, FLOATS, ["rate", "last_over_time", "max_over_time"])
        return Limited(of, self.pick(["number", "or", "and"]), self.pick([0, 1, 2, 3, 100, -1]), self.pick([0.1, 0.25, 0.5, 0.9, 1.0]), self.pick([(), ("job",)]))

    def times(self):
        start = self.rng.randrange(START - 60_000, END + 300_000) // 5_000 * 5_000 + (self.rng.randrange(5_000) if self.chance(0.2) else 0)
        if not self.is_range:
            return start, start, 0
        step = self.pick([5_000, 15_000, 30_000, 60_000, 61_000])
        return start, start + step * self.rng.randrange(0, 9), step


@tree.dataclass(frozen=True, eq=False)
class Limited(tree.Node):
    """count by (labels) (limitk by (labels) (k, of)); limit_ratio(r, of) or / and limit_ratio(r - 1, of)."""
    of: tree.Node
    what: str
    k: int
    ratio: float
    labels: tuple
    kid_names = ("of",)

    def text(self):
        by = " by (%s)" % ", ".join(self.labels) if self.labels else ""
        if self.what == "number":
            return "count%s (limitk%s (%d, %s))" % (by, by, self.k, self.of.text())
        return "limit_ratio(%g, %s) %s limit_ratio(%g, %s)" % (self.ratio, self.of.text(), self.what, -(1 - self.ratio), self.of.text())
