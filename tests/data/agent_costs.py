#!/usr/bin/env python3
"""What the recorded agent traces cost, worked out from the raw files and the published prices by other means than ours.

    tests/data/agent_costs.py COLLECTION PRICES > tests/data/agent_costs.json

Nothing here knows our table of names or our rules of ownership: each format's own keys are read, and what counts is, in
each trace, every span with tokens that has no span with tokens beneath it. (In these files that is the same; a model call
that runs an agent of its own would tell them apart.) Money is exact: Decimal, rounded once a call, half up, to 9 decimals.
Each figure is written with the sum it comes from.
"""
import base64
import glob
import json
import os
import sys
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal

MILLION = Decimal(1000000)


class Span:
    def __init__(self, trace, ident, parent, name, model, at, tokens):
        self.trace, self.id, self.parent, self.name, self.model, self.at = trace, ident, parent, name, model, at
        self.tokens = tokens  # None, or dict of disjoint buckets


def whole(v):
    """A count however it is written; {"intValue":0} is one of the ways."""
    if v is None:
        return None
    if isinstance(v, str) and v.startswith("{"):
        v = list(json.loads(v).values())[0]
    return int(v)


def buckets(total_in, cached, total_out, reasoning):
    """Input with, output with the details in them, as OpenTelemetry, OpenInference and the AI SDK count."""
    if total_in is None and total_out is None:
        return None
    total_in, cached, total_out, reasoning = (x or 0 for x in (total_in, cached, total_out, reasoning))
    return {"input": total_in - cached, "cache_read": cached, "cache_write": 0, "output": total_out - reasoning, "reasoning": reasoning}


def by_attributes(a):
    keys = [("gen_ai.usage.input_tokens", "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.output_tokens",
             "gen_ai.usage.reasoning.output_tokens"),
            ("llm.token_count.prompt", "llm.token_count.prompt_details.cache_read", "llm.token_count.completion",
             "llm.token_count.completion_details.reasoning"),
            ("ai.usage.inputTokens", "ai.usage.cachedInputTokens", "ai.usage.outputTokens", "ai.usage.reasoningTokens"),
            ("ai.usage.promptTokens", "", "ai.usage.completionTokens", ""), ("ai.usage.tokens", "", "", "")]
    if "ai.usage.inputTokens" in a:  # beside gen_ai.* these have the details
        keys.insert(0, keys[2])
    if "gen_ai.usage.details.thoughts_tokens" in a:  # pydantic-ai
        keys.insert(0, ("gen_ai.usage.input_tokens", "", "gen_ai.usage.output_tokens", "gen_ai.usage.details.thoughts_tokens"))
    for names in keys:
        if any(a.get(n) is not None for n in names):
            return buckets(*[whole(a.get(n)) for n in names])
    return None


def model_of(a):
    for k in ("gen_ai.response.model", "llm.model_name", "gen_ai.request.model", "ai.response.model", "ai.model.id"):
        if a.get(k):
            return a[k]
    return ""


def by_langfuse(u):
    """Its own map: details are apart from input and output unless the total says that they are within."""
    if not u:
        return None
    cached = u.get("input_cached_tokens", 0) + u.get("input_cache_read", 0)
    reasoning = u.get("output_reasoning_tokens", 0) + u.get("output_reasoning", 0)
    within = u.get("prompt_details.cache_read", 0), u.get("completion_details.reasoning", 0)
    if cached + reasoning == 0:
        return buckets(u.get("input", 0), within[0], u.get("output", 0), within[1])
    assert u["total"] == u["input"] + u["output"] + cached + reasoning
    return {"input": u["input"], "cache_read": cached, "cache_write": 0, "output": u["output"], "reasoning": reasoning}


def iso(text):
    return datetime.fromisoformat(text[:26].rstrip("Z").split("+")[0]).replace(tzinfo=timezone.utc)


def ns(n):
    return datetime.fromtimestamp(int(float(n)) / 1e9, timezone.utc)


def read_langfuse(doc):
    for o in doc.get("observations") or doc["trace"]["observations"]:
        meta = o.get("metadata")
        try:
            meta = json.loads(meta) if isinstance(meta, str) else meta
        except ValueError:  # cut by the export
            meta = None
        a = (meta or {}).get("attributes") or {}
        is_sdk = ((meta or {}).get("scope") or {}).get("name", "").startswith("langfuse")
        tokens = (by_langfuse(o.get("usageDetails")) if is_sdk else None) or by_attributes(a) or by_langfuse(o.get("usageDetails"))
        yield Span(o["traceId"], o["id"], o["parentObservationId"], o["name"], model_of(a) or o.get("model") or "", iso(o["startTime"]),
                   tokens)


