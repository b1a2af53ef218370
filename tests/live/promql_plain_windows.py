"""promql_plain_windows.py - functions of range vectors for the plain evaluator.

Each gets all samples of the window, floats and histograms, and answers a value or None for nothing."""
import math

from promql_plain_histogram import Histogram, Mismatch
from promql_plain_values import Element, Refused

NAN, INF = math.nan, math.inf


def over_windows(node, windows, args, at):
    function, out = WINDOW[node.name], []
    extent = getattr([a for a in node.args if a.type == "matrix"][0], "extent", "")
    for labels, drop, points, span in windows:
        try:
            if extent:
                value = extended(node.name, extent, points, span)
            elif node.name in SPANNED:
                value = function(points, span, at, *args)
            else:
                value = function(points, *args)
        except Mismatch:
            value = None
        if value is not None:
            out.append(Element(labels, value, drop or node.name not in ("last_over_time", "first_over_time")))
    return out


def floats(points):
    return [v for _, v in points if not isinstance(v, Histogram)]


def all_floats(points):
    return all(not isinstance(v, Histogram) for _, v in points)


def all_histograms(points):
    return all(isinstance(v, Histogram) for _, v in points)


def of_floats(f):
    """Histograms are passed over; nothing without a float."""
    def window(points, *args):
        values = floats(points)
        return f(values, *args) if values else None
    return window


def total(values):
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return sum(values)


def mean(values):
    exact = total(values)
    if math.isinf(exact) and all(math.isfinite(v) for v in values):
        return math.fsum(v / len(values) for v in values)
    return exact / len(values)


def variance(values):
    if any(not math.isfinite(v) for v in values):
        return NAN
    m = mean(values)
    return math.fsum((v - m) ** 2 for v in values) / len(values)


def quantile(values, q):
    if not values or math.isnan(q):
        return NAN
    if q < 0 or q > 1:
        return -INF if q < 0 else INF
    ordered = sorted(values, key=lambda v: (not math.isnan(v), v))
    rank = q * (len(ordered) - 1)
    low = max(0, math.floor(rank))
    high, weight = min(len(ordered) - 1, low + 1), rank - math.floor(rank)
    return ordered[low] * (1 - weight) + ordered[high] * weight


def deviation_from_median(values):
    if any(math.isnan(v) for v in values):
        return NAN
    middle = quantile(values, 0.5)
    return quantile([abs(v - middle) for v in values], 0.5)


def extreme(points, better):
    """(time, value) of the last of the best floats; a number is better than NaN."""
    best = None
    for t, v in points:
        if not isinstance(v, Histogram) and (best is None or better(v, best[1]) or v == best[1] or math.isnan(best[1])):
            best = (t, v)
    return best


def greatest(points):
    best = extreme(points, lambda a, b: a > b)
    return best and best[1]


def smallest(points):
    best = extreme(points, lambda a, b: a < b)
    return best and best[1]


def time_of(best):
    return best and best[0] / 1000


def sum_over(points):
    if all_floats(points):
        return total(floats(points))
    if not all_histograms(points):
        return None
    out = points[0][1]
    for _, h in points[1:]:
        out = out + h
    return out


def average_over(points):
    if all_floats(points):
        return mean(floats(points))
    out = sum_over(points)
    return out and out.scaled(1 / len(points))


def is_change(a, b):
    if isinstance(a, Histogram) or isinstance(b, Histogram):
        return not (isinstance(a, Histogram) and isinstance(b, Histogram) and a.equals(b))
    return a != b and not (math.isnan(a) and math.isnan(b))


def is_reset(a, b):
    if isinstance(a, Histogram) != isinstance(b, Histogram):
        return True
    return b.is_reset_after(a) if isinstance(a, Histogram) else b < a


def pairs(values):
    return list(zip(values, values[1:]))


def changes(points):
    return float(sum(is_change(a, b) for a, b in pairs([v for _, v in points])))


