"""records.py - what live tests of logs and traces share: how many were kept, by our own counters."""
import re
import time

from lab import http


def counter(server, name, **labels):
    """Sum of our own metric over the series that have these labels."""
    text = server.get("/metrics")[2].decode()
    total = 0.0
    for line in text.splitlines():
        if re.match(name + r"[{ ]", line) and all('%s="%s"' % pair in line for pair in labels.items()):
            total += float(line.rsplit(" ", 1)[1])
    return total


def kept(server, protocol, table="logs"):
    return int(counter(server, "vedette_ingest_records_total", protocol=protocol, table=table))


def wait_kept(server, protocol, n, table="logs", seconds=10):
    """Exactly n, and no more a moment later; the seconds it took."""
    began = time.monotonic()
    while kept(server, protocol, table) < n and time.monotonic() - began < seconds:
        time.sleep(0.02)
    took = time.monotonic() - began
    time.sleep(0.3)
    got = kept(server, protocol, table)
    if got != n:
        raise AssertionError("%d %s by %s are kept, %d expected" % (got, table, protocol, n))
    return took


def post(server, path, body, kind="application/json"):
    return http("POST", server.base + path, body if isinstance(body, bytes) else body.encode(), {"Content-Type": kind})
