"""promql_plain_values.py - what the plain evaluator passes around."""
from promql_plain_histogram import Histogram


class Refused(Exception):
    """The query has no answer, as an error."""


class Element:
    """One element of a vector; when is the time of its sample."""

    def __init__(self, labels, value, drop=False, when=None):
        self.labels, self.value, self.drop, self.when = labels, value, drop, when

    def key(self):
        return tuple(sorted(self.labels.items()))

    def changed(self, value, drop=True):
        return Element(self.labels, value, self.drop or drop)

    def is_float(self):
        return not isinstance(self.value, Histogram)
