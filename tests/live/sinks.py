"""sinks.py - receivers of notifications: an HTTP server that keeps what it was sent as it came, and an SMTP server with STARTTLS and AUTH."""
import base64
from http import server as http_server
import socketserver
import ssl
import subprocess
import threading


class HttpSink:
    """answers: {part of the path: (status, type, body)}; else 200 and nothing."""

    def __init__(self, answers=None):
        self.got, self.lock, self.answers = [], threading.Lock(), answers or {}
        sink = self

        class Handler(http_server.BaseHTTPRequestHandler):
            def take(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with sink.lock:
                    sink.got.append((self.command, self.path, dict(self.headers), body))
                status, kind, text = next((a for part, a in sink.answers.items() if part in self.path), (200, "text/plain", b""))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_PUT = take

            def log_message(self, *args):
                pass

        self.server = http_server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return "http://127.0.0.1:%d/%s" % (self.server.server_port, path)

    def of(self, part):
        with self.lock:
            return [g for g in self.got if part in g[1]]


def certificate(lab):
    """(certificate, key) of localhost, signed by itself."""
    cert, key = lab.path("localhost.pem"), lab.path("localhost.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return cert, key


class SmtpSink:
    """Mails taken: {from, to, data, tls, auth}. `starttls` False: it is not offered; `tls_first`: TLS from the first byte."""

    def __init__(self, cert, key, starttls=True, tls_first=False, users=None):
        self.mails, self.lock = [], threading.Lock()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        sink = self

        class Talk(socketserver.StreamRequestHandler):
            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")
                self.wfile.flush()

            def secure(self):
                self.request = self.connection = context.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile, self.tls = self.connection.makefile("rb"), self.connection.makefile("wb"), True

            def handle(self):
                self.tls, self.auth, self.mail = False, None, {}
                try:
                    if tls_first:
                        self.secure()
                    self.say("220 sink")
                    while self.one(self.rfile.readline()):
                        pass
                except (OSError, ssl.SSLError):
                    pass  # who does not trust us hangs up

            def one(self, line):
                word = line.strip().upper()
                if not line or word == b"QUIT":
                    self.say("221 bye")
                    return False
                if word.startswith(b"EHLO"):
                    offers = ["250-sink", "250-8BITMIME"]
                    offers += ["250-STARTTLS"] if starttls and not self.tls else []
                    offers += ["250-AUTH PLAIN LOGIN"] if users and self.tls else []
                    self.say("\r\n".join(offers + ["250 SIZE 10000000"]))
                elif word == b"STARTTLS" and starttls:
                    self.say("220 go")
                    self.secure()
                elif word.startswith(b"AUTH PLAIN"):
                    text = line.strip().split()[2] if len(line.split()) > 2 else self.ask("334 ")
                    _, user, password = base64.b64decode(text).split(b"\0")
                    good = (users or {}).get(user.decode()) == password.decode()
                    self.auth = user.decode() if good else None
                    self.say("235 welcome" if good else "535 no")
                elif word.startswith(b"MAIL FROM:"):
                    self.mail = {"from": line.split(b"<")[1].split(b">")[0].decode(), "to": []}
                    self.say("250 ok")
                elif word.startswith(b"RCPT TO:"):
                    self.mail["to"].append(line.split(b"<")[1].split(b">")[0].decode())
                    self.say("550 nobody" if b"nobody@" in line else "250 ok")
                elif word == b"DATA":
                    self.say("354 go on")
                    self.take()
                else:
                    self.say("502 what?")
                return True

            def ask(self, text):
                self.say(text)
                return self.rfile.readline().strip()

            def take(self):
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b".") else line)
                with sink.lock:
                    sink.mails.append({**self.mail, "data": b"".join(lines), "tls": self.tls, "auth": self.auth})
                self.say("250 taken")

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

            def handle_error(self, request, address):
                pass  # who does not trust us hangs up

        self.server = Server(("127.0.0.1", 0), Talk)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def to(self, address):
        with self.lock:
            return [m for m in self.mails if address in m["to"]]
