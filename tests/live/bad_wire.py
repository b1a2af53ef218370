"""bad_wire.py - requests nobody should send: the encoders, a gRPC client small enough to lie, and what the server shows of itself.

    door.send(body)                  -> (status, headers, text) of one way into the server
    grpc_call(port, path, message)   -> (grpc-status, grpc-message)
    counters(server)["name{labels}"] -> its own /metrics
    with Peak(server) as p: ...      -> p.grown, bytes of resident memory at the highest point
"""
import ctypes
import functools
import http.client
import re
import socket
import struct
import zlib

import rw

# ---- protobuf beyond rw.py ----


def varint_field(number, n):
    return rw.varint(number << 3) + rw.varint(n)


def double_field(number, v):
    return rw.varint(number << 3 | 1) + struct.pack("<d", v)


def fixed64_field(number, n):
    return rw.varint(number << 3 | 1) + struct.pack("<Q", n)


def zigzag(n):
    return (n << 1) ^ (n >> 63)


def raw_series(pairs, samples=(), extra=b""):
    """A TimeSeries of remote write 1 with these label pairs as they are: bytes or text, any order, twice, empty."""
    def raw(s):
        return s if isinstance(s, bytes) else s.encode()
    body = b"".join(rw.field(1, rw.field(1, raw(k)) + rw.field(2, raw(v))) for k, v in pairs)
    body += b"".join(rw.field(2, double_field(1, v) + varint_field(2, t)) for t, v in samples)
    return rw.field(1, body + extra)


def histogram_v1(time_ms, count=3, spans=((0, 2),), deltas=(1, 1), schema=0, no=4, extra=b""):
    h = varint_field(1, count) + double_field(3, 1.5) + varint_field(4, zigzag(schema)) + double_field(5, 1e-128) + varint_field(6, 0)
    for offset, length in spans:
        h += rw.field(11, varint_field(1, zigzag(offset)) + varint_field(2, length))
    h += rw.field(12, b"".join(rw.varint(zigzag(d)) for d in deltas)) + varint_field(15, time_ms)
    return rw.field(no, h + extra)


def request_v2(symbols, series):
    """series: [(refs, [(time, value)], extra bytes)]"""
    body = b"".join(rw.field(4, s if isinstance(s, bytes) else s.encode()) for s in symbols)
    for refs, samples, extra in series:
        one = rw.field(1, b"".join(rw.varint(r) for r in refs))
        one += b"".join(rw.field(2, double_field(1, v) + varint_field(2, t)) for t, v in samples)
        body += rw.field(5, one + extra)
    return body


def any_value(text):
    return rw.field(1, text if isinstance(text, bytes) else text.encode())


def attribute(key, value):
    key = key if isinstance(key, bytes) else key.encode()
    return rw.field(1, key) + rw.field(2, any_value(value))


def otlp_gauge(name, points, service="bad"):
    """points: [(time_ns, value, [(key, value)])]"""
    data = b"".join(rw.field(1, b"".join(rw.field(7, attribute(k, v)) for k, v in attributes) + fixed64_field(3, t) + double_field(4, x))
                    for t, x, attributes in points)
    metric = rw.field(1, name.encode()) + rw.field(5, data)
    resource = rw.field(1, rw.field(1, attribute("service.name", service)))
    return rw.field(1, resource + rw.field(2, rw.field(2, metric)))


def read_request(matchers, start=0, end=2 ** 42, types=()):
    query = varint_field(1, start) + varint_field(2, end)
    for kind, name, value in matchers:
        query += rw.field(3, varint_field(1, kind) + rw.field(2, name.encode()) + rw.field(3, value.encode()))
    return rw.field(1, query) + b"".join(varint_field(2, t) for t in types)


# ---- packing, honest and not ----


def gzip_of(raw):
    c = zlib.compressobj(9, zlib.DEFLATED, 31)
    return c.compress(raw) + c.flush()


