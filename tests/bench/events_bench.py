#!/usr/bin/env python3
"""What request records cost the server: processor time a record and memory, at the headline load (100 backends, 10 000 requests a
minute, S1-149, S1-150) and at a million a minute over 1000 backends (S1-152, S1-153); bytes stored (S1-151).

    tests/bench/events_bench.py BUILD [SECONDS of the headline load, 30]
"""
import glob
import http.client
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from lab import Lab  # noqa: E402


def body(n, backends, seed):
    rng = random.Random(seed)
    return "\n".join(json.dumps({
        "request_id": "%d-%d" % (seed, i), "backend_id": "backend-%d" % rng.randrange(backends), "backend_type": "openai",
        "algorithm": ("round_robin", "least_loaded")[rng.randrange(2)], "selection_reason": "turn", "status": "success" if rng.random() < .98 else "error",
        "method": "chat", "duration_ms": round(rng.lognormvariate(6, 1), 2), "queue_wait_ms": round(rng.expovariate(.2), 2),
        "cost_usd": round(rng.random() / 100, 6), "quality_score": round(rng.uniform(.6, 1), 3), "request_size_bytes": rng.randrange(200, 9000),
        "response_size_bytes": rng.randrange(500, 90000)}) for i in range(n)).encode()


def post(connection, data):
    connection.request("POST", "/api/v1/lb/requests", data)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit("%d %s" % (answer.status, text[:200]))
    return json.loads(text)["accepted"]


def stored(server):
    return sum(os.path.getsize(f) for f in glob.glob(server.data + "/**", recursive=True) if os.path.isfile(f))


def run(name, server, backends, batch, batches, pace_s):
    """Batches are made beforehand in small sets, so that this program's own work is not in the way."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    cpu, began, records = server.cpu_seconds(), time.monotonic(), 0
    most = 0
    for i in range(batches):
        data = body(batch, backends, hash((name, i)) & 0xffffff)
        wait = began + i * pace_s - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        records += post(connection, data)
        most = max(most, server.rss())
    took, used = time.monotonic() - began, server.cpu_seconds() - cpu
    print("%-34s %9d %9.1f %10.2f %10.2f %9.1f" % (name, records, took, 1e6 * used / records, 100 * used / took, most / 2**20), flush=True)


def main():
    lab = Lab(sys.argv)
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    print("%-34s %9s %9s %10s %10s %9s" % ("load", "records", "s", "us/record", "% of core", "RSS MiB"))
    server = lab.vedette("--builtin-rules=no")
    time.sleep(3)
    cpu, began = server.cpu_seconds(), time.monotonic()
    time.sleep(5)
    print("%-34s %9d %9.1f %10s %10.2f %9.1f" % ("nothing", 0, 5, "", 100 * (server.cpu_seconds() - cpu) / (time.monotonic() - began), server.rss() / 2**20))
    run("10 000 a minute, 100 backends", server, 100, 17, seconds * 10, 0.1)
    server.stop()
    print("# %.0f bytes a backend and second on disk, log included" % (stored(server) / 100 / seconds))
    server = lab.vedette("--builtin-rules=no")
    run("1 000 000 in batches, 1000 backends", server, 1000, 1000, 300, 0)
    print("# a million a minute is 16 667 a second: %.1f us a record are one core" % 60)
    print("# series: %s" % server.scalar('count({__name__=~"load_balancer_.*"})'))
    lab.done()


main()
