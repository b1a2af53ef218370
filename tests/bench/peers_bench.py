"""peers_bench.py BUILD [--scrapes DIR | --capture SECONDS] [--hosts N] [--steps K] [--markdown]

The table of docs/benchmarks.md: the same bytes into our server, Debian's Prometheus and VictoriaMetrics, one after the other in
one run, on an otherwise quiet machine; newer builds of the two are used as well when $PEER_PROMETHEUS or $PEER_VICTORIAMETRICS
name their programs. CPU seconds are the process's own (user + system, all threads), from the first request to the moment it has
settled; memory is VmHWM; sizes are apparent file sizes after a flush, without write-ahead logs.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from lab import Lab, Prometheus, expect, free_port, http, wait_for  # noqa: E402


def cpu_seconds(pid):
    return time.clock_gettime((~pid << 3) | 2)


def status(pid, key):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(key + ":"))


def tree_bytes(*paths, skip=()):
    total = 0
    for path in paths:
        for folder, dirs, files in os.walk(path):
            dirs[:] = [d for d in dirs if d not in skip]
            total += sum(os.path.getsize(os.path.join(folder, f)) for f in files)
    return total


class Peer(Prometheus):
    """A server under measurement: how to start it, make it write everything out, and find its files."""

    def __init__(self, lab, name, program):
        self.lab, self.label, self.program = lab, name, program
        lab.count += 1
        self.dir, self.port = lab.path("%s-%d" % (name, lab.count)), free_port()
        os.makedirs(self.dir)
        super().__init__("http://127.0.0.1:%d" % self.port)
        self.process = lab.run(name, self.argv())
        wait_for(lambda: self.get(self.ready)[0] == 200, 60, 0.02, name)

    @property
    def pid(self):
        return self.process.pid

    def show_all(self):
        """Make everything sent visible to queries; only VictoriaMetrics keeps newest rows back for a while."""

    def settle(self):
        quiet, last = 0, cpu_seconds(self.pid)
        for _ in range(300):
            time.sleep(0.2)
            now = cpu_seconds(self.pid)
            quiet = quiet + 1 if now - last < 0.004 else 0
            last = now
            if quiet >= 5:
                return


class Ours(Peer):
    ready, write = "/-/ready", "/api/v1/write"

    def argv(self):
        return [self.program, "serve", "--listen", "127.0.0.1:%d" % self.port, "--listen-otlp=none", "--listen-grpc=none", "--data", self.dir,
                "--self-metrics=no", "--host-metrics=no", "--retention=forever", "--log-level=warn"]

    def version(self):
        return self.api("/api/v1/status/buildinfo").get("vedetteVersion") or subprocess.run([self.program, "--version"], capture_output=True, text=True).stdout.split()[-1]

    def disk(self):
        self.process.stop(60)
        return tree_bytes(self.dir, skip=("wal",))


class TheirPrometheus(Peer):
    ready, write = "/-/ready", "/api/v1/write"

    def argv(self):
        config = self.lab.write("bench-prometheus.yml", "global: {scrape_interval: 15s}\n")
        return [self.program, "--config.file=" + config, "--storage.tsdb.path=" + self.dir, "--web.listen-address=127.0.0.1:%d" % self.port,
                "--web.enable-remote-write-receiver", "--web.enable-admin-api", "--storage.tsdb.retention.time=10y", "--log.level=error"]

    def version(self):
        return self.api("/api/v1/status/buildinfo")["version"]

    def disk(self):
        name = self.api("/api/v1/admin/tsdb/snapshot", method="POST")["name"]
        return tree_bytes(os.path.join(self.dir, "snapshots", name))


class Victoria(Peer):
    ready, write = "/health", "/api/v1/write"

    def argv(self):
        return [self.program, "-storageDataPath=" + self.dir, "-httpListenAddr=127.0.0.1:%d" % self.port, "-retentionPeriod=100y", "-loggerLevel=ERROR",
                "-search.maxUniqueTimeseries=10000000", "-search.maxSeries=10000000"] if "1.79" not in self.version_text() else [
                self.program, "-storageDataPath=" + self.dir, "-httpListenAddr=127.0.0.1:%d" % self.port, "-retentionPeriod=100y", "-loggerLevel=ERROR"]

    def version_text(self):
        return subprocess.run([self.program, "-version"], capture_output=True, text=True).stdout

    def version(self):
        text = self.version_text()
        return next((w for w in text.replace("-", " ").split() if w.startswith("v1.")), "1.79.5")

    def show_all(self):
        http("GET", self.base + "/internal/force_flush")

    def disk(self):
        self.show_all()
        http("GET", self.base + "/internal/force_merge", timeout=300)
        self.settle()
        return tree_bytes(os.path.join(self.dir, "data"), os.path.join(self.dir, "indexdb"))


def send(lab, peer, *load):
    before = cpu_seconds(peer.pid)
    p = subprocess.run([os.path.join(lab.build, "bench", "rw_load"), "--url", peer.base + peer.write, *map(str, load)], capture_output=True, text=True)
    if p.returncode != 0:
        raise SystemExit("rw_load: " + p.stdout + p.stderr)
    sent = json.loads(p.stdout)
    peer.settle()
    sent["cpu"] = cpu_seconds(peer.pid) - before
    return sent


def count_samples(peer, end, window):
    peer.show_all()
    names = peer.api("/api/v1/label/__name__/values", {"start": end - window, "end": end})
    return sum(int(peer.scalar("sum(count_over_time(%s[%ds]))" % (n, window + 60), end) or 0) for n in names)


def best(peer, path, params, runs=7):
    """(best wall seconds, CPU seconds a query, bytes of the answer)"""
    params = dict(params, nocache=1)  # VictoriaMetrics would answer repeats from its result cache
    times, size = [], 0
    cpu = cpu_seconds(peer.pid)
    for _ in range(runs):
        began = time.perf_counter()
        code, _, body = peer.get(path, params, timeout=120)
        times.append(time.perf_counter() - began)
        size = len(body)
        expect(code, 200, "%s %r" % (path, body[:200]))
    return min(times), (cpu_seconds(peer.pid) - cpu) / runs, size


def queries(end, span):
    def over(query, step=60):
        return "/api/v1/query_range", {"query": query, "start": end - span, "end": end, "step": step}
    return [
        ("rate() of 320 series, whole span, step 60 s", *over('rate(node_cpu_seconds_total{instance=~"host-000[01].*"}[5m])')),
        ("max_over_time[1h] of 20 series", *over('max_over_time(node_memory_bytes{kind="kind-3",instance=~"host-000[01].*"}[1h])')),
        ("one series, raw", *over('node_memory_bytes{kind="kind-3",instance=~"host-00007.*"}')),
        ("sum by (rate) over 1600 series", *over("sum by (region) (rate(node_cpu_seconds_total[5m]))")),
        ("histogram_quantile over 1600 buckets", *over("histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))")),
        ("count of all series, whole span: every sample is read", *over('count({job="agent"})')),
    ]


def capture(lab, seconds):
    """Real pages of one real host, one a second."""
    port, process = lab.node_exporter()
    folder = lab.path("scrapes")
    os.makedirs(folder)
    for i in range(seconds):
        began = time.monotonic()
        with open(os.path.join(folder, "%05d.prom" % i), "wb") as f:
            f.write(http("GET", "http://127.0.0.1:%d/metrics" % port)[2])
        time.sleep(max(0, 1 - (time.monotonic() - began)))
    process.stop()
    return folder


class Table:
    def __init__(self):
        self.rows, self.columns = {}, []

    def put(self, row, column, text):
        if column not in self.columns:
            self.columns.append(column)
        self.rows.setdefault(row, {})[column] = text

    def show(self):
        print("| measured | %s |" % " | ".join(self.columns))
        print("|---|%s" % ("---|" * len(self.columns)))
        for row, cells in self.rows.items():
            print("| %s | %s |" % (row, " | ".join(cells.get(c, "") for c in self.columns)))


def measure(lab, kind, name, program, args, scrapes, table):
    end = int(time.time()) - 60
    span = args.steps * 15

    peer = kind(lab, name, program)
    column = "%s %s" % (name, peer.version())
    time.sleep(2)
    table.put("idle RSS, MB", column, "%.1f" % (status(peer.pid, "VmRSS") / 1e6))
    sent = send(lab, peer, "--end", end, "--step", 15, "--hosts", args.hosts, "--steps", args.steps)
    table.put("remote write, CPU-s per million samples", column, "%.3f" % (sent["cpu"] / sent["samples"] * 1e6))
    table.put("remote write, samples/s on one connection", column, "%.0f k" % (sent["samples"] / sent["seconds"] / 1e3))
    table.put("peak RSS of that, MB", column, "%.0f" % (status(peer.pid, "VmHWM") / 1e6))
    stored = count_samples(peer, end, span)
    table.put("samples stored of %d" % sent["samples"], column, str(stored))
    for what, path, params in queries(end, span):
        wall, cpu, _ = best(peer, path, params)
        table.put(what + ", best ms (CPU ms)", column, "%.1f (%.1f)" % (wall * 1e3, cpu * 1e3))
    table.put("generated data, bytes per sample with index", column, "%.3f" % (peer.disk() / sent["samples"]))
    peer.process.stop(60)

    peer = kind(lab, name, program)
    time.sleep(2)
    idle = status(peer.pid, "VmRSS")
    sent = send(lab, peer, "--end", end, "--step", 15, "--hosts", args.many_hosts, "--steps", 12, "--seed", 7)
    series = sent["samples"] // 12
    table.put("%d k series x 12: RSS over idle, bytes a series" % (series // 1000), column, "%.0f" % ((status(peer.pid, "VmRSS") - idle) / series))
    table.put("%d k series x 12: CPU-s in all" % (series // 1000), column, "%.2f" % sent["cpu"])
    peer.process.stop(60)

    if scrapes:
        peer = kind(lab, name, program)
        sent = send(lab, peer, "--end", end, "--step", 15, "--scrapes", scrapes)
        stored = count_samples(peer, end, len(os.listdir(scrapes)) * 15)
        table.put("one real host, %d pages: samples stored of %d" % (len(os.listdir(scrapes)), sent["samples"]), column, str(stored))
        table.put("one real host: bytes per sample with index", column, "%.3f" % (peer.disk() / sent["samples"]))
        peer.process.stop(60)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("build")
    ap.add_argument("--hosts", type=int, default=100)
    ap.add_argument("--many-hosts", type=int, default=1923)
    ap.add_argument("--steps", type=int, default=960)
    ap.add_argument("--scrapes")
    ap.add_argument("--capture", type=int, default=300)
    args = ap.parse_args()
    lab = Lab([None, args.build])
    scrapes = args.scrapes or (capture(lab, args.capture) if shutil.which("prometheus-node-exporter") else None)
    table = Table()
    peers = [(Ours, "Vedette", lab.binary), (TheirPrometheus, "Prometheus", shutil.which("prometheus")),
             (Victoria, "VictoriaMetrics", shutil.which("victoria-metrics")),
             (TheirPrometheus, "Prometheus", os.environ.get("PEER_PROMETHEUS")), (Victoria, "VictoriaMetrics", os.environ.get("PEER_VICTORIAMETRICS"))]
    for kind, name, program in peers:
        if program:
            measure(lab, kind, name, program, args, scrapes, table)
        elif name in ("Prometheus", "VictoriaMetrics") and not any(name in c for c in table.columns):
            print("SKIPPED: %s is not installed" % name)
    table.show()
    lab.done()


if __name__ == "__main__":
    main()
