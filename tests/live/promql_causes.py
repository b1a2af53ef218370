"""promql_causes.py - why the newest PromQL may answer otherwise than Prometheus 2.42: one narrow rule a cause.

A rule looks at the smallest query that disagrees, calculates from the data below it what the change must make of them,
and holds only when each differing point is so. docs/promql-differences.md explains the causes by the same names.
"""
import math
import re
from fractions import Fraction

import promql_gen

COMPARISON = {"==", "!=", "<", "<=", ">", ">="}
BIGGEST = Fraction(2) ** 1024


def explain(comparison, tree, times):
    """The name of the cause, or None."""
    ask = Asker(comparison, times)
    ours, theirs = comparison.both(tree, times)
    if unstable(comparison, tree, times):
        return "their_order_varies"
    for rule in RULES:
        try:
            if rule(ask, tree, ours, theirs):
                return rule.__name__
        except (Unanswered, KeyError, StopIteration):  # what the rule speaks of is not there
            continue
    return None


class Unanswered(Exception):
    pass


class Asker:
    def __init__(self, comparison, times):
        self.comparison, self.times = comparison, times

    def ours(self, tree, times=None):
        """{labels: {time: value}}; {time: value} lists for a matrix."""
        kind, value = self.comparison.ours.answer(tree, times or self.times)
        if kind == "error":
            raise Unanswered()
        return value

    def step_times(self):
        if "step" not in self.times:
            raise Unanswered()
        ms = promql_gen.times_ms(self.times)
        return range(ms["start"], ms["end"] + 1, ms["step"])


def close(a, b):
    return a == b or (math.isnan(a) and math.isnan(b)) or (math.isfinite(a) and math.isfinite(b) and abs(a - b) <= 1e-9 * max(abs(a), abs(b)))


def is_operator(tree, *names):
    return tree.tag[:1] == ("binary",) and tree.tag[1] in names


def is_call(tree, *names):
    return tree.tag[:1] == ("call",) and tree.tag[1] in names


def is_aggregate(tree, *names):
    return tree.tag[:1] == ("aggregate",) and tree.tag[1] in names


def differing(ours, theirs):
    """[(labels, time, our value, their value)], None when one side has a point the other lacks."""
    if ours[0] == "error" or theirs[0] == "error" or ours[1].keys() != theirs[1].keys():
        return None
    out = []
    for k in ours[1]:
        a, b = ours[1][k], theirs[1][k]
        if a.keys() != b.keys() or any(isinstance(v, str) for v in a.values()):
            return None
        out += [(k, t, a[t], b[t]) for t in a if not close(a[t], b[t])]
    return out


def unstable(comparison, tree, times):
    """2.42 walks groups in an order that changes from one request to the next, which shows in sums and in ties above them. We do not."""
    several = [comparison.both(tree, times) for _ in range(12)]
    ours, theirs = ([s[side] for s in several] for side in (0, 1))
    steady = lambda answers: all(a[0] == "data" and differing(a, answers[0]) == [] for a in answers)
    return steady(ours) and all(a[0] == "data" for a in theirs) and not steady(theirs)


# ---- errors ----

def collision_judged_at_the_end(ask, tree, ours, theirs):
    """Names are dropped last, so equal labels in between are no error."""
    several = any(n.tag[:1] == ("selector",) and n.tag[1] is None for n in tree.walk())
    errors = ("same labelset", "grouping labels must ensure unique matches")
    return several and theirs[0] == "error" and any(e in theirs[1] for e in errors) and ours[0] == "data"


def or_below_a_subquery(ask, tree, ours, theirs):
    """With names kept to the end, both sides of an "or" stay two series below a subquery, and the function above answers twice."""
    inside = [n for s in tree.walk() if s.tag[:1] == ("subquery",) for n in s.walk()]
    return any(is_operator(n, "or") for n in inside) and ours[0] == "error" and "same labelset" in ours[1] and theirs[0] == "data"


def filtered_matches_count(ask, tree, ours, theirs):
    """A second match is an error even where the comparison is false."""
    return is_operator(tree, *COMPARISON) and ours[0] == "error" and "multiple matches for labels" in ours[1] and theirs[0] == "data"


