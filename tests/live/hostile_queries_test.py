"""Queries made to hurt, against a server with 20,000 series: each is answered or refused within a second, memory stays within
what --query-memory allows, and the server is whole afterwards.

    hostile_queries_test.py BUILD [--only CLASS] [--verbose]

A slow answer is asked for twice more and the fastest counts: the machine may be busy with something else.
"""
import http.client
import resource
import sys
import threading
import time
import urllib.parse

import rw
from lab import Lab, expect

START = 1_700_000_000
END = START + 900
SERIES = (200, 100)
MIB = 1 << 20
QUERY_MEMORY = 128 * MIB
SLACK = 2 * QUERY_MEMORY  # the answer, itself no longer than that, twice while its buffer grows
ADDRESS_SPACE = 6 << 30
LIMIT_S = 1.0
REFUSALS = {400, 413, 414, 422, 429, 431, 503}


def load(server):
    """20,000 series of 60 samples 15 s apart, half a minute of late starters, and one series of an hour, a second apart."""
    for a in range(SERIES[0]):
        rows = []
        for b in range(SERIES[1]):
            labels = {"__name__": "h", "a": "a%d" % a, "b": "b%d" % b, "le": str(b), "job": "j%d" % (b % 4)}
            rows.append((labels, [((START + 15 * i) * 1000, float((a * 131 + b * 17 + i * 7) % 997)) for i in range(60)]))
        rw.send(server.base, rows)
    rw.send(server.base, [({"__name__": "one"}, [((START - 2700 + i) * 1000, float(i)) for i in range(3600)])])


# ---- the queries: (class, text or bytes, extra parameters) ----

def instant(name, *texts):
    return [(name, t, {"time": END}) for t in texts]


def ranged(name, *texts, step=15, start=START, end=END):
    return [(name, t, {"start": start, "end": end, "step": step}) for t in texts]


def nesting():
    out = []
    for n in (10, 100, 1000, 10_000, 100_000):
        out += instant("nesting", "(" * n + "1" + ")" * n, "-" * n + "1", "abs(" * n + "h" + ")" * n, "sum(" * n + "h" + ")" * n, "(" * n, ")" * n,
                       "1" + "+1" * n, "1" + "^1" * n, "one" + " or one" * n, "1" + ">bool 1" * n, "max_over_time(" * n + "one" + "[1m:10s])" * n,
                       "vector(scalar(" * n + "one" + "))" * n, "sum by (" * n, "{" * n, "[" * n, "one[" + "(" * n + "1m" + ")" * n + "]",
                       "h" + " * on (a, b) h" * min(n, 1000), 'label_join(' * n + "one" + ', "x", "-", "a")' * n)
    return out


def length():
    big = 1_000_000
    return instant(
        "length", "a" * big, '"%s"' % ("x" * big), 'one{a="%s"}' % ("x" * big), "one{" + ",".join('l%d="x"' % i for i in range(20_000)) + "}",
        "one{" + ",".join('a!="x%d"' % i for i in range(20_000)) + "}", "one{" + ",".join('a=~"x%d.*"' % i for i in range(3_000)) + "}",
        "h{" + ",".join('a!~"x%d.*y"' % i for i in range(1_000)) + "}", "sum by (" + ",".join("l%d" % i for i in range(50_000)) + ") (h)",
        "h * on (" + ",".join("l%d" % i for i in range(20_000)) + ") group_left h", "#" * big, "1 # " + "x" * big, " " * big + "1", "\n" * big + "1",
        'one{a="' + "\\n" * 300_000 + '"}', "'" + "\\'" * 300_000 + "'", "`" + "x" * big + "`", '"' + "\\u00e9" * 100_000 + '"', "+" * big, "{" + "a" * big + "}",
        'label_replace(one, "%s", "x", "a", "")' % ("x" * big), "1;" * 100_000, "e" * 100_000 + "(one)", "one offset " + "1m" * 100_000,
        "max_over_time(one[" + "1s" * 100_000 + "])", "1" + " + one" * 20_000, "h" + " or h" * 300, "h" + " unless on(a) h" * 300)


