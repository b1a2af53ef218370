"""promql_gen.py - data and queries for comparing two PromQL engines, both from a seed.

Times are chosen so that what Prometheus 3 changed cannot matter where it is not meant to: a 2.x range is closed on the
left and a 3.x range is open there, so no sample and no subquery step may lie exactly on a boundary. In milliseconds:

    samples                           3 modulo 10
    evaluation times, and @           7 modulo 10
    steps, ranges, offsets            0 modulo 10, so subqueries (aligned to the epoch) evaluate at 0 modulo 10
    offsets of subqueries             3 modulo 10, so their own windows begin at 4 or 7, never at one of their steps

A query is a tree of Node, so that a disagreement can be cut down to the smallest subtree that still shows it.
"""
import math
import random

START_MS = 1_700_000_000_003
STEP_MS = 15_000
LENGTH_MS = 90 * 60_000
END_MS = START_MS + LENGTH_MS


# ---- data ----

def jitter(rng, t, most=400):
    return t + rng.randrange(-most, most + 1) * 10


def counter(rng, times, per_step, resets=0.01, start=None):
    value, out = rng.uniform(0, 1000) if start is None else start, []
    for t in times:
        value = rng.uniform(0, per_step) if rng.random() < resets else value + rng.choice([0, 1, 1, 1]) * rng.uniform(0, per_step)
        out.append((t, value))
    return out


def regular(rng, first=START_MS, last=END_MS, every=STEP_MS):
    return [jitter(rng, t) for t in range(first, last, every)]


def gappy(rng):
    """Irregular distances, holes of up to 12 minutes, a late start, an early end."""
    t, out = START_MS + rng.randrange(0, 180_000) * 10 // 10 * 10, []
    end = END_MS - rng.randrange(0, 150_000) * 10
    while t < end:
        out.append(t)
        t += rng.choice([1_000, 15_000, 15_000, 30_000, 60_000]) + rng.randrange(0, 300) * 10
        if rng.random() < 0.04:
            t += rng.randrange(60_000, 720_000) // 10 * 10
    return out


def with_stale(rng, samples, share=0.02):
    return [(t, "stale" if rng.random() < share else v) for t, v in samples]


ODD = [math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300, -0.0, 0.0, 9007199254740993.0, -1.0, 1.0, 0.1]
LE = ["0.005", "0.01", "0.1", "0.5", "1", "2.5", "10", "+Inf"]


def histogram(rng, labels, times, out, name="lat", bounds=LE, broken=False):
    totals, total, sums = [0.0] * len(bounds), 0.0, []
    rows = [[] for _ in bounds]
    counts = []
    for t in times:
        if rng.random() < 0.01:
            totals, total = [0.0] * len(bounds), 0.0
        more = 0.0
        for i in range(len(bounds)):
            more += rng.choice([0, 0, 1, 2, 5])
            totals[i] += more
            rows[i].append((t, totals[i] - (3 if broken and i == 3 else 0)))
        total += more * rng.uniform(0, 2)
        sums.append((t, total))
        counts.append((t, totals[-1]))
    for bound, row in zip(bounds, rows):
        out.append((dict(labels, __name__=name + "_bucket", le=bound), row))
    out.append((dict(labels, __name__=name + "_sum"), sums))
    out.append((dict(labels, __name__=name + "_count"), counts))


