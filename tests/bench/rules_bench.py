"""10 000 rules over 100 000 series: CPU seconds a round of ours, and of the Prometheus beside it.

    python3 tests/bench/rules_bench.py build [rules] [series]        PEER_PROMETHEUS=/path/to/a/newer/prometheus

Each server gets the same series (remote write to ours, a scrape of a static page by Prometheus and by ours) and the same file of groups of
20 rules with an interval of 15 s: 60 % recording rules, 40 % alerts, over slices of ten series. Measured over four intervals after a warm-up.
"""
import http.server
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "live"))
from lab import Lab, free_port, wait_for  # noqa: E402

lab = Lab(sys.argv)
RULES = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
SERIES = int(sys.argv[3]) if len(sys.argv) > 3 else 100000
INTERVAL, ROUNDS, PER_RULE, PER_GROUP = 15, 4, 10, 20


def page():
    lines = ["# TYPE work_total counter"]
    t = int(time.time())
    for i in range(SERIES):
        lines.append('work_total{slice="s%d",host="h%d",zone="z%d"} %d' % (i // PER_RULE, i, i % 3, t * (i % 7 + 1)))
    return "\n".join(lines).encode() + b"\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = page()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def rules():
    out, slices = ["groups:"], max(1, SERIES // PER_RULE)
    for i in range(RULES):
        if i % PER_GROUP == 0:
            out.append("  - name: g%d\n    rules:" % (i // PER_GROUP))
        s = i % slices
        if i % 5 < 3:
            out.append('      - {record: "slice:work:rate_%d", expr: \'sum by (zone) (rate(work_total{slice="s%d"}[1m]))\'}' % (i % 50, s))
        else:
            out.append('      - {alert: Busy%d, expr: \'rate(work_total{slice="s%d"}[1m]) > 6.5\', for: 1m, labels: {severity: page}, '
                       'annotations: {summary: "{{ $labels.host }} does {{ humanize $value }}"}}' % (i % 50, s))
    return "\n".join(out) + "\n"


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def measure(name, pid, ask, without):
    """CPU of a round, less what the same server takes without rules."""
    time.sleep(2.5 * INTERVAL)
    begun = cpu(pid)
    time.sleep(ROUNDS * INTERVAL)
    used = (cpu(pid) - begun) / ROUNDS
    print("%-28s %6.2f CPU s a round of %d s (%.2f of it without rules) = %5.2f for rules, %6.1f us a rule; RSS %.0f MiB; %s" % (
        name, used, INTERVAL, without, used - without, (used - without) / RULES * 1e6, rss_mib(pid), ask()), flush=True)


def run(name, start):
    """start(with rules?) gives (pid, what to tell, stop)."""
    pid, _, stop = start(False)
    time.sleep(1.5 * INTERVAL)
    begun = cpu(pid)
    time.sleep(2 * INTERVAL)
    without = (cpu(pid) - begun) / 2
    stop()
    pid, ask, stop = start(True)
    measure(name, pid, ask, without)
    stop()


port = free_port()
threading.Thread(target=http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever, daemon=True).start()
lab.write("rules.yml", rules())
scrape = ("global: {scrape_interval: %ds, scrape_timeout: 10s, evaluation_interval: %ds}\n%%s\nscrape_configs: "
          "[{job_name: j, static_configs: [{targets: ['127.0.0.1:%d']}]}]\n" % (INTERVAL, INTERVAL, port))


def text(with_rules):
    return scrape % ("rule_files: [%s]" % lab.path("rules.yml") if with_rules else "")


def ours(with_rules):
    server = lab.vedette("--self-metrics=no", "--host-metrics=no", "--builtin-rules=no", config=lab.write("v.yml", text(with_rules)))

    def ask():
        groups = server.api("/api/v1/rules", {"exclude_alerts": "true"})["groups"]
        bad = sum(r["health"] != "ok" for g in groups for r in g["rules"])
        missed = sum(float(line.split()[-1]) for line in server.get("/metrics")[2].decode().splitlines() if line.startswith("vedette_rule_group_iterations_missed_total"))
        return "%d groups, %d rules not ok, %d missed, %s alerts" % (len(groups), bad, missed, server.scalar("count(ALERTS)"))
    return server.process.pid, ask, server.stop


def theirs(with_rules):
    server = lab.prometheus(text(with_rules))

    def ask():
        return "%s rules, %s missed, %s alerts" % (sum(len(g["rules"]) for g in server.api("/api/v1/rules")["groups"]), "?", server.scalar("count(ALERTS)"))
    return server.process.pid, ask, server.process.stop


print("%d rules over %d series, groups of %d" % (RULES, SERIES, PER_GROUP), flush=True)
run("vedette", ours)
if "--ours" not in sys.argv:
    run(subprocess.run(["prometheus", "--version"], capture_output=True, text=True).stdout.split(" (")[0], theirs)
newest = os.environ.get("PEER_PROMETHEUS")
if newest:
    os.environ["PATH"] = os.path.dirname(os.path.abspath(newest)) + ":" + os.environ["PATH"]
    run(subprocess.run([newest, "--version"], capture_output=True, text=True).stdout.split(" (")[0], theirs)
lab.done()