def numbers():
    digits = "9" * 100_000
    return instant(
        "numbers", digits, "1e" + digits, "0x" + "F" * 100_000, "0b" + "1" * 1000, "." + digits, digits + "." + digits, "1e999999", "-1e-999999", "1_000_000",
        "1__0", "0x", "1e", "1e+", "one[%ss]" % digits, "one offset %sy" % digits, "one @ %s" % digits, "one @ 1e300", "one @ -1e300", "one @ NaN", "one @ Inf",
        "one @ 9223372036854775807", "one @ -9223372036854775808", "one offset 292y", "one offset -292y", "one[292y]", "one[1000y]", "one[99999999999999999999y]",
        "max_over_time(one[292y:1ms])", "max_over_time(one[1y:1ms])", "max_over_time(one[100d:1ms] offset -100d)", "rate(one[1ms])", "one[0s]", "one[-1s]",
        "one offset 1y1w1d1h1m1s1ms", "one offset 1ms1s", "2 ^ 1e308", "1 % 0", "round(h, 5e-324)", "round(h, 1e308)", "clamp(h, -Inf, Inf)", "topk(1e308, h)",
        "topk(-1e308, h)", "topk(9223372036854775808, h)", "limitk(1e18, h)", "limit_ratio(1e300, h)", "predict_linear(h[15m], 1e308)", "year(vector(1e308))",
        "month(vector(-1e308))", "day_of_year(vector(9e18))", "days_in_month(h * 1e300)", "vector(time() * 1e300)", "quantile(1e308, h)",
        "histogram_quantile(1e308, h)", "one[step() * 1e300]", "one[1s * 1e18]", "one[1e300 * 1e300]", "one offset (1e308 * 10)", "one[2 ^ 1000]", "one[1 / 0]")


def regexes():
    hard = ["(a+)+$", "((a{100}){100}){100}", "(a{1000}){1000}", "(.*)(.*)(.*)(.*)(.*)=", "(a|a)*b", "(a*)*b", "a{1001}", "((a{9}){9}){9}.*", "[\\\\pL\\\\pN]{500}",
            "(?i)" + "a?" * 500 + "a" * 500, "(x+x+)+y", "|".join("a%d" % i for i in range(20_000)), "|".join("a%d.*b" % i for i in range(3_000)),
            "(" * 900 + "a" + ")" * 900, "(" * 100_000 + ")" * 100_000, "(" * 50_000, "[" * 10_000, ".*" * 1_000, "(.*.*.*.*.*.*)*x", "(?:" * 5_000 + ")" * 5_000 + "a",
            "a**", "\\\\", "(?P<n>a)(?P<n>b)", "(?=a)", "(a)\\\\1", "[^\\\\x00-\\\\x{10FFFF}]", "\\\\pZ{1000}", "(?s).*" * 200, "." * 5_000, "[a-z]{1000}[a-z]{1000}",
            "((((((((((a*)*)*)*)*)*)*)*)*)*)*", "a{0,1000}" * 50]
    out = []
    for r in hard:
        out += instant("regexes", 'count(h{a=~"%s"})' % r, 'count(h{a!~"%s"})' % r, 'label_replace(h, "x", "$1", "a", "%s")' % r)
    return out


def steps():
    out = []
    for params in ({"start": 0, "end": 1_000_000, "step": 1}, {"start": 0, "end": END, "step": "1ms"}, {"start": START, "end": END, "step": 0},
                   {"start": START, "end": END, "step": -1}, {"start": START, "end": END, "step": "NaN"}, {"start": START, "end": END, "step": "1e-9"},
                   {"start": END, "end": START, "step": 1}, {"start": "-1e300", "end": "1e300", "step": 1}, {"start": 0, "end": "9e18", "step": "9e15"},
                   {"start": -9e15, "end": 9e15, "step": 9e12}, {"start": START, "end": END, "step": 0.09}, {"start": START - 10_000, "end": END, "step": 1},
                   {"start": "Inf", "end": "Inf", "step": 1}, {"start": START, "end": END, "step": "292y"}, {"start": START, "end": END, "step": "x" * 100_000}):
        out += [("steps", q, params) for q in ("h", "sum(h)", "rate(h[5m])", "vector(1)")]
    return out


