"""Our scraper against real exporters: node_exporter, prom-client, Debian's prometheus, and small servers of our own for
what needs a hand on the switch (credentials, TLS, discovery, death)."""
import base64
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time

from lab import Lab, expect, free_port, wait_for

SCRAPE = "global: {scrape_interval: 500ms, scrape_timeout: 400ms}\n"


class Target:
    """An HTTP server whose answer the test decides: path -> (status, headers, body); remembers the last request of each."""

    def __init__(self, answers, tls=None):
        outer = self
        self.answers, self.seen, self.stopped = answers, {}, False

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if outer.stopped:  # a connection kept alive must not outlive the server
                    self.close_connection = True
                    return
                outer.seen[self.path] = self.headers
                answer = outer.answers.get(self.path) or (404, {}, "not here")
                answer = answer(self) if callable(answer) else answer
                body = answer[2].encode()
                self.send_response(answer[0])
                for name, value in answer[1].items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.address = "127.0.0.1:%d" % self.port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.stopped = True
        self.server.shutdown()
        self.server.server_close()


TEXT = {"Content-Type": "text/plain; version=0.0.4"}


def up(server, job, want=1, seconds=15):
    wait_for(lambda: server.scalar('up{job="%s"}' % job) == want, seconds, what='up{job="%s"} == %d' % (job, want))


def start(lab, name, config, *flags):
    path = lab.write(name + ".yml", SCRAPE + config)
    return lab.vedette("--self-metrics=no", "--host-metrics=no", *flags, config=path)


# ---- real exporters ----

def normal(labels):
    """Debian's 2.42 keeps bounds as they come; from 3.0 on Prometheus writes them as floats, and so do we."""
    out = dict(labels)
    for bound in ("le", "quantile"):
        if re.fullmatch(r"\d+", out.get(bound, "")):
            out[bound] += ".0"
    return tuple(sorted(out.items()))


def node_exporter(lab):
    port, _ = lab.node_exporter()
    job = 'scrape_configs: [{job_name: node, static_configs: [{targets: ["127.0.0.1:%d"], labels: {rack: a1}}]}]\n' % port
    ours = start(lab, "node", job)
    theirs = lab.prometheus(SCRAPE + job)

    def same_series():
        up(ours, "node")
        up(theirs, "node")
        def sets():
            at = time.time()
            return [{normal(s["metric"]) for s in p.query('{job="node"}', at)} for p in (ours, theirs)]
        def equal():
            a, b = sets()
            return len(a) > 300 and a == b
        try:
            wait_for(equal, 20, 0.5)
        except AssertionError:
            a, b = sets()
            raise AssertionError("only ours: %r; only theirs: %r" % (sorted(a - b)[:5], sorted(b - a)[:5]))
    lab.case("node_exporter_series_are_those_prometheus_stores", same_series)

    def same_values():
        at = time.time()
        for name in ("node_boot_time_seconds", "node_memory_MemTotal_bytes", "count(node_cpu_seconds_total)", "node_uname_info"):
            expect([s["value"][1] for s in ours.query(name, at)], [s["value"][1] for s in theirs.query(name, at)], name)
    lab.case("node_exporter_values_are_the_same", same_values)

    def same_metadata():
        wait_for(lambda: len(theirs.api("/api/v1/metadata")) > 100, 20)
        def both():
            return [{k: [(m["type"], m["help"]) for m in v] for k, v in p.api("/api/v1/metadata", {"limit": 5000}).items()} for p in (ours, theirs)]
        a, b = both()
        b = {k: v for k, v in b.items() if not k.startswith("prometheus_")}
        expect({k: a.get(k) for k in b}, b, "metadata")
    lab.case("node_exporter_metadata_is_the_same", same_metadata)

    def steady():
        wait_for(lambda: (ours.scalar('count_over_time(up{job="node"}[1m])') or 0) >= 12, 20)
        times = [round(t * 1000) for t, _ in list(ours.samples('up{job="node"}', "5s", time.time()).values())[0]]
        # Each scrape at its own moment of the interval, and lateness does not add up; a busy machine may be a little late.
        on_time = max(sum((t - first) % 500 < 150 for t in times) for first in times)
        if on_time < 0.7 * len(times):
            raise AssertionError("times %r" % times)
    lab.case("scrapes_keep_their_beat", steady)

    def report():
        for name in ("scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"):
            expect(len(ours.query(name + '{job="node",rack="a1"}')), 1, name)
        expect(ours.scalar('scrape_samples_scraped{job="node"} == scrape_samples_post_metric_relabeling') is not None, True)
    lab.case("scrapes_report_on_themselves", report)

    def targets():
        a, b = [p.api("/api/v1/targets")["activeTargets"] for p in (ours, theirs)]
        expect(len(a), 1, "targets")
        expect(sorted(a[0]), sorted(k for k in b[0]), "fields of a target")
        for field in ("labels", "scrapePool", "scrapeUrl", "health", "lastError", "scrapeInterval", "scrapeTimeout", "discoveredLabels"):
            expect(a[0][field], b[0][field], field)
    lab.case("targets_are_told_as_prometheus_tells_them", targets)
    theirs.process.stop()
    ours.stop()


