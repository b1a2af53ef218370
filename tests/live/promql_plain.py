"""promql_plain.py - PromQL evaluated in the plainest way there is, to compare a fast engine with.

One step at a time, one series at a time; every window is looked through from its beginning; plain float arithmetic. Written from the
published language, not from our engine. What it takes is a tree of promql_plain_tree.py, so that nothing here parses.

    Plain(data).instant(tree, time_ms)               -> {labels: {time_ms: value}}
    Plain(data).ranged(tree, start, end, step)       -> the same; a scalar has the labels "scalar"

data: [(labels, [(time_ms, value, Histogram or "stale")])]. Refused raises Refused. A name that a function drops goes away only at
the end: until then an element carries `drop`.
"""
import math
import re

import promql_plain_functions as functions
import promql_plain_operators as operators
import promql_plain_windows as windowed
from promql_plain_tree import Aggregate, Binary, Negate, Number, Selector, Subquery, Text
from promql_plain_values import Element, Refused

LOOKBACK = 300_000
DEFAULT_STEP = 60_000  # of subqueries
CLOCK = {"time": lambda at, query: at / 1000, "pi": lambda at, query: math.pi, "start": lambda at, query: query[0] / 1000,
         "end": lambda at, query: query[1] / 1000, "range": lambda at, query: (query[1] - query[0]) / 1000, "step": lambda at, query: query[2] / 1000}


