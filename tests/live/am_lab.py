"""am_lab.py - what the tests of notifications share: a sink that writes down every webhook, Debian's Alertmanager, and our server
with the same configuration.
"""
from http import server as http_server
import json
import threading
import time

from lab import free_port, http, wait_for


class Sink:
    """Takes webhooks; `answer(path, n)` may decide the status of the n-th request to a path, or sleep."""

    def __init__(self, answer=None):
        self.got, self.counts, self.lock, self.answer = [], {}, threading.Lock(), answer
        sink = self

        class Handler(http_server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with sink.lock:
                    n = sink.counts[self.path] = sink.counts.get(self.path, 0) + 1
                status = sink.answer(self.path, n) if sink.answer else 200
                with sink.lock:
                    sink.got.append((time.time(), self.path, json.loads(body), status))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/stolen")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        class Server(http_server.ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # a client that was killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return "http://127.0.0.1:%d/%s" % (self.port, path)

    def taken(self):
        """What was answered with 2xx, in order."""
        with self.lock:
            return [g for g in self.got if g[3] // 100 == 2]


class Alertmanager:
    """Debian's, with this configuration text."""

    def __init__(self, lab, config):
        self.lab, self.port = lab, free_port()
        self.base = "http://127.0.0.1:%d" % self.port
        self.config = lab.write("am-%d.yml" % self.port, config)
        self.process = None
        self.start()

    def start(self):
        self.process = self.lab.run("alertmanager", ["prometheus-alertmanager", "--config.file=" + self.config,
                                                     "--storage.path=" + self.lab.path("am-data-%d" % self.port),
                                                     "--web.listen-address=127.0.0.1:%d" % self.port,
                                                     "--cluster.listen-address=", "--log.level=error"])
        wait_for(lambda: http("GET", self.base + "/-/ready", timeout=2)[0] == 200, 60, 0.02, "alertmanager ready")

    def stop(self):
        self.process.stop()


def vedette_with(lab, config, *flags, main=""):
    """Ours with the same text, allowed to reach the sink."""
    port = free_port()
    lab.write("am-of-%d.yml" % port, config)
    main = lab.write("vedette-%d.yml" % port, "alertmanager_config: am-of-%d.yml\noutbound: {allow_private: true}\n%s" % (port, main))
    return lab.vedette("--builtin-rules=no", "--host-metrics=no", "--self-metrics=no", *flags, config=main)


def stamp(t):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + ".%03dZ" % (int(t * 1000) % 1000)


def post(base, path, what, timeout=30):
    status, _, body = http("POST", base + path, json.dumps(what).encode(), {"Content-Type": "application/json"}, timeout)
    if status != 200:
        raise AssertionError("POST %s: %d %s" % (path, status, body[:300]))
    return json.loads(body) if body.strip() else None


def get(base, path):
    status, _, body = http("GET", base + path)
    if status != 200:
        raise AssertionError("GET %s: %d %s" % (path, status, body[:300]))
    return json.loads(body)