def data(seed):
    """[(labels, [(time_ms, value or "stale")])], sorted by labels and time."""
    rng, out = random.Random(seed), []
    for job in ("api", "db"):
        for instance in ("a:1", "b:1", "c:2"):
            base = {"job": job, "instance": instance}
            shared = regular(rng)
            for code in ("200", "404", "500"):
                out.append((dict(base, __name__="req_total", code=code), counter(rng, shared, 7)))
            out.append((dict(base, __name__="bytes_total"), counter(rng, regular(rng), 1e9, 0.005, 1e12)))
            out.append((dict(base, __name__="errs_total", zone=rng.choice("xyz")), with_stale(rng, counter(rng, gappy(rng), 2, 0.05))))
            out.append((dict(base, __name__="temp", zone=rng.choice("xyz")), [(t, rng.gauss(0, 30)) for t in regular(rng)]))
            out.append((dict(base, __name__="mem"), [(t, float(rng.randrange(1 << 34))) for t in gappy(rng)]))
            out.append((dict(base, __name__="flag"), [(t, float(rng.choice([0, 1, 1, 2]))) for t in regular(rng)]))
            out.append((dict(base, __name__="flap"), with_stale(rng, [(t, rng.uniform(-5, 5)) for t in gappy(rng)], 0.2)))
            out.append((dict(base, __name__="meta_info", version=rng.choice(["v1", "v2"])), [(t, 1.0) for t in regular(rng)]))
            histogram(rng, base, regular(rng, every=30_000), out)
    for i, kind in enumerate(["mix", "huge", "tiny", "inf", "const"]):
        values = {"mix": ODD, "huge": [1e300, 1e308, -1e300], "tiny": [1e-300, 5e-324, 0.0], "inf": [math.inf, 1.0, -math.inf], "const": [42.5]}[kind]
        for n in ("0", "1"):
            out.append((dict(__name__="odd", kind=kind, n=n, job="api"), [(t, rng.choice(values)) for t in regular(rng)]))
    histogram(rng, {"job": "api"}, regular(rng), out, "broken", ["-1", "0", "1", "5", "+Inf"], True)
    histogram(rng, {"job": "db"}, regular(rng), out, "open", ["1", "2", "4"])
    out.append(({"__name__": "text", "path": "/a/\u00fc \"q\" \\n", "empty": "x"}, [(t, rng.random()) for t in regular(rng)]))
    out.append(({"__name__": "text", "path": "/b.*(c)", "job": "api"}, [(t, rng.random()) for t in regular(rng)]))
    out.append(({"__name__": "single", "job": "api"}, [(START_MS + 2_400_000, 3.0)]))
    out.append(({"__name__": "day", "job": "db"}, [(t, float(rng.randrange(-10**9, 4 * 10**9))) for t in regular(rng)]))
    for labels, samples in out:
        samples.sort(key=lambda p: p[0])
        samples[:] = [p for i, p in enumerate(samples) if i == 0 or p[0] != samples[i - 1][0]]
    return sorted(out, key=lambda s: sorted(s[0].items()))


LABELS = {
    "req_total": ["job", "instance", "code"], "bytes_total": ["job", "instance"], "errs_total": ["job", "instance", "zone"],
    "temp": ["job", "instance", "zone"], "mem": ["job", "instance"], "flag": ["job", "instance"], "flap": ["job", "instance"],
    "meta_info": ["job", "instance", "version"], "lat_bucket": ["job", "instance", "le"], "lat_sum": ["job", "instance"],
    "lat_count": ["job", "instance"], "odd": ["kind", "n", "job"], "broken_bucket": ["job", "le"], "open_bucket": ["job", "le"],
    "text": ["path", "job"], "single": ["job"], "day": ["job"], "nothing_here": ["job"],
}
VALUES = {
    "job": ["api", "db", ""], "instance": ["a:1", "b:1", "c:2", "d:9"], "code": ["200", "404", "500"], "zone": ["x", "y", "z"],
    "version": ["v1", "v2"], "le": ["0.1", "1", "+Inf", "2.5"], "kind": ["mix", "huge", "tiny", "inf", "const"], "n": ["0", "1"],
    "path": ["/b.*(c)", "/a/\u00fc \"q\" \\n"],
}
REGEXES = {
    "job": ["api|db", "a.*", ".*", ".+", "", "(api)?", "[ad].*"], "instance": ["a.*|b.*", ".:1", "[^a]:[0-9]", "(?i)A:1", ".*"],
    "code": ["[45]..", "2.*", "\\\\d+", "200|404"], "zone": ["x|y", ".", ""], "version": ["v.", "v1"], "le": ["0.*", "\\\\+Inf", "1|10"],
    "kind": ["mix|const", "h.*", "tiny|huge"], "n": [".", "[1-9]"], "path": ["/b.*", "/.*", ".*\u00fc.*"],
}


# ---- queries ----

class Node:
    """type: scalar, vector, matrix, string, or opt (may be left out). parts: texts, Nodes, Dialects. tag: what it is, for causes."""

    def __init__(self, type, parts, *tag):
        self.type, self.parts, self.tag = type, list(parts), tag

    def text(self, ours=True):
        return "".join(p if isinstance(p, str) else p.text(ours) for p in self.parts)

    def children(self):
        return [p for p in self.parts if isinstance(p, Node)]

    def walk(self):
        yield self
        for c in self.children():
            yield from c.walk()

    def replaced(self, old, new):
        if self is old:
            return new
        return Node(self.type, [p.replaced(old, new) if isinstance(p, Node) else p for p in self.parts], *self.tag)


