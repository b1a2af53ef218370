"""store_faults_test.py - a full disk, kills without mercy, and files that were cut: what was acknowledged stays, no hand is needed."""
import os
import random
import shutil
import subprocess
import sys
import threading
import time

from lab import Lab, expect, http

lab = Lab(sys.argv)
quiet = ["--self-metrics=no", "--host-metrics=no"]
at = int(time.time()) - 12 * 3600
end_of_time, ALL = at + 12 * 3600, "13h"
SMALL = "100M"  # segments of the log reserve a sixteenth of what is free
TEXT = {"Content-Type": "text/plain"}


def lines(metric, k, n=200, pad=0):
    """n series, one sample each at second k: value k. Padding that does not compress fills a disk."""
    rnd = random.Random(k)
    return "".join('%s{i="%d"%s} %d %d\n' % (metric, i, ',pad="%0*x"' % (pad, rnd.getrandbits(4 * pad)) if pad else "", k, (at + k) * 1000)
                   for i in range(n)).encode()


def put(server, body, timeout=30):
    return http("POST", server.base + "/api/v1/import/prometheus", body, TEXT, timeout)[0]


def fsck(data):
    run = subprocess.run([lab.binary, "fsck", "--data", data], capture_output=True, timeout=120)
    if run.returncode != 0:
        raise AssertionError("fsck: exit %d: %s%s" % (run.returncode, run.stdout[-800:].decode(), run.stderr[-800:].decode()))


# ---- a full disk ----