def outputs():
    double = "one"
    for _ in range(40):
        double = 'label_replace(%s, "x", "$1$1", "x", "(.*)")' % double
    doubled = 'label_replace(one, "x", "0123456789", "", "")'
    for _ in range(40):
        doubled = 'label_replace(%s, "x", "$1$1", "x", "(.*)")' % doubled
    many = "h"
    for i in range(200):
        many = 'label_replace(%s, "l%d", "$1", "a", "(.*)")' % (many, i)
    return instant(
        "outputs", double, doubled, many, 'label_replace(h, "x", "%s", "a", "(.*)")' % ("$1" * 100_000), 'label_replace(h, "x", "%s", "a", "(.*)")' % ("y" * 500_000),
        'label_join(h, "x", "%s", %s)' % ("-" * 1_000, ", ".join(['"a"'] * 2_000)), 'label_join(h, "x", "%s", "a", "b")' % ("z" * 500_000),
        'label_replace(h, "a", "same", "", "")', 'label_replace(h, "__name__", "$1", "a", "(.*)")', "h", "h[15m]", "{a=~\".+\"}[15m]", '{__name__=~".+"}',
        'count_values("v", h)', 'count_values by (a, b) ("v", h)', 'count_values without () ("v", h * 1.000001)', 'count_values("a", rate(h[5m]))',
        "sort(h)", "sort_desc(h)", 'sort_by_label(h, "a", "b", "le")', "topk(20000, h)", "bottomk by (a) (20000, h)", "absent(h)", "histogram_quantile(0.9, h)") + ranged(
        "outputs", 'count_values("v", h)', 'count_values by (a) ("v", h)', 'count_values("v", h + time())', "h", "topk(20000, h)", many,
        'label_replace(h, "x", "%s", "a", "(.*)")' % ("y" * 100_000), "histogram_quantile(0.9, h)", "quantile by (a) (0.5, h)", step=10)


def matching():
    return [q for make in (instant, ranged) for q in make(
        "matching", "h * on () group_left h", "h * on (a) group_left h", "h * on (a) group_right h", 'h * on (a) group_left (x) h{b="b0"}',
        "h * ignoring (b, le, job) group_left sum by (a) (h)", "h + ignoring (a) h", "h and on () h", "h or on () h", "h unless on () h", "h * h * h * h",
        "h + on (a, b) h + on (a, b) h + on (a, b) h", "h == bool on (a, b) h", "(h + on (a, b) h) or (h - on (a, b) h)", "h * on (job) group_left one",
        "h or (h * 2) or (h * 3)", "h * on (le) group_left () count by (le) (h)", "h unless h{a=~\"a1.*\"}", "sum(h) / h", "h / on () group_left sum(h)",
        "h atan2 on (a, b) h", "h % on (a, b, le) group_left h", "h > on (a, b) h offset 5m", "info(h)", "h + fill(0) h", "h * on (a) group_left ({__name__=~\".+\"})")]


def subqueries():
    return instant(
        "subqueries", "max_over_time(h[15m:1s])", "max_over_time(h[15m:1ms])", "sum(max_over_time(h[15m:100ms]))", "rate(h[15m:1s])", "quantile_over_time(0.5, h[15m:1s])",
        "quantile_over_time(0.5, h[1h:10s])", "stddev_over_time(sum(h)[15m:1s])", "max_over_time(sum(h)[1h:100ms])", "max_over_time(one[10d:1s])",
        "max_over_time(max_over_time(one[1h:1s])[1h:1s])", "max_over_time(max_over_time(max_over_time(one[1h:10s])[1h:10s])[1h:10s])",
        "max_over_time(rate(h[5m])[15m:1s])", "sum_over_time((h + on (a, b) h)[15m:1s])", "max_over_time(count_values(\"v\", h)[15m:1s])", "h[15m:1ms]", "one[1y:1ms]",
        "one[1h:1ms]", "sum_over_time(vector(1)[10y:1s])", "sum_over_time(time()[100y:1m])", "max_over_time(time()[1d:1ms])", "predict_linear(h[15m:1s], 60)",
        "double_exponential_smoothing(h[15m:1s], 0.5, 0.5)", "deriv(h[15m:1s])", "max_over_time(sort(h)[15m:1s])", "max_over_time(quantile(0.5, h)[15m:1s])",
        "max_over_time(topk(5, h)[15m:1s])", "absent_over_time(h[292y:1s])", "mad_over_time(h[15m:1s])", "changes(label_replace(h, \"x\", \"$1\", \"a\", \"(.*)\")[15m:1s])",
        "max_over_time(h[1000000h:1h])") + ranged(
        "subqueries", "max_over_time(h[15m:5s])", "max_over_time(one[1h:1s])", "quantile_over_time(0.9, one[1h:1s])", "max_over_time(max_over_time(one[10m:1s])[10m:1s])",
        "mad_over_time(one[1h])", "quantile_over_time(0.5, h[15m])", "stddev_over_time(h[15m])", "sum(rate(h[5m]))", "holt_winters(h[15m], 0.5, 0.5)",
        "double_exponential_smoothing(one[1h], 0.5, 0.5)", "predict_linear(one[1h], 60)", "deriv(h[15m])", "sum_over_time(quantile(0.5, h)[15m:15s])", step=1)


