"""promql_plain_operators.py - operators and aggregations of the plain evaluator."""
import math

from promql_plain_histogram import Histogram, Mismatch
from promql_plain_values import Element, Refused
from promql_plain_windows import mean, quantile, total, variance

NAN, INF = math.nan, math.inf
COMPARES = {"==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
            ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}
SETS = ("and", "or", "unless")
TRIMS = ("</", ">/")


# ---- numbers ----

def divided(a, b):
    if b != 0:
        return a / b
    return NAN if a == 0 or math.isnan(a) or math.isnan(b) else math.copysign(INF, a) * math.copysign(1, b)


def remainder(a, b):
    return NAN if b == 0 or math.isinf(a) or math.isnan(a) or math.isnan(b) else math.fmod(a, b)


def power(a, b):
    try:
        return math.pow(a, b)
    except OverflowError:
        return -INF if a < 0 and b == int(b) and int(b) % 2 else INF
    except ValueError:  # zero to a negative power, or a negative number to a fraction
        if a != 0:
            return NAN
        return math.copysign(INF, a) if b == int(b) and int(b) % 2 else INF


ARITHMETIC = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": divided, "%": remainder, "^": power, "atan2": math.atan2}


def negated(vector):
    return [e.changed(e.value.scaled(-1) if isinstance(e.value, Histogram) else -e.value) for e in vector]


def computed(op, a, b):
    """The value of a op b; None when the two do not go together. For comparisons True or False."""
    kinds = (isinstance(a, Histogram), isinstance(b, Histogram))
    if kinds == (False, False):
        return COMPARES[op](a, b) if op in COMPARES else None if op in TRIMS else ARITHMETIC[op](a, b)
    try:
        if kinds == (True, True):
            if op in ("==", "!="):
                return a.equals(b) == (op == "==")
            return {"+": lambda: a + b, "-": lambda: a - b}.get(op, lambda: None)()
    except Mismatch:
        return None
    if op == "*":
        return a.scaled(b) if kinds[0] else b.scaled(a)
    if op == "/" and kinds[0]:
        return a.divided(b)
    if op in TRIMS and kinds[0]:
        return a.trimmed(b, op == "</")
    return None


# ---- operators ----

def binary(node, left, right):
    if node.left.type == "scalar" and node.right.type == "scalar":
        return float(computed(node.op, left, right))
    if node.op in SETS:
        return of_sets(node, left, right)
    if "scalar" in (node.left.type, node.right.type):
        return with_number(node, left, right)
    return matched(node, left, right)


def with_number(node, left, right):
    out, turned = [], node.left.type == "scalar"
    for e in right if turned else left:
        value = computed(node.op, left, e.value) if turned else computed(node.op, e.value, right)
        if value is None:
            continue
        if node.op in COMPARES:
            if node.bool:
                out.append(e.changed(float(value)))
            elif value:
                out.append(e.changed(e.value, False))
        else:
            out.append(e.changed(value, node.op not in TRIMS))
    return out


def signature(node, labels):
    if node.keep == "on":
        return tuple((l, labels[l]) for l in sorted(set(node.labels)) if l in labels)
    return tuple((l, v) for l, v in sorted(labels.items()) if l != "__name__" and l not in node.labels)


def of_sets(node, left, right):
    there = {signature(node, e.labels) for e in right}
    if node.op == "and":
        return [e for e in left if signature(node, e.labels) in there]
    if node.op == "unless":
        return [e for e in left if signature(node, e.labels) not in there]
    have = {signature(node, e.labels) for e in left}
    return left + [e for e in right if signature(node, e.labels) not in have]


def matched(node, left, right):
    """One to one, or many to one; where a side has nobody and may be filled, a stand-in with the labels matched by."""
    fills = (node.fill_left, node.fill_right)
    if (not left or not right) and fills == (None, None):
        return []
    many, one = (right, left) if node.group == "group_right" else (left, right)
    fill_many, fill_one = fills  # with group_right, too: there fill_left is for the many on the right, as the corpus has it
    ones = {}
    for e in one:
        if signature(node, e.labels) in ones:
            raise Refused("several on the one side")
        ones[signature(node, e.labels)] = e
    out, met, made = [], set(), set()
    for m in many:
        key = signature(node, m.labels)
        o = ones.get(key)
        if o is None and fill_one is not None:
            o = Element(dict(key), fill_one)
        if o is None:
            continue
        if not node.group and key in met:
            raise Refused("several on both sides")
        met.add(key)
        joined(node, m, o, out, made)
    for key, o in ones.items():
        if key not in met and fill_many is not None:
            joined(node, Element(dict(key), fill_many), o, out, made)
    return out


