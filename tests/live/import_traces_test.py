#!/usr/bin/env python3
"""vedette import: every trace file of the collection arrives as complete trees. What is expected is counted here from the raw files,
by format, without asking us."""
import glob
import gzip
import json
import os
import re
import subprocess
import sys

from lab import Lab, expect, http

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DATA = os.path.join(ROOT, "..", "shared", "data", "agent_traces")
BIN = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "vedette")


def load(path):
    raw = open(path, "rb").read()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    if path.endswith(".jsonl"):
        return [json.loads(line) for line in raw.splitlines() if line.strip()]
    return json.loads(raw)


def expected(path, ids_out=None):
    """(spans, traces, roots): roots are spans whose parent is not in the file. Ids, if the format has some, go to ids_out."""
    kind, doc = os.path.relpath(path, DATA).split(os.sep)[0], load(path)
    if kind == "otlp_json":
        spans = [(s["traceId"], s["spanId"], s.get("parentSpanId")) for request in doc for r in request["resourceSpans"]
                 for scope in r["scopeSpans"] for s in scope["spans"]]
    elif kind == "langfuse_export":
        spans = [(o["traceId"], o["id"], o["parentObservationId"])
                 for o in doc.get("observations") or doc["trace"]["observations"]]
    elif kind == "vercel_ai_v6":
        spans = [(s["spanContext"]["traceId"], s["spanContext"]["spanId"], None) for s in doc]
    elif kind == "who_and_when":
        return 1 + len(doc["history"]), 1, 1
    elif kind == "tau_bench":
        return sum(1 + len(run["traj"]) for run in doc), len(doc), len(doc)
    else:
        lists = doc if isinstance(doc, list) else [doc]
        flat = [s for x in lists for s in (x["spans"] if "spans" in x else [x])]
        spans = [(s["trace_id"], s["span_id"], s["parent_span_id"]) for s in flat]
    ids = {(t, s) for t, s, _ in spans}
    if ids_out is not None:
        ids_out |= ids
    return len(ids), len({t for t, _, _ in spans}), sum(1 for t, _, p in spans if (t, p) not in ids)


def trace_files():
    out = []
    for path in sorted(glob.glob(DATA + "/**/*", recursive=True)):
        if re.search(r"\.(json|jsonl|json\.gz)$", path) and ("smoltrace" not in path or path.endswith("traces.json")):
            out.append(path)
    return out


def run_import(server, *files):
    return subprocess.run([BIN, "import", "--server", server.base, *files], capture_output=True, text=True, timeout=120)


def spans_held(server):
    text = http("GET", server.base + "/metrics")[2].decode()
    found = re.search(r"^vedette_store_spans_total (\d+)", text, re.M)
    return int(found.group(1)) if found else 0


def check_file(server, path):
    spans, traces, _ = expected(path)
    before = spans_held(server)
    done = run_import(server, path)
    expect(done.returncode, 0, "exit status (%s)" % done.stderr[-300:])
    said = re.search(r"(\d+) spans of (\d+) traces", done.stderr)
    expect((int(said.group(1)), int(said.group(2))), (spans, traces), "spans and traces")
    expect(spans_held(server) - before, spans, "spans the server kept")


def check_trees(server):
    """All traces together, read back: as many spans and roots as the files have; twice imported, no more."""
    want, seen = [0, 0, 0], set()
    for path in trace_files():
        ids = set()
        counts = expected(path, ids)
        if not ids or not ids <= seen:  # the collection has one trace in two files
            want = [a + b for a, b in zip(want, counts)]
        seen |= ids
    status, _, body = http("GET", server.base + "/api/v1/traces?limit=1000&start=0&end=9000000000")
    expect(status, 200, "list of traces")
    traces = json.loads(body)
    traces = (traces.get("data") or traces)["traces"]
    expect(len(traces), want[1], "traces")
    expect(sum(t["span_count"] for t in traces), want[0], "spans in the list")
    roots = 0
    for t in traces:
        status, _, body = http("GET", server.base + "/api/traces/" + t["trace_id"] + "?start=0&end=9000000000000000")
        expect(status, 200, "trace " + t["trace_id"])
        spans = json.loads(body)["data"][0]["spans"]
        expect(len(spans), t["span_count"], "spans of " + t["trace_id"])
        ids = {s["spanID"] for s in spans}
        roots += sum(1 for s in spans if not any(r["spanID"] in ids for r in s["references"]))
    expect(roots, want[2], "roots")


def check_errors(server, folder):
    bad = os.path.join(folder, "bad.jsonl")
    with open(bad, "w") as f:
        f.write('{"trace_id":"%s","span_id":"%s","name":"a","start_time":1700000000,"end_time":1700000001}\n' % ("ab" * 16, "cd" * 8))
        f.write('{"trace_id":"%s","span_id":"%s","name":"b"}\nnot json\n' % ("ab" * 16, "ce" * 8))
    done = run_import(server, bad)
    expect(done.returncode, 1, "exit status")
    for part in ("bad.jsonl: line 2: ", "bad.jsonl: line 3: not JSON", "1 spans of 1 traces", "2 refused"):
        expect(part in done.stderr, True, "%r in %r" % (part, done.stderr))
    expect(run_import(server, os.path.join(folder, "absent")).returncode, 1, "exit status of an absent file")
    expect(subprocess.run([BIN, "import"], capture_output=True).returncode, 2, "exit status without files")


def main():
    lab = Lab(sys.argv)
    if not os.path.isdir(DATA):
        lab.skip("import of trace files", "no collection of agent traces at " + DATA)
        return lab.done()
    server = lab.vedette("--retention", "forever")
    for path in trace_files():
        lab.case("import " + os.path.relpath(path, DATA), lambda p=path: check_file(server, p))
    lab.case("a second import changes nothing", lambda: expect(run_import(server, *trace_files()).returncode, 0))
    if http("GET", server.base + "/api/v1/traces?limit=1")[0] == 404:
        lab.skip("trees read back", "this server does not answer /api/v1/traces")
    else:
        lab.case("trees read back are complete", lambda: check_trees(server))
    lab.case("faults name file and line", lambda: check_errors(server, lab.dir))
    return lab.done()


if __name__ == "__main__":
    sys.exit(main())