def all_of_it():
    return [q for step in (1, 15) for q in ranged(
        "quantiles", "quantile(0.5, h)", "quantile by (a) (0.5, h)", "quantile without (b) (0.99, rate(h[5m]))", "stddev(h)", "topk(10, h)", "bottomk by (a) (3, h)",
        "histogram_quantile(0.9, sum by (le) (h))", "histogram_quantile(0.5, rate(h[5m]))", "sum by (a, b, le) (h)", "count by (a) (h)", "group without () (h)", "avg(h)",
        "limitk(5, h)", "limit_ratio(0.5, h)", "sum(sort_desc(h))", "scalar(h)", "absent(h)", "timestamp(h)", "count(count by (a, b) (h))",
        "abs(ceil(floor(exp(ln(sqrt(h))))))", "sum(sin(cos(tan(h))))", "day_of_year(h) + month(h) + year(h)", "clamp(h, 1, 5)", "round(h, 0.001)", step=step)]


def newer():
    deep = "1s" + " + 1s" * 2_000
    tall = "step()"
    for _ in range(500):
        tall = "min_of(%s, max_of(%s, 1s))" % (tall, "range()")
    return [q for make in (instant, ranged) for q in make(
        "newer", "increase(h[15m] smoothed)", "rate(h[292y] anchored)", "changes(h[15m] anchored)", "h smoothed", "h smoothed offset -292y", "increase(one[1h] smoothed @ 1e15)",
        "h + fill (0) h", "h + on (a) fill (0) h", "h + on (a) group_left fill (NaN) one", "h * on (a, b) fill_left (1e308) (h offset 1h)", "h == bool fill (1) (h > 1e9)",
        "h + on () group_right fill_right (1) h", "one[%s]" % deep, "sum_over_time(one[(%s)])" % deep, "one offset (%s)" % tall, "max_over_time(one[%s])" % tall,
        "one[step() ^ 1000]", "one[max_of(1e308, 1e308) * 10]", "one[1 % 0]", "one[-range()]", "sum_over_time(one[1h:max_of(1ms, step())])", "one offset -(2 ^ 63)",
        "limitk(1e9, h)", "limitk by (a, b, le) (1, h)", "limit_ratio(-0.5, h)", "limitk(scalar(count(h)), h)", "count(limit_ratio(scalar(one) / 1e4, h))",
        "info(h, {__name__=~\".+\"})", "info(h, {a=~\".*\"})", "info(h, {__name__=\"h\", b=~\".+\"})", "histogram_quantiles(h, \"q\", %s)" % ", ".join("0.%d" % i for i in range(1, 300)),
        "h </ 5", "h >/ -Inf", "histogram_fraction(-Inf, Inf, h)", "mad_over_time(h[15m])", "ts_of_max_over_time(h[15m:1s])", "sort_by_label(h, %s)" % ", ".join(['"a"'] * 300),
        "max_of(1, %s)" % "max_of(1, " * 200 + "1" + ")" * 201)]


def bytes_of_all_kinds():
    raw = [b"\xff", b"\xc0\x80", b"one{a=\"\xff\xfe\"}", b"one{a=~\"\xff\"}", b"\x00", b"one\x00", b"one{a=\"\x00\"}", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbfone",
           b"one{\"\xff\"}", b"label_replace(one, \"\xff\", \"x\", \"a\", \"\")", b"label_replace(one, \"x\", \"\xff\", \"\", \"\")", b"sum by (\"\xff\") (h)", b"one # \xff", b"\xe2\x80\xae one",
           b"\xff" * 100_000, b"\"\\xff\"", b"\"\\u{110000}\"", b"\"\\ud800\"", b"'\\777'", b"\"\\400\"", bytes(range(256)), b"one{\x80=\"a\"}", b"one\xa0+\xa01", b"count_values(\"\xff\", one)",
           b"\xf0\x9f\x98\x80", b"{\"\xf0\x9f\x98\x80\"}", b"one[5m\xff]", b"1\xff2", b"label_join(one, \"x\", \"\xff\", \"a\")", b"\r\n\t\v\f one"]
    return instant("bytes", *raw)


