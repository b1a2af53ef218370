#!/usr/bin/python3
"""redaction_reload_test.py BUILD - labels that are scraped or pushed are redacted like any others; and rules of redaction, sampling and log files change
while the server runs, by SIGHUP or POST /-/reload: a file with a mistake changes nothing."""
import http.server
import json
import os
import signal
import sys
import threading
import time

from lab import Lab, expect, http as ask, wait_for
from records import kept, post

SECRET = "sk-live-%030d"


class Target(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'# TYPE jobs counter\njobs_total{key="' + (SECRET % 1).encode() + b'"} 5\n'
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def found(folder, text):
    hits = []
    for base, _, files in os.walk(folder):
        for name in files:
            with open(os.path.join(base, name), "rb") as f:
                if text.encode() in f.read():
                    hits.append(name)
    return hits


RULE = "redaction:\n  rules:\n    - { name: keys, pattern: 'sk-live-[0-9]+', fields: [%s] }\n"


def main():
    lab = Lab(sys.argv)
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    scrape = "scrape_configs:\n  - { job_name: t, scrape_interval: 1s, static_configs: [{ targets: ['127.0.0.1:%d'] }] }\n" % target.server_address[1]

    def pulled():
        server = lab.vedette(config=lab.write("pull.yml", RULE % "labels" + scrape))
        ask("POST", server.base + "/metrics/job/push", b'pushed_total{key="' + (SECRET % 2).encode() + b'"} 7\n', {"Content-Type": "text/plain"})
        for name in ("jobs_total", "pushed_total"):
            wait_for(lambda: server.scalar('%s{key="[redacted]"}' % name), 30, what=name + " redacted")
            expect(len(server.query(name)), 1, "series of " + name)
        server.stop()
        for i in (1, 2):
            expect(found(server.data, SECRET % i), [], "files with secret %d" % i)
    lab.case("labels-that-are-scraped-or-pushed", pulled)
    target.shutdown()

    config = lab.write("live.yml", "log_files: []\n")
    server = lab.vedette(config=config)
    count = [0]

    def bodies():
        """The text of a line just sent, as the server has it."""
        count[0] += 1
        expect(post(server, "/api/v1/logs", json.dumps({"service": "s%d" % count[0], "message": "key " + SECRET % 9}))[0], 200)
        logs = json.loads(server.get("/api/v1/logs", {"service": "s%d" % count[0]})[2])["logs"]
        expect(len(logs), 1)
        return json.dumps(logs[0])

    def by_signal(text):
        with open(config, "w") as f:
            f.write(text)
        os.kill(server.process.pid, signal.SIGHUP)

    def redaction():
        expect(SECRET % 9 in bodies(), True, "seen without rules")
        by_signal(RULE % "body")
        wait_for(lambda: SECRET % 9 not in bodies(), 30, what="the rule in force")
        with open(config, "w") as f:
            f.write("redaction:\n  rules:\n    - { name: keys, pattern: '(', fields: [body] }\n")
        status, _, answer = ask("POST", server.base + "/-/reload", b"")
        expect(status >= 400 and b"live.yml" in answer, True, "%d %r" % (status, answer[:200]))
        expect(SECRET % 9 in bodies(), False, "the old rule holds")
        by_signal("log_files: []\n")
        wait_for(lambda: SECRET % 9 in bodies(), 30, what="no rule in force")
    lab.case("redaction-changes", redaction)

    def sampling():
        def mark(n):
            now = time.time_ns()
            span = {"traceId": "%032x" % n, "spanId": "%016x" % n, "name": "n", "startTimeUnixNano": str(now - 5000), "endTimeUnixNano": str(now)}
            expect(post(server, "/v1/traces", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))[0], 200)
            return json.loads(server.get("/api/v1/traces/%032x" % n)[2])["spans"][0].get("attributes", {}).get("vedette.kept_by")
        expect(mark(1), None, "before")
        with open(config, "w") as f:
            f.write("sampling: { one_in: 1, decision_wait: 1s }\n")
        expect(ask("POST", server.base + "/-/reload", b"")[0], 200)
        expect(mark(2), "one_in", "after")
        with open(config, "w") as f:
            f.write("sampling: { one_in: 0, decision_wait: 1s }\n")
        expect(ask("POST", server.base + "/-/reload", b"")[0], 200)
        mark(3)
        wait_for(lambda: server.get("/api/v1/traces/%032x" % 3)[0] == 404, 60, what="the trace let go")
        expect(server.get("/api/v1/traces/%032x" % 2)[0], 200, "the kept one")
    lab.case("sampling-changes", sampling)

    def files():
        log = lab.write("app.log", "")
        before = kept(server, "tail")

        def say(text):
            with open(log, "a") as f:
                f.write(text + "\n")
        rule = "log_files:\n  - { name: app, paths: ['%s'], service: app, from: beginning }\n" % log
        with open(config, "w") as f:
            f.write(rule)
        expect(ask("POST", server.base + "/-/reload", b"")[0], 200)
        say("one")
        wait_for(lambda: kept(server, "tail") == before + 1, 30, what="the line of the new file")
        with open(config, "w") as f:
            f.write(rule + RULE % "body")
        expect(ask("POST", server.base + "/-/reload", b"")[0], 200)
        say("two " + SECRET % 3)
        wait_for(lambda: kept(server, "tail") == before + 2, 30, what="where it had read up to is known")
        logs = json.loads(server.get("/api/v1/logs", {"service": "app"})[2])["logs"]
        expect(SECRET % 3 in json.dumps(logs), False, "redacted, too")
        with open(config, "w") as f:
            f.write("log_files: []\n")
        expect(ask("POST", server.base + "/-/reload", b"")[0], 200)
        say("three")
        time.sleep(2.5)
        expect(kept(server, "tail"), before + 2, "nobody reads it")
    lab.case("files-change", files)
    lab.done()


main()