def host_metrics(lab):
    """What we take of this host ourselves (job node, no exporter) against node_exporter's, with upstream's defaults of what to
    leave out: Debian's also hide lo and /mnt."""
    port = free_port()
    lab.run("node-exporter", ["prometheus-node-exporter", "--web.listen-address=127.0.0.1:%d" % port, "--log.level=error", "--collector.netdev.device-exclude=",
                              "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"])
    ours = lab.vedette("--self-metrics=no", "--host-metrics=yes", "--self-interval=1s",
                       config=lab.write("host.yml", SCRAPE + 'scrape_configs: [{job_name: real, static_configs: [{targets: ["127.0.0.1:%d"]}]}]\n' % port))
    up(ours, "real")
    up(ours, "node")
    time.sleep(2)

    def sets(job):
        out = {}
        for s in ours.query('{job="%s",__name__=~"node_.+"}' % job):
            labels = {k: v for k, v in s["metric"].items() if k not in ("job", "instance")}
            out[tuple(sorted(labels.items()))] = float(s["value"][1])
        return out

    def names_and_labels():
        mine, real = sets("node"), sets("real")
        expect(len(mine) > 20, True, "host series")
        strange = sorted(k for k in mine if k not in real)
        if strange:
            raise AssertionError("%d series that node_exporter does not have: %r" % (len(strange), [dict(k) for k in strange[:12]]))
    lab.case("host_metrics_are_named_as_node_exporter_names_them", names_and_labels)

    def values():
        mine, real = sets("node"), sets("real")
        far = []
        for k in mine:
            if k in real and abs(mine[k] - real[k]) > 0.2 * abs(real[k]) + 64 * 2 ** 20 * ("bytes" in dict(k)["__name__"]) + 500:
                far.append((dict(k), mine[k], real[k]))
        expect(far[:8], [], "values far from node_exporter's (%d)" % len(far))
    lab.case("host_metrics_values_are_close_to_node_exporters", values)
    ours.stop()