def other_doors():
    deep = "(" * 20_000 + "1" + ")" * 20_000
    return [("doors", p, params) for p, params in [
        ("/api/v1/format_query", {"query": deep}), ("/api/v1/parse_query", {"query": deep}), ("/api/v1/format_query", {"query": "1" + "+1" * 50_000}),
        ("/api/v1/parse_query", {"query": "abs(" * 5_000 + "one" + ")" * 5_000}), ("/api/v1/series", {"match[]": ["h"] * 1_000}),
        ("/api/v1/series", {"match[]": ['h{a=~"((a{100}){100}){100}"}']}), ("/api/v1/series", {"match[]": ['{__name__=~".+"}'], "start": "-1e300", "end": "1e300"}),
        ("/api/v1/labels", {"match[]": ['h{a=~".*.*.*.*x"}'] * 100}), ("/api/v1/label/a/values", {"match[]": ['h{b!~"%s"}' % ("|".join("b%d.*x" % i for i in range(3_000)))]}),
        ("/api/v1/query", {"query": "h", "time": "1e400"}), ("/api/v1/query", {"query": "h", "timeout": "1e300"}), ("/api/v1/query", {"query": "h", "lookback_delta": "292y"}),
        ("/api/v1/query", {"query": ["h"] * 1_000}), ("/api/v1/query", {"query": "h", "limit": "99999999999999999999"}), ("/api/v1/query", {}),
        ("/api/v1/query_exemplars", {"query": "h", "start": 0, "end": "9e18"}), ("/api/v1/query_range", {"query": "h" * 1_000_000, "start": 0, "end": 1, "step": 1})]]


def hostile():
    return (nesting() + length() + numbers() + regexes() + steps() + outputs() + matching() + subqueries() + all_of_it() + newer() + bytes_of_all_kinds() + other_doors())


# ---- asking ----

def ask(server, query, params, timeout=15):
    """(status, seconds, bytes of the answer)"""
    path = "/api/v1/query_range" if "step" in params else "/api/v1/query"
    if isinstance(query, str) and query.startswith("/api/"):
        path, fields = query, params
    else:
        fields = {"query": query, **params}
    body = urllib.parse.urlencode(fields, doseq=True)
    began = time.monotonic()
    method, target = "POST", path
    if "/label/" in path:
        method, target = "GET", path + "?" + body
    c = http.client.HTTPConnection(server.base.split("//")[1], timeout=timeout)
    try:
        c.request(method, target, body if method == "POST" else None, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = c.getresponse()
        size = len(answer.read())
        return answer.status, time.monotonic() - began, size
    finally:
        c.close()


def high_water(server):
    with open("/proc/%d/status" % server.process.pid) as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))


def forget_high_water(server):
    with open("/proc/%d/clear_refs" % server.process.pid, "w") as f:
        f.write("5")


def shown(query, params):
    text = query if isinstance(query, str) else repr(query)
    return "%s %s" % (text if len(text) <= 100 else text[:60] + "...(%d)..." % len(text) + text[-20:], {k: str(v)[:60] for k, v in params.items()})