def resets(points):
    return float(sum(is_reset(a, b) for a, b in pairs([v for _, v in points])))


def growth(values, counter):
    """Last less first; for a counter with what each reset took away."""
    if isinstance(values[0], Histogram):
        if counter and len(values) > 1 and values[1].is_reset_after(values[0]):
            first, values = values[1].scaled(0), values[1:]
        else:
            first = values[0]
        if len({v.is_custom() for v in values} | {first.is_custom()}) > 1:
            raise Mismatch()
        out = values[-1] - first
        for a, b in pairs(values) if counter else []:
            if not out.is_custom():
                out = out.coarser(min(out.schema, a.schema, b.schema))
            if b.is_reset_after(a):
                out = out + a
        return out
    out = values[-1] - values[0]
    if counter:
        for a, b in pairs(values):
            out += a if b < a else 0
    return out


def extrapolated(points, span, counter, per_second):
    if len(points) < 2 or not (all_floats(points) or all_histograms(points)):
        return None
    values = [v for _, v in points]
    grown = growth(values, counter)
    sampled = (points[-1][0] - points[0][0]) / 1000
    average = sampled / (len(points) - 1)
    before, after = (points[0][0] - span[0]) / 1000, (span[1] - points[-1][0]) / 1000
    if before >= average * 1.1:
        before = average / 2
    amount, first = (grown.count, values[0].count) if isinstance(grown, Histogram) else (grown, values[0])
    if counter and amount > 0 and first >= 0:
        before = min(before, sampled * (first / amount))
    if after >= average * 1.1:
        after = average / 2
    factor = (sampled + before + after) / sampled
    if per_second:
        factor /= (span[1] - span[0]) / 1000
    return grown.scaled(factor) if isinstance(grown, Histogram) else grown * factor


def last_two(points, counter, per_second):
    if len(points) < 2:
        return None
    (t0, a), (t1, b) = points[-2:]
    if isinstance(a, Histogram) != isinstance(b, Histogram):
        return None
    if isinstance(a, Histogram):
        grown = b if counter and b.is_reset_after(a) else b - a
        return grown.divided((t1 - t0) / 1000) if per_second else grown
    grown = b if counter and b < a else b - a
    return grown / ((t1 - t0) / 1000) if per_second else grown


# ---- anchored and smoothed: real or interpolated values at the ends instead of extrapolation ----

def between(a, b, share):
    return a + (b - a).scaled(share) if isinstance(a, Histogram) else a + (b - a) * share


def zero_of(v):
    return v.scaled(0) if isinstance(v, Histogram) else 0.0


def at_edge(before, after, t, counter):
    """The value at t between two samples; a counter that was reset between them rose from zero."""
    (t0, a), (t1, b) = before, after
    if counter and is_reset(a, b):
        a = zero_of(b)
    return between(a, b, (t - t0) / (t1 - t0))


def extended(name, extent, points, span):
    begin, end = span
    until = [p for p in points if p[0] <= end]
    if not until:  # what is first seen after the range has not grown in it: 0, as Prometheus has it
        return growth([points[0][1]] * 2, False)
    if until[-1][0] <= begin and not (extent == "smoothed" and points[-1][0] > end):
        return None
    if name in ("changes", "resets"):
        chosen = [p for p in until if p[0] <= begin][-1:] + [p for p in until if p[0] > begin]
        return changes(chosen) if name == "changes" else resets(chosen)
    if not (all_floats(points) or all_histograms(points)):
        return None
    counter = name in ("rate", "increase")
    values = [v for t, v in points if begin < t <= end]
    left = [p for p in points if p[0] <= begin][-1:]
    inside_or_after = [p for p in points if p[0] > begin]
    if left:
        exact = extent == "anchored" or left[0][0] == begin
        values.insert(0, left[0][1] if exact else at_edge(left[0], inside_or_after[0], begin, counter))
    after = [p for p in points if p[0] > end][:1]
    if extent == "smoothed" and after and until[-1][0] < end:
        values.append(at_edge(until[-1], after[0], end, counter))
    grown = growth(values, counter)
    if name != "rate":
        return grown
    seconds = (end - begin) / 1000
    return grown.divided(seconds) if isinstance(grown, Histogram) else grown / seconds


