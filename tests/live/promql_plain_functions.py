"""promql_plain_functions.py - functions of instant vectors and numbers for the plain evaluator."""
import calendar
import datetime
import math
import re

from promql_plain_values import Element, Refused

NAN, INF = math.nan, math.inf


def over_vectors(node, args, at):
    if node.name == "vector":
        return [Element({}, args[0])]
    if node.name == "scalar":
        numbers = [e for e in args[0] if e.is_float()]
        return numbers[0].value if len(numbers) == 1 else NAN
    if node.name in ("max_of", "min_of"):
        pick, end = (max, INF) if node.name == "max_of" else (min, -INF)
        return end if end in args else NAN if any(math.isnan(a) for a in args) else pick(args)  # nothing beats infinity, not even NaN
    if node.name == "timestamp":
        return [e.changed((e.when if e.when is not None else at) / 1000) for e in args[0]]
    if node.name in LABELLED:
        return LABELLED[node.name](*args)
    if node.name.startswith("histogram_"):
        return HISTOGRAM[node.name](*args)
    if node.name.startswith("sort_by_label"):
        return sorted(args[0], key=lambda e: ([natural(e.labels.get(l, "")) for l in args[1:]], e.key()), reverse=node.name.endswith("desc"))
    return [e.changed(MATHS[node.name](e.value, *args[1:])) for e in args[0] if e.is_float() and not hollow(node.name, args)]


def hollow(name, args):
    return name == "clamp" and args[1] > args[2]


def safe(f):
    """Python raises where floating point has an answer."""
    def g(x):
        try:
            return f(x)
        except ValueError:
            return NAN
        except OverflowError:
            return INF
    return g


def logarithm(f):
    return lambda x: NAN if x < 0 or math.isnan(x) else -INF if x == 0 else f(x)


def rounded(x, to=1.0):
    if not math.isfinite(x):
        return x
    inverse = 1.0 / to
    return math.floor(x * inverse + 0.5) / inverse


def clamped(x, low, high):
    if math.isnan(x) or math.isnan(low) or math.isnan(high):
        return NAN
    return max(low, min(high, x))


def whole(f):
    return lambda x: float(f(x)) if math.isfinite(x) else x


def date(field):
    def f(x):
        if not math.isfinite(x):
            return NAN
        d = datetime.datetime.fromtimestamp(math.trunc(x), datetime.timezone.utc)
        return float(field(d))
    return f


MATHS = {
    "abs": abs, "ceil": whole(math.ceil), "floor": whole(math.floor), "sqrt": safe(math.sqrt), "exp": safe(math.exp), "sgn": lambda x: x if math.isnan(x) or x == 0 else math.copysign(1.0, x),
    "ln": logarithm(math.log), "log2": logarithm(math.log2), "log10": logarithm(math.log10), "sin": safe(math.sin), "cos": safe(math.cos), "atan": math.atan,
    "deg": math.degrees, "rad": math.radians, "round": rounded, "clamp": clamped,
    "clamp_min": lambda x, low: NAN if math.isnan(x) or math.isnan(low) else max(x, low), "clamp_max": lambda x, high: NAN if math.isnan(x) or math.isnan(high) else min(x, high),
    "hour": date(lambda d: d.hour), "minute": date(lambda d: d.minute), "month": date(lambda d: d.month), "year": date(lambda d: d.year),
    "day_of_week": date(lambda d: d.isoweekday() % 7), "day_of_month": date(lambda d: d.day), "day_of_year": date(lambda d: d.timetuple().tm_yday),
    "days_in_month": date(lambda d: calendar.monthrange(d.year, d.month)[1]),
}


def label_replace(vector, target, template, source, pattern):
    out = []
    for e in vector:
        m = re.fullmatch(pattern, e.labels.get(source, ""), re.S)
        if m:
            value = re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda g: group_of(m, g[1] or g[2]), template)
            e = relabelled(e, target, value)
        out.append(e)
    return distinct(out)