def nobody_to_match(ask, tree, ours, theirs):
    """Duplicates on one side are no error while the other side is empty."""
    if tree.tag[:1] != ("binary",) or theirs[0] != "error" or "found duplicate series" not in theirs[1] or ours[0] != "data" or ours[1]:
        return False
    sides = [c for c in tree.children() if c.type == "vector"]
    return len(sides) == 2 and any(not ask.ours(s) for s in sides)


# ---- names ----

def atan2_drops_the_name(ask, tree, ours, theirs):
    """2.42 keeps the metric name for atan2, unlike all other arithmetic."""
    if not is_operator(tree, "atan2") or theirs[0] == "error":
        return False
    if ours[0] == "error":  # two names, one labelset: as for a + 1
        return "same labelset" in ours[1] and any(n.tag[:1] == ("selector",) and n.tag[1] is None for n in tree.walk())
    bare = {tuple(l for l in k if l[0] != "__name__"): v for k, v in theirs[1].items()}
    return len(bare) == len(theirs[1]) and differing(ours, ("data", bare)) == []


# ---- their range queries against their own instant queries ----

def range_query_unlike_instant(ask, tree, ours, theirs):
    """2.42 answers calls and aggregations with a parameter beside something fixed by @, and count_values, differently at the later
    steps of a range; asked for each step alone it agrees with us."""
    if not any(is_call(n, "predict_linear", "quantile_over_time") or is_aggregate(n, "count_values", "quantile", "topk", "bottomk") for n in tree.walk()) or "error" in (ours[0], theirs[0]):
        return False
    if "start()" in tree.text() or "end()" in tree.text():
        ms = promql_gen.times_ms(ask.times)
        text = tree.text(False).replace("start()", promql_gen.seconds(ms["start"])).replace("end()", promql_gen.seconds(ms["end"]))
    else:
        text = tree.text(False)
    single = {}
    for at in ask.step_times():
        kind, value = ask.comparison.theirs.ask(text, {"time": promql_gen.seconds(at)})
        if kind == "error":
            return False
        for k, v in value.items():
            single.setdefault(k, {}).update(v)
    return differing(ours, ("data", single)) == [] or same_counts(ours[1], single, tree)


def timestamp_at_and_offset(ask, tree, ours, theirs):
    """timestamp(x @ t offset d) is empty in 2.42 where x @ t offset d is not."""
    if not is_call(tree, "timestamp") or "error" in (ours[0], theirs[0]) or theirs[1]:
        return False
    selector = tree.children()[0]
    at, offset = (any(n.tag[:1] == (x,) for n in selector.walk()) for x in ("at", "offset"))
    kind, found = ask.comparison.theirs.answer(selector, ask.times)
    return at and offset and kind == "data" and bare_points(("data", found)).keys() == bare_points(ours).keys()


# ---- extrapolation ----

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(text):
    return sum(int(n) * UNITS[u] for n, u in re.findall(r"(\d+)(ms|s|m|h|d)", text))


def window_end(matrix, at_ms):
    """(end, range) of a matrix selector or subquery evaluated then."""
    tail = matrix.text().rsplit("[", 1)[1]
    offset = re.search(r"offset\s+(-?)(\w+)", tail)
    at = re.search(r"@\s+([\d.]+)", tail)
    end = round(float(at.group(1)) * 1000) if at else at_ms
    if offset:
        end -= duration_ms(offset.group(2)) * (-1 if offset.group(1) else 1)
    return end, duration_ms(re.split(r"[:\]]", tail)[0])