def prom_client(lab):
    if not lab.have("node"):
        return
    if not os.path.isdir(os.path.join(lab.root, "tests/live/node_modules/prom-client")):
        return lab.skip("prom_client", "prom-client is not installed in tests/live (npm ci)")
    port = free_port()
    lab.run("prom-client", ["node", os.path.join(lab.root, "tests/live/prom_client_app.mjs"), port], cwd=os.path.join(lab.root, "tests/live"))
    ours = start(lab, "prom-client", """
scrape_configs:
  - {job_name: app, static_configs: [{targets: ["127.0.0.1:%d"]}]}
  - {job_name: text, metrics_path: /text, static_configs: [{targets: ["127.0.0.1:%d"]}]}
""" % (port, port))

    def openmetrics():
        up(ours, "app")
        wait_for(lambda: ours.scalar('app_requests_total{job="app",code="200"}') > 1, 10)
        expect({s["metric"]["le"] for s in ours.query("app_latency_seconds_bucket")}, {"0.1", "1.0", "10.0", "+Inf"}, "bounds")
        expect(ours.api("/api/v1/metadata", {"metric": "app_requests"})["app_requests"][0]["type"], "counter", "type")
    lab.case("prom_client_openmetrics", openmetrics)

    def exemplars():
        def there():
            found = ours.api("/api/v1/query_exemplars", {"query": "app_latency_seconds_bucket", "start": time.time() - 60, "end": time.time()})
            return [e for s in found for e in s["exemplars"] if e["labels"].get("trace_id", "").startswith("slow")]
        wait_for(there, 10, what="exemplars")
        expect(there()[0]["value"], "0.5", "exemplar value")
    lab.case("prom_client_exemplars", exemplars)

    def escapes():
        up(ours, "text")
        expect(ours.query("app_odd")[0]["metric"]["v"], 'a"b\\c\nd', "label")
        expect(ours.query("app_odd")[0]["value"][1], "1.5", "value")
    lab.case("prom_client_text_with_escapes", escapes)
    ours.stop()


def prometheus_as_target(lab):
    theirs = lab.prometheus("global: {scrape_interval: 1s}\n")
    ours = start(lab, "prometheus", 'scrape_configs: [{job_name: prometheus, static_configs: [{targets: ["127.0.0.1:%d"]}]}]\n' % theirs.port)

    def scraped():
        up(ours, "prometheus")
        wait_for(lambda: ours.scalar('count({job="prometheus"})') > 200, 10)
        expect(ours.query('prometheus_build_info{job="prometheus"}')[0]["metric"]["version"].startswith("2."), True, "version")
    lab.case("debian_prometheus_is_scraped", scraped)
    ours.stop()
    theirs.process.stop()


# ---- discovery ----

def file_sd(lab):
    a, b = [Target({"/metrics": (200, TEXT, "m 1\n")}) for _ in range(2)]
    path = lab.write("sd.json", json.dumps([{"targets": [a.address], "labels": {"who": "a", "__meta_x": "y"}}]))
    ours = start(lab, "file", "scrape_configs: [{job_name: f, file_sd_configs: [{files: ['sd*.json', 'sd*.yml']}], "
                              "relabel_configs: [{source_labels: [__meta_x], target_label: x}]}]\n")

    def found():
        up(ours, "f")
        expect(ours.query("m")[0]["metric"]["who"] + ours.query("m")[0]["metric"]["x"], "ay", "labels")
        discovered = ours.api("/api/v1/targets")["activeTargets"][0]["discoveredLabels"]
        expect(discovered["__meta_filepath"], path, "__meta_filepath")
    lab.case("file_sd_finds_targets", found)

    def change():
        lab.write("sd.json.tmp", json.dumps([{"targets": [b.address], "labels": {"who": "b"}}]))
        os.rename(lab.path("sd.json.tmp"), path)
        wait_for(lambda: {s["metric"]["who"] for s in ours.query("m")} == {"b"}, 10, what="only b")
        expect({s["metric"]["who"] for s in ours.query("up")}, {"b"}, "up of a ended with a stale marker")
    lab.case("file_sd_change_is_followed", change)

    def bad():
        lab.write("sd.json", "[{")
        time.sleep(2)
        expect(ours.scalar('up{who="b"}'), 1.0, "last good list")
        lab.write("sd2.yml", "- targets: ['%s']\n  labels: {who: a}\n" % a.address)
        lab.write("sd.json", "[]")
        wait_for(lambda: {s["metric"]["who"] for s in ours.query("m")} == {"a"}, 10, what="only a, from YAML")
    lab.case("file_sd_bad_file_keeps_the_last_good_list", bad)
    ours.stop()


