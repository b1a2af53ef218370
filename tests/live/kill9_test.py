"""As much node_exporter data as two hours at 15 s bring (480 scrapes), remote-written by a real Prometheus, while our server is
killed with SIGKILL 20 times: afterwards every sample must be there once, its value identical to the last bit.

Prometheus scrapes ten times a second, for it sends only samples younger than its own start: old ones cannot be replayed
through it. Its own copy of the samples is what ours is compared with.
"""
import random
import sys
import time

from lab import Lab, expect, wait_for

KILLS, SCRAPES = 20, 480


def main():
    lab = Lab(sys.argv)
    if not lab.have("prometheus", "prometheus-node-exporter"):
        lab.done()
    port, exporter = lab.node_exporter()
    ours = lab.vedette("--self-metrics=no", "--host-metrics=no")
    theirs = lab.prometheus("""
global: {scrape_interval: 100ms, scrape_timeout: 100ms}
scrape_configs: [{job_name: node, static_configs: [{targets: ["127.0.0.1:%d"]}]}]
remote_write: [{url: "%s/api/v1/write", queue_config: {min_backoff: 30ms, max_backoff: 200ms, batch_send_deadline: 200ms, max_shards: 4}}]
""" % (port, ours.base))

    def scraped():
        return theirs.scalar('count_over_time(scrape_samples_scraped{job="node"}[1h])') or 0

    def kills():
        seed = time.time_ns()
        print("# seed %d" % seed)
        rng = random.Random(seed)
        for i in range(KILLS):
            wait_for(lambda: scraped() >= SCRAPES * (i + 1) // (KILLS + 2), 60, 0.02, "scrapes")
            time.sleep(rng.random() * 0.3)
            ours.kill9()
            ours.start()
    lab.case("restarts_after_20_kills", kills)

    def everything_is_there():
        wait_for(lambda: scraped() >= SCRAPES, 120, what="all scrapes")
        end = time.time() - 1  # later scrapes are still on their way
        selector, window = '{job="node",__name__=~"node_.+"}', "1h"
        want = theirs.samples(selector, window, end)
        total = sum(len(v) for v in want.values())
        if total < SCRAPES * 300:
            raise AssertionError("prometheus itself has only %d samples" % total)
        wait_for(lambda: ours.scalar("sum(count_over_time(%s[%s]))" % (selector, window), end) >= total, 60, 0.5, "all samples")
        got = ours.samples(selector, window, end)
        wrong = [(k, s) for k, v in want.items() for s in v if s not in got.get(k, [])] if got != want else []
        expect(len(wrong), 0, "samples missing or changed, first %r" % (wrong[:1],))
        expect(got == want, True, "no sample more than prometheus has")
        print("# %d series, %d samples, %d kills" % (len(want), total, KILLS))
    lab.case("every_sample_once_and_identical", everything_is_there)

    lab.case("stops_cleanly", lambda: expect(ours.stop(), 0, "exit status after SIGTERM"))

    def fsck():
        p = lab.run("fsck", [lab.binary, "fsck", "--data", ours.data])
        expect(p.child.wait(60), 0, "fsck exit status; " + p.tail())
    lab.case("fsck_finds_nothing", fsck)
    lab.done()


main()
