#!/usr/bin/env python3
"""Tokens and money: every file of the collection of recorded traces gives what tests/data/agent_costs.py worked out from the raw
files, on the page of the trace and in the list; recorded requests replayed give exact totals; prices of one's own have an effect."""
import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from decimal import Decimal

from lab import Lab, expect, http, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
SHARED = os.path.join(ROOT, "..", "shared", "data")
DATA = os.path.join(SHARED, "agent_traces")
REPLAYS = ["azure_llm_2023/AzureLLMInferenceTrace_code.csv", "azure_llm_2023/AzureLLMInferenceTrace_conv_part1.csv",
           "mooncake/conversation_trace_part1.jsonl"]
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


# ---- series on the way in ----

PRICES = """version: ours-1
models:
  - {provider: house, model: house-model, rates: {input: %s, output: 2}}
"""


def requests_of(name):
    """(input, output) tokens of each recorded request."""
    path = os.path.join(SHARED, name)
    with open(path) as f:
        if path.endswith(".csv"):
            return [tuple(map(int, row[1:3])) for row in list(csv.reader(f))[1:]]
        return [(r["input_length"], r["output_length"]) for r in map(json.loads, f)]


def attribute(key, value):
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def send(server, spans):
    """Model calls of now: (service, model, input, output)."""
    now = time.time_ns() - 2 * 10**9
    out = [{"traceId": "%032x" % random.getrandbits(128), "spanId": "%016x" % random.getrandbits(64), "name": "chat " + model,
            "kind": 3, "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 10**9),
            "attributes": [attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.provider.name", "house"),
                           attribute("gen_ai.request.model", model), attribute("gen_ai.usage.input_tokens", i),
                           attribute("gen_ai.usage.output_tokens", o)]} for model, i, o in spans]
    body = {"resourceSpans": [{"resource": {"attributes": [attribute("service.name", "replay")]}, "scopeSpans": [{"spans": out}]}]}
    status, _, answer = http("POST", "http://127.0.0.1:%d/v1/traces" % server.otlp_port, json.dumps(body).encode(),
                             {"Content-Type": "application/json"})
    expect(status, 200, answer[:200])


def replay(server, name, model):
    """As fast as it goes; what the counters end at is what the file has, to the token."""
    rows = requests_of(name)
    for at in range(0, len(rows), 2000):
        send(server, [(model, i, o) for i, o in rows[at:at + 2000]])
    want = (len(rows), sum(i for i, _ in rows), sum(o for _, o in rows))

    def now():
        one = [server.scalar('sum(vedette_genai_requests_total{model="%s"})' % model)]
        one += [server.scalar('sum(vedette_genai_tokens_total{model="%s",token_type="%s"})' % (model, t)) for t in ("input", "output")]
        return tuple(int(v) for v in one) == want
    wait_for(now, 60, 0.3, "%s: %r" % (name, want))


def cost_of_replay(server, config, folder):
    """Prices of one's own, and others after a reload; calls before it keep theirs."""
    send(server, [("house-model", 1000000, 1000000)])
    wait_for(lambda: server.scalar('sum(vedette_genai_cost_usd_total{model="house-model"})') == 3, 30, what="1 + 2 USD")
    with open(os.path.join(folder, "prices.yml"), "w") as f:
        f.write(PRICES % "5")
    os.kill(server.process.pid, signal.SIGHUP)
    trace = get(server, "/api/v1/traces?limit=1")["traces"]
    wait_for(lambda: get(server, "/api/v1/traces/" + trace[0]["trace_id"])["total_cost_usd"] == 7, 30, what="history priced anew")
    send(server, [("house-model", 1000000, 0)])
    wait_for(lambda: server.scalar('sum(vedette_genai_cost_usd_total{model="house-model"})') == 8, 30, what="3 + 5 USD")
    with open(os.path.join(folder, "prices.yml"), "w") as f:
        f.write("models: [{provider: house}]")
    checked = subprocess.run([BIN, "prices", "check", os.path.join(folder, "prices.yml")], capture_output=True, text=True)
    expect((checked.returncode, "line 1: model is missing" in checked.stderr), (1, True), checked.stderr)
    expect(http("POST", server.base + "/-/reload")[0] != 200, True, "a reload with bad prices is refused")
    expect(get(server, "/api/v1/traces/" + trace[0]["trace_id"])["total_cost_usd"], 7, "and changes nothing")


def series(lab):
    folder = lab.path("series")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "prices.yml"), "w") as f:
        f.write(PRICES % "1")
    config = lab.write("series/vedette.yml", "prices: prices.yml\ngenai:\n  interval: 1s\n")
    server = lab.vedette(config=config)
    lab.case("cost_series_follow_the_price_list", lambda: cost_of_replay(server, config, folder))
    for name in REPLAYS:
        if os.path.exists(os.path.join(SHARED, name)):
            lab.case("replay_is_exact_" + name, lambda n=name: replay(server, n, os.path.basename(n)))
        else:
            lab.skip("replay_is_exact_" + name, "the recording is not here")


def main():
    lab = Lab(sys.argv)
    series(lab)
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
