#!/usr/bin/python3
"""otlp_collector_test.py BUILD - the OpenTelemetry Collector and its load generator as senders: every signal, over gRPC and HTTP, in each packing
their exporters know, and what they make of a server that is not ready for them.

Neither is in Debian. Say where they are with VEDETTE_TEST_OTELCOL and VEDETTE_TEST_TELEMETRYGEN, or put otelcol and telemetrygen on the PATH
(docs/otlp.md says how they are built); else the test is skipped. The Collector needs the otlp receiver and the exporters otlp and otlphttp."""
import os
import shutil
import subprocess
import sys

from lab import Lab, expect, free_port, http, wait_for
from records import counter, kept, wait_kept

TRACES, LOGS, METRICS = 200, 300, 50
SPANS = 2 * TRACES  # a parent and a child each

CONFIG = """
receivers:
  otlp: { protocols: { grpc: { endpoint: "127.0.0.1:%(from_port)d" } } }
exporters:
  %(exporter)s:
    endpoint: "%(endpoint)s"
    compression: %(compression)s
    %(more)s
    retry_on_failure: { enabled: true, initial_interval: 100ms, max_interval: 1s, max_elapsed_time: 120s }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    traces: { receivers: [otlp], exporters: [%(exporter)s] }
    logs: { receivers: [otlp], exporters: [%(exporter)s] }
    metrics: { receivers: [otlp], exporters: [%(exporter)s] }
"""


def program(variable, name):
    path = os.environ.get(variable) or shutil.which(name)
    return path if path and os.access(path, os.X_OK) else None


def main():
    lab = Lab(sys.argv)
    otelcol, telemetrygen = program("VEDETTE_TEST_OTELCOL", "otelcol"), program("VEDETTE_TEST_TELEMETRYGEN", "telemetrygen")
    if telemetrygen is None:
        lab.skip("telemetrygen", "set VEDETTE_TEST_TELEMETRYGEN to the program: real senders were NOT tried")
        lab.done()
    server = lab.vedette()

    def generate(signal, count, endpoint, *flags):
        out = subprocess.run([telemetrygen, signal, "--otlp-endpoint", endpoint, "--otlp-insecure", "--rate", "0", "--" + signal, str(count), *flags],
                             capture_output=True, text=True, timeout=120)
        expect(out.returncode, 0, "telemetrygen: " + (out.stdout + out.stderr)[-400:])

    def samples(protocol):
        return counter(server, "vedette_ingest_samples_total", protocol=protocol)

    def all_signals(protocol, endpoint, *flags):
        """All three; what is kept of each is what was sent."""
        spans, logs, before = kept(server, protocol, "spans"), kept(server, protocol), samples(protocol)
        generate("traces", TRACES, endpoint, *flags)
        generate("logs", LOGS, endpoint, *flags)
        generate("metrics", METRICS, endpoint, *flags)
        wait_kept(server, protocol, spans + SPANS, "spans", 60)
        wait_kept(server, protocol, logs + LOGS, "logs", 60)
        wait_for(lambda: samples(protocol) - before >= METRICS, 60, what="%d samples by %s" % (METRICS, protocol))

    grpc, otlp = "127.0.0.1:%d" % server.grpc_port, "127.0.0.1:%d" % server.otlp_port
    lab.case("telemetrygen-grpc", lambda: all_signals("otlp_grpc", grpc))

    def over_http():
        spans, logs = kept(server, "otlp_http", "spans"), kept(server, "otlp_http")
        for signal, count, path in (("traces", TRACES, "/v1/traces"), ("logs", LOGS, "/v1/logs"), ("metrics", METRICS, "/v1/metrics")):
            generate(signal, count, otlp, "--otlp-http", "--otlp-http-url-path", path)
        wait_kept(server, "otlp_http", spans + SPANS, "spans", 60)
        wait_kept(server, "otlp_http", logs + LOGS, "logs", 60)
    lab.case("telemetrygen-http", over_http)

    def as_asked():
        found = server.get("/api/v1/traces", {"service": "telemetrygen", "limit": 1})[2]
        expect(b'"span_count":2' in found, True, "a trace of two spans: " + found[:300].decode())
        expect(server.scalar("count(gen)") >= 1, True, "the generator's metric")
    lab.case("what-was-sent-is-found", as_asked)

    if otelcol is None:
        lab.skip("collector", "set VEDETTE_TEST_OTELCOL to the program: the Collector was NOT tried")
        lab.done()

    def collector(exporter, compression, more=""):
        port = free_port()
        endpoint = grpc if exporter == "otlp" else "http://" + otlp
        more = "tls: { insecure: true }" if exporter == "otlp" else more
        conf = lab.write("collector-%d.yaml" % port, CONFIG % {"from_port": port, "exporter": exporter, "endpoint": endpoint,
                                                              "compression": compression, "more": more})
        p = lab.run("collector", [otelcol, "--config", conf])
        wait_for(lambda: b"Everything is ready" in open(p.log_path, "rb").read(), 60, what="collector ready")
        return p, "127.0.0.1:%d" % port

    def through(exporter, compression, more=""):
        def run():
            p, endpoint = collector(exporter, compression, more)
            all_signals("otlp_grpc" if exporter == "otlp" else "otlp_http", endpoint)
            p.stop()
        lab.case("collector-%s-%s%s" % (exporter, compression, "-json" if more else ""), run)
    for compression in ("none", "gzip", "snappy", "zstd"):
        through("otlp", compression)
    for compression in ("none", "gzip", "deflate", "zlib", "snappy", "zstd"):
        through("otlphttp", compression)
    through("otlphttp", "gzip", "encoding: json")

    def held_back(exporter, protocol):
        """A server whose disk is too full says: later. The Collector comes again, and all is there once."""
        def run():
            server.stop()
            server.flags = ["--min-free-space", "1024GiB"]
            server.start()
            p, endpoint = collector(exporter, "gzip")
            generate("traces", TRACES, endpoint)
            generate("logs", LOGS, endpoint)
            wait_for(lambda: b"Will retry" in open(p.log_path, "rb").read(), 60, what="a retry")
            expect(kept(server, protocol, "spans") + kept(server, protocol), 0, "kept while there is no room")
            server.stop()
            server.flags = []
            server.start()
            wait_kept(server, protocol, SPANS, "spans", 60)
            wait_kept(server, protocol, LOGS, "logs", 60)
            p.stop()
        lab.case("told-to-come-again-%s" % protocol, run)
    held_back("otlphttp", "otlp_http")
    held_back("otlp", "otlp_grpc")
    lab.done()


main()