@functools.lru_cache(maxsize=None)
def gzip_bomb(size, fill=b"\0", trailer=None):
    """size bytes of fill; trailer: the length it claims."""
    c, out, piece = zlib.compressobj(9, zlib.DEFLATED, 31), [], fill * (2 ** 20 // len(fill))
    for _ in range(size >> 20):
        out.append(c.compress(piece))
    out = b"".join(out) + c.flush()
    return out if trailer is None else out[:-4] + struct.pack("<I", trailer)


def zstd_raw(raw, window_log=20):
    """A zstd frame of stored blocks that does not say its size."""
    out = b"\x28\xb5\x2f\xfd\x00" + bytes([(window_log - 10) << 3])
    pieces = [raw[i:i + 65536] for i in range(0, len(raw), 65536)] or [b""]
    for i, piece in enumerate(pieces):
        out += struct.pack("<I", (i == len(pieces) - 1) | len(piece) << 3)[:3] + piece
    return out


def zstd_bomb(size, fill=b"\0", window_log=20):
    """Run-length blocks: four bytes for 128 KiB."""
    n = max(1, size >> 17)
    block = struct.pack("<I", 1 << 1 | (1 << 17) << 3)[:3] + fill
    last = struct.pack("<I", 1 | 1 << 1 | (1 << 17) << 3)[:3] + fill
    return b"\x28\xb5\x2f\xfd\x00" + bytes([(window_log - 10) << 3]) + block * (n - 1) + last


def snappy_run(unit, times):
    """unit repeated by copies of at most 64 bytes: 21 to 1, the most that snappy can do."""
    assert 1 <= len(unit) <= 60
    left, out = len(unit) * (times - 1), [rw.varint(len(unit) * times), bytes([(len(unit) - 1) << 2]) + unit]
    full = bytes([63 << 2 | 2]) + struct.pack("<H", len(unit))
    out.append(full * (left // 64))
    if left % 64:
        out.append(bytes([(left % 64 - 1) << 2 | 2]) + struct.pack("<H", len(unit)))
    return b"".join(out)


# ---- the server, from outside ----


def counters(server):
    """Every sample of its /metrics by name and labels; a missing one is 0."""
    found = Counters()
    for line in server.get("/metrics")[2].decode().splitlines():
        m = re.match(r"([a-zA-Z_:][^ {]*(?:\{.*\})?) ([^ ]+)", line)
        if m:
            found[m.group(1)] = float(m.group(2))
    return found


class Counters(dict):
    def __missing__(self, key):
        return 0.0

    def since(self, before):
        """What has grown, without what grows by looking."""
        return {k: v - before[k] for k, v in self.items() if v > before[k]}


class Peak:
    """The highest resident memory inside the block over that at its begin."""

    def __init__(self, server):
        self.pid = server.process.pid

    def status(self, key):
        with open("/proc/%d/status" % self.pid) as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(key))

    def __enter__(self):
        with open("/proc/%d/clear_refs" % self.pid, "w") as f:
            f.write("5")  # forget the highest so far
        self.before = self.status("VmRSS")
        return self

    def __exit__(self, *_):
        self.grown = max(0, self.status("VmHWM") - self.before)


class Door:
    """One way in, over a connection that is kept as long as the server keeps it."""

    def __init__(self, name, port, method, path, headers):
        self.name, self.port, self.method, self.path, self.headers = name, port, method, path, headers
        self.conn = None

    def send(self, body, headers=None, path=None, method=None, chunked=False):
        h = dict(self.headers)
        for k, v in (headers or {}).items():
            h.pop(k, None)
            if v is not None:
                h[k] = v
        for attempt in (0, 1):
            if self.conn is None:
                self.conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                payload = (body[i:i + 65536] for i in range(0, len(body), 65536)) if chunked else body
                self.conn.request(method or self.method, path or self.path, payload, h, encode_chunked=chunked)
                r = self.conn.getresponse()
                return r.status, r.headers, r.read().decode("utf-8", "replace")
            except (ConnectionError, http.client.HTTPException):
                self.close()  # an idle connection may have been closed; once more on a fresh one
                if attempt:
                    raise

    def close(self):
        if self.conn:
            self.conn.close()
        self.conn = None


def raw_http(port, data, wait=5):
    """Bytes as they are; everything that comes back until the server closes or is silent for `wait` seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as s:
        got = b""
        try:
            s.sendall(data)
            while True:
                piece = s.recv(65536)
                if not piece:
                    return got, True
                got += piece
        except socket.timeout:
            return got, False
        except ConnectionError:
            return got, True


# ---- gRPC: HTTP/2 frames by hand, header lists of answers by libnghttp2, which the server is linked with ----


class NV(ctypes.Structure):
    _fields_ = [("name", ctypes.POINTER(ctypes.c_ubyte)), ("value", ctypes.POINTER(ctypes.c_ubyte)),
                ("namelen", ctypes.c_size_t), ("valuelen", ctypes.c_size_t), ("flags", ctypes.c_ubyte)]


class Inflater:
    def __init__(self):
        self.lib = ctypes.CDLL("libnghttp2.so.14")
        self.lib.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.handle = ctypes.c_void_p()
        self.lib.nghttp2_hd_inflate_new(ctypes.byref(self.handle))

    def headers(self, block):
        out, nv, flags, at = {}, NV(), ctypes.c_int(), 0
        while True:
            n = self.lib.nghttp2_hd_inflate_hd2(self.handle, ctypes.byref(nv), ctypes.byref(flags), block[at:],
                                                ctypes.c_size_t(len(block) - at), 1)
            if n < 0:
                raise AssertionError("header block does not inflate: %d" % n)
            at += n
            if flags.value & 2:
                out[bytes(nv.name[:nv.namelen]).decode()] = bytes(nv.value[:nv.valuelen]).decode("utf-8", "replace")
            if flags.value & 1 or (at >= len(block) and not flags.value & 2):
                self.lib.nghttp2_hd_inflate_end_headers(self.handle)
                return out

    def close(self):
        self.lib.nghttp2_hd_inflate_del(self.handle)


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    def text(s):
        s = s.encode()
        assert len(s) < 16000
        n = len(s)
        if n < 127:
            return bytes([n]) + s
        n, out = n - 127, b"\x7f"
        while n >= 128:
            out, n = out + bytes([n % 128 + 128]), n // 128
        return out + bytes([n]) + s
    return b"\0" + text(name) + text(value)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def grpc_request(path, message, headers=None, compressed=False, length=None):
    """The frames of one call."""
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "127.0.0.1",
              "content-type": "application/grpc", "te": "trailers"}
    fields.update(headers or {})
    block = b"".join(literal(k, v) for k, v in fields.items() if v is not None)
    body = bytes([compressed]) + struct.pack(">I", len(message) if length is None else length) + message
    pieces = [body[i:i + 16384] for i in range(0, len(body), 16384)]
    return frame(1, 4, 1, block) + b"".join(frame(0, i == len(pieces) - 1, 1, p) for i, p in enumerate(pieces))


class Frames:
    """What comes back, frame by frame: (kind, flags, payload), None at the end."""

    def __init__(self, s):
        self.s, self.got = s, b""

    def need(self, n):
        while len(self.got) < n:
            piece = self.s.recv(65536)
            if not piece:
                return False
            self.got += piece
        return True

    def next(self):
        if not self.need(9):
            return None
        n = int.from_bytes(self.got[:3], "big")
        if not self.need(9 + n):
            return None
        kind, flags, payload = self.got[3], self.got[4], self.got[9:9 + n]
        self.got = self.got[9 + n:]
        return kind, flags, payload


def grpc_call(port, path, message, **how):
    """(grpc-status or None, grpc-message, all header fields). Messages stay below the window of 4 MiB that the server opens with."""
    fields, inflater = {}, Inflater()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
            frames = Frames(s)
            s.sendall(PREFACE + frame(4, 0, 0, b""))
            while True:
                kind, flags, payload = frames.next()
                if kind == 4 and not flags & 1:
                    break
            s.sendall(frame(4, 1, 0, b"") + grpc_request(path, message, **how))
            while True:
                one = frames.next()
                if one is None:
                    return grpc_result(fields)
                kind, flags, payload = one
                if kind == 1:
                    fields.update(inflater.headers(payload))
                    if flags & 1:
                        return grpc_result(fields)
                elif kind in (3, 7):  # RST_STREAM, GOAWAY
                    fields["reset"] = str(int.from_bytes(payload[-4:] if kind == 3 else payload[4:8], "big"))
                    return grpc_result(fields)
    except ConnectionError:
        fields["reset"] = "connection"
    finally:
        inflater.close()
    return grpc_result(fields)


def grpc_result(fields):
    status = fields.get("grpc-status")
    return (int(status) if status is not None else None), fields.get("grpc-message", ""), fields