class Plain:
    def __init__(self, data):
        self.data = data
        self.names = {}
        for labels, samples in data:
            self.names.setdefault(labels["__name__"], []).append((labels, samples))

    # ---- whole queries ----

    def instant(self, tree, at):
        return self.ranged(tree, at, at, 1)

    def ranged(self, tree, start, end, step):
        query, out = (start, end, step), {}
        for at in range(start, end + 1, step):
            value = self.value(tree, at, query)
            if tree.type == "scalar":
                out.setdefault("scalar", {})[at] = value
                continue
            for e in functions.distinct(value):
                key = tuple(sorted(without_name(e.labels, e.drop).items()))
                if out.setdefault(key, {}).setdefault(at, e.value) is not e.value:
                    raise Refused("the same labels twice")
        return out

    # ---- one node at one time ----

    def value(self, node, at, query):
        if isinstance(node, (Number, Text)):
            return node.value
        if isinstance(node, Selector):
            return self.selected(node, at, query)
        if isinstance(node, Negate):
            value = self.value(node.of, at, query)
            return -value if node.type == "scalar" else operators.negated(value)
        if isinstance(node, Binary):
            return operators.binary(node, self.value(node.left, at, query), self.value(node.right, at, query))
        if isinstance(node, Aggregate):
            return operators.aggregated(node, self.value(node.of, at, query), self.value(node.param, at, query) if node.param else None)
        return self.call(node, at, query)

    def call(self, node, at, query):
        if node.name in CLOCK:
            return CLOCK[node.name](at, query)
        if node.name == "info":
            return self.info(node, at, query)
        if node.name in ("absent", "absent_over_time"):
            empty = not (self.value(node.args[0], at, query) if node.name == "absent" else self.windows(node.args[0], at, query))
            return [Element(labels_of_absent(node.args[0]), 1.0, True)] if empty else []
        args, windows = [], None
        for a in node.args:
            if a.type == "matrix":
                windows = self.windows(a, at, query)
            else:
                args.append(self.value(a, at, query))
        if windows is not None:
            return windowed.over_windows(node, windows, args, at)
        return functions.over_vectors(node, args, at)

    # ---- selectors ----

    def series(self, name, matchers):
        for labels, samples in self.names.get(name, []) if name else self.data:
            if all(matches(labels.get(l, ""), op, v) for l, op, v in matchers):
                yield labels, samples

    def reference(self, node, at, query):
        if node.at is not None:
            at = {"start()": query[0], "end()": query[1]}.get(node.at, node.at)
        return at - (node.offset.ms(query) if node.offset else 0)

    def selected(self, node, at, query):
        at, out = self.reference(node, at, query), []
        for labels, samples in self.series(node.name, node.matchers):
            if node.extent == "smoothed":
                value = windowed.smoothed_at([p for p in samples if at - LOOKBACK < p[0] <= at + LOOKBACK and p[1] != "stale"], at)
                when = at
            else:
                newest = [p for p in samples if at - LOOKBACK < p[0] <= at][-1:]
                value = newest[0][1] if newest and newest[0][1] != "stale" else None
                when = newest[0][0] if newest else at
            if value is not None:
                out.append(Element(labels, value, False, when))
        return out

    def windows(self, node, at, query):
        """[(labels, drop, [(time, value)], (from, to))] of a range selector or subquery; no empty ones."""
        at = self.reference(node, at, query)
        begin = at - node.range.ms(query)
        if isinstance(node, Subquery):
            return self.subquery(node, begin, at, query)
        low = begin - LOOKBACK if node.extent else begin
        high = at + LOOKBACK if node.extent == "smoothed" else at
        out = []
        for labels, samples in self.series(node.name, node.matchers):
            points = [(t, v) for t, v in samples if low < t <= high and v != "stale"]
            if points:
                out.append((labels, False, points, (begin, at)))
        return out

    def subquery(self, node, begin, end, query):
        step, found = node.step.ms(query) if node.step else DEFAULT_STEP, {}
        first = (begin // step + 1) * step  # multiples of the step, the left end left out
        for t in range(first, end + 1, step):
            value = self.value(node.of, t, query)
            elements = [Element({}, value, False)] if node.of.type == "scalar" else value
            for e in elements:
                labels, drop, points = found.setdefault((e.key(), e.drop and "__name__" in e.labels), (e.labels, e.drop, []))
                if points and points[-1][0] == t:
                    raise Refused("the same labels twice")
                points.append((t, e.value))
        return [(labels, drop, points, (begin, end)) for labels, drop, points in found.values()]

    # ---- info ----

    def info(self, node, at, query):
        base = self.value(node.args[0], at, query)
        asked = node.args[1].matchers if len(node.args) > 1 else ()
        names = [m for m in asked if m[0] == "__name__"] or [("__name__", "=", "target_info")]
        wanted = [m for m in asked if m[0] != "__name__"]
        infos = [e for e in self.selected(Selector("", tuple(names)), at, query) if all(matches(e.labels.get(l, ""), op, v) for l, op, v in wanted)]
        out = []
        for e in base:
            if all(matches(e.labels.get(l, ""), op, v) for l, op, v in names):
                out.append(e)
                continue
            same = [i for i in infos if all(i.labels.get(l) == e.labels.get(l) for l in ("instance", "job"))]
            newest = {}
            for i in same:
                other = newest.get(i.labels["__name__"])
                if other is None or i.when > other.when:
                    newest[i.labels["__name__"]] = i
            added = {}
            for i in newest.values():
                added.update({l: v for l, v in i.labels.items() if l not in ("__name__", "instance", "job")
                              and l not in e.labels and (not wanted or l in [w[0] for w in wanted])})
            if not newest and any(not matches("", op, v) for _, op, v in wanted):
                continue
            out.append(Element({**added, **e.labels}, e.value, e.drop, e.when))
        return out


def matches(have, op, value):
    if op in ("=", "!="):
        return (have == value) == (op == "=")
    return (re.fullmatch(value, have, re.S) is not None) == (op == "=~")


def without_name(labels, drop):
    return {k: v for k, v in labels.items() if k != "__name__"} if drop else labels


def labels_of_absent(node):
    out, seen = {}, set()
    for label, op, value in getattr(node, "matchers", ()):
        if label == "__name__":
            continue
        if op == "=" and label not in seen:
            out[label] = value
        else:
            out.pop(label, None)
        if op == "=":
            seen.add(label)
    return {k: v for k, v in out.items() if v}
