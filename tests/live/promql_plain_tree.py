"""promql_plain_tree.py - PromQL expressions as trees that can be written as text and evaluated (promql_plain.py) without a parser.

kids() and with_kids() serve the search for the smallest tree that still shows a disagreement. Nodes never change."""
import dataclasses
from dataclasses import dataclass


class Node:
    type = "vector"
    kid_names = ()

    def kids(self):
        return [getattr(self, n) for n in self.kid_names if isinstance(getattr(self, n), Node)]

    def walk(self):
        yield self
        for k in self.kids():
            yield from k.walk()

    def replaced(self, old, new):
        if self is old:
            return new
        changes = {}
        for n in self.kid_names:
            k = getattr(self, n)
            if isinstance(k, Node):
                changed = k.replaced(old, new)
                if changed is not k:
                    changes[n] = changed
        return dataclasses.replace(self, **changes) if changes else self

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


class Duration:
    """How it is written, and seconds as a function of the query (start, end, step in ms)."""

    def __init__(self, written, seconds):
        self.written, self.seconds = written, seconds

    def ms(self, query):
        return round(self.seconds(query) * 1000)


def plain(seconds, written=None):
    return Duration(written or "%gs" % seconds if seconds >= 0 else "-%gs" % -seconds, lambda query: seconds)


def quote(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def modifiers(node):
    out = " @ " + (node.at if isinstance(node.at, str) else "%d.%03d" % (node.at // 1000, node.at % 1000)) if node.at is not None else ""
    return out + (" offset " + node.offset.written if node.offset else "")


def wrapped(node):
    """As an operand. After `offset (1m)` an operator would go on with the duration, and -2 ^ 2 is -(2 ^ 2)."""
    text = node.text()
    inner = isinstance(node, (Binary, Negate)) or text.startswith("-") or " offset" in text and text.endswith(")") and isinstance(node, Selector)
    return "(%s)" % text if inner else text


@dataclass(frozen=True, eq=False)
class Number(Node):
    value: float
    written: str
    type = "scalar"

    def text(self):
        return self.written


@dataclass(frozen=True, eq=False)
class Text(Node):
    value: str
    type = "string"

    def text(self):
        return quote(self.value)


@dataclass(frozen=True, eq=False)
class Selector(Node):
    name: str
    matchers: tuple = ()
    extent: str = ""
    offset: Duration = None
    at: object = None

    def inside(self):
        return self.name + ("{%s}" % ", ".join("%s%s%s" % (l, op, quote(v)) for l, op, v in self.matchers) if self.matchers else "")

    def text(self):
        return self.inside() + (" " + self.extent if self.extent else "") + modifiers(self)


@dataclass(frozen=True, eq=False)
class Range(Node):
    name: str
    range: Duration
    matchers: tuple = ()
    extent: str = ""
    offset: Duration = None
    at: object = None
    type = "matrix"
    inside = Selector.inside

    def text(self):
        return "%s[%s]" % (self.inside(), self.range.written) + (" " + self.extent if self.extent else "") + modifiers(self)


@dataclass(frozen=True, eq=False)
class Subquery(Node):
    of: Node
    range: Duration
    step: Duration = None
    offset: Duration = None
    at: object = None
    type = "matrix"
    kid_names = ("of",)

    def text(self):
        return "%s[%s:%s]%s" % (wrapped(self.of), self.range.written, self.step.written if self.step else "", modifiers(self))


@dataclass(frozen=True, eq=False)
class Call(Node):
    name: str
    args: tuple
    type: str = "vector"

    def kids(self):
        return list(self.args)

    def replaced(self, old, new):
        if self is old:
            return new
        args = tuple(a.replaced(old, new) for a in self.args)
        return self.but(args=args) if any(a is not b for a, b in zip(args, self.args)) else self

    def text(self):
        return "%s(%s)" % (self.name, ", ".join(a.text() for a in self.args))


@dataclass(frozen=True, eq=False)
class Aggregate(Node):
    name: str
    of: Node
    param: Node = None
    keep: str = ""  # by, without
    labels: tuple = ()
    kid_names = ("param", "of")

    def text(self):
        return "%s%s (%s%s)" % (self.name, " %s (%s)" % (self.keep, ", ".join(self.labels)) if self.keep else "",
                                self.param.text() + ", " if self.param else "", self.of.text())


@dataclass(frozen=True, eq=False)
class Binary(Node):
    op: str
    left: Node
    right: Node
    bool: bool = False
    keep: str = ""  # on, ignoring
    labels: tuple = ()
    group: str = ""  # group_left, group_right
    include: tuple = ()
    fill_left: float = None
    fill_right: float = None
    kid_names = ("left", "right")

    @property
    def type(self):
        return "scalar" if self.left.type == self.right.type == "scalar" else "vector"

    def text(self):
        words = [self.op + (" bool" if self.bool else "")]
        if self.keep:
            words.append("%s (%s)" % (self.keep, ", ".join(self.labels)))
        if self.group:
            words.append("%s (%s)" % (self.group, ", ".join(self.include)))
        if self.fill_left is not None and self.fill_left == self.fill_right:
            words.append("fill (%g)" % self.fill_left)
        else:
            words += ["%s (%g)" % (n, v) for n, v in (("fill_left", self.fill_left), ("fill_right", self.fill_right)) if v is not None]
        return "%s %s %s" % (wrapped(self.left), " ".join(words), wrapped(self.right))


@dataclass(frozen=True, eq=False)
class Negate(Node):
    of: Node
    kid_names = ("of",)

    @property
    def type(self):
        return self.of.type

    def text(self):
        return "-" + wrapped(self.of)