def http_sd(lab):
    a = Target({"/metrics": (200, TEXT, "m 1\n")})
    sd = Target({"/sd": (200, {"Content-Type": "application/json"}, json.dumps([{"targets": [a.address], "labels": {"who": "a"}}]))})
    ours = start(lab, "http", "scrape_configs: [{job_name: h, http_sd_configs: [{url: 'http://%s/sd', refresh_interval: 1s, "
                              "authorization: {credentials: tok}}]}]\n" % sd.address)

    def found():
        up(ours, "h")
        expect(sd.seen["/sd"]["Authorization"], "Bearer tok", "credentials")
        expect(sd.seen["/sd"]["X-Prometheus-Refresh-Interval-Seconds"], "1", "refresh interval header")
    lab.case("http_sd_finds_targets", found)

    def keeps():
        sd.answers["/sd"] = (500, {}, "broken")
        time.sleep(3)
        expect(ours.scalar("up"), 1.0, "last good list")
        sd.answers["/sd"] = (200, {"Content-Type": "application/json"}, "[]")
        wait_for(lambda: ours.query("up") == [], 10, what="no targets")
    lab.case("http_sd_keeps_the_last_good_list", keeps)
    ours.stop()


def dns_sd(lab):
    a = Target({"/metrics": (200, TEXT, "m 1\n")})
    ours = start(lab, "dns", "scrape_configs: [{job_name: d, dns_sd_configs: [{names: [localhost], type: A, port: %d}], "
                             "relabel_configs: [{source_labels: [__meta_dns_name], target_label: name}]}]\n" % a.port)

    def found():
        up(ours, "d")
        expect(ours.query("m")[0]["metric"]["name"], "localhost", "__meta_dns_name")
    lab.case("dns_sd_finds_addresses", found)
    ours.stop()


# ---- requests ----

def credentials(lab):
    if not lab.have("openssl"):
        return
    cert, key = lab.path("cert.pem"), lab.path("key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=target.test",
                    "-addext", "subjectAltName=DNS:target.test"], check=True, capture_output=True)

    def guarded(want):
        return lambda h: (200, TEXT, "m 1\n") if h.headers.get("Authorization") == want else (401, {}, "who are you")
    t = Target({"/metrics": guarded("Basic " + base64.b64encode(b"me:s3cret").decode()), "/token": guarded("Bearer t0ken")}, (cert, key))
    lab.write("password", "s3cret\n")
    lab.write("token", "t0ken\n")
    ours = start(lab, "tls", """
scrape_configs:
  - &good
    job_name: good
    scheme: https
    tls_config: {{ca_file: cert.pem, server_name: target.test}}
    basic_auth: {{username: me, password_file: password}}
    static_configs: [{{targets: ["{0}"]}}]
  - {{<<: *good, job_name: wrong_password, basic_auth: {{username: me, password: other}}}}
  - {{<<: *good, job_name: unknown_ca, tls_config: {{server_name: target.test}}}}
  - {{<<: *good, job_name: wrong_name, tls_config: {{ca_file: cert.pem, server_name: other.test}}}}
  - {{<<: *good, job_name: unchecked, tls_config: {{insecure_skip_verify: true}}}}
  - job_name: token
    scheme: https
    metrics_path: /token
    tls_config: {{ca_file: cert.pem, server_name: target.test}}
    authorization: {{credentials_file: token}}
    static_configs: [{{targets: ["{0}"]}}]
""".format(t.address))

    def error(job):
        return next(x["lastError"] for x in ours.api("/api/v1/targets")["activeTargets"] if x["labels"]["job"] == job)
    lab.case("basic_auth_over_tls", lambda: up(ours, "good"))
    lab.case("bearer_token_from_a_file", lambda: up(ours, "token"))
    lab.case("tls_without_verification_when_asked", lambda: up(ours, "unchecked"))

    def refused():
        for job in ("wrong_password", "unknown_ca", "wrong_name"):
            up(ours, job, 0)
        expect(error("wrong_password"), "server returned HTTP status 401 Unauthorized", "error")
        expect("certificate" in error("unknown_ca") + error("wrong_name"), True, "TLS error: " + error("unknown_ca") + error("wrong_name"))
    lab.case("wrong_credentials_and_certificates_are_refused", refused)

    def rotated():
        lab.write("password", "wrong\n")
        up(ours, "good", 0)
        lab.write("password", "s3cret\n")
        up(ours, "good", 1)
    lab.case("password_file_is_read_anew", rotated)

    def hidden():
        text = ours.api("/api/v1/status/config")["yaml"]
        expect("other" in text.replace("other.test", ""), False, "password in the configuration")
        expect("<secret>" in text, True, "masked")
    lab.case("secrets_are_not_shown", hidden)
    ours.stop()