def smoothed_at(points, at):
    before, after = [p for p in points if p[0] <= at], [p for p in points if p[0] > at]
    if not before:
        return None
    if before[-1][0] == at or not after:
        return before[-1][1]
    if isinstance(before[-1][1], Histogram) != isinstance(after[0][1], Histogram):
        return None
    return between(before[-1][1], after[0][1], (at - before[-1][0]) / (after[0][0] - before[-1][0]))


# ---- trends ----

def line(points, origin):
    """(slope, value at origin) by least squares; times in seconds."""
    times = [(t - origin) / 1000 for t, _ in points]
    values = [v for _, v in points]
    if all(v == values[0] for v in values):
        return (0.0, values[0]) if math.isfinite(values[0]) else (NAN, NAN)
    n = len(points)
    mid_t, mid_v = total(times) / n, total(values) / n
    spread = math.fsum((t - mid_t) ** 2 for t in times)
    slope = total([(t - mid_t) * (v - mid_v) for t, v in zip(times, values)]) / spread
    return slope, mid_v - slope * mid_t


def only_floats(points):
    return [p for p in points if not isinstance(p[1], Histogram)]


def slope(points, *_):
    points = only_floats(points)
    return line(points, points[0][0])[0] if len(points) > 1 else None


def predicted(points, span, at, seconds):
    points = only_floats(points)
    if len(points) < 2:
        return None
    rise, value = line(points, at)
    return rise * seconds + value


def smoothing(points, factor, trend_factor):
    if not (0 < factor < 1) or not (0 < trend_factor < 1):
        raise Refused("factors lie between 0 and 1")
    values = floats(points)
    if len(values) < 2:
        return None
    level, trend = values[0], values[1] - values[0]
    for i, v in enumerate(values[1:]):
        if i > 0:
            trend = trend_factor * (level - previous) + (1 - trend_factor) * trend
        previous, level = level, factor * v + (1 - factor) * (level + trend)
    return level


SPANNED = {"rate", "increase", "delta", "predict_linear"}
WINDOW = {
    "rate": lambda p, span, at: extrapolated(p, span, True, True),
    "increase": lambda p, span, at: extrapolated(p, span, True, False),
    "delta": lambda p, span, at: extrapolated(p, span, False, False),
    "predict_linear": predicted,
    "irate": lambda p: last_two(p, True, True),
    "idelta": lambda p: last_two(p, False, False),
    "changes": changes,
    "resets": resets,
    "deriv": slope,
    "double_exponential_smoothing": smoothing,
    "avg_over_time": average_over,
    "sum_over_time": sum_over,
    "count_over_time": lambda p: float(len(p)),
    "present_over_time": lambda p: 1.0,
    "first_over_time": lambda p: p[0][1],
    "last_over_time": lambda p: p[-1][1],
    "max_over_time": greatest,
    "min_over_time": smallest,
    "stddev_over_time": of_floats(lambda v: math.sqrt(variance(v))),
    "stdvar_over_time": of_floats(variance),
    "mad_over_time": of_floats(deviation_from_median),
    "quantile_over_time": lambda p, q: quantile(floats(p), q) if floats(p) else None,
    "ts_of_first_over_time": lambda p: p[0][0] / 1000,
    "ts_of_last_over_time": lambda p: p[-1][0] / 1000,
    "ts_of_max_over_time": lambda p: time_of(extreme(p, lambda a, b: a > b)),
    "ts_of_min_over_time": lambda p: time_of(extreme(p, lambda a, b: a < b)),
}
