"""cli_test.py - every subcommand as a person types it, and what the server refuses, survives and does on signals."""
import gzip
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time

from lab import Lab, expect, free_port, http, wait_for

lab = Lab(sys.argv)
COMMANDS = ["serve", "query", "import", "fsck", "snapshot", "doctor"]


class Done:
    def __init__(self, run):
        self.rc, self.out, self.err = run.returncode, run.stdout.decode("utf-8", "replace"), run.stderr.decode("utf-8", "replace")

    def __repr__(self):
        return "exit %s, stdout %r, stderr %r" % (self.rc, self.out[-600:], self.err[-600:])


def vedette(*args, stdin=b"", env=None, seconds=60):
    return Done(subprocess.run([lab.binary, *map(str, args)], input=stdin, capture_output=True, timeout=seconds,
                               env=dict(os.environ, **(env or {}))))


def has(text, *wanted):
    for w in wanted:
        if w not in text:
            raise AssertionError("%r is not in %r" % (w, text[-800:]))


def exits(done, status):
    if done.rc != status:
        raise AssertionError("want exit %d: %r" % (status, done))
    return done


quiet = ["--self-metrics=no", "--host-metrics=no"]
server = lab.vedette(*quiet, "--admin-api")
at = int(time.time()) - 600


def to_server(command, *args, **kw):
    return vedette(command, "--server", server.base, *args, **kw)


# ---- help and usage ----

def help_of_every_command():
    has(exits(vedette("--help"), 0).out, *COMMANDS)
    has(exits(vedette("--version"), 0).out, "vedette ")
    for c in COMMANDS:
        done = exits(vedette(c, "--help"), 0)
        has(done.out, "usage: vedette " + c)
        expect(done.err, "", "stderr of %s --help" % c)
    has(vedette("serve", "--help").out, "--listen-otlp", "--retention", "[30d]", "VEDETTE_LISTEN")


def settings_table(help_text):
    """The rows of docs/configuration.md, from the flags of `vedette serve --help`."""
    rows = []
    for line in help_text.splitlines():
        m = re.match(r"  --(\S+) (\S*)\s+(.*?)(?: \[([^]]*)\])?$", line)
        if m:
            name, argument, meaning, preset = m.groups()
            rows.append("| `--%s%s` | %s | %s |" % (name, " " + argument.replace("|", "\\|") if argument else "", preset or "", meaning))
    return rows


def the_manual_has_every_setting():
    rows = settings_table(vedette("serve", "--help").out)
    assert len(rows) > 25, rows
    with open(os.path.join(lab.root, "docs", "configuration.md")) as f:
        manual = [line.rstrip("\n") for line in f if line.startswith("| `--")]
    expect(manual, rows, "the table in docs/configuration.md (left) and `vedette serve --help` (right)")


def the_sample_configuration_is_understood():
    sample = os.path.join(lab.root, "deploy", "vedette.yml")
    has(exits(vedette("doctor", "--config", sample, "--data", lab.path("sample"), "--listen", "127.0.0.1:%d" % free_port()), 0).out, "understood")


def wrong_usage_exits_2():
    has(exits(vedette(), 2).err, "usage:")
    has(exits(vedette("surf"), 2).err, "usage:")
    for c in ["query", "import", "fsck", "snapshot"]:
        has(exits(vedette(c, "--no-such-flag"), 2).err, "--no-such-flag")
    exits(vedette("query"), 2)
    exits(vedette("query", "--start", "1", "up"), 2)
    exits(vedette("import"), 2)
    exits(vedette("snapshot"), 2)


# ---- import and query ----

def import_of_megabytes_in_pieces():
    """Several pieces of 4 MiB; what comes out is what an independent sum says."""
    rnd, want, lines = random.Random(7), {}, []
    for i in range(300):
        total = 0
        for k in range(500):
            total += rnd.randrange(1000)
            lines.append('big_total{instance="host-%03d",path="/api/v1/items"} %d %d\n' % (i, total, (at + k) * 1000))
        want[i] = total
    text = "# TYPE big_total counter\n" + "".join(lines)
    path = lab.write("big.prom", text)
    assert len(text) > 9 << 20
    done = exits(to_server("import", path), 0)
    has(done.err, "%d bytes of Prometheus text sent" % len(text))
    expect(server.scalar("sum(big_total)", at + 499), float(sum(want.values())))
    expect(server.scalar("count(big_total)", at + 499), 300.0)
    expect(server.scalar("sum(count_over_time(big_total[500s]))", at + 499), 150000.0)