def extrapolated(points, end, span, per_second, capped):
    """increase or rate. capped: the newer rule, which first limits the gap on the left and only then looks where zero would be."""
    (first_t, first), (last_t, last) = points[0], points[-1]
    grown, before = last - first, first
    for _, v in points[1:]:
        grown += before if v < before else 0
        before = v
    left, right = (first_t - (end - span)) / 1000, (end - last_t) / 1000
    sampled = (last_t - first_t) / 1000
    mean = sampled / (len(points) - 1)
    if capped and left >= mean * 1.1:
        left = mean / 2
    if grown > 0 and first >= 0:
        left = min(left, sampled * (first / grown))
    reach = sampled + (left if left < mean * 1.1 else mean / 2) + (right if right < mean * 1.1 else mean / 2)
    factor = reach / sampled
    return grown * (factor / (span / 1000) if per_second else factor)


def windows(ask, tree, at):
    """The one matrix below this call, as {labels: [(ms, value)]}, with the window's end and length."""
    matrix = next(c for c in tree.children() if c.type == "matrix")
    if "start()" in matrix.text() or "end()" in matrix.text():
        raise Unanswered()
    at_ms = round(float(at) * 1000)
    found = ask.ours(matrix, {"time": promql_gen.seconds(at_ms)})
    rows = {}
    for k, points in found.items():
        rows[tuple(l for l in k if l[0] != "__name__")] = [(round(float(t) * 1000), v) for t, v in points.items()]
    return rows, *window_end(matrix, at_ms)


def gap_capped_before_zero(ask, tree, ours, theirs):
    """rate, increase: a series that begins well inside the window, near zero, is extended by half a distance at most."""
    points = differing(ours, theirs)
    if not is_call(tree, "rate", "increase", "window") or not points:
        return False
    name = tree.text().split("(")[0].strip()
    for k, t, a, b in points:
        rows, end, span = windows(ask, tree, t)
        new, old = (extrapolated(rows[k], end, span, name == "rate", capped) for capped in (True, False))
        if not (close(a, new) and close(b, old)):
            return False
    return True


def growth_of_extremes(ask, tree, ours, theirs):
    """rate, increase: we add the falls of a counter up before the rest, 2.42 in order of time. It shows when the values are so large that
    the sum of the falls overflows, or so unlike that rounding the largest hides the others."""
    points = differing(ours, theirs)
    if not is_call(tree, "rate", "increase", "window") or not points:
        return False
    for k, t, a, b in points:
        row = windows(ask, tree, t)[0][k]
        falls = sum(Fraction(x) for (_, x), (_, y) in zip(row, row[1:]) if y < x and math.isfinite(x))
        overflow = math.isinf(a) and falls * 2 >= BIGGEST
        rounding = 4 * len(row) * 2.0**-52 * max(abs(v) for _, v in row if math.isfinite(v))
        if not overflow and not (math.isfinite(a) and math.isfinite(b) and abs(a - b) <= rounding):
            return False
    return True


# ---- numerics ----

def members(ask, tree, t):
    """{labels of the group: [values]} of an aggregation, at one time."""
    inner = [c for c in tree.children() if c.type == "vector"][-1]
    grouping = next((c.tag for c in tree.children() if c.tag[:1] == ("grouping",)), ("grouping", "by", []))
    groups = {}
    for k, v in ask.ours(inner).items():
        if t in v:
            kept = tuple(l for l in k if (l[0] in grouping[2]) == (grouping[1] == "by") and (grouping[1] == "by" or l[0] != "__name__"))
            groups.setdefault(kept, []).append((k, v[t]))
    return groups


def values_below(ask, tree, k, t):
    if tree.tag[0] == "aggregate":
        return [v for _, v in members(ask, tree, t)[k]]
    rows = windows(ask, tree, t)[0]
    row = rows.get(k) or rows[tuple(l for l in k if l[0] != "__name__")]
    return [v for _, v in row]


def to_float(exact):
    return math.inf if exact >= BIGGEST else -math.inf if exact <= -BIGGEST else float(exact)


def exactly(kind, values):
    """(the true answer, how far rounding may lead away from it)"""
    exact = [Fraction(v) for v in values]
    size = sum(abs(v) for v in exact)
    slack = Fraction(len(values) + 2, 2**52)
    if kind == "sum":
        return to_float(sum(exact)), to_float(size * slack)
    mean = sum(exact) / len(exact)
    if kind == "avg":
        return to_float(mean), to_float(size / len(exact) * slack)
    variance = sum((v - mean) ** 2 for v in exact) / len(exact)
    spread = max(abs(v) for v in exact) ** 2 * slack
    if kind == "stdvar":
        return to_float(variance), to_float(spread)
    root = math.sqrt(to_float(variance))
    return root, math.sqrt(to_float(spread))


