"""Debian's Prometheus and VictoriaMetrics programs against us: remote write, scrape, federate, remote read, promtool,
vmagent, vmalert. Each talks to us as it would to the server it was made for."""
import math
import os
import re
import subprocess
import sys
import time

from lab import Lab, Prometheus, expect, free_port, http, wait_for


def remote_write(lab, node_port):
    ours = lab.vedette("--self-metrics=no", "--host-metrics=no")
    theirs = lab.prometheus("""
global: {scrape_interval: 200ms, scrape_timeout: 200ms, external_labels: {cluster: lab}}
scrape_configs: [{job_name: node, static_configs: [{targets: ["127.0.0.1:%d"]}]}]
remote_write: [{url: "%s/api/v1/write", send_exemplars: true, queue_config: {batch_send_deadline: 200ms}, metadata_config: {send_interval: 1s}}]
""" % (node_port, ours.base))

    def samples_are_identical():
        wait_for(lambda: (theirs.scalar('count_over_time(up{job="node"}[1m])') or 0) > 20, 30)
        at = time.time() - 2  # what has settled on both sides
        want = theirs.samples('{job="node"}', "20s", at)
        wait_for(lambda: len(ours.samples('{job="node",cluster="lab"}', "20s", at)) == len(want), 20)
        got = {tuple((k, v) for k, v in key if k != "cluster"): v for key, v in ours.samples('{job="node"}', "20s", at).items()}
        expect(len(got), len(want), "series")
        for key, values in want.items():
            expect(got[key], values, str(key))
    lab.case("prometheus_remote_write_samples_are_identical", samples_are_identical)

    def metadata():
        wait_for(lambda: ours.api("/api/v1/metadata", {"metric": "node_cpu_seconds_total"}), 20)
        want = theirs.api("/api/v1/metadata", {"metric": "node_cpu_seconds_total"})
        expect(ours.api("/api/v1/metadata", {"metric": "node_cpu_seconds_total"}), want, "metadata")
    lab.case("prometheus_remote_write_metadata", metadata)

    def stale():
        theirs.process.stop()
        at = time.time()
        # Prometheus ends its series with stale markers only when a target goes away, so old samples stay visible for 5 m.
        expect(ours.scalar('count(up{job="node"})', at), 1.0, "up within the lookback")
        expect(ours.query('up{job="node"}', at + 400), [], "up beyond the lookback")
    lab.case("prometheus_gone_series_end_with_the_lookback", stale)
    return ours


def promtool(lab, ours):
    def run(*argv):
        p = subprocess.run(["promtool", *argv], capture_output=True, text=True, timeout=60)
        if p.returncode != 0:
            raise AssertionError("promtool %s: %s%s" % (" ".join(argv), p.stdout, p.stderr))
        return p.stdout

    lab.case("promtool_query_instant", lambda: expect("node_load1" in run("query", "instant", ours.base, "node_load1"), True))
    lab.case("promtool_query_range", lambda: expect(
        "=>" in run("query", "range", "--step=1s", "--start=%d" % (time.time() - 120), ours.base, "rate(node_cpu_seconds_total[10s])"), True))
    lab.case("promtool_query_series", lambda: expect("node_load5" in run("query", "series", "--match=node_load5", ours.base), True))
    lab.case("promtool_query_labels", lambda: expect("node" in run("query", "labels", ours.base, "job").split(), True))
    lab.case("promtool_check_metrics_of_ours", lambda: check_metrics(ours))


def check_metrics(ours):
    text = ours.get("/metrics")[2]
    p = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60)
    expect(p.returncode, 0, "promtool check metrics: " + (p.stdout + p.stderr).decode()[:500])


