"""fault_test.py BUILD [--ci|--release] [--only NAME] [--seed N] [--count N]: the fault tests of docs/reliability.md, one after the other.

The C programs of this folder take a store apart from the inside; the cases below take a whole server: kills, ends, and full
disks under load. What an HTTP answer acknowledged is what must be there afterwards. --ci (preset) is the share of make test.
--count: so many kills, ends or fillings instead of those of the plan, so that a long run can be made in pieces.
"""
import json
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from lab import Lab, expect, http  # noqa: E402

release = "--release" in sys.argv
lab = Lab(sys.argv)


def option(name, preset):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else preset


seed = int(option("--seed", time.time_ns() % 1000000))
only = option("--only", None)
count = int(option("--count", 0))
quiet = ["--self-metrics=no", "--host-metrics=no"]
LANES, SERIES = 3, 100
at = int(time.time()) - 20 * 86400  # a second a batch: room for 1.7 million
END, ALL = at + 20 * 86400, "481h"


def program(name, *args):
    """A C program says itself what is ok; its figures are shown as they are."""
    argv = [os.path.join(lab.build, "fault", name), *map(str, args)]
    run = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=7200)
    text = run.stdout.decode("utf-8", "replace")
    print(text, end="", flush=True)
    if run.returncode != 0:  # a log that keeps little keeps these: what to run again, and what it found
        found = [line for line in text.splitlines() if line.startswith("# WRONG")]
        print("not ok %s: %s: %s" % (name, " ".join(argv[1:]), " | ".join(found[:5]) or "no finding was printed"), flush=True)
    if "ok " + name not in text:
        print("not ok %s: exit status %d" % (name, run.returncode), flush=True)
    lab.failed += run.returncode != 0


# ---- a server under load ----

LINES, SPANS = 20, 10  # of a batch of logs, of spans


class Metrics:
    """Batch k is second k, value k, of all series of the lane."""
    path, kind = "/api/v1/import/prometheus", "text/plain"

    def __init__(self, server, lane):
        self.server, self.name = server, "lane%d" % lane

    def body(self, k):
        return "".join('%s{i="%d"} %d %d\n' % (self.name, i, k, (at + k) * 1000) for i in range(SERIES)).encode()

    def has(self, k):
        got = self.server.scalar("min(max_over_time(%s[%s]))" % (self.name, ALL), END)
        return got is not None and got >= k

    def found(self):
        """{batch: how often each of its rows is there}, once all are seen to be equal."""
        got = self.server.samples(self.name, ALL, END)
        assert len(got) in (0, SERIES), "%s: %d series of %d" % (self.name, len(got), SERIES)
        for values in got.values():
            expect([int(t) for t, _ in values], [at + int(v) for _, v in values], "times")
        counts = [[int(v) for _, v in values] for values in got.values()]
        seen = {k: 1 for k in counts[0]} if counts else {}
        for ks in counts:  # an unanswered batch may be there in part: rows of samples stand alone
            expect(len(set(ks)), len(ks), "doubled samples")
            seen = {k: 1 for k in ks if k in seen}
        return seen, sum(map(len, counts))


class Logs:
    """Batch k is LINES lines of second k: whole or not there."""
    path, kind = "/loki/api/v1/push", "application/json"

    def __init__(self, server, lane):
        self.server, self.name = server, "logs-lane%d" % lane

    def body(self, k):
        values = [[str((at + k) * 10**9 + i), "batch %d line %d" % (k, i)] for i in range(LINES)]
        return json.dumps({"streams": [{"stream": {"service_name": self.name}, "values": values}]}).encode()

    def pages(self, **params):
        cursor = None
        while cursor is None or cursor:
            more = {"cursor": cursor} if cursor else {}
            status, headers, body = self.server.get("/api/v1/logs", {"service": self.name, "format": "jsonl", "limit": 200000, **params, **more}, timeout=120)
            expect(status, 200, "logs: %s" % body[:200])
            cursor = headers.get("X-Next-Cursor") or ""
            yield [json.loads(line) for line in body.splitlines()]

    def count(self, **params):
        lines = {}
        for page in self.pages(**params):
            for line in page:
                text = line.get("message", line.get("body"))
                lines[text] = lines.get(text, 0) + 1
        return lines

    def has(self, k):
        return len(self.count(start=at + k, end=at + k + 1)) >= LINES

    def found(self):
        lines = self.count(start=at, end=END)
        batches = {}
        for text, n in lines.items():
            expect(n, 1, "log line %r of %s, times" % (text, self.name))
            k, i = (int(word) for word in text.split()[1::2])
            assert 0 <= i < LINES, text
            batches[k] = batches.get(k, 0) + 1
        broken = [k for k, n in batches.items() if n != LINES]
        expect(broken, [], "batches of %s that are there in part" % self.name)
        return {k: 1 for k in batches}, len(lines)


