#!/usr/bin/python3
"""tail_files_test.py BUILD - log files followed while they grow, are rotated both ways, and while the server is killed."""
import os
import sys
import time

from lab import Lab
from records import counter, kept, wait_kept


def main():
    lab = Lab(sys.argv)
    os.mkdir(lab.path("logs"))
    log = lab.path("logs", "app.log")
    config = lab.write("vedette.yml", "log_files:\n  - { name: app, paths: ['%s'], from: beginning, service: shop }\n" % lab.path("logs", "app.log*"))
    server = lab.vedette(config=config)

    def write(first, n):
        with open(log, "a") as f:
            for i in range(first, first + n):
                f.write('{"time":"%s","level":"info","msg":"line %d"}\n' % (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), i))

    def lag():
        write(0, 1000)
        took = wait_kept(server, "tail", 1000)
        write(1000, 1)
        took = max(took, wait_kept(server, "tail", 1001))
        print("   a line is kept %.2f s after it was written, at most" % took)
    lab.case("followed-within-moments", lag)

    def renamed():
        write(2000, 100)
        os.rename(log, log + ".1")
        write(2100, 100)
        wait_kept(server, "tail", 1201)
    lab.case("rotation-by-rename", renamed)

    def truncated():
        with open(log, "r+") as f:
            f.truncate(0)
        write(3000, 50)
        wait_kept(server, "tail", 1251)
    lab.case("rotation-by-copytruncate", truncated)

    def killed():
        """Every line at least once: counted before and after; what is read twice is at most one round."""
        before, total = kept(server, "tail"), 0
        for i in range(5):
            write(10000 + 1000 * i, 1000)
            total += 1000
            time.sleep(0.1)
        known = kept(server, "tail") - before
        server.kill9()
        write(20000, 500)
        server.start()
        rest = total + 500 - known
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and (kept(server, "tail") < rest or counter(server, "vedette_tail_lag_bytes") > 0):
            time.sleep(0.1)
        time.sleep(0.5)
        again = kept(server, "tail")
        if again < 500 or known + again < total + 500 - 1000:
            raise AssertionError("%d lines before the kill, %d after: fewer than the %d written" % (known, again, total + 500))
    lab.case("kill-9-loses-no-line", killed)
    lab.done()


main()
