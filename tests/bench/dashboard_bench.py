"""dashboard_bench.py BUILD [--hosts N] [--hours H]: a dashboard of 30 panels, refreshed over 24 h of 10 400 series at 15 s, ours beside
VictoriaMetrics. CPU seconds of the whole refresh (30 range queries, step 5 min, one after the other), median of five: without any
cache of answers, as a dashboard that is refreshed while time goes on, and asked for the same once more.
"""
import argparse
import os
import shutil
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from peers_bench import Ours, Table, Victoria, cpu_seconds, send  # noqa: E402
from lab import Lab, expect  # noqa: E402

PANELS = [
    "sum by (mode) (rate(node_cpu_seconds_total[5m]))",
    "sum by (region) (rate(node_cpu_seconds_total[5m]))",
    'rate(node_cpu_seconds_total{instance=~"host-0000.*"}[5m])',
    "avg by (core) (cpu_usage)", "max by (region) (cpu_usage)", "avg by (service) (avg_over_time(cpu_usage[10m]))",
    "topk(5, avg by (instance) (cpu_usage))", "quantile by (region) (0.95, cpu_usage)",
    "sum by (kind) (node_memory_bytes)", "avg by (region) (node_memory_bytes)", 'node_memory_bytes{kind="kind-3",region="region-1"}',
    'min by (region) (node_memory_bytes{kind="kind-1"})', 'max_over_time(node_memory_bytes{kind="kind-2",region="region-2"}[1h])',
    "sum by (device) (rate(node_network_bytes_total[5m]))", "sum by (region) (rate(node_network_bytes_total[5m]))",
    "topk(5, sum by (instance) (rate(node_network_bytes_total[5m])))", 'irate(node_network_bytes_total{device="device-1",region="region-3"}[5m])',
    "sum by (device) (rate(node_disk_io_total[5m]))", "sum by (team) (increase(node_disk_io_total[1h]))", 'rate(node_disk_io_total{region="region-1",device="device-2"}[5m])',
    "sum by (code) (rate(http_requests_total[5m]))", 'sum(rate(http_requests_total{code="code-5"}[5m])) / sum(rate(http_requests_total[5m]))',
    "sum by (service) (rate(http_requests_total[5m]))", "sum by (region, code) (rate(http_requests_total[10m]))",
    "histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
    "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
    "histogram_quantile(0.99, sum by (le, region) (rate(http_request_duration_seconds_bucket[5m])))",
    "count by (mountpoint) (node_filesystem_size_bytes)", "count(count by (instance) (process_limits))", "sum by (region) (changes(cpu_usage[10m]))",
]


STEP = 300


def refresh(peer, end, span, **more):
    before = cpu_seconds(peer.pid)
    for query in PANELS:
        code, _, body = peer.get("/api/v1/query_range", {"query": query, "start": end - span, "end": end, "step": STEP, **more}, timeout=120)
        expect(code, 200, "%s %r" % (query, body[:200]))
    return cpu_seconds(peer.pid) - before


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("build")
    ap.add_argument("--hosts", type=int, default=100)
    ap.add_argument("--hours", type=int, default=24)
    args = ap.parse_args()
    expect(len(PANELS), 30, "panels")
    lab, table = Lab([None, args.build]), Table()
    end = int(time.time()) - 60
    for kind, name, program in ((Ours, "Vedette", lab.binary), (Victoria, "VictoriaMetrics", shutil.which("victoria-metrics"))):
        if not program:
            print("SKIPPED: %s is not installed" % name)
            continue
        peer = kind(lab, name, program)
        sent = send(lab, peer, "--end", end, "--step", 15, "--hosts", args.hosts, "--steps", args.hours * 240)
        peer.show_all()
        span, last = args.hours * 3600, end // STEP * STEP
        rows = {
            "every step computed": [refresh(peer, end, span, nocache=1) for _ in range(5)],
            "the window moves on by a step, answers kept": [refresh(peer, last - back * STEP, span) for back in (6, 5, 4, 3, 2, 1)][1:],
            "the same window again, answers kept": [refresh(peer, last - STEP, span) for _ in range(5)],
        }
        for what, runs in rows.items():
            table.put("30 panels over %d M samples, CPU seconds; %s" % (sent["samples"] // 1000000, what), "%s %s" % (name, peer.version()),
                      "%.3f (%.3f-%.3f)" % (statistics.median(runs), min(runs), max(runs)))
        if os.environ.get("VERBOSE"):
            for query in PANELS:
                before = cpu_seconds(peer.pid)
                peer.get("/api/v1/query_range", {"query": query, "start": end - args.hours * 3600, "end": end, "step": STEP, "nocache": 1})
                print("%8.1f ms  %s" % ((cpu_seconds(peer.pid) - before) * 1e3, query))
        peer.process.stop(60)
    table.show()
    lab.done()


main()