def requests(lab):
    om = "# TYPE a counter\na_total 1\n# EOF\n"
    t = Target({"/metrics?p=1&p=2&q=x+y": (200, TEXT, "m 1\n"), "/metrics?p=1&p=2&q=x%20y": (200, TEXT, "m 1\n"),
                "/om": (200, {"Content-Type": "application/openmetrics-text; version=1.0.0"}, om),
                "/cut": (200, {"Content-Type": "application/openmetrics-text"}, "a_total 1\n"),
                "/blank": (200, {}, "m 1\n"), "/html": (200, {"Content-Type": "text/html"}, "<html>"),
                "/bad": (200, TEXT, "good 1\nbad bad bad\n"), "/moved": (302, {"Location": "/om"}, ""),
                "/big": (200, TEXT, "".join("m%d 1\n" % i for i in range(100)))})
    one = 'static_configs: [{targets: ["%s"]}]' % t.address
    ours = start(lab, "requests", """
scrape_configs:
  - {{job_name: params, params: {{p: ["1", "2"], q: ["x y"]}}, {0}}}
  - {{job_name: om, metrics_path: /om, {0}}}
  - {{job_name: cut, metrics_path: /cut, {0}}}
  - {{job_name: blank, metrics_path: /blank, {0}}}
  - {{job_name: blank_fallback, metrics_path: /blank, fallback_scrape_protocol: PrometheusText0.0.4, {0}}}
  - {{job_name: html, metrics_path: /html, {0}}}
  - {{job_name: bad, metrics_path: /bad, {0}}}
  - {{job_name: moved, metrics_path: /moved, {0}}}
  - {{job_name: not_moved, metrics_path: /moved, follow_redirects: false, {0}}}
  - {{job_name: samples, metrics_path: /big, sample_limit: 99, {0}}}
  - {{job_name: body, metrics_path: /big, body_size_limit: 100B, {0}}}
  - {{job_name: enough, metrics_path: /big, sample_limit: 100, body_size_limit: 1MB, extra_scrape_metrics: true, {0}}}
  - {{job_name: many, target_limit: 1, static_configs: [{{targets: ["127.0.0.1:1", "127.0.0.1:2"]}}]}}
""".format(one))
    for job, want in (("params", 1), ("om", 1), ("cut", 0), ("blank", 0), ("blank_fallback", 1), ("html", 0), ("bad", 0), ("moved", 1), ("not_moved", 0),
                      ("samples", 0), ("body", 0), ("enough", 1)):
        lab.case("scrape_%s_is_%s" % (job, "up" if want else "down"), lambda job=job, want=want: up(ours, job, want))

    def all_or_nothing():
        expect(ours.query('good'), [], "samples of a scrape with a bad line")
        expect(ours.query('{job="samples",__name__=~"m.+"}'), [], "samples beyond the limit")
        expect(ours.scalar('scrape_sample_limit{job="enough"}'), 100.0, "extra metrics")
    lab.case("failed_scrapes_store_nothing", all_or_nothing)

    def too_many():
        want = {"target_limit exceeded (number of targets: 2, limit: 1)"}
        errors = lambda: {x["lastError"] for x in ours.api("/api/v1/targets")["activeTargets"] if x["labels"]["job"] == "many"}
        wait_for(lambda: "" not in errors(), what="both targets had their turn")
        expect(errors(), want, "errors")
    lab.case("target_limit_fails_the_pool", too_many)

    def headers():
        seen = t.seen["/om"]
        expect("application/openmetrics-text;version=1.0.0" in seen["Accept"] and "text/plain;version=0.0.4" in seen["Accept"], True, seen["Accept"])
        expect("protobuf" in seen["Accept"], False, "we do not read protobuf")
        expect((seen["X-Prometheus-Scrape-Timeout-Seconds"], seen["Accept-Encoding"]), ("0.4", "gzip"), "headers")
    lab.case("requests_say_what_we_read", headers)
    ours.stop()