def joined(node, m, o, out, made):
    left, right = (o, m) if node.group == "group_right" else (m, o)
    value = computed(node.op, left.value, right.value)
    labels = dict(m.labels)
    if node.op in ARITHMETIC:
        labels.pop("__name__", None)
    if not node.group:
        labels = {l: v for l, v in labels.items() if (l in node.labels if node.keep == "on" else l not in node.labels)}
    for l in node.include:
        labels.pop(l, None)
        if o.labels.get(l):
            labels[l] = o.labels[l]
    key = tuple(sorted(labels.items()))
    if node.group:
        if key in made:
            raise Refused("several on the many side become one")
        made.add(key)
    if value is None or (node.op in COMPARES and not node.bool and not value):
        return
    if node.op in COMPARES:
        value = float(value) if node.bool else left.value
    out.append(Element(labels, value, m.drop or node.bool))


# ---- aggregations ----

def aggregated(node, vector, param):
    if node.name in ("topk", "bottomk") and math.isnan(param):
        raise Refused("no number")
    if node.name == "count_values":
        vector = [of_value(e, param) for e in vector]
        node = node.but(labels=(node.labels if node.keep else ()) + (param,), keep="by") if node.keep != "without" else node.but(labels=tuple(l for l in node.labels if l != param))
    groups, out = {}, []
    for e in vector:
        if node.keep == "without":
            labels = {l: v for l, v in e.labels.items() if l != "__name__" and l not in node.labels}
        else:
            labels = {l: e.labels[l] for l in node.labels if l in e.labels} if node.keep == "by" else {}
        groups.setdefault(tuple(sorted(labels.items())), []).append(e)
    for key, members in groups.items():
        if node.name in ("topk", "bottomk"):
            out += best(node.name, members, int(param))
            continue
        value = GROUP[node.name](members, param) if node.name == "quantile" else GROUP[node.name](members)
        if value is not None:
            out.append(Element(dict(key), value, any(e.drop for e in members)))
    return out


def best(name, members, k):
    """The k greatest or smallest floats, NaN last; ties are the caller's care."""
    sign = -1 if name == "topk" else 1
    numbers = [e for e in members if e.is_float()]
    return sorted(numbers, key=lambda e: (math.isnan(e.value), 0 if math.isnan(e.value) else sign * e.value))[:max(0, k)]


def of_value(e, target):
    """The element with its value as a label, by which count_values then groups."""
    text = "%d" % e.value if e.value == int(e.value) else repr(e.value)
    return Element({**e.labels, target: text}, e.value, e.drop)


def numbers(f):
    def g(members, *args):
        values = [e.value for e in members if e.is_float()]
        return f(values, *args) if values else None
    return g


def summed(members):
    kinds = {e.is_float() for e in members}
    if len(kinds) > 1:
        return None
    if kinds == {True}:
        return total([e.value for e in members])
    out = members[0].value
    try:
        for e in members[1:]:
            out = out + e.value
    except Mismatch:
        return None
    return out


def averaged(members):
    if all(e.is_float() for e in members):
        return mean([e.value for e in members])
    out = summed(members)
    return out and out.scaled(1 / len(members))


def outermost(pick):
    def f(values):
        real = [v for v in values if not math.isnan(v)]
        return pick(real) if real else NAN
    return f


GROUP = {
    "sum": summed, "avg": averaged, "count": lambda m: float(len(m)), "count_values": lambda m: float(len(m)), "group": lambda m: 1.0, "min": numbers(outermost(min)), "max": numbers(outermost(max)),
    "stddev": numbers(lambda v: math.sqrt(variance(v))), "stdvar": numbers(variance), "quantile": numbers(quantile),
}