class Spans:
    """Batch k is a trace of SPANS spans of second k: whole or not there."""
    path, kind = "/v1/traces", "application/json"

    def __init__(self, server, lane):
        self.server, self.lane, self.name = server, lane, "spans-lane%d" % lane

    def trace(self, k):
        return "%016x%016x" % (self.lane + 1, k)

    def body(self, k):
        spans = [{"traceId": self.trace(k), "spanId": "%016x" % (i + 1), "parentSpanId": "%016x" % 1 if i else "", "name": "step %d" % i, "kind": 2,
                  "startTimeUnixNano": str((at + k) * 10**9 + i), "endTimeUnixNano": str((at + k) * 10**9 + 1000 + i)} for i in range(SPANS)]
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": self.name}}]}
        return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()

    def has(self, k):
        status, _, body = self.server.get("/api/v1/traces/" + self.trace(k))
        return status == 200 and json.loads(body)["span_count"] == SPANS

    def found(self):
        seen, cursor = {}, None
        while cursor is None or cursor:
            more = {"cursor": cursor} if cursor else {}
            status, _, body = self.server.get("/api/v1/traces", {"service": self.name, "start": at, "end": END, "limit": 1000, **more}, timeout=120)
            expect(status, 200, "traces: %s" % body[:200])
            answer = json.loads(body)
            for t in answer["traces"]:
                k = int(t["trace_id"][16:], 16)
                expect(t["trace_id"], self.trace(k), "trace")
                expect(t["span_count"], SPANS, "spans of batch %d of %s" % (k, self.name))
                assert k not in seen, "batch %d of %s is listed twice" % (k, self.name)
                seen[k] = 1
            cursor = answer.get("next_cursor") or ""
        return seen, len(seen) * SPANS


class Lane:
    """One writer of one kind: what it tried, and what was acknowledged."""

    def __init__(self, of):
        self.of, self.acked, self.tried, self.refused = of, [], 0, 0

    def write(self, stop):
        while not stop.is_set():
            k = self.tried = self.tried + 1
            try:
                status = http("POST", self.of.server.base + self.of.path, self.of.body(k), {"Content-Type": self.of.kind}, 15)[0]
            except OSError:
                return
            if status // 100 == 2:
                self.acked.append(k)
            else:
                self.refused += 1
                time.sleep(0.05)


class Lanes:
    """Writers of all kinds, and what must be there afterwards."""

    def __init__(self, server):
        self.all = [Lane(of(server, n)) for of in (Metrics, Logs, Spans) for n in range(LANES)]

    def acked(self):
        return ", ".join("%d of %s" % (sum(len(x.acked) for x in self.all if isinstance(x.of, of)), of.__name__.lower()) for of in (Metrics, Logs, Spans))

    def refused(self):
        return sum(x.refused for x in self.all)

    def during(self, action):
        """All lanes write while action() runs, and until it has ended."""
        stop = threading.Event()
        threads = [threading.Thread(target=x.write, args=(stop,)) for x in self.all]
        for t in threads:
            t.start()
        try:
            return action()
        finally:
            stop.set()
            for t in threads:
                t.join()

    def newest_is_there(self, what):
        for x in self.all:
            want = x.acked[-1] if x.acked else None  # before asking: the lanes may be writing
            assert want is None or x.of.has(want), "%s, %s: batch %d is not there" % (what, x.of.name, want)

    def all_is_there(self):
        """Each acknowledged batch once, nothing that was not tried, equal values."""
        rows = 0
        for x in self.all:
            seen, n = x.of.found()
            missing = set(x.acked) - set(seen)
            expect(len(missing), 0, "acknowledged batches missing of %s (%s)" % (x.of.name, sorted(missing)[:5]))
            assert not seen or max(seen) <= x.tried, "a batch that nobody wrote"
            rows += n
        return rows


def fsck(data):
    run = subprocess.run([lab.binary, "fsck", "--data", data], capture_output=True, timeout=300)
    expect(run.returncode, 0, "fsck: " + run.stdout[-600:].decode())


def ended(how, count):
    """The server is ended `count` times at random moments under load, and started again."""
    rnd = random.Random(seed)
    server = lab.vedette(*quiet, "--head-bytes", "1MiB")
    lanes, slowest = Lanes(server), 0.0
    for i in range(count):
        lanes.during(lambda: (time.sleep(rnd.uniform(0.02, 0.5)), how(server)))
        t0 = time.monotonic()
        server.start()
        slowest = max(slowest, time.monotonic() - t0)
        lanes.newest_is_there("end %d" % i)
        if i % 50 == 49:
            lanes.all_is_there()
    rows = lanes.all_is_there()
    expect(server.stop(), 0)
    fsck(server.data)
    print("# seed %d: %d ends; batches acknowledged: %s; %d samples, lines and spans compared, slowest start %.2f s"
          % (seed, count, lanes.acked(), rows, slowest), flush=True)