# ---- what becomes of targets ----

def death(lab):
    t = Target({"/metrics": (200, TEXT, "alive 1\nsometimes 1\ntimed 1 %d\n" % (time.time() * 1000))})
    port = t.port
    ours = start(lab, "death", 'scrape_configs: [{job_name: x, static_configs: [{targets: ["127.0.0.1:%d"]}]}]\n' % port)

    def vanish():
        up(ours, "x")
        expect(len(ours.query("sometimes")), 1, "there")
        t.answers["/metrics"] = (200, TEXT, "alive 1\n")
        wait_for(lambda: ours.query("sometimes") == [], 5, what="ended")
        expect(len(ours.query("alive")), 1, "the rest goes on")
        expect(len(ours.query("timed")), 1, "a series with times of its own stays until the lookback ends")
    lab.case("vanished_series_end_at_once", vanish)

    def dies():
        t.stop()
        up(ours, "x", 0)
        expect(ours.query("alive"), [], "series of a dead target")
        at = [s for s in ours.samples("alive", "1m", time.time()).values()]
        expect(at[0][-1][1] if at else "1", "1", "markers are not shown as samples")
    lab.case("dead_target_is_down_and_its_series_end", dies)
    ours.stop()


def reload(lab):
    t = Target({"/metrics": (200, TEXT, "m{x=\"1\"} 1\n")})
    keep = '  - {job_name: keep, static_configs: [{targets: ["%s"]}]}\n' % t.address
    other = '  - {job_name: other, static_configs: [{targets: ["%s"]}]}\n' % t.address
    rule = '  - {job_name: rules, metric_relabel_configs: [%%s], static_configs: [{targets: ["%s"]}]}\n' % t.address
    ours = start(lab, "reload", "scrape_configs:\n" + keep + other + rule % "")

    def reloaded():
        for job in ("keep", "other", "rules"):
            up(ours, job)
        lab.write("reload.yml", SCRAPE + "scrape_configs:\n" + keep + rule % "{regex: x, action: labeldrop}" + '  - {job_name: new, static_configs: [{targets: ["%s"]}]}\n' % t.address)
        ours.process.child.send_signal(1)
        up(ours, "new")
        wait_for(lambda: ours.query('{job="other"}') == [], 5, what="a removed job's series end")
        wait_for(lambda: [s["metric"].get("x") for s in ours.query('m{job="rules"}')] == [None], 5, what="new rules, and the old series ended")
        expect(ours.scalar('up{job="keep"}'), 1.0, "unchanged job")
        expect(ours.scalar('sum_over_time(scrape_series_added{job="keep"}[1m])'), 1.0, "an unchanged target keeps its memory")
    lab.case("reload_changes_only_what_changed", reloaded)

    def refused():
        lab.write("reload.yml", SCRAPE + "scrape_configs:\n- {job_name: x, nonsense: 1}\n")
        ours.process.child.send_signal(1)
        wait_for(lambda: "nonsense" in ours.process.tail(8000), 5, what="the error in the log")
        expect(ours.scalar('up{job="new"}'), 1.0, "the old configuration stays")
    lab.case("reload_of_a_bad_file_changes_nothing", refused)

    def shutdown():
        expect(ours.stop(), 0, "exit status")
        ours.start()
        expect(len(ours.query('m{job="keep"}')) + len(ours.query('up{job="keep"}')) >= 1, True, "no stale markers at shutdown")
    lab.write("reload.yml", SCRAPE + "scrape_configs:\n" + keep)
    lab.case("shutdown_ends_no_series", shutdown)
    ours.stop()


def main():
    lab = Lab(sys.argv)
    if lab.have("prometheus", "prometheus-node-exporter"):
        node_exporter(lab)
        host_metrics(lab)
        prometheus_as_target(lab)
    for part in (prom_client, file_sd, http_sd, dns_sd, credentials, requests, death, reload):
        part(lab)
    lab.done()


main()
