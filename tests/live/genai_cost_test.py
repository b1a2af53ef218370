#!/usr/bin/env python3
"""Tokens and money: every file of the collection of recorded traces gives what tests/data/agent_costs.py worked out from the raw
files, on the page of the trace and in the list."""
import json
import os
import subprocess
import sys
from decimal import Decimal

from lab import Lab, expect, http

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
DATA = os.path.join(ROOT, "..", "shared", "data", "agent_traces")
BIN = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "vedette")
BUCKETS = ["input", "cache_read", "cache_write", "output", "reasoning"]


def get(server, path):
    status, _, body = http("GET", server.base + path)
    expect(status, 200, path)
    return json.loads(body, parse_float=Decimal, parse_int=int)


def figures(t):
    return Decimal(t["total_cost_usd"]), [t["tokens"][b] for b in BUCKETS], t["unpriced_calls"]


def wanted(name):
    with open(os.path.join(ROOT, "tests", "data", "agent_costs.json")) as f:
        return sorted((Decimal(t["total_cost_usd"]), [t["tokens"][b] for b in BUCKETS], t["unpriced_calls"])
                      for t in json.load(f)[name])


def cost_of_file(server, name, seen):
    subprocess.run([BIN, "import", "--server", server.base, os.path.join(DATA, name)], check=True, capture_output=True, timeout=60)
    listed = {t["trace_id"]: t for t in get(server, "/api/v1/traces?limit=1000")["traces"]}
    fresh = [i for i in listed if i not in seen]
    seen.update(fresh)
    pages = {i: get(server, "/api/v1/traces/%s?fields=structure" % i) for i in fresh}
    if not fresh:  # the collection has one trace in two files
        expect(all(w in [figures(t) for t in listed.values()] for w in wanted(name)), True, name)
        return
    for i in fresh:
        expect(figures(listed[i]), figures(pages[i]), "the list and the page of " + i)
    expect(sorted(figures(p) for p in pages.values()), wanted(name), name)


def chatbot_once(server):
    """The wrapper repeats the usage of the call within: gpt-5, 91 x 1.25 + 1024 x 0.125 + 101 x 10 = 1251.75 millionths."""
    pages = [get(server, "/api/v1/traces/" + t["trace_id"]) for t in get(server, "/api/v1/traces?limit=1000")["traces"]]
    page = [p for p in pages if p["root_name"] == "handle-chatbot-message" and p["tokens"]["input"] == 91][0]
    expect(page["total_cost_usd"], Decimal("0.00125175"), "total")
    spends = {s["name"]: s["genai"] for s in page["spans"] if "genai" in s and s["genai"].get("has_usage")}
    expect(spends["ai.streamText.doStream"]["counts"], True, "the call counts")
    expect(spends["ai.streamText"]["counts"], False, "its wrapper does not")
    expect(spends["ai.streamText.doStream"]["price_model"], "gpt-5", "price")


def unpriced_is_seen(server):
    """o1 is not in the price list: its trace says so and is not free."""
    rows = [t for t in get(server, "/api/v1/traces?limit=1000")["traces"] if t["unpriced_calls"] == 6]
    expect(len(rows), 1, "traces with six unpriced calls")
    expect(rows[0]["is_partial_cost"], True, "partial")


def main():
    lab = Lab(sys.argv)
    if not os.path.isdir(DATA):
        lab.skip("genai_cost", "the collection of recorded traces is not here")
        return lab.done()
    server = lab.vedette("--retention", "forever")
    seen = set()
    for name in json.load(open(os.path.join(ROOT, "tests", "data", "agent_costs.json"))):
        lab.case("cost_of_" + name, lambda n=name: cost_of_file(server, n, seen))
    lab.case("chatbot_is_counted_once", lambda: chatbot_once(server))
    lab.case("unpriced_is_seen", lambda: unpriced_is_seen(server))
    return lab.done()


sys.exit(main())
