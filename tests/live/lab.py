"""lab.py - what live tests share: free ports, our server, real peers, HTTP, and the lines that tools/run_tests.sh counts.

    lab = Lab(sys.argv)
    server = lab.vedette()                       # fresh data directory, ready when this returns
    lab.case("counts", lambda: expect(server.scalar("vector(1)"), 1))
    lab.done()                                   # stops everything, exit status

A case passes when its function returns, fails when it raises; lab.skip says loudly what could not be tried.
"""
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def expect(got, want, what=""):
    if got != want:
        raise AssertionError("%s: got %r, want %r" % (what or "value", got, want))


def wait_for(check, seconds=30, every=0.1, what="condition"):
    """The first truthy value of check(); exceptions count as not yet."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            value = check()
            if value:
                return value
        except Exception as e:  # not up yet, not there yet
            last = e
        time.sleep(every)
    raise AssertionError("%s not met within %g s (%s)" % (what, seconds, last))


def http(method, url, body=None, headers=None, timeout=30):
    """(status, headers, bytes) whatever the status."""
    req = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(req, timeout=timeout) as r:
            return r.status, r.headers, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read()


class Process:
    """A program under test or a peer; its output goes to a file that is shown when it dies early."""

    def __init__(self, name, argv, log_path, env=None, cwd=None):
        self.name, self.argv, self.log_path = name, [str(a) for a in argv], log_path
        self.log = open(log_path, "ab")
        self.child = subprocess.Popen(self.argv, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                      env=dict(os.environ, **(env or {})), cwd=cwd)

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def tail(self, n=2000):
        with open(self.log_path, "rb") as f:
            return f.read()[-n:].decode("utf-8", "replace")

    def kill9(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def stop(self, seconds=15):
        """SIGTERM; the exit status, or KILLED."""
        if self.alive():
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill9()
                return "KILLED"
        return self.child.returncode


class Prometheus:
    """Questions to anything with the Prometheus HTTP API."""

    def __init__(self, base):
        self.base = base

    def get(self, path, params=None, **kw):
        query = "?" + urllib.parse.urlencode(params, doseq=True) if params else ""
        return http("GET", self.base + path + query, **kw)

    def api(self, path, params=None, method="GET"):
        if method == "POST":
            status, _, body = http("POST", self.base + path, urllib.parse.urlencode(params or {}, doseq=True).encode(),
                                   {"Content-Type": "application/x-www-form-urlencoded"})
        else:
            status, _, body = self.get(path, params)
        answer = json.loads(body)
        if status != 200 or answer["status"] != "success":
            raise AssertionError("%s: %d %s" % (path, status, body[:400]))
        return answer["data"]

    def query(self, expr, at=None):
        return self.api("/api/v1/query", {"query": expr, **({"time": at} if at is not None else {})}, "POST")["result"]

    def scalar(self, expr, at=None):
        """The one value of a one-element vector or a scalar, as a float; None when empty."""
        result = self.query(expr, at)
        if not result:
            return None
        if isinstance(result[0], dict):
            expect(len(result), 1, "elements of " + expr)
            return float(result[0]["value"][1])
        return float(result[1])

    def samples(self, selector, window, at):
        """Raw samples: {labels as sorted tuple: [[time, "value"], ...]}."""
        result = self.query("%s[%s]" % (selector, window), at)
        return {tuple(sorted(s["metric"].items())): s.get("values", []) for s in result}


class Vedette(Prometheus):
    def __init__(self, lab, data, flags, env=None, config=None):
        self.lab, self.data, self.flags, self.env = lab, data, list(flags), env
        self.port, self.otlp_port, self.grpc_port = free_port(), free_port(), free_port()
        self.config = config
        super().__init__("http://127.0.0.1:%d" % self.port)
        self.process = None
        self.start()

    def start(self, seconds=60):
        argv = [self.lab.binary, "serve", "--listen", "127.0.0.1:%d" % self.port, "--data", self.data,
                "--listen-otlp", "127.0.0.1:%d" % self.otlp_port, "--listen-grpc", "127.0.0.1:%d" % self.grpc_port]
        if self.config:
            argv += ["--config", self.config]
        self.process = self.lab.run("vedette", argv + self.flags, env=self.env)

        def ready():
            if not self.process.alive():
                raise SystemExit("vedette died at start:\n" + self.process.tail())
            return self.get("/-/ready", timeout=2)[0] == 200
        wait_for(ready, seconds, 0.02, "vedette ready")

    def stop(self):
        return self.process.stop()

    def kill9(self):
        self.process.kill9()

    def rss(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Lab:
    def __init__(self, argv):
        self.build = os.path.abspath(argv[1] if len(argv) > 1 else "build")
        self.binary = os.path.join(self.build, "vedette")
        self.root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
        self.dir = tempfile.mkdtemp(prefix="vedette-live-")
        self.processes, self.failed, self.count = [], 0, 0
        atexit.register(self.sweep)  # a test that dies half-way leaves nothing running

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def have(self, *programs):
        """All there? Else says so as a skipped case."""
        missing = [p for p in programs if shutil.which(p) is None]
        for p in missing:
            self.skip(p, "%s is not installed" % p)
        return not missing

    def run(self, name, argv, env=None, cwd=None):
        self.count += 1
        p = Process(name, argv, self.path("%02d-%s.log" % (self.count, name)), env, cwd)
        self.processes.append(p)
        return p

    def vedette(self, *flags, env=None, config=None, data=None):
        self.count += 1
        return Vedette(self, data or self.path("data-%02d" % self.count), flags, env, config)

    def prometheus(self, config, *flags):
        """Debian's prometheus with this configuration text; a Prometheus once it is ready."""
        port = free_port()
        path = self.write("prometheus-%d.yml" % port, config)
        p = self.run("prometheus", ["prometheus", "--config.file=" + path, "--storage.tsdb.path=" + self.path("prometheus-%d" % port),
                                    "--web.listen-address=127.0.0.1:%d" % port, "--log.level=warn", *flags])
        peer = Prometheus("http://127.0.0.1:%d" % port)
        peer.process, peer.port = p, port
        wait_for(lambda: peer.get("/-/ready")[0] == 200, 60, what="prometheus ready")
        return peer

    def node_exporter(self):
        port = free_port()
        p = self.run("node-exporter", ["prometheus-node-exporter", "--web.listen-address=127.0.0.1:%d" % port, "--log.level=error"])
        wait_for(lambda: http("GET", "http://127.0.0.1:%d/metrics" % port)[0] == 200, 30, what="node_exporter")
        return port, p

    def case(self, name, function):
        try:
            function()
            print("ok %s" % name, flush=True)
        except Exception as e:
            self.failed += 1
            print("not ok %s: %s" % (name, str(e).replace("\n", " ")[:600]), flush=True)
            traceback.print_exc(file=sys.stdout)

    def skip(self, name, why):
        print("skip %s: %s" % (name, why), flush=True)

    def sweep(self):
        for p in reversed(self.processes):
            p.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def done(self):
        for p in reversed(self.processes):
            p.stop()
        if self.failed:
            for p in self.processes:
                print("---- %s\n%s" % (p.name, p.tail(1500)))
        sys.exit(1 if self.failed else 0)
