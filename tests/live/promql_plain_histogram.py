"""promql_plain_histogram.py - native histograms for the plain evaluator: buckets in a dictionary, every operation bucket by bucket.

A bucket's index i covers, with exponential buckets of schema s, (2^((i-1)/2^s), 2^(i/2^s)] among the positive ones and the mirror of
that among the negative ones; with custom buckets (custom[i-1], custom[i]], the last one up to +Inf. Nothing here is fast.
"""
import math

INF = math.inf
CUSTOM = -53


class Mismatch(Exception):
    """Exponential and custom buckets do not mix: the element goes away."""


class Histogram:
    def __init__(self, schema, zero_threshold=0.0, zero_count=0.0, count=0.0, total=0.0, positive=None, negative=None, custom=(), gauge=False):
        self.schema, self.zero_threshold, self.zero_count, self.count, self.total = schema, zero_threshold, zero_count, count, total
        self.positive, self.negative, self.custom, self.gauge = dict(positive or {}), dict(negative or {}), tuple(custom), gauge

    def copy(self):
        return Histogram(self.schema, self.zero_threshold, self.zero_count, self.count, self.total, self.positive, self.negative, self.custom, self.gauge)

    def is_custom(self):
        return self.schema == CUSTOM

    # ---- where buckets lie ----

    def upper(self, i):
        if self.is_custom():
            return self.custom[i] if i < len(self.custom) else INF
        return 2.0 ** (i / 2.0 ** self.schema)

    def lower(self, i):
        if self.is_custom():
            return self.custom[i - 1] if i > 0 else -INF
        return 2.0 ** ((i - 1) / 2.0 ** self.schema)

    def buckets(self):
        """(lower, upper, count) in ascending order, those with observations only."""
        edge = -INF if self.is_custom() else self.zero_threshold  # what the zero bucket covers is not covered twice
        out = [(-self.upper(i), min(-self.lower(i), -edge), c) for i, c in sorted(self.negative.items(), reverse=True)]
        if self.zero_count > 0:  # Prometheus passes over one below zero, which a difference may have
            out.append((-self.zero_threshold, self.zero_threshold, self.zero_count))
        out += [(max(self.lower(i), edge), self.upper(i), c) for i, c in sorted(self.positive.items())]
        return [b for b in out if b[2] != 0]

    def leaning(self):
        """The same, with the zero bucket only on the side where there are others, and the lowest custom bucket from 0 when it ends above."""
        out = []
        for lower, upper, c in self.buckets():
            if not self.is_custom() and lower < 0 < upper:
                lower = 0.0 if nonzero(self.positive) and not nonzero(self.negative) else lower
                upper = 0.0 if nonzero(self.negative) and not nonzero(self.positive) else upper
            elif self.is_custom() and lower == -INF and upper > 0:
                lower = 0.0
            out.append((lower, upper, c))
        return out

    # ---- making two alike ----

    def coarser(self, schema):
        """The same observations in wider exponential buckets."""
        out, shift = self.copy(), self.schema - schema
        for name in ("positive", "negative"):
            merged = {}
            for i, c in getattr(self, name).items():
                j = ((i - 1) >> shift) + 1
                merged[j] = merged.get(j, 0.0) + c
            setattr(out, name, merged)
        out.schema = schema
        return out

    def wider_zero(self, threshold):
        """The zero bucket widened to hold all up to threshold, further if that is inside a bucket in use."""
        out = self.copy()
        again = True
        while again:
            again = False
            for side in (self.positive, self.negative):
                for i, c in side.items():
                    if c and self.lower(i) < threshold < self.upper(i):
                        threshold, again = self.upper(i), True
        for side in (out.positive, out.negative):
            for i in [i for i in side if self.lower(i) < threshold]:
                out.zero_count += side.pop(i)
        out.zero_threshold = threshold
        return out

    def with_bounds(self, bounds):
        """Custom buckets over fewer bounds."""
        out = self.copy()
        out.positive, out.custom = {}, tuple(bounds)
        for i, c in self.positive.items():
            j = next((k for k, b in enumerate(bounds) if b >= self.upper(i)), len(bounds))
            out.positive[j] = out.positive.get(j, 0.0) + c
        return out

    # ---- arithmetic ----

    def combined(self, other, sign):
        a, b = self, other
        if a.is_custom() != b.is_custom():
            raise Mismatch()
        if a.is_custom() and a.custom != b.custom:
            common = sorted(set(a.custom) & set(b.custom))
            a, b = a.with_bounds(common), b.with_bounds(common)
        while not a.is_custom() and a.zero_threshold != b.zero_threshold:
            if a.zero_threshold < b.zero_threshold:
                a = a.wider_zero(b.zero_threshold)
            else:
                b = b.wider_zero(a.zero_threshold)
        if not a.is_custom() and a.schema != b.schema:
            schema = min(a.schema, b.schema)
            a, b = a.coarser(schema), b.coarser(schema)
        out = a.copy()
        out.zero_count += sign * b.zero_count
        out.count += sign * b.count
        out.total += sign * b.total
        for mine, theirs in ((out.positive, b.positive), (out.negative, b.negative)):
            for i, c in theirs.items():
                mine[i] = mine.get(i, 0.0) + sign * c
        return out

    def __add__(self, other):
        return self.combined(other, 1)

    def __sub__(self, other):
        return self.combined(other, -1)

    def scaled(self, by):
        return self.mapped(lambda x: x * by)

    def divided(self, by):
        def divide(x):
            if by != 0:
                return x / by
            return math.nan if x == 0 or math.isnan(x) or math.isnan(by) else math.copysign(INF, x) * math.copysign(1, by)
        out = self.mapped(divide)
        if by == 0:  # leaves count and sum only
            out.positive, out.negative = {}, {}
        return out

    def mapped(self, f):
        out = self.copy()
        out.zero_count, out.count, out.total = f(self.zero_count), f(self.count), f(self.total)
        out.positive = {i: f(c) for i, c in self.positive.items()}
        out.negative = {i: f(c) for i, c in self.negative.items()}
        return out

    def equals(self, other):
        return (self.schema, self.custom, self.count, self.total, self.zero_count, self.zero_threshold if not self.is_custom() else 0) == (
            other.schema, other.custom, other.count, other.total, other.zero_count, other.zero_threshold if not other.is_custom() else 0) \
            and nonzero(self.positive) == nonzero(other.positive) and nonzero(self.negative) == nonzero(other.negative)

    def is_reset_after(self, before):
        """Has anything fallen?"""
        if self.count < before.count or self.is_custom() != before.is_custom() or self.schema > before.schema:
            return True
        if self.is_custom():
            return self.custom != before.custom or any(self.positive.get(i, 0) < c for i, c in before.positive.items())
        if self.zero_threshold < before.zero_threshold:
            return True
        if self.zero_threshold > before.zero_threshold:
            before = before.wider_zero(self.zero_threshold)
            if before.zero_threshold != self.zero_threshold:
                return True
        before = before.coarser(self.schema)
        return self.zero_count < before.zero_count or any(
            mine.get(i, 0) < c for mine, theirs in ((self.positive, before.positive), (self.negative, before.negative)) for i, c in theirs.items())

    # ---- estimates ----

    def share_below(self, x, lower, upper):
        """How much of a bucket's content lies below x, which is inside it."""
        if self.is_custom() or lower <= 0 <= upper:
            return (x - lower) / (upper - lower) if upper != INF and lower != -INF else 0.0
        if lower > 0:
            return math.log2(x / lower) / math.log2(upper / lower)
        return 1 - math.log2(x / upper) / math.log2(lower / upper)

    def quantile(self, q):
        if math.isnan(q) or self.count == 0:
            return math.nan if 0 <= q <= 1 or math.isnan(q) else (-INF if q < 0 else INF)
        if q < 0 or q > 1:
            return -INF if q < 0 else INF
        buckets = self.leaning()
        if not buckets:
            return math.nan
        rank, below = q * self.count, 0.0
        if q < 0.5:
            for lower, upper, c in buckets:
                if below + c >= rank:
                    break
                below += c
        else:  # counted from above, which decides what a rank on an edge means
            below, rest = self.count, (1 - q) * self.count
            for lower, upper, c in reversed(buckets):
                below -= c
                if self.count - below >= rest:
                    break
        if upper == INF:
            return lower
        if lower == -INF:
            return upper
        share = min(max((rank - below) / c, 0.0), 1.0)
        if self.is_custom() or lower <= 0 <= upper:
            return lower + (upper - lower) * share
        if lower > 0:
            return lower * (upper / lower) ** share
        return lower * (upper / lower) ** share

    def fraction(self, low, high):
        if self.count == 0 or math.isnan(low) or math.isnan(high):
            return math.nan
        if low >= high:
            return 0.0
        return (self.below(high) - self.below(low)) / self.count

    def below(self, x):
        rank = 0.0
        for lower, upper, c in self.leaning():
            if upper <= x:
                rank += c
            elif lower < x:
                rank += c * self.share_below(x, lower, upper)
        return rank

    def variance(self):
        if self.count == 0:
            return math.nan
        mean, out = self.total / self.count, 0.0
        for lower, upper, c in self.buckets():
            if self.is_custom():
                value = (lower + upper) / 2
            elif lower <= 0 <= upper:
                value = 0.0
            else:
                value = math.copysign(math.sqrt(upper * lower), upper if upper else lower)
            out += c * (value - mean) ** 2
        return out / self.count

    def trimmed(self, x, keep_below):
        """Only what is below x, or only what is above: buckets are cut, and the sum is estimated anew from what remains."""
        out, changed, total = self.copy(), False, 0.0
        out.positive, out.negative, out.zero_count, out.count = {}, {}, 0.0, 0.0
        sides = [(out.negative, i, -self.upper(i), -self.lower(i), c) for i, c in self.negative.items()]
        sides += [(out.positive, i, self.lower(i), self.upper(i), c) for i, c in self.positive.items()]
        if self.zero_count:
            lower = 0.0 if nonzero(self.positive) and not nonzero(self.negative) else -self.zero_threshold
            upper = 0.0 if nonzero(self.negative) and not nonzero(self.positive) else self.zero_threshold
            sides.append((None, 0, lower, upper, self.zero_count))
        for side, i, lower, upper, c in sides:
            if c == 0:
                continue
            if self.is_custom() and lower == -INF and upper > 0:
                lower = 0.0
            kept, low, high = c, lower, upper
            if keep_below and x < upper:
                kept, high = (0.0, x) if x <= lower or upper == INF else (c * self.share_below(x, lower, upper) if lower != -INF else c, x)
            if not keep_below and x > lower:
                kept, low = (0.0, x) if x >= upper else (c * (1 - self.share_below(x, lower, upper)) if upper != INF and lower != -INF else c, x)
                if lower == -INF:
                    kept = 0.0
            changed = changed or kept != c
            if side is None:
                out.zero_count += kept
            else:
                side[i] = kept
            out.count += kept
            total += kept * self.middle(low, high, side is None) if kept else 0.0
        if not changed:
            return self.copy()
        out.total = total
        return out

    def middle(self, lower, upper, of_zero_bucket):
        if upper == INF:
            return lower
        if lower == -INF:
            return upper
        if self.is_custom() or of_zero_bucket:
            return (lower + upper) / 2
        return math.copysign(math.sqrt(lower * upper), upper)


def nonzero(buckets):
    return {i: c for i, c in buckets.items() if c != 0}