class Dialect:
    """A name that differs between the two languages."""

    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs

    def text(self, ours=True):
        return self.ours if ours else self.theirs


HOLT = Dialect("double_exponential_smoothing", "holt_winters")
OVER_TIME = ["avg_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase", "irate", "last_over_time",
             "max_over_time", "min_over_time", "present_over_time", "rate", "resets", "stddev_over_time", "stdvar_over_time",
             "sum_over_time", "absent_over_time"]
COUNTER_FUNCTIONS = ["rate", "increase", "irate", "resets", "changes"]
MATHS = ["abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "deg", "exp", "floor", "ln", "log10", "log2",
         "rad", "sgn", "sin", "sinh", "sqrt", "tan", "tanh", "round", "sort", "sort_desc", "absent", "timestamp"]
DATES = ["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"]
AGGREGATORS = ["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"]
ARITHMETIC = ["+", "-", "*", "/", "%", "^", "atan2"]
COMPARISON = ["==", "!=", "<", "<=", ">", ">="]
LITERALS = ["0", "1", "2", "-1", "0.5", "1e3", "0x1F", "Inf", "-Inf", "NaN", "1e-9", "60", "-0", "3.14159", "1e300", "100"]


def quote(text):
    return '"%s"' % text.replace('"', '\\"') if "\\" in text and "\\\\" in text else '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