def numerics(ask, tree, ours, theirs):
    """Sums, means and deviations: ours is the exact value, or nearer to it than theirs, or both are within what rounding allows."""
    kind = {"sum": "sum", "sum_over_time": "sum", "avg": "avg", "avg_over_time": "avg", "stddev": "stddev", "stddev_over_time": "stddev",
            "stdvar": "stdvar", "stdvar_over_time": "stdvar"}.get(tree.tag[1] if tree.tag[:1] in (("call",), ("aggregate",)) else None)
    points = differing(ours, theirs)
    if not kind or not points:
        return False
    for k, t, a, b in points:
        values = values_below(ask, tree, k, t)
        if not all(math.isfinite(v) for v in values):
            return False
        want, slack = exactly(kind, values)
        if close(a, want) or (kind.startswith("std") and math.isinf(a) and max(map(abs, values)) > 1e150):
            continue
        ours_off, theirs_off = abs(a - want), abs(b - want)
        if not (ours_off < theirs_off or math.isnan(theirs_off) or (ours_off <= slack and theirs_off <= slack)):
            return False
    return True


def regression_overflows(ask, tree, ours, theirs):
    """deriv, predict_linear of values whose products with time leave the range of a double: NaN or infinite, as the order of sums has it."""
    points = differing(ours, theirs)
    if not is_call(tree, "deriv", "predict_linear") or not points:
        return False
    return all(not (math.isfinite(a) and math.isfinite(b)) and max(abs(v) for v in values_below(ask, tree, k, t) if math.isfinite(v)) > 1e300
               for k, t, a, b in points)


def deviation_of_no_number(ask, tree, ours, theirs):
    """stddev and stdvar over NaN or Inf are NaN; 2.42 took the first value of a group as without deviation."""
    points = differing(ours, theirs)
    return bool(points) and is_aggregate(tree, "stddev", "stdvar") and all(
        math.isnan(a) and not all(math.isfinite(v) for v in values_below(ask, tree, k, t)) for k, t, a, b in points)


DATES = ("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year")


def date_of_no_time(ask, tree, ours, theirs):
    """A calendar function of NaN or of what no 64 bits of seconds hold: 2.42 gives what the processor's conversion happens to give."""
    points = differing(ours, theirs)
    if not is_call(tree, *DATES) or not points:
        return False
    inner = {tuple(l for l in k if l[0] != "__name__"): v for k, v in ask.ours(tree.children()[0]).items()}
    return all(not abs(inner[k][t]) < 2.0**53 for k, t, a, b in points)


MATHS = {"sin": math.sin, "cos": math.cos, "tan": math.tan, "exp": math.exp, "sinh": math.sinh, "cosh": math.cosh, "ln": math.log,
         "log2": math.log2, "log10": math.log10}
OPERATORS = {"%": math.fmod, "^": math.pow, "-": lambda a, b: a - b, "+": lambda a, b: a + b}


def computed(f, *arguments):
    try:
        return f(*arguments)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def bare_points(answer):
    """{(labels without name, time): value}"""
    if answer[0] == "error":
        raise Unanswered()
    return {(tuple(l for l in k if l[0] != "__name__") if isinstance(k, tuple) else None, t): float(v) for k, row in answer[1].items() for t, v in row.items()}


def hyperbolics_and_logarithms(ask, tree, ours, theirs):
    """Go's cosh and sinh overflow beyond 709.78 where the result would still fit, and its logarithms are wrong for subnormal numbers."""
    points = differing(ours, theirs)
    if not is_call(tree, "sinh", "cosh", "ln", "log2", "log10") or not points:
        return False
    inner = bare_points(("data", ask.ours(tree.children()[0])))
    for k, t, a, b in points:
        x = inner[k, t]
        edge = 709 < abs(x) < 711 if tree.tag[1] in ("sinh", "cosh") else 0 < x < 2.3e-308
        if not edge or not close(a, computed(MATHS[tree.tag[1]], x)):
            return False
    return True