def scraped_and_federated(lab, ours):
    theirs = lab.prometheus("""
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
  - {job_name: vedette, static_configs: [{targets: ["127.0.0.1:%d"]}]}
  - {job_name: federate, honor_labels: true, metrics_path: /federate, params: {"match[]": ['{job="node"}']}, static_configs: [{targets: ["127.0.0.1:%d"]}]}
remote_read: [{url: "%s/api/v1/read", read_recent: true}]
""" % (ours.port, ours.port, ours.base))

    lab.case("prometheus_scrapes_us", lambda: wait_for(lambda: theirs.scalar('up{job="vedette"}') == 1, 20))
    lab.case("our_own_metrics_arrive_there", lambda: wait_for(
        lambda: (theirs.scalar('count({__name__=~"vedette_.+",job="vedette"})') or 0) > 10, 20))
    lab.case("prometheus_federates_us", lambda: wait_for(lambda: theirs.scalar('up{job="federate"}') == 1, 20))

    def remote_read():
        at = wait_for(lambda: newest(ours), 10)
        want = ours.samples('node_cpu_seconds_total{job="node"}', "10s", at)
        got = theirs.samples('node_cpu_seconds_total{job="node",cluster="lab"}', "10s", at)
        for key, values in want.items():
            for sample in values:
                expect(sample in got[key], True, "%s %s read back through prometheus" % (key, sample))
        expect(len(got), len(want), "series")
    lab.case("prometheus_remote_reads_us", remote_read)


def newest(ours):
    values = ours.samples('node_load1{job="node"}', "10m", time.time())
    return max(v[-1][0] for v in values.values())


def vmagent(lab, node_port):
    if not lab.have("vmagent"):
        return
    ours = lab.vedette("--self-metrics=no", "--host-metrics=no")
    config = lab.write("vmagent.yml", """
global: {scrape_interval: 500ms}
scrape_configs: [{job_name: node, static_configs: [{targets: ["127.0.0.1:%d"]}]}]
""" % node_port)
    lab.run("vmagent", ["vmagent", "-promscrape.config=" + config, "-remoteWrite.url=%s/api/v1/write" % ours.base,
                        "-remoteWrite.tmpDataPath=" + lab.path("vmagent"), "-httpListenAddr=127.0.0.1:%d" % free_port(),
                        "-remoteWrite.flushInterval=200ms", "-loggerLevel=ERROR"])
    lab.case("vmagent_remote_writes", lambda: wait_for(lambda: (ours.scalar('count({job="node"})') or 0) > 300, 30))


def vmalert(lab, ours):
    if not lab.have("vmalert"):
        return
    rules = lab.write("rules.yml", """
groups:
  - name: g
    interval: 1s
    rules:
      - {record: "node:cpus", expr: 'count(count by (cpu) (node_cpu_seconds_total{job="node"} offset -0s))'}
      - {record: "answer", expr: "vector(42)"}
""")
    lab.run("vmalert", ["vmalert", "-rule=" + rules, "-datasource.url=" + ours.base, "-remoteWrite.url=" + ours.base,
                        "-remoteRead.url=" + ours.base, "-notifier.url=http://127.0.0.1:9", "-httpListenAddr=127.0.0.1:%d" % free_port(),
                        "-remoteWrite.flushInterval=200ms", "-loggerLevel=ERROR", "-evaluationInterval=1s"])
    lab.case("vmalert_asks_us_and_writes_back", lambda: wait_for(lambda: ours.scalar("answer") == 42, 40))


