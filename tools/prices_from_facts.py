#!/usr/bin/python3
"""Writes src/model/prices.yaml out of a file of published list prices (JSON: the keys are explained in it).

    tools/prices_from_facts.py model_prices.json > src/model/prices.yaml

Run it when prices have changed and review the difference: what is written is what money is worked out from.
Corrections of the source stand below, each with its reason.
"""
import datetime
import json
import sys
from decimal import Decimal

RATES = ["input", "cache_read", "cache_write", "cache_write_1h", "output", "output_reasoning", "input_audio",
         "output_audio"]
NAMES = {"output_reasoning": "reasoning", "input_audio": "audio_input", "output_audio": "audio_output"}

# (provider, model, key): value instead, or None to leave it out.
CORRECTIONS = {
    # Writing for an hour is twice the input price at Anthropic; the source repeats the figure of another model.
    ("anthropic", "claude-3-opus-20240229", "cache_write_1h"): Decimal("30"),
    ("anthropic", "claude-3-haiku-20240307", "cache_write_1h"): Decimal("0.5"),
}
# Gemini bills caches by the hour, not by the token written: the source's figure is that of an hour.
NO_CACHE_WRITE = {"google"}


def number(value):
    text = format(Decimal(str(value)).normalize(), "f")
    return text


def rates(model, prices):
    out = []
    if "output" not in prices and "output_image" in prices:  # a model that answers in images only
        prices = dict(prices, output=prices["output_image"])
    for key in RATES:
        value = CORRECTIONS.get((model["provider"], model["model"], key), prices.get(key)) if key in prices else None
        if key == "cache_write" and model["provider"] in NO_CACHE_WRITE:
            value = None
        if key == "output_reasoning" and value == prices.get("output"):
            value = None
        if value is not None:
            out.append(f"{NAMES.get(key, key)}: {number(value)}")
    return ", ".join(out)


def tiers(model, entry):
    return [f"{{above: {t['above_input_tokens']}, {rates(model, t['usd_per_mtok'])}}}" for t in entry.get("tiers", [])]


def quoted(text):
    return json.dumps(text)


def constraint(c):
    if c is None:
        return ""
    if "start_date" in c:
        datetime.date.fromisoformat(c["start_date"])
        return f"from: {quoted(c['start_date'])}, "
    return f"hours: {quoted(c['start_time'][:5] + '-' + c['end_time'][:5])}, "


def write(model):
    print(f"  - provider: {model['provider']}")
    print(f"    model: {quoted(model['model'])}")
    if model.get("aliases"):
        print(f"    aliases: [{', '.join(quoted(a) for a in model['aliases'])}]")
    print(f"    mode: {model['mode']}")
    print(f"    source: {model['source']}")
    if model.get("price_schedule"):
        print("    periods:")
        for entry in model["price_schedule"]:
            t = tiers(model, entry)
            more = f", tiers: [{', '.join(t)}]" if t else ""
            print(f"      - {{{constraint(entry['constraint'])}{rates(model, entry['usd_per_mtok'])}{more}}}")
    else:
        print(f"    rates: {{{rates(model, model['usd_per_mtok'])}}}")
        if model.get("tiers"):
            print("    tiers:")
            for t in tiers(model, model):
                print(f"      - {t}")
    if "usd_per_1k_requests" in model:
        print(f"    request: {number(Decimal(str(model['usd_per_1k_requests'])) / 1000)}")
    for kind in ("batch", "flex", "priority"):
        if model.get(kind + "_usd_per_mtok"):
            print(f"    {kind}: {{{rates(model, model[kind + '_usd_per_mtok'])}}}")


def main():
    facts = json.load(open(sys.argv[1]), parse_float=Decimal)
    dates = sorted(s["date"] for s in facts["sources"])
    print("# Published list prices, USD per million tokens. Written by tools/prices_from_facts.py; docs/money.md says")
    print("# what the keys mean. Sources (both MIT):")
    for s in facts["sources"]:
        print(f"#   {s['id']}: {s['repo']} {s['path']}, {s['commit'][:12]}, {s['date']}")
    print(f"version: {quoted(dates[-1])}")
    print("models:")
    for model in facts["models"]:
        write(model)


main()