def argument_rounded_otherwise(ask, tree, ours, theirs):
    """A function or operator that magnifies a difference below 1e-9 in what goes in: each side's answer follows from its own arguments."""
    f = MATHS.get(tree.tag[1]) if tree.tag[:1] == ("call",) else OPERATORS.get(tree.tag[1]) if tree.tag[:1] == ("binary",) else None
    sides = [c for c in tree.children() if c.type in ("vector", "scalar")]
    if f is None or not sides or "error" in (ours[0], theirs[0]):
        return False
    a_in, b_in = ([bare_points(server.answer(c, ask.times)) for c in sides] for server in (ask.comparison.ours, ask.comparison.theirs))
    a, b = bare_points(ours), bare_points(theirs)
    if a.keys() != b.keys():
        return False
    differed = False
    for k, t in a:
        if close(a[k, t], b[k, t]):
            continue
        x, y = ([side[k, t] if (k, t) in side else side[None, t] if (None, t) in side else None for side in given] for given in (a_in, b_in))
        if None in x or None in y or not all(close(p, q) for p, q in zip(x, y)):
            return False
        if not (near(a[k, t], computed(f, *x)) and near(b[k, t], computed(f, *y))):
            return False
        differed = True
    return differed


def near(a, b):
    return close(a, b) or abs(a - b) < 1e-9


# ---- ties and texts ----

def equally_good(ask, tree, ours, theirs):
    """topk and bottomk may choose among equal values; each must have chosen real ones, with the same values in each group."""
    if not is_aggregate(tree, "topk", "bottomk") or "error" in (ours[0], theirs[0]):
        return False
    for t in {t for side in (ours, theirs) for v in side[1].values() for t in v}:
        for group in members(ask, tree, t).values():
            real = dict(group)
            a, b = ([(k, side[1][k][t]) for k in real if t in side[1].get(k, {})] for side in (ours, theirs))
            if len(a) != len(b) or not all(close(v, real[k]) for k, v in a + b):
                return False
            order = lambda v: (math.isnan(v), 0.0 if math.isnan(v) else v)
            if not all(close(x, y) for x, y in zip(sorted((v for _, v in a), key=order), sorted((v for _, v in b), key=order))):
                return False
    return True


def same_counts(ours, theirs, tree):
    """count_values whose value labels differ in the last digits only."""
    if tree.tag[:1] != ("aggregate",) or tree.tag[1] != "count_values":
        return False
    label = next(c for c in tree.children() if c.tag[:1] == ("string",)).text()[1:-1]

    def spread(side):
        out = {}
        for k, v in side.items():
            number = next((float(x) for n, x in k if n == label), None)
            if number is None:
                return None
            for t, n in v.items():
                out.setdefault((tuple(l for l in k if l[0] != label), t), []).extend([number] * int(n))
        return {k: sorted(v, key=lambda x: (math.isnan(x), x)) for k, v in out.items()}
    a, b = spread(ours), spread(theirs)
    return a is not None and b is not None and a.keys() == b.keys() and all(
        len(a[k]) == len(b[k]) and all(close(x, y) for x, y in zip(a[k], b[k])) for k in a)


def last_digit_in_a_label(ask, tree, ours, theirs):
    """count_values writes a value out in full, so a difference far below 1e-9 becomes another label."""
    return "error" not in (ours[0], theirs[0]) and same_counts(ours[1], theirs[1], tree)


RULES = [collision_judged_at_the_end, or_below_a_subquery, filtered_matches_count, nobody_to_match, atan2_drops_the_name, timestamp_at_and_offset, gap_capped_before_zero,
         growth_of_extremes, numerics, regression_overflows, deviation_of_no_number, date_of_no_time, hyperbolics_and_logarithms,
         argument_rounded_otherwise, equally_good, last_digit_in_a_label, range_query_unlike_instant]