class Generator:
    def __init__(self, rng):
        self.rng = rng

    def pick(self, items):
        return self.rng.choice(items)

    def chance(self, p):
        return self.rng.random() < p

    def duration(self, least=10, most=1_800_000):
        """A multiple of 10 ms in one of the spellings."""
        kind = self.rng.randrange(6)
        if kind == 0:
            return "%dms" % (self.rng.randrange(max(1, least // 10), min(most, 600_000) // 10) * 10)
        if kind == 1:
            return "%dm%ds" % (self.rng.randrange(1, 9), self.rng.randrange(1, 59))
        if kind == 2:
            return "%ds" % self.rng.randrange(max(1, least // 1000), most // 1000)
        return "%dm" % self.rng.randrange(1, 26)

    def modifiers(self, subquery=False):
        out = []
        if self.chance(0.12):
            at = self.pick(["start()", "end()", self.moment()])
            out.append(Node("opt", [" @ ", at], "at"))
        if subquery:
            sign, ms = ("", self.rng.randrange(0, 60_000) * 10 + 3) if self.chance(0.8) else ("-", self.rng.randrange(0, 9_000) * 10 + 7)
            out.append(" offset %s%dms" % (sign, ms))
        elif self.chance(0.15):
            out.append(Node("opt", [" offset ", self.pick(["", "", "-"]), self.duration()], "offset"))
        self.rng.shuffle(out)
        return out

    def moment(self):
        ms = self.rng.randrange(START_MS - 600_000, END_MS + 600_000) // 10 * 10 + 7
        return "%d.%03d" % (ms // 1000, ms % 1000)

    # ---- selectors ----

    def matcher(self, label):
        kind = self.pick(["=", "=", "!=", "=~", "=~", "!~"])
        value = self.pick(REGEXES[label]) if "~" in kind else None
        return '%s%s"%s"' % (label, kind, value) if value is not None else "%s%s%s" % (label, kind, quote(self.pick(VALUES[label])))

    def metric(self, names=None):
        return self.pick(names or list(LABELS))

    def selected(self, name):
        """Name and matchers, as parts."""
        if self.chance(0.55):
            return [name]
        matchers = [self.matcher(self.pick(LABELS[name])) for _ in range(self.pick([1, 1, 2]))]
        if self.chance(0.08):
            matchers.insert(0, '__name__="%s"' % name)
            return ["{", ",".join(matchers), self.pick(["", ","]), "}"]
        parts = [name, "{"]
        for m in matchers:
            parts.append(Node("opt", [m, ","], "matcher"))
        return parts + ["}"]

    def selector(self, names=None):
        if names is None and self.chance(0.04):
            regex = self.pick(["temp|mem", "fl.*", ".*_total", "lat_(sum|count)"])
            return Node("vector", ['{__name__=~"%s"' % regex, self.pick(["", ',job="api"']), "}"] + self.modifiers(), "selector", None)
        name = self.metric(names)
        return Node("vector", self.selected(name) + self.modifiers(), "selector", name)

    def matrix(self, depth, names=None):
        if depth > 0 and self.chance(0.3):
            inner = self.vector(depth - 1) if self.chance(0.9) else self.scalar(depth - 1)
            step = self.pick(["", self.pick(["30s", "1m", "17s", "2m30s", "10s", "90s"])])
            inside = ["(", inner, ")"] if self.chance(0.6) or inner.tag[:1] in (("binary",), ("minus",)) else [inner]
            return Node("matrix", inside + ["[%s:%s]" % (self.duration(60_000), step)] + self.modifiers(True), "subquery")
        name = self.metric(names)
        return Node("matrix", self.selected(name) + ["[", self.duration(15_000), "]"] + self.modifiers(), "matrix", name)

    # ---- scalars ----

    def number(self):
        if self.chance(0.5):
            return Node("scalar", [self.pick(LITERALS)], "number")
        return Node("scalar", ["%.6g" % self.rng.uniform(-100, 100)], "number")

    def scalar(self, depth):
        kind = self.rng.random()
        if depth <= 0 or kind < 0.45:
            return self.number()
        if kind < 0.55:
            return Node("scalar", [self.pick(["time()", "pi()"])], "time")
        if kind < 0.75:
            return Node("scalar", ["scalar(", self.vector(depth - 1), ")"], "scalar")
        if kind < 0.8:
            return Node("scalar", ["-", self.parens(self.scalar(depth - 1))], "minus")
        op = self.pick(ARITHMETIC + ["== bool", "!= bool", "<bool", ">= bool"])
        return Node("scalar", [self.operand(self.scalar(depth - 1)), " %s " % op, self.operand(self.scalar(depth - 1))], "binary", op)

    # ---- vectors ----

    def parens(self, node):
        return Node(node.type, ["(", node, ")"], "parens")

    def operand(self, node):
        return self.parens(node) if self.chance(0.6) and node.tag[:1] in (("binary",), ("minus",)) else node

    def vector(self, depth):
        if depth <= 0:
            return self.selector()
        kinds = [(0.12, self.a_selector), (0.22, self.over_time), (0.12, self.maths), (0.24, self.aggregation), (0.20, self.binary), (0.10, self.other)]
        x = self.rng.random()
        for share, make in kinds:
            x -= share
            if x < 0:
                return make(depth)
        return self.selector()

    def a_selector(self, depth):
        return self.selector()

    def over_time(self, depth):
        kind = self.rng.random()
        if kind < 0.08:
            return Node("vector", ["quantile_over_time(", self.scalar(min(depth - 1, 1)), ", ", self.matrix(depth - 1), ")"], "call", "quantile_over_time")
        if kind < 0.14:
            return Node("vector", ["predict_linear(", self.matrix(depth - 1), ", ", self.scalar(min(depth - 1, 1)), ")"], "call", "predict_linear")
        if kind < 0.2:
            factors = "%.3f, %.3f" % (self.rng.uniform(0.01, 0.99), self.rng.uniform(0.01, 0.99))
            return Node("vector", [HOLT, "(", self.matrix(depth - 1), ", ", factors, ")"], "call", "holt_winters")
        name = self.pick(OVER_TIME)
        names = ["req_total", "bytes_total", "errs_total", "lat_bucket", "lat_count"] if name in COUNTER_FUNCTIONS and self.chance(0.7) else None
        return Node("vector", [name, "(", self.matrix(depth - 1, names), ")"], "call", name)

    def maths(self, depth):
        kind, inner = self.rng.random(), self.vector(depth - 1)
        if kind < 0.1:
            return Node("vector", ["round(", inner, ", ", self.scalar(min(depth - 1, 1)), ")"], "call", "round")
        if kind < 0.2:
            name = self.pick(["clamp_max", "clamp_min"])
            return Node("vector", [name, "(", inner, ", ", self.scalar(min(depth - 1, 1)), ")"], "call", name)
        if kind < 0.28:
            return Node("vector", ["clamp(", inner, ", ", self.number(), ", ", self.number(), ")"], "call", "clamp")
        if kind < 0.36:
            return Node("vector", [self.pick(["-", "+", "-"]), self.parens(inner)], "minus")
        if kind < 0.5:
            name = self.pick(DATES)
            return Node("vector", [name, "(", inner if self.chance(0.8) else "", ")"], "call", name)
        name = self.pick(MATHS)
        return Node("vector", [name, "(", inner, ")"], "call", name)

    def grouping(self, labels=None):
        names = labels or ["job", "instance", "zone", "code", "le", "kind", "n", "version", "nolabel"]
        chosen = self.rng.sample(names, self.pick([0, 1, 1, 2, 2, 3]) if len(names) >= 3 else 1)
        kind = self.pick(["by", "by", "without"])
        return Node("opt", [" %s (%s) " % (kind, ", ".join(chosen))], "grouping", kind, chosen)

    def grouping_by(self, labels):
        return Node("opt", [" by (%s) " % ", ".join(labels)], "grouping", "by", labels)

    def aggregation(self, depth):
        inner, kind = self.vector(depth - 1), self.rng.random()
        if kind < 0.12:
            name, param = self.pick(["topk", "bottomk"]), Node("scalar", [self.pick(["1", "2", "3", "5", "0", "-1", "1.5", "1000"])], "number")
        elif kind < 0.2:
            name, param = "quantile", self.scalar(min(depth - 1, 1))
        elif kind < 0.26:
            name, param = "count_values", Node("string", [self.pick(['"v"', '"job"', "'value'"])], "string")
        else:
            name, param = self.pick(AGGREGATORS), None
        inside = ["(", *([param, ", "] if param else []), inner, ")"]
        by = self.grouping() if self.chance(0.75) else ""
        return Node("vector", [name, by] + inside if self.chance(0.5) else [name] + inside + [by], "aggregate", name)

    def matching(self, op):
        """on/ignoring, sometimes group_left/right; set operators take no grouping."""
        if self.chance(0.4):
            return [" "]
        kind = self.pick(["on", "on", "ignoring"])
        labels = ["job", "instance"] if self.chance(0.6) else self.rng.sample(["job", "instance", "zone", "code", "version", "le"], self.pick([0, 1, 2]))
        parts = [" %s(%s)" % (kind, ", ".join(labels))]
        if op not in ("and", "or", "unless") and self.chance(0.5):
            include = self.pick(["", "()", "(version)", "(zone)", "(code)"])
            if kind == "on" and include.strip("()") in labels:
                include = ""
            parts.append(Node("opt", [" ", self.pick(["group_left", "group_left", "group_right"]), include], "group"))
        return parts + [" "]

    def binary(self, depth):
        kind = self.rng.random()
        if kind < 0.35:
            op = self.pick(ARITHMETIC + COMPARISON + ["%s bool" % c for c in COMPARISON])
            sides = [self.operand(self.vector(depth - 1)), self.operand(self.scalar(depth - 1))]
            if self.chance(0.5):
                sides.reverse()
            return Node("vector", [sides[0], " %s " % op, sides[1]], "binary", op)
        if kind < 0.6:
            op = self.pick(["and", "or", "unless"])
        else:
            op = self.pick(ARITHMETIC + COMPARISON + ["%s bool" % c for c in COMPARISON])
        left = self.vector(depth - 1)
        right = self.sibling(left, depth) if self.chance(0.5) else self.vector(depth - 1)
        return Node("vector", [self.operand(left), " ", op] + self.matching(op.split()[0]) + [self.operand(right)], "binary", op)

    def sibling(self, left, depth):
        """Something whose labels may match the left side's."""
        name = next((n.tag[1] for n in left.walk() if n.tag[:1] in (("selector",), ("matrix",)) and n.tag[1]), None)
        alike = [m for m in LABELS if name and LABELS[m][:2] == LABELS[name][:2]] or None
        if self.chance(0.5):
            return self.selector(alike)
        return Node("vector", [self.pick(["rate", "sum_over_time", "max_over_time", "delta"]), "(", self.matrix(0, alike), ")"], "call", "window")

    def other(self, depth):
        kind = self.rng.random()
        if kind < 0.3:
            return self.quantile(depth)
        if kind < 0.4:
            return Node("vector", ["vector(", self.scalar(depth - 1), ")"], "call", "vector")
        if kind < 0.7:
            source, regex = self.pick([("job", "(.*)"), ("instance", "(.):([0-9]+)"), ("nolabel", ""), ("code", "(.)(..)"), ("job", "a(.*)")])
            target, text = self.pick(["job", "shard", "dst", "zone"]), self.pick(["$1", "x-${1}-$2", "", "$0", "const", "$1$1"])
            return Node("vector", ["label_replace(", self.vector(depth - 1), ', "%s", "%s", "%s", "%s")' % (target, text, source, regex)], "call", "label_replace")
        if kind < 0.73:  # of floats these are empty
            name = self.pick(["histogram_count(", "histogram_sum("])
            return Node("vector", [name, self.vector(depth - 1), ")"], "call", "histogram")
        if kind < 0.85:
            return Node("vector", ["label_join(", self.vector(depth - 1), ', "%s", "%s", "job", "instance", "nolabel")'
                                   % (self.pick(["joined", "job", "zone"]), self.pick([",", "", "-"]))], "call", "label_join")
        name = self.selector([self.metric(["nothing_here", "temp", "flap", "req_total"])])
        return Node("vector", ["absent(", name, ")"], "call", "absent")

    def quantile(self, depth):
        q = Node("scalar", [self.pick(["0.5", "0.9", "0.99", "0", "1", "-1", "2", "NaN", "0.333"])], "number")
        buckets = self.matrix(0, [self.metric(["lat_bucket", "lat_bucket", "broken_bucket", "open_bucket"])])
        inner = Node("vector", [self.pick(["rate", "increase", "delta", "max_over_time"]), "(", buckets, ")"], "call", "rate")
        if self.chance(0.6):
            inner = Node("vector", ["sum", self.grouping_by(["le"] + self.pick([[], ["job"], ["job", "instance"]])), "(", inner, ")"], "aggregate", "sum")
        elif self.chance(0.3):
            inner = self.selector(["lat_bucket", "broken_bucket", "open_bucket"])
        return Node("vector", ["histogram_quantile(", q, ", ", inner, ")"], "call", "histogram_quantile")

    # ---- whole queries ----

    def wrong(self, depth):
        """What both must refuse."""
        v, s, m = self.vector(depth), self.scalar(1), self.matrix(0)
        return Node("vector", self.pick([
            ["rate(", v, ")"], ["abs(", m, ")"], ["sum(", s, ")"], ["topk(", v, ")"], ["clamp(", v, ")"], ["(", v, ") and ", s], [s, " < ", s],
            ["nofunction(", v, ")"], ["scalar(", s, ")"], [v, " +"], ["(", v], ["label_replace(", v, ', "a", "b", "c", "(")'],
            ["quantile(", v, ", 1)"], ["histogram_quantile(", v, ")"], ["sum by (job (", v, ")"], ["(", v, ") + on(job) bool (", v, ")"],
            ["(", v, ") and on(job) group_left() (", v, ")"], ["temp[5m] offset"], ["temp offset 5m offset 5m"], ['temp{job=~"("}'], ["{}"], ['{job=~".*"}'],
            ["time()[5m]"], ["temp[5m][5m]"], ["(", v, ")[5m]"], ["holt_winters(temp[5m], 2, 0.5) +"], ["vector(", v, ")"], ["-", m], [m, " + 1"],
            ['count_values(1, ', v, ")"], ['"text" + ', v], ["temp{job}"], ["temp{job=api}"], ["sum(", m, ")"], ["temp[0s]"], ["(", v, ") > bool on (", v, ")"],
        ]), "wrong")

    def query(self):
        """(tree, is_range)"""
        depth = self.pick([1, 2, 2, 3, 3, 4])
        kind = self.rng.random()
        if kind < 0.04:
            return self.wrong(depth), self.chance(0.5)
        if kind < 0.08:
            return self.matrix(depth), False
        if kind < 0.14:
            return self.scalar(depth), self.chance(0.5)
        return self.vector(depth), self.chance(0.5)

    def times(self, is_range):
        """Parameters of the request."""
        start = self.rng.randrange(START_MS - 300_000, END_MS + 400_000) // 10 * 10 + 7
        if not is_range:
            return {"time": seconds(start)}
        step = self.pick([10_000, 15_000, 30_000, 60_000, 60_000, 123_450, 300_000])
        start = self.rng.randrange(START_MS - 300_000, END_MS) // 10 * 10 + 7
        return {"start": seconds(start), "end": seconds(start + step * self.rng.randrange(0, 60) + self.pick([0, 0, 5000])), "step": "%.3f" % (step / 1000)}


def seconds(ms):
    return "%d.%03d" % (ms // 1000, ms % 1000)


def times_ms(times):
    return {k: round(float(v) * 1000) for k, v in times.items()}