def import_from_standard_input():
    exits(to_server("import", "-", stdin=b"from_stdin 42 %d000\n" % at), 0)
    expect(server.scalar("from_stdin", at), 42.0)


def import_openmetrics_with_exemplars():
    text = ("# TYPE om_requests counter\n# HELP om_requests All of them.\n"
            "om_requests_total{code=\"200\"} 17 %d # {trace_id=\"abc123\"} 0.67 %d.5\n# EOF\n" % (at, at))
    exits(to_server("import", lab.write("om.txt", text)), 0)
    expect(server.scalar('om_requests_total{code="200"}', at), 17.0)
    found = server.api("/api/v1/query_exemplars", {"query": "om_requests_total", "start": at - 10, "end": at + 10})
    expect(len(found), 1)
    expect(found[0]["exemplars"][0]["labels"], {"trace_id": "abc123"})
    expect(float(found[0]["exemplars"][0]["value"]), 0.67)
    expect(server.api("/api/v1/metadata", {"metric": "om_requests"})["om_requests"][0]["help"], "All of them.")


def import_gzipped():
    path = lab.path("zipped.prom.gz")
    with gzip.open(path, "wb") as f:
        f.write(b"".join(b'zipped{i="%d"} %d %d000\n' % (i, i, at) for i in range(2000)))
    exits(to_server("import", path), 0)
    expect(server.scalar("sum(zipped)", at), float(sum(range(2000))))


def import_otlp_json():
    point = {"attributes": [{"key": "tool", "value": {"stringValue": "search"}}], "startTimeUnixNano": str(at - 60) + "0" * 9,
             "timeUnixNano": str(at) + "0" * 9, "asInt": "9"}
    body = {"resourceMetrics": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "planner"}}]},
            "scopeMetrics": [{"metrics": [{"name": "agent.calls", "sum": {"dataPoints": [point], "isMonotonic": True,
                                                                         "aggregationTemporality": 2}}]}]}]}
    exits(to_server("import", lab.write("otlp.json", json.dumps(body))), 0)
    expect(server.scalar('{__name__=~"agent.calls(_total)?",job="planner",tool="search"} or agent_calls_total{tool="search"}', at), 9.0)


def import_names_bad_lines_and_keeps_the_rest():
    text = "good_one 1 {0}000\nbad{{x=}} 2 {0}000\ngood_two 3 {0}000\ngood_three not_a_number\ngood_four 4 {0}000\n".format(at)
    done = exits(to_server("import", lab.write("mixed.prom", text)), 1)
    has(done.err, "mixed.prom:2: ", "mixed.prom:4: ", "3 samples taken, 2 refused")
    expect([server.scalar(n, at) for n in ("good_one", "good_two", "good_three", "good_four")], [1.0, 3.0, None, 4.0])


def import_line_numbers_count_from_the_start_of_the_file():
    """The bad line stands in the second piece of 4 MiB."""
    line = 'far{pad="%s"} 1 %d000\n' % ("x" * 100, at)
    n = (5 << 20) // len(line)
    done = exits(to_server("import", lab.write("far.prom", line * n + "far{ 1\n" + line)), 1)
    has(done.err, "far.prom:%d: " % (n + 1))


def import_of_what_is_not_there_or_not_ours():
    has(exits(to_server("import", lab.path("absent.prom")), 1).err, "absent.prom")
    has(exits(to_server("import", lab.write("odd.json", '{"hello":[1]}')), 1).err, "odd.json")
    exits(to_server("import", lab.write("spans.json", '{"resourceSpans":[]}')), 0)
    has(exits(vedette("import", "--server", "http://127.0.0.1:%d" % free_port(), lab.write("x.prom", "x 1\n")), 1).err, "x.prom")
    exits(to_server("import", lab.write("empty.prom", "")), 0)


def query_answers():
    exits(to_server("import", "-", stdin=b"".join(b'q{job="a"} %d %d000\n' % (k, at + 15 * k) for k in range(5))), 0)
    expect(exits(to_server("query", "--time", at + 60, "q"), 0).out, 'q{job="a"} => 4 @%d\n' % (at + 60))
    out = exits(to_server("query", "--start", at, "--end", at + 60, "--step", "30s", "q"), 0).out
    expect(out, 'q{job="a"} => \n    0 @%d\n    2 @%d\n    4 @%d\n' % (at, at + 30, at + 60))
    answer = json.loads(exits(to_server("query", "--json", "--time", at, "1 + 1"), 0).out)
    expect(answer["data"], {"resultType": "scalar", "result": [at, "2"]})
    expect(exits(to_server("query", "no_such_metric"), 0).out, "")


