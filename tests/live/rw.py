"""rw.py - remote write by hand: protobuf and snappy with nothing but literals, for loading a server with exact samples.

    send(server.base, [({"__name__": "up", "job": "a"}, [(time_ms, value), ...]), ...])
"""
import struct

from lab import http

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]  # the NaN that ends a series
STALE_BYTES = struct.pack("<Q", 0x7FF0000000000002)


def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def double_bytes(value):
    """Stale is named, not passed as a float, because a signalling NaN may not survive being copied."""
    return STALE_BYTES if value == "stale" else struct.pack("<d", value)


def series(labels, samples):
    body = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
    body += b"".join(field(2, b"\x09" + double_bytes(v) + b"\x10" + varint(t)) for t, v in samples)
    return field(1, body)


def snappy(raw):
    out = [varint(len(raw))]
    for at in range(0, len(raw), 65536):
        piece = raw[at:at + 65536]
        out.append(b"\xf4" + struct.pack("<H", len(piece) - 1) + piece)
    return b"".join(out)


def send(base, all_series, timeout=60):
    body = snappy(b"".join(series(labels, samples) for labels, samples in all_series))
    status, _, text = http("POST", base + "/api/v1/write", body, {
        "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}, timeout)
    if status // 100 != 2:
        raise AssertionError("remote write: %d %s" % (status, text[:300]))


def send_in_slices(base, all_series, slice_ms=600_000):
    """In order of time, for servers that refuse what is much older than the newest sample."""
    first = min(s[0][0] for _, s in all_series if s)
    last = max(s[-1][0] for _, s in all_series if s)
    for start in range(first, last + 1, slice_ms):
        piece = [(labels, [p for p in s if start <= p[0] < start + slice_ms]) for labels, s in all_series]
        piece = [p for p in piece if p[1]]
        if piece:
            send(base, piece)
