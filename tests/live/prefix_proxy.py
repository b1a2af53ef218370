"""prefix_proxy.py PORT BASE - forwards each request to BASE + path: for clients that cannot be given a path."""
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lab import http


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = {"Content-Type": self.headers["Content-Type"]} if self.headers["Content-Type"] else {}
        path = self.path if self.path.startswith("/") else "/" + self.path
        status, headers, answer = http(self.command, sys.argv[2] + path, body or None, kind)
        self.send_response(status)
        for name in ("Content-Type", "X-Elastic-Product"):
            if headers[name]:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = forward

    def log_message(self, *args):
        print(self.command, self.path, *args[1:], flush=True)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