def query_errors():
    has(exits(to_server("query", "sum("), 1).err, "parse error")
    has(exits(to_server("query", "--json", "sum("), 1).out, '"status":"error"')
    has(exits(vedette("query", "--server", "http://127.0.0.1:%d" % free_port(), "up"), 1).err, "vedette query")


# ---- fsck, snapshot, doctor ----

def snapshot_by_server_opens_elsewhere():
    done = exits(vedette("snapshot", "--server", server.base), 0)
    name = json.loads(done.out)["data"]["name"]
    other = lab.vedette(*quiet, data=os.path.join(server.data, "snapshots", name))
    for q in ("sum(big_total)", "count(zipped)", "sum by (job) (q)"):
        expect(other.query(q, at + 60), server.query(q, at + 60), q)
    found = {"query": "om_requests_total", "start": at - 10, "end": at + 10}
    expect(other.api("/api/v1/query_exemplars", found), server.api("/api/v1/query_exemplars", found))
    expect(other.stop(), 0)


def snapshot_is_refused_where_it_must_be():
    has(exits(vedette("snapshot", "--data", server.data, lab.path("not-now")), 1).err, "--server")
    closed = lab.vedette(*quiet)
    has(exits(vedette("snapshot", "--server", closed.base), 1).err, "admin")
    expect(closed.stop(), 0)


def snapshot_offline_and_fsck():
    """Of the server's directory once it has stopped; then one byte is flipped."""
    want = server.query("sum(big_total)", at + 60)
    expect(server.stop(), 0)
    has(exits(vedette("fsck", "--data", server.data), 0).out, " 0 damaged")
    copy = lab.path("offline")
    exits(vedette("snapshot", "--data", server.data, copy), 0)
    has(exits(vedette("fsck", "--data", copy), 0).out, " 0 damaged")
    again = exits(vedette("snapshot", "--data", server.data, copy), 1)
    has(again.err, copy)
    other = lab.vedette(*quiet, data=copy)
    expect(other.query("sum(big_total)", at + 60), want)
    expect(other.stop(), 0)

    files = sorted(os.path.join(d, f) for d, _, fs in os.walk(os.path.join(copy, "metrics")) for f in fs)
    assert files, "no parts in " + copy
    for path in files:
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            byte = f.read(1)[0]
            f.seek(-1, 1)
            f.write(bytes([byte ^ 0x10]))
        has(exits(vedette("fsck", "--data", copy), 1).out, os.path.basename(path))
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            f.write(bytes([byte]))
    exits(vedette("fsck", "--data", copy), 0)
    has(exits(vedette("fsck", "--data", lab.path("nowhere")), 1).err, "nowhere")
    server.start()
    expect(server.query("sum(big_total)", at + 60), want)


def doctor_looks():
    ports = ["--listen", "127.0.0.1:%d" % free_port(), "--listen-otlp", "127.0.0.1:%d" % free_port(), "--listen-grpc", "none"]
    good = exits(vedette("doctor", "--data", lab.path("doc"), *ports), 0)
    has(good.out, "synced write", "free space", " 0 failures")
    taken = exits(vedette("doctor", "--data", lab.path("doc"), "--listen", "127.0.0.1:%d" % server.port), 0)
    has(taken.out, "in use by a server that is ready")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        has(vedette("doctor", "--data", lab.path("doc"), "--listen", "127.0.0.1:%d" % s.getsockname()[1]).out, "warn  port", "in use")
    for text, line in (("retention: 30d\nretension: 4d\n", 2), ("scrape_configs:\n  - job_name: x\n    scrap_interval: 5s\n", 3)):
        has(exits(vedette("doctor", "--config", lab.write("bad.yml", text), "--data", lab.path("doc"), *ports), 1).out,
            "FAIL", "bad.yml:%d" % line)
    has(exits(vedette("doctor", "--data", "/proc/not-here", *ports), 1).out, "FAIL")


# ---- serve: refusals ----

def serve(*args, env=None):
    ports = ["--listen-otlp", "none", "--listen-grpc", "none"]
    return vedette("serve", "--data", lab.path("refused"), *ports, *args, env=env, seconds=20)