def by_sigterm(server):
    t0 = time.monotonic()
    expect(server.stop(), 0, "exit status after SIGTERM")
    assert time.monotonic() - t0 <= 10, "SIGTERM took %.1f s" % (time.monotonic() - t0)


# ---- a full disk ----

def free_bytes(folder):
    st = os.statvfs(folder)
    return st.f_bavail * st.f_frsize


def disk_cycles(folder, count):
    """Somebody else takes all the space, and gives it back, over and over."""
    data, filler = os.path.join(folder, "data"), os.path.join(folder, "filler")
    server = lab.vedette(*quiet, "--min-free-space", "2MiB", "--head-bytes", "1MiB", data=data)
    lanes, slowest, refusals = Lanes(server), 0.0, 0

    def fill():
        fd = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        block = bytes(256 << 10)
        try:
            while free_bytes(folder) > 64 << 10:
                os.write(fd, block)
        except OSError:
            pass
        finally:
            os.close(fd)

    def one_write(k):
        return http("POST", server.base + "/api/v1/import/prometheus", b"probe %d %d\n" % (k, (at + k) * 1000), {"Content-Type": "text/plain"}, 15)[0]

    for i in range(count):
        def cycle():
            nonlocal slowest, refusals
            fill()
            end = time.monotonic() + 15
            while one_write(i) // 100 == 2:
                assert time.monotonic() < end, "a full disk takes writes for 15 s"
                time.sleep(0.05)
                fill()  # a flush may have given back a segment of the log
            status = one_write(i)
            assert status in (507, 429) or status // 100 == 2, "a write on a full disk: %d" % status
            refusals += 1
            expect(server.get("/-/healthy")[0], 200)
            lanes.newest_is_there("full disk %d" % i)
            if i % 5 == 4:  # a start on the full disk, too
                server.kill9()
                server.start()
                lanes.newest_is_there("started on a full disk %d" % i)
            os.unlink(filler)
            freed = time.monotonic()
            while one_write(i) // 100 != 2:
                assert time.monotonic() - freed < 5, "no write five seconds after space was freed"
                time.sleep(0.05)
            slowest = max(slowest, time.monotonic() - freed)
        lanes.during(cycle)
    rows = lanes.all_is_there()
    expect(server.stop(), 0)
    fsck(data)
    print("# %d times full; batches acknowledged: %s, refused: %d; %d samples, lines and spans compared, slowest return of writes %.1f s"
          % (count, lanes.acked(), lanes.refused(), rows, slowest), flush=True)


def on_a_small_disk(count):
    folder = lab.path("small")
    os.mkdir(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s" % ("160M" if release else "48M"), "tmpfs", folder], capture_output=True).returncode != 0:
        return lab.skip("writes_return_each_time_space_does", "mounting a small file system is not allowed here (root and CAP_SYS_ADMIN are needed)")
    lab.case("writes_return_each_time_space_does", lambda: disk_cycles(folder, count))
    for p in lab.processes:
        p.stop()
    subprocess.run(["umount", "-l", folder], check=False)


PLAN = [  # name, CI, release
    ("power_loss", lambda: program("power_loss", "--seed", seed, "--images", 500, "--images-a-run", 20),
     lambda: program("power_loss", "--seed", seed, "--images", 10000, "--images-a-run", 25)),
    ("io_errors", lambda: program("io_errors", "--every", 40), lambda: program("io_errors", "--every", 1)),
    ("damage", lambda: program("damage", "--seed", seed, "--images", 400), lambda: program("damage", "--seed", seed, "--images", 20000)),
    ("clock_jumps", lambda: program("clock_jumps", "--seed", seed, "--jumps", 100), lambda: program("clock_jumps", "--seed", seed, "--jumps", 500)),
    ("upgrade", *[lambda: program("upgrade", os.path.join(lab.root, "tests", "data"))] * 2),
    ("kill9", lambda: lab.case("kills_lose_nothing_acknowledged", lambda: ended(lambda s: s.kill9(), count or 30)),
     lambda: lab.case("kills_lose_nothing_acknowledged", lambda: ended(lambda s: s.kill9(), count or 1000))),
    ("sigterm", lambda: lab.case("ends_lose_nothing_acknowledged", lambda: ended(by_sigterm, count or 20)),
     lambda: lab.case("ends_lose_nothing_acknowledged", lambda: ended(by_sigterm, count or 500))),
    ("disk", lambda: on_a_small_disk(count or 10), lambda: on_a_small_disk(count or 200)),
]
for name, ci, whole in PLAN:
    if only in (None, name):
        t0 = time.monotonic()
        (whole if release else ci)()
        print("# %s took %.0f s" % (name, time.monotonic() - t0), flush=True)
lab.done()