def read_otlp(doc):
    def value(v):
        return list(v.values())[0]
    for request in doc:
        for r in request["resourceSpans"]:
            for s in (s for scope in r["scopeSpans"] for s in scope["spans"]):
                a = {x["key"]: value(x["value"]) for x in s["attributes"]}
                yield Span(base64.b64decode(s["traceId"]).hex(), s["spanId"], s.get("parentSpanId"), s["name"], model_of(a),
                           ns(s["startTimeUnixNano"]), by_attributes(a))


def read_dicts(doc):
    for s in doc if isinstance(doc, list) else doc["spans"]:
        a = s["attributes"]
        at = iso(s["start_time"]) if isinstance(s["start_time"], str) else ns(s["start_time"])
        yield Span(s["trace_id"], s["span_id"], s["parent_span_id"], s["name"], model_of(a), at, by_attributes(a))


def read_vercel(doc):
    for s in doc:
        a = s["attributes"]
        yield Span(s["spanContext"]["traceId"], s["spanContext"]["spanId"], s.get("parentSpanId"), s["name"], model_of(a),
                   ns(s["startTime"][0] * 10**9), by_attributes(a))


def read(path):
    kind = os.path.basename(os.path.dirname(path))
    if path.endswith(".jsonl"):
        return list(read_dicts([json.loads(line) for line in open(path)]))
    doc = json.load(open(path))
    if kind == "langfuse_export":
        return list(read_langfuse(doc))
    if kind == "otlp_json":
        return list(read_otlp(doc))
    if kind == "vercel_ai_v6":
        return list(read_vercel(doc))
    if kind == "mistral-small":
        return [s for trace in doc for s in read_dicts(trace)]
    return list(read_dicts(doc))


# Ids that are not in the price list as they are, read by hand.
SAME_AS = {"mistral/mistral-small-latest": "mistral-small-latest",
           "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0": "claude-haiku-4-5",
           "us.anthropic.claude-sonnet-4-6": "claude-sonnet-4-6"}


def price_of(prices, model, at):
    model = SAME_AS.get(model, model)
    for m in prices["models"]:
        if model != m["model"] and model not in m.get("aliases", []):
            continue
        rates = m["usd_per_mtok"]
        for entry in m.get("price_schedule", []):
            since = (entry["constraint"] or {}).get("start_date", "1970-01-01")
            if at.strftime("%Y-%m-%d") >= since:
                rates = entry["usd_per_mtok"]
        return rates
    return None


def cost(tokens, rates):
    each = {"input": rates["input"], "cache_read": rates.get("cache_read", rates["input"]),
            "cache_write": rates.get("cache_write", rates["input"]), "output": rates.get("output", 0),
            "reasoning": rates.get("output_reasoning", rates.get("output", 0))}
    usd = sum(Decimal(tokens[b]) * Decimal(str(each[b])) for b in tokens) / MILLION
    how = " + ".join("%d x %s" % (n, each[b]) for b, n in tokens.items() if n)
    return usd.quantize(Decimal("1e-9"), rounding=ROUND_HALF_UP), "(%s) / 1000000" % (how or "0")


def owners(spans):
    """Spans with tokens and none beneath them that has some."""
    by_id = {s.id: s for s in spans}
    has = {s.id for s in spans if s.tokens and sum(s.tokens.values())}
    above = set()
    for ident in has:
        up = by_id[ident].parent
        while up in by_id and up not in above:
            above.add(up)
            up = by_id[up].parent
    return [s for s in spans if s.id in has and s.id not in above]


def account(spans, prices):
    total, tokens, unpriced, how = Decimal(0), {}, 0, []
    for s in owners(spans):
        for b, n in s.tokens.items():
            tokens[b] = tokens.get(b, 0) + n
        rates = price_of(prices, s.model, s.at)
        if rates is None:
            unpriced += 1
            how.append("%s: %s is not in the price list" % (s.name, s.model or "a model without a name"))
            continue
        usd, text = cost(s.tokens, rates)
        total += usd
        how.append("%s %s %s: %s = %s" % (s.name, s.model, s.at.date(), text, format(usd.normalize(), "f")))
    return {"tokens": {b: tokens.get(b, 0) for b in ("input", "cache_read", "cache_write", "output", "reasoning")},
            "total_cost_usd": format(total.normalize(), "f") if total else "0", "unpriced_calls": unpriced, "derivation": how}


def main():
    collection, prices = sys.argv[1], json.load(open(sys.argv[2]), parse_float=Decimal)
    out = {}
    for path in sorted(glob.glob(collection + "/**/*.json*", recursive=True)):
        name = os.path.relpath(path, collection)
        if name.startswith(("who_and_when", "tau_bench")):  # these have no tokens
            continue
        if name.startswith("smoltrace") and not name.endswith("traces.json"):
            continue
        spans = read(path)
        traces = {s.trace: [] for s in spans}
        for s in spans:
            traces[s.trace].append(s)
        out[name] = [account(list(group), prices) for group in traces.values()]
    json.dump(out, sys.stdout, indent=1)
    print()


main()