def not_open_to_the_network_by_accident():
    for listen in ("0.0.0.0:%d", "[::]:%d", "127.0.0.1.example.org:%d"):
        done = serve("--listen", listen % free_port())
        exits(done, 1)
        has(done.err, "not a loopback address", "--allow-insecure-listen")
    open_port = free_port()
    p = lab.run("open", [lab.binary, "serve", "--data", lab.path("open"), "--listen", "0.0.0.0:%d" % open_port, "--listen-otlp", "none",
                         "--listen-grpc", "none", "--allow-insecure-listen"])
    wait_for(lambda: http("GET", "http://127.0.0.1:%d/-/ready" % open_port)[0] == 200, 20)
    expect(p.stop(), 0)


def bad_settings_name_their_place():
    listen = ["--listen", "127.0.0.1:%d" % free_port()]
    has(exits(serve("--lissten", "x"), 2).err, "--lissten")
    has(exits(serve("stray"), 2).err, "stray")
    has(exits(serve(*listen, "--retention"), 2).err, "--retention")
    for flag, value in (("retention", "7q"), ("retention", "-1d"), ("self-interval", "0s"), ("self-interval", "forever"),
                        ("max-body", "lots"), ("max-series", "1.5"), ("query-concurrency", "0"), ("http-threads", "100000"),
                        ("demo", "perhaps"), ("max-series", "99999999999999999999999")):
        has(exits(serve(*listen, "--%s=%s" % (flag, value)), 2).err, flag, value)
    has(exits(serve(*listen, env={"VEDETTE_QUERY_TIMEOUT": "soon"}), 2).err, "VEDETTE_QUERY_TIMEOUT", "soon")
    has(exits(serve(*listen, "--log-level", "loud"), 2).err, "loud")
    has(exits(serve(*listen, "--log-format", "xml"), 2).err, "xml")
    has(exits(serve(*listen, "--tls-cert-file", "x.pem"), 1).err, "--tls-key-file")
    for bad in ("127.0.0.1", "127.0.0.1:99999", "127.0.0.1:", "localhost:http"):
        assert serve("--listen", bad).rc in (1, 2), bad


def bad_files_name_their_line():
    cases = [("retention: 30d\nretension: 4d\n", "bad.yml:2"), ("\nretention: 7q\n", "bad.yml:2"), ("- a\n- b\n", "bad.yml:1"),
             ("just words\n", "bad.yml:1"), ("a: [1\n", "bad.yml"), ("listen:\n  - x\n", "bad.yml"),
             ("data: x\ndata: y\n", "bad.yml:2"), ("otlp: 5\n", "bad.yml"),
             ("global:\n  scrape_intervall: 5s\n", "bad.yml:2"),
             ("scrape_configs:\n  - job_name: a\n    static_configs:\n      - target: [x]\n", "bad.yml:4")]
    for text, where in cases:
        done = serve("--listen", "127.0.0.1:%d" % free_port(), "--config", lab.write("bad.yml", text))
        assert done.rc in (1, 2), done
        has(done.err, where)
    has(exits(serve("--config", lab.path("absent.yml")), 2).err, "absent.yml")


def prometheus_files_work_as_they_are():
    text = ("global:\n  scrape_interval: 15s\n  external_labels: {cluster: x}\nrule_files: [rules.yml]\nalerting:\n  alertmanagers: []\n"
            "remote_write:\n  - url: http://127.0.0.1:9/\nremote_read: []\nstorage: {tsdb: {out_of_order_time_window: 1h}}\n"
            "tracing: {endpoint: x}\notlp:\n  promote_resource_attributes: [host.name]\nscrape_configs: []\n")
    s = lab.vedette(*quiet, config=lab.write("prometheus.yml", text))
    log = s.process.tail(10000)
    has(log, "remote_write", "storage", "tracing", "not used yet")
    expect(s.stop(), 0)


def one_server_a_directory():
    done = exits(vedette("serve", "--data", server.data, "--listen", "127.0.0.1:%d" % free_port(), "--listen-otlp", "none",
                         "--listen-grpc", "none"), 1)
    has(done.err, server.data, "locked")


def port_in_use():
    done = exits(serve("--listen", "127.0.0.1:%d" % server.port), 1)
    has(done.err, str(server.port))


# ---- serve: settings, signals, TLS ----