def mounted():
    """A small file system of our own, or None."""
    folder = lab.path("small")
    os.mkdir(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s" % SMALL, "tmpfs", folder], capture_output=True).returncode != 0:
        return None
    return folder


def free_bytes(folder):
    st = os.statvfs(folder)
    return st.f_bavail * st.f_frsize


def check_all(server, acked):
    """Each acknowledged second is there, whole."""
    got = server.samples("fill", ALL, end_of_time)
    have = {}
    for values in got.values():
        for t, v in values:
            have.setdefault(int(v), []).append(int(t))
    for k in acked:
        expect(have.get(k, []), [at + k] * 200, "rows of acknowledged batch %d" % k)


def full_disk_refuses_writes_and_goes_on(folder):
    data, filler = os.path.join(folder, "data"), os.path.join(folder, "filler")
    server = lab.vedette(*quiet, "--min-free-space", "4MiB", "--head-bytes", "4MiB", data=data)
    acked, k = [], 0
    while k < 20:
        k += 1
        expect(put(server, lines("fill", k)), 204, "a write with %d bytes of room" % free_bytes(folder))
        acked.append(k)

    with open(filler, "wb") as f:  # somebody else takes the space
        while free_bytes(folder) > 2 << 20:
            f.write(bytes(256 << 10))
            f.flush()
    status = 204
    end = time.monotonic() + 20
    while status // 100 == 2 and time.monotonic() < end:
        k += 1
        status = put(server, lines("fill", k))
        if status // 100 == 2:
            acked.append(k)
    assert status in (507, 429), "a write on a full disk: %d" % status
    refused = k

    expect(server.scalar("count(fill)", at + acked[-1]), 200.0)
    check_all(server, acked)
    expect(server.get("/-/healthy")[0], 200)

    os.unlink(filler)
    freed = time.monotonic()
    while True:
        k += 1
        status = put(server, lines("fill", k))
        if status // 100 == 2:
            break
        assert time.monotonic() - freed < 5, "still %d five seconds after space was freed" % status
        time.sleep(0.2)
    acked.append(k)
    check_all(server, acked)
    assert refused not in {int(v) for s in server.samples("fill", ALL, end_of_time).values() for _, v in s}, "a refused batch was kept"
    server.kill9()
    server.start()
    check_all(server, acked)
    expect(server.stop(), 0)
    fsck(data)


def disk_filled_by_our_own_rows(folder):
    """No reserve to speak of: the log, the flush and the merge meet ENOSPC themselves."""
    data = os.path.join(folder, "own")
    server = lab.vedette(*quiet, "--min-free-space", "1", "--head-bytes", "2MiB", data=data)
    acked, k, status = [], 0, 204
    end = time.monotonic() + 60
    while status // 100 == 2 and time.monotonic() < end:
        k += 1
        status = put(server, lines("fill", k, pad=512))
        if status // 100 == 2:
            acked.append(k)
    assert len(acked) > 20, "only %d batches were taken before the disk was full" % len(acked)
    assert status in (507, 429), "the disk is full: %d after %d batches, %d bytes free" % (status, k, free_bytes(folder))
    expect(server.get("/-/healthy")[0], 200)
    check_all(server, acked)
    server.kill9()
    server.start()  # what the log holds may not fit into parts now: it stays in memory, and the log where it is
    check_all(server, acked)
    status, end = 204, time.monotonic() + 20
    while status // 100 == 2 and time.monotonic() < end:  # a little may fit still
        k += 1
        status = put(server, lines("fill", k, pad=512))
        if status // 100 == 2:
            acked.append(k)
    assert status in (507, 429), "a write on the disk that is still full: %d" % status
    check_all(server, acked)
    subprocess.run(["mount", "-o", "remount,size=300M", folder], check=True)
    end = time.monotonic() + 5
    while True:
        k += 1
        status = put(server, lines("fill", k, pad=512))
        if status // 100 == 2:
            break
        assert time.monotonic() < end, "still %d with space" % status
        time.sleep(0.2)
    acked.append(k)
    check_all(server, acked)
    expect(server.stop(), 0)
    fsck(data)


# ---- kills ----

def twenty_kills_lose_nothing_acknowledged():
    server = lab.vedette(*quiet, "--head-bytes", "1MiB")
    acked = [[] for _ in range(3)]
    rnd = random.Random(20)

    def write(lane, stop):
        while not stop.is_set():
            k = acked[lane][-1] + 1 if acked[lane] else 1
            try:
                if put(server, lines("lane%d" % lane, k, 100), 10) // 100 == 2:
                    acked[lane].append(k)
            except OSError:
                return

    for kill in range(20):
        stop = threading.Event()
        threads = [threading.Thread(target=write, args=(lane, stop)) for lane in range(3)]
        for t in threads:
            t.start()
        time.sleep(rnd.uniform(0.1, 0.6))
        server.kill9()
        stop.set()
        for t in threads:
            t.join()
        server.start()
        for lane in range(3):
            if acked[lane]:
                got = server.scalar("min(max_over_time(lane%d[13h]))" % lane, end_of_time)
                assert got >= acked[lane][-1], "kill %d, lane %d: %r of %d" % (kill, lane, got, acked[lane][-1])
    for lane in range(3):
        assert acked[lane], "nothing was ever acknowledged"
        want = acked[lane][-1]
        for values in server.samples("lane%d" % lane, ALL, end_of_time).values():
            seen = [int(v) for _, v in values]
            expect(seen[:want], list(range(1, want + 1)), "samples of a series")
            expect([int(t) for t, _ in values], [at + k for k in seen])
    expect(server.stop(), 0)
    fsck(server.data)


# ---- cut files ----

def cut_files_do_not_stop_a_start():
    """Empty, halved and foreign files in wal/ and metrics/: it starts, says so, answers what is left, and takes writes."""
    server = lab.vedette(*quiet)
    for k in range(1, 30):
        expect(put(server, lines("whole", k, 50)) // 100, 2)
    expect(server.stop(), 0)                    # parts
    server.start()
    for k in range(30, 40):
        expect(put(server, lines("whole", k, 50)) // 100, 2)
    server.kill9()                              # and a log
    pristine = lab.path("pristine")
    shutil.copytree(server.data, pristine)

    def victims():
        for folder, _, names in os.walk(pristine):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), pristine)
                if path.startswith(("wal", "metrics")):
                    yield path

    found = list(victims())
    assert any(v.startswith("wal") for v in found) and any(v.endswith(".part") for v in found), found
    for path in found:
        for size in (0, 0.5):
            shutil.rmtree(server.data)
            shutil.copytree(pristine, server.data)
            full = os.path.join(server.data, path)
            os.truncate(full, int(os.path.getsize(full) * size))
            server.start()
            where = "%s cut to %g" % (path, size)
            assert server.process.alive(), where
            if path.startswith("wal"):          # the parts are untouched
                expect(server.scalar("min(max_over_time(whole[13h]))", at + 29), 29.0, where)
            elif path.endswith(".part"):        # the log is untouched
                expect(server.scalar("max(whole)", at + 39), 39.0, where)
            expect(put(server, lines("after", 50, 10)) // 100, 2, where)
            expect(server.scalar("count(after)", at + 50), 10.0, where)
            expect(server.stop(), 0, where)
            server.start()
            expect(server.scalar("count(after)", at + 50), 10.0, where)
            expect(server.stop(), 0, where)

    shutil.rmtree(server.data)
    shutil.copytree(pristine, server.data)
    for stray in ("wal/stray.txt", "wal/99999999999999999999.wal", "metrics/stray", "metrics/20260101.tmp", "stray"):
        with open(os.path.join(server.data, stray), "wb") as f:
            f.write(b"\x00\xff" * 100)
    server.start()
    expect(server.scalar("min(max_over_time(whole[13h]))", end_of_time), 39.0, "strays change nothing")
    expect(server.stop(), 0)


if "--disk-only" not in sys.argv: lab.case("twenty_kills_lose_nothing_acknowledged", twenty_kills_lose_nothing_acknowledged)
if "--disk-only" not in sys.argv: lab.case("cut_files_do_not_stop_a_start", cut_files_do_not_stop_a_start)
FULL = [full_disk_refuses_writes_and_goes_on, disk_filled_by_our_own_rows]
small = mounted() if os.geteuid() == 0 else None
for case in FULL:
    if small is None:
        lab.skip(case.__name__, "mounting a small file system is not allowed here (root and CAP_SYS_ADMIN are needed)")
    else:
        lab.case(case.__name__, lambda: case(small))
for p in lab.processes:
    p.stop()
if small is not None:
    subprocess.run(["umount", "-l", small], check=False)
lab.done()