def natural(text):
    """Digits count as numbers: b:2 before b:10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|\D+", text)]


def group_of(m, name):
    """$1_x asks for a group of the name 1_x, which is not there."""
    return (m.group(int(name)) or "") if name.isdigit() and int(name) <= m.re.groups else ""


def label_join(vector, target, separator, *sources):
    return distinct([relabelled(e, target, separator.join(e.labels.get(s, "") for s in sources)) for e in vector])


def relabelled(e, target, value):
    labels = {k: v for k, v in e.labels.items() if k != target}
    if value:
        labels[target] = value
    return Element(labels, e.value, e.drop and target != "__name__")


def distinct(vector):
    if len({e.key() for e in vector}) < len(vector):
        raise Refused("the same labels twice")
    return vector


LABELLED = {"label_replace": label_replace, "label_join": label_join}


# ---- histograms, native and classic ----

def native(f):
    return lambda *args: [e.changed(f(*args[:-1], e.value)) for e in args[-1] if not e.is_float()]


def le(text):
    try:
        return float(text)
    except ValueError:
        return None


def classic(vector):
    """{labels without le: (labels, drop, [(bound, count)])}"""
    out = {}
    for e in vector:
        if e.is_float() and le(e.labels.get("le", "")) is not None:
            labels = {k: v for k, v in e.labels.items() if k != "le"}
            out.setdefault(tuple(sorted(labels.items())), (labels, []))[1].append((le(e.labels["le"]), e.value))
    return out.values()


def monotonic(buckets):
    merged = {}
    for bound, count in buckets:
        merged[bound] = merged.get(bound, 0.0) + count
    out, most = [], -INF
    for bound in sorted(merged):
        most = max(most, merged[bound])
        out.append((bound, most))
    return out


def classic_quantile(q, buckets):
    if math.isnan(q) or not buckets or max(b for b, _ in buckets) != INF:
        return NAN
    if q < 0 or q > 1:
        return -INF if q < 0 else INF
    buckets = monotonic(buckets)
    if len(buckets) < 2 or buckets[-1][1] == 0:
        return NAN
    rank = q * buckets[-1][1]
    i = next((i for i, b in enumerate(buckets[:-1]) if b[1] >= rank), len(buckets) - 1)
    if i == len(buckets) - 1:
        return buckets[-2][0]
    if i == 0 and buckets[0][0] <= 0:
        return buckets[0][0]
    low, below = buckets[i - 1] if i > 0 else (0.0, 0.0)
    return low + (buckets[i][0] - low) * ((rank - below) / (buckets[i][1] - below)) if buckets[i][1] != below else NAN


def classic_fraction(low, high, buckets):
    if math.isnan(low) or math.isnan(high) or not buckets or max(b for b, _ in buckets) != INF:
        return NAN
    buckets = monotonic(buckets)
    if len(buckets) < 2 or buckets[-1][1] == 0:
        return NAN
    if low >= high:
        return 0.0
    return (classic_below(high, buckets) - classic_below(low, buckets)) / buckets[-1][1]


def classic_below(x, buckets):
    """Observations up to x, evenly spread within each bucket; the lowest begins at zero when it ends above."""
    lower, below = (0.0 if buckets[0][0] > 0 else -INF), 0.0
    for upper, count in buckets:
        if upper <= x:
            lower, below = upper, count
        elif x > lower and upper != INF and lower != -INF:
            return below + (count - below) * (x - lower) / (upper - lower)
        else:
            return below
    return below


def histogram_fraction(low, high, vector):
    out = [e.changed(e.value.fraction(low, high)) for e in vector if not e.is_float()]
    return out + [Element(labels, classic_fraction(low, high, buckets), True) for labels, buckets in classic(vector)]


def histogram_quantile(q, vector):
    natives = [e for e in vector if not e.is_float()]
    out = [e.changed(e.value.quantile(q)) for e in natives]
    return out + [Element(labels, classic_quantile(q, buckets), True) for labels, buckets in classic(vector)]


def histogram_quantiles(vector, label, *qs):
    out = []
    for q in qs:
        for e in histogram_quantile(q, vector):
            out.append(relabelled(e, label, repr(float(q))))
    return distinct(out)


HISTOGRAM = {
    "histogram_quantile": histogram_quantile,
    "histogram_quantiles": histogram_quantiles,
    "histogram_count": native(lambda h: h.count),
    "histogram_sum": native(lambda h: h.total),
    "histogram_avg": native(lambda h: h.total / h.count if h.count else NAN),
    "histogram_stdvar": native(lambda h: h.variance()),
    "histogram_stddev": native(lambda h: math.sqrt(h.variance()) if not h.variance() < 0 else NAN),
    "histogram_fraction": histogram_fraction,
}
