"""fault_test.py BUILD [--ci|--release] [--only NAME] [--seed N]: the fault tests of docs/reliability.md, one after the other.

The C programs of this folder take a store apart from the inside; the cases below take a whole server: kills, ends, and full
disks under load. What an HTTP answer acknowledged is what must be there afterwards. --ci (preset) is the share of make test.
"""
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

class Lanes:
    """Writers, each with a metric of its own: batch k is second k, value k, of all its series. Knows what was acknowledged."""

    def __init__(self, server):
        self.server, self.acked, self.tried = server, [[] for _ in range(LANES)], [0] * LANES
        self.refused = 0

    def body(self, lane, k):
        return "".join('lane%d{i="%d"} %d %d\n' % (lane, i, k, (at + k) * 1000) for i in range(SERIES)).encode()

    def write(self, lane, stop):
        while not stop.is_set():
            k = self.tried[lane] = self.tried[lane] + 1
            try:
                status = http("POST", self.server.base + "/api/v1/import/prometheus", self.body(lane, k), {"Content-Type": "text/plain"}, 15)[0]
            except OSError:
                return
            if status // 100 == 2:
                self.acked[lane].append(k)
            else:
                self.refused += 1
                time.sleep(0.05)

    def during(self, action):
        """All lanes write while action() runs, and until it has ended."""
        stop = threading.Event()
        threads = [threading.Thread(target=self.write, args=(lane, stop)) for lane in range(LANES)]
        for t in threads:
            t.start()
        try:
            return action()
        finally:
            stop.set()
            for t in threads:
                t.join()

    def newest_is_there(self, what):
        for lane in range(LANES):
            want = self.acked[lane][-1] if self.acked[lane] else None  # before asking: the lanes may be writing
            if want is not None:
                got = self.server.scalar("min(max_over_time(lane%d[%s]))" % (lane, ALL), END)
                assert got is not None and got >= want, "%s, lane %d: %r of %d" % (what, lane, got, want)

    def all_is_there(self):
        """Each acknowledged batch once in each series, nothing that was not tried, equal values."""
        rows = 0
        for lane in range(LANES):
            got = self.server.samples("lane%d" % lane, ALL, END)
            expect(len(got), SERIES, "series of lane %d" % lane)
            for values in got.values():
                seen = [int(v) for _, v in values]
                expect([int(t) for t, _ in values], [at + k for k in seen], "times")
                expect(len(set(seen)), len(seen), "doubled samples")
                missing = set(self.acked[lane]) - set(seen)
                expect(len(missing), 0, "acknowledged samples missing of lane %d" % lane)
                assert not seen or seen[-1] <= self.tried[lane], "a sample that nobody wrote"
                rows += len(seen)
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
    print("# seed %d: %d ends, %d batches acknowledged, %d samples compared, slowest start %.2f s"
          % (seed, count, sum(map(len, lanes.acked)), rows, slowest), flush=True)


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
    print("# %d times full, %d batches acknowledged, %d refused, %d samples compared, slowest return of writes %.1f s"
          % (count, sum(map(len, lanes.acked)), lanes.refused, rows, slowest), flush=True)


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
    ("io_errors", lambda: program("io_errors", "--every", 10), lambda: program("io_errors", "--every", 1)),
    ("damage", lambda: program("damage", "--seed", seed, "--images", 1000), lambda: program("damage", "--seed", seed, "--images", 20000)),
    ("clock_jumps", lambda: program("clock_jumps", "--seed", seed, "--jumps", 100), lambda: program("clock_jumps", "--seed", seed, "--jumps", 500)),
    ("upgrade", *[lambda: program("upgrade", os.path.join(lab.root, "tests", "data"))] * 2),
    ("kill9", lambda: lab.case("kills_lose_nothing_acknowledged", lambda: ended(lambda s: s.kill9(), 30)),
     lambda: lab.case("kills_lose_nothing_acknowledged", lambda: ended(lambda s: s.kill9(), 1000))),
    ("sigterm", lambda: lab.case("ends_lose_nothing_acknowledged", lambda: ended(by_sigterm, 20)),
     lambda: lab.case("ends_lose_nothing_acknowledged", lambda: ended(by_sigterm, 500))),
    ("disk", lambda: on_a_small_disk(10), lambda: on_a_small_disk(200)),
]
for name, ci, whole in PLAN:
    if only in (None, name):
        t0 = time.monotonic()
        (whole if release else ci)()
        print("# %s took %.0f s" % (name, time.monotonic() - t0), flush=True)
lab.done()