def remote_write_2(lab, node_port):
    """Remote write 2.0 and native histograms want a Prometheus newer than Debian's: $PEER_PROMETHEUS names its program."""
    program = os.environ.get("PEER_PROMETHEUS")
    if not program:
        lab.skip("remote_write_2_from_a_new_prometheus", "$PEER_PROMETHEUS does not name a Prometheus 3")
        return
    ours = lab.vedette("--self-metrics=no", "--host-metrics=no")
    port = free_port()
    config = lab.write("new.yml", """
global: {scrape_interval: 500ms, scrape_timeout: 500ms, scrape_native_histograms: true, external_labels: {cluster: lab}}
scrape_configs:
  - {job_name: node, static_configs: [{targets: ["127.0.0.1:%d"]}]}
  - {job_name: self, static_configs: [{targets: ["127.0.0.1:%d"]}]}
remote_write:
  - {url: "%s/api/v1/write", protobuf_message: io.prometheus.write.v2.Request, send_exemplars: true, send_native_histograms: true,
     queue_config: {batch_send_deadline: 200ms}}
""" % (node_port, port, ours.base))
    lab.run("prometheus-new", [program, "--config.file=" + config, "--storage.tsdb.path=" + lab.path("new"), "--log.level=warn",
                               "--web.listen-address=127.0.0.1:%d" % port])
    theirs = Prometheus("http://127.0.0.1:%d" % port)
    wait_for(lambda: theirs.get("/-/ready")[0] == 200, 60, what="the new prometheus")

    def floats():
        wait_for(lambda: (theirs.scalar('count_over_time(up{job="node"}[1m])') or 0) > 20, 60)
        at = time.time() - 3
        want = theirs.samples('{job="node"}', "8s", at)
        got = {tuple((k, v) for k, v in key if k != "cluster"): v for key, v in ours.samples('{job="node"}', "8s", at).items()}
        expect(got == want, True, "identical samples of %d series" % len(want))
    lab.case("remote_write_2_samples_are_identical", floats)

    def histograms():
        at = time.time() - 3
        for query in ("histogram_count(%s)", "histogram_sum(%s)", "histogram_quantile(0.9, %s)", "histogram_stddev(%s)"):
            query %= "prometheus_http_request_duration_seconds"
            want = {s["metric"]["handler"]: float(s["value"][1]) for s in theirs.query(query, at)}
            got = {s["metric"]["handler"]: float(s["value"][1]) for s in ours.query(query, at)}
            expect(len(want) > 0, True, "prometheus has native histograms")
            expect(set(got), set(want), query)
            for handler in want:
                expect(math.isclose(got[handler], want[handler], rel_tol=1e-12), True, "%s of %s: %r and %r" % (query, handler, got[handler], want[handler]))
    lab.case("remote_write_2_native_histograms_are_identical", histograms)


def load(lab):
    ours = lab.vedette()
    if lab.have("wrk"):
        def wrk():
            p = subprocess.run(["wrk", "-t1", "-c64", "-d3s", ours.base + "/api/v1/query?query=vector(1)"], capture_output=True, text=True, timeout=60)
            expect("Non-2xx" in p.stdout, False, p.stdout)
            print("# wrk: " + " ".join(re.findall(r"Requests/sec: +\S+", p.stdout)))
        lab.case("wrk_64_connections_all_answered", wrk)
    if lab.have("h2load"):
        def h2load():
            frame = lab.write("grpc-empty", "")
            with open(frame, "wb") as f:
                f.write(b"\0\0\0\0\0")
            p = subprocess.run(["h2load", "-n", "5000", "-c", "8", "-m", "16", "-d", frame, "-H", "content-type: application/grpc", "-H", "te: trailers",
                                "http://127.0.0.1:%d/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" % ours.grpc_port],
                               capture_output=True, text=True, timeout=60)
            expect("5000 succeeded, 0 failed, 0 errored" in p.stdout, True, p.stdout)
        lab.case("h2load_5000_grpc_calls_all_answered", h2load)
    lab.case("alive_after_the_load", lambda: expect(ours.scalar("vector(1)"), 1.0))


def main():
    lab = Lab(sys.argv)
    if lab.have("prometheus", "promtool", "prometheus-node-exporter"):
        node_port, _ = lab.node_exporter()
        ours = remote_write(lab, node_port)
        promtool(lab, ours)
        scraped_and_federated(lab, ours)
        remote_write_2(lab, node_port)
        vmagent(lab, node_port)
        vmalert(lab, ours)
    load(lab)
    lab.done()


main()
