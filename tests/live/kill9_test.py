"""Two hours of real node_exporter data, remote-written by a real Prometheus, while our server is killed with SIGKILL
again and again: afterwards every sample must be there once, its value identical to the last bit.

Prometheus sends what it scrapes. Two hours are had in a minute by a small exporter in between: each scrape fetches the real
node_exporter and puts an explicit time stamp on every line, 15 s further each time. Prometheus takes those old stamps
because of its out-of-order window, and its own copy of the samples is what ours is compared with.
"""
import http.server
import random
import sys
import threading
import time

from lab import Lab, expect, http, wait_for

KILLS = 20
STEP_S, SCRAPES = 15, 2 * 3600 // 15


class Replay:
    """Serves the real exporter's page with stamps that run from two hours ago to now."""

    def __init__(self, source):
        self.source, self.served = source, 0
        self.start_ms = (int(time.time()) - SCRAPES * STEP_S) * 1000
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = outer.page()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self):
        if self.served >= SCRAPES:
            return b""
        stamp = b" %d\n" % (self.start_ms + self.served * STEP_S * 1000)
        self.served += 1
        lines = http("GET", self.source)[2].splitlines()
        return b"".join(line + (b"\n" if line.startswith(b"#") else stamp) for line in lines)


def main():
    lab = Lab(sys.argv)
    if not lab.have("prometheus", "prometheus-node-exporter"):
        lab.done()
    port, _ = lab.node_exporter()
    replay = Replay("http://127.0.0.1:%d/metrics" % port)
    ours = lab.vedette("--self-metrics=no", "--host-metrics=no")
    theirs = lab.prometheus("""
global: {scrape_interval: 100ms, scrape_timeout: 100ms}
storage: {tsdb: {out_of_order_time_window: 4h}}
scrape_configs: [{job_name: node, scrape_interval: 100ms, static_configs: [{targets: ["127.0.0.1:%d"]}]}]
remote_write: [{url: "%s/api/v1/write", queue_config: {min_backoff: 30ms, max_backoff: 200ms, batch_send_deadline: 200ms, max_shards: 4}}]
""" % (replay.port, ours.base))

    def kills():
        rng = random.Random(time.time_ns())
        for i in range(KILLS):
            until = SCRAPES * (i + 1) // (KILLS + 2)
            wait_for(lambda: replay.served >= until, 60, 0.02, "scrape %d" % until)
            time.sleep(rng.random() * 0.3)
            ours.kill9()
            ours.start()
    lab.case("restarts_after_20_kills", kills)

    def everything_is_there():
        wait_for(lambda: replay.served >= SCRAPES, 120, what="all scrapes")
        time.sleep(1)
        end = time.time() + 1
        selector, window = '{job="node",__name__=~"node_.+"}', "3h"
        want = theirs.samples(selector, window, end)
        total = sum(len(v) for v in want.values())
        if total < SCRAPES * 300:
            raise AssertionError("prometheus itself has only %d samples" % total)

        def arrived():
            return sum(len(v) for v in ours.samples(selector, window, end).values()) >= total
        try:
            wait_for(arrived, 60, 1, "all samples")
        except AssertionError:
            pass
        got = ours.samples(selector, window, end)
        missing = [(k, s) for k, v in want.items() for s in v if s not in got.get(k, [])] if got != want else []
        expect(len(missing), 0, "samples missing or changed, first %r" % (missing[:1],))
        expect(got == want, True, "no sample more than prometheus has")
        print("# %d series, %d samples, %d kills" % (len(want), total, KILLS))
    lab.case("every_sample_once_and_identical", everything_is_there)

    def clean_stop():
        expect(ours.stop(), 0, "exit status after SIGTERM")
    lab.case("stops_cleanly", clean_stop)

    def fsck():
        p = lab.run("fsck", [lab.binary, "fsck", "--data", ours.data])
        expect(p.child.wait(60), 0, "fsck exit status; " + p.tail())
    lab.case("fsck_finds_nothing", fsck)
    lab.done()


main()