def flag_beats_environment_beats_file():
    config = lab.write("order.yml", "retention: 10d\nmax_series: 1000\nquery_lookback: 1m\n")
    s = lab.vedette(*quiet, "--retention", "forever", config=config, env={"VEDETTE_RETENTION": "5d", "VEDETTE_MAX_SERIES": "2000"})
    flags = s.api("/api/v1/status/flags")
    expect([flags["max-series"], flags["query-lookback"], flags["query-timeout"]], ["2000", "1m", "2m"])
    body = b"ancient 1 0\n"
    expect(http("POST", s.base + "/api/v1/import/prometheus", body, {"Content-Type": "text/plain"})[0] // 100, 2, "import at time 0")
    expect(s.scalar("ancient", 1), 1.0)
    expect(s.stop(), 0)


def hangup_takes_good_files_and_leaves_bad_ones():
    target = 'scrape_configs:\n  - job_name: %s\n    scrape_interval: 1s\n    static_configs: [{targets: ["127.0.0.1:%d"]}]\n'
    config = lab.write("hup.yml", "")
    s = lab.vedette(*quiet, config=config)
    with open(config, "w") as f:
        f.write(target % ("first", s.port))
    s.process.child.send_signal(1)
    wait_for(lambda: s.scalar('up{job="first"}') == 1.0, 20, what="the new job is scraped")
    for bad in ("scrape_configs: [\n", target % ("second", s.port) + "retension: 3d\n", target % ("second", s.port) + "retention: 7q\n",
                "- a\n"):
        with open(config, "w") as f:
            f.write(bad)
        before = len(s.process.tail(1 << 20))
        s.process.child.send_signal(1)
        wait_for(lambda: "old one stays" in s.process.tail(1 << 20)[before:], 10, what="the refusal in the log")
    status, _, body = http("POST", s.base + "/-/reload")
    expect(status, 500)
    has(body.decode(), "hup.yml")
    time.sleep(1.5)
    expect([r["metric"]["job"] for r in s.query("up")], ["first"])
    expect(s.stop(), 0)


def hangups_and_reloads_together():
    """From both sides at once, with targets and answers under way."""
    target = 'global: {external_labels: {n: "%d"}}\nscrape_configs:\n  - job_name: j%d\n    scrape_interval: 1s\n    static_configs: [{targets: ["127.0.0.1:%d"]}]\n'
    config = lab.write("both.yml", "")
    s = lab.vedette(*quiet, config=config)
    failed = []

    def reload():
        for _ in range(30):
            if http("POST", s.base + "/-/reload")[0] != 200 or s.get("/api/v1/status/config")[0] != 200 or s.get("/api/v1/targets")[0] != 200:
                failed.append(1)

    threads = [threading.Thread(target=reload) for _ in range(4)]
    for n in range(30):
        with open(config + ".new", "w") as f:
            f.write(target % (n, n % 3, s.port))
        os.rename(config + ".new", config)
        s.process.child.send_signal(1)
        if n == 0:
            for t in threads:
                t.start()
        time.sleep(0.02)
    for t in threads:
        t.join()
    expect(failed, [])
    expect(s.stop(), 0)


def terminated_under_load_it_ends_in_time():
    """Acknowledged writes are there after the restart; exit status 0 within 10 s."""
    s = lab.vedette(*quiet)
    acked, stop = [0] * 4, threading.Event()

    def write(lane):
        while not stop.is_set():
            k = acked[lane] + 1
            body = "".join('load{lane="%d",i="%d"} %d %d\n' % (lane, i, k, (at + k) * 1000) for i in range(200)).encode()
            try:
                if http("POST", s.base + "/api/v1/import/prometheus", body, {"Content-Type": "text/plain"}, 10)[0] // 100 == 2:
                    acked[lane] = k
            except OSError:
                return

    def ask():
        while not stop.is_set():
            try:
                s.api("/api/v1/query_range", {"query": "sum(rate(load[1m]))", "start": at, "end": at + 600, "step": 1})
            except (OSError, AssertionError, ValueError):
                return

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)] + [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    time.sleep(3)
    start = time.monotonic()
    status = s.process.stop(20)
    took = time.monotonic() - start
    stop.set()
    for t in threads:
        t.join()
    expect(status, 0)
    assert took < 10, "took %.1f s" % took
    assert min(acked) > 0, acked
    s.start()
    for lane in range(4):
        got = s.scalar('min(max_over_time(load{lane="%d"}[1h]))' % lane, at + 3000)
        assert got >= acked[lane], "lane %d: %r of %d acknowledged" % (lane, got, acked[lane])
    expect(s.stop(), 0)


def tls_with_a_certificate_of_openssl():
    cert, key = lab.path("cert.pem"), lab.path("key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    import ssl
    import urllib.request
    port = free_port()
    p = lab.run("tls", [lab.binary, "serve", "--data", lab.path("tls"), "--listen", "127.0.0.1:%d" % port, "--listen-otlp", "none",
                        "--listen-grpc", "none", "--tls-cert-file", cert, "--tls-key-file", key])
    trust = ssl.create_default_context(cafile=cert)
    url = "https://127.0.0.1:%d/-/ready" % port
    wait_for(lambda: urllib.request.urlopen(url, context=trust, timeout=5).status == 200, 20, what="ready over TLS")
    expect(p.stop(), 0)
    has(exits(serve("--listen", "127.0.0.1:%d" % port, "--tls-cert-file", lab.path("none.pem"), "--tls-key-file", key), 1).err, "none.pem")
    junk = lab.write("junk.pem", "not a certificate\n")
    exits(serve("--listen", "127.0.0.1:%d" % port, "--tls-cert-file", junk, "--tls-key-file", key), 1)


def demo_ends_when_telemetry_arrives():
    s = lab.vedette(*quiet, "--demo")
    wait_for(lambda: s.scalar('count(gen_ai_client_requests_total{job="demo"})'), 30, what="demo series")
    history = 'min(count_over_time(gen_ai_client_requests_total{job="demo",status="ok"}[50m]))'
    wait_for(lambda: s.scalar(history) >= 590, 60, what="an hour of history, a step every 5 s")
    exits(vedette("import", "--server", s.base, "-", stdin=b"mine 1\n"), 0)
    wait_for(lambda: "demo workload ends" in s.process.tail(1 << 20), 15, what="the end of the demo")
    expect(s.stop(), 0)
    pushed = lab.vedette(*quiet, "--demo")
    expect(http("POST", pushed.base + "/metrics/job/backup", b"mine 1\n", {"Content-Type": "text/plain"})[0] // 100, 2)
    wait_for(lambda: "demo workload ends" in pushed.process.tail(1 << 20), 60, what="the end of the demo by a pushed job")
    expect(pushed.stop(), 0)


def no_port_left_open():
    """--listen alone puts OTLP beside it; `none` turns a listener off."""
    port = free_port()
    p = lab.run("alone", [lab.binary, "serve", "--data", lab.path("alone"), "--listen", "127.0.0.1:%d" % port, "--listen-otlp", "none",
                          "--listen-grpc=none"])
    wait_for(lambda: http("GET", "http://127.0.0.1:%d/-/ready" % port)[0] == 200, 20)
    inodes = {os.readlink("/proc/%d/fd/%s" % (p.pid, fd)) for fd in os.listdir("/proc/%d/fd" % p.pid)}
    with open("/proc/%d/net/tcp" % p.pid) as f:
        listening = [r.split() for r in f.readlines()[1:]]
    ours = {int(r[1].split(":")[1], 16) for r in listening if r[3] == "0A" and "socket:[%s]" % r[9] in inodes}
    expect(ours, {port})
    expect(p.stop(), 0)


CASES = [help_of_every_command, the_manual_has_every_setting, the_sample_configuration_is_understood, wrong_usage_exits_2, import_of_megabytes_in_pieces, import_from_standard_input,
         import_openmetrics_with_exemplars, import_gzipped, import_otlp_json, import_names_bad_lines_and_keeps_the_rest,
         import_line_numbers_count_from_the_start_of_the_file, import_of_what_is_not_there_or_not_ours, query_answers, query_errors,
         snapshot_by_server_opens_elsewhere, snapshot_is_refused_where_it_must_be, snapshot_offline_and_fsck, doctor_looks,
         not_open_to_the_network_by_accident, bad_settings_name_their_place, bad_files_name_their_line,
         prometheus_files_work_as_they_are, one_server_a_directory, port_in_use, flag_beats_environment_beats_file,
         hangup_takes_good_files_and_leaves_bad_ones, hangups_and_reloads_together, terminated_under_load_it_ends_in_time, demo_ends_when_telemetry_arrives,
         no_port_left_open]
for case in CASES:
    lab.case(case.__name__, case)
if lab.have("openssl"):
    lab.case("tls_with_a_certificate_of_openssl", tls_with_a_certificate_of_openssl)
lab.done()