def one_class(server, name, queries, verbose):
    faults, worst, most = [], 0.0, 0
    for _, query, params in queries:
        if not server.process.alive():
            raise AssertionError("the server is dead")
        forget_high_water(server)
        before, seconds, status = server.rss(), 60.0, None
        for _ in range(3):
            try:
                status, took, size = ask(server, query, params)
            except OSError as e:
                status, took, size = repr(e), 60.0, 0
            seconds = min(seconds, took)
            if seconds <= LIMIT_S:
                break
        if not server.process.alive():
            raise AssertionError("the server died of %s: %s" % (shown(query, params), server.process.tail(1500)))
        grown = high_water(server) - before
        worst, most = max(worst, seconds), max(most, grown)
        why = []
        if status != 200 and status not in REFUSALS:
            why.append("status %s" % status)
        if seconds > LIMIT_S:
            why.append("%.2f s" % seconds)
        if grown > QUERY_MEMORY + SLACK:
            why.append("%d MiB" % (grown // MIB))
        if why:
            faults.append(why)
        if why or verbose:
            print("# %s %s %.3f s, %d MiB, %d bytes: %s" % (", ".join(why) or "fine", status, seconds, grown // MIB, size, shown(query, params)), flush=True)
    print("# %s: %d queries, slowest %.2f s, most memory %d MiB" % (name, len(queries), worst, most // MIB), flush=True)
    if faults:
        raise AssertionError("%d of %d: %s" % (len(faults), len(queries), faults[:10]))


HEAVY = ["sum(rate(h[5m]))", "quantile(0.5, h)", "max_over_time(h[15m:5s])", "h * on (a, b) h", "topk(20000, h)", 'count_values("v", h)',
         'label_replace(h, "x", "$1", "a", "(.*)")', "sort(h)", "histogram_quantile(0.9, h)", 'h{a=~".*.*.*1"}']


class Pushes:
    """Steady remote write, a batch every 20 ms; how long each took to be acknowledged."""
    SERIES = 200

    def __init__(self, server):
        self.server, self.seconds, self.refused, self.stopped = server, [], 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def run(self):
        while not self.stopped.wait(0.02):
            now = round(time.time() * 1000)
            body = rw.snappy(b"".join(rw.series({"__name__": "pushed", "n": str(n)}, [(now, float(n))]) for n in range(self.SERIES)))
            began = time.monotonic()
            status, _, _ = rw.http("POST", self.server.base + "/api/v1/write", body, {
                "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"})
            self.seconds.append(time.monotonic() - began)
            self.refused += status // 100 != 2

    def shown(self):
        taken = sorted(self.seconds)
        return "%d pushes, p50 %.1f ms, p99 %.1f ms, worst %.1f ms" % (
            len(taken), taken[len(taken) // 2] * 1000, taken[len(taken) * 99 // 100] * 1000, taken[-1] * 1000)


def at_once(server):
    """50 heavy queries at the same time, twice each, while samples are pushed and a light query is asked now and then."""
    with Pushes(server) as alone:
        time.sleep(4)
    answers, lock = [], threading.Lock()

    def heavy(i):
        params = {"time": END} if i % 2 else {"start": START, "end": END, "step": 15}
        for _ in range(2):
            got = ask(server, HEAVY[i % len(HEAVY)], params, 120)
            with lock:
                answers.append(got)
    forget_high_water(server)
    before = server.rss()
    threads = [threading.Thread(target=heavy, args=(i,)) for i in range(50)]
    health, light = [], []
    with Pushes(server) as beside:
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            began = time.monotonic()
            expect(server.get("/-/healthy", timeout=10)[0], 200, "healthy under load")
            health.append(time.monotonic() - began)
            light.append(ask(server, "count(one)", {"time": START}, 30))
            time.sleep(0.05)
        for t in threads:
            t.join()
    statuses, grown = [a[0] for a in answers], high_water(server) - before
    print("# 50 at once: %s, slowest %.2f s, memory %d MiB; beside them /-/healthy at worst %.3f s, a light query %s, slowest %.3f s" % (
        {s: statuses.count(s) for s in set(statuses)}, max(a[1] for a in answers), grown // MIB, max(health),
        {s: [a[0] for a in light].count(s) for s in {a[0] for a in light}}, max(a[1] for a in light)))
    print("# ingest alone: %s" % alone.shown())
    print("# ingest beside the 50: %s" % beside.shown(), flush=True)
    expect(len(answers), 100, "answers")
    expect([s for s in statuses if s != 200 and s not in REFUSALS], [], "statuses")
    expect(alone.refused + beside.refused, 0, "pushes refused")


def still_correct(server):
    expect(server.scalar("count(h)", END), float(SERIES[0] * SERIES[1]), "series")
    want = sum(float((a * 131 + b * 17 + 59 * 7) % 997) for a in range(SERIES[0]) for b in range(SERIES[1]))
    expect(server.scalar("sum(h)", END), want, "sum")
    expect(server.scalar("sum(count_over_time(h[15m]))", END), float(SERIES[0] * SERIES[1] * 59), "samples")


def main():
    lab = Lab(sys.argv)
    verbose = "--verbose" in sys.argv
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else None
    server = lab.vedette("--self-metrics=no", "--host-metrics=no", "--retention", "forever", "--query-memory", "128MiB", "--query-max-samples", "5000000")
    resource.prlimit(server.process.pid, resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))  # it may fail, the machine may not
    load(server)
    still_correct(server)
    queries = hostile()
    print("# %d queries, %d MiB before them" % (len(queries), server.rss() // MIB), flush=True)
    for name in sorted({q[0] for q in queries}):
        if only in (None, name):
            lab.case("hostile_" + name, lambda: one_class(server, name, [q for q in queries if q[0] == name], verbose))
    if only in (None, "at_once"):
        lab.case("hostile_50_at_once", lambda: at_once(server))
    lab.case("alive_and_correct_after_it_all", lambda: still_correct(server))
    lab.done()


if __name__ == "__main__":
    main()
