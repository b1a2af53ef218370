#!/usr/bin/env python3
"""Budgets: used, percent, burn and the day they are gone, worked out from what was sent; their series; reloads.

Rows of the feature list: S1-029 S1-027 S1-028 S1-105"""
import json
import signal
import sys
import time
from decimal import Decimal

from lab import Lab, expect, http, wait_for

CONFIG = """budget_interval: 1s
budgets:
  - {name: all, daily: 10, monthly: 100}
  - {name: one, scope: backend, of: b1, monthly: %s}
"""


def budgets(server):
    status, _, body = http("GET", server.base + "/api/v1/budgets")
    expect(status, 200, body[:300])
    return {b["name"]: b for b in json.loads(body, parse_float=Decimal)["budgets"]}


def feed(server):
    """Two dollars of b1 and one of b2, within this minute; both counters begin with a zero."""
    now = int(time.time() * 1000)
    lines = ['load_balancer_total_cost_usd{backend_id="%s"} %s %d' % (b, v, now - k) for b, top in (("b1", "2.000000001"), ("b2", "1"))
             for v, k in (("0", 2000), (top, 1000))]
    status, _, body = http("POST", server.base + "/api/v1/import/prometheus", ("\n".join(lines) + "\n").encode(), {"Content-Type": "text/plain"})
    expect(status in (200, 204), True, body[:200])


def used(server):
    """S1-029: sums are exact to the nano-dollar."""
    b = budgets(server)
    expect(b["all"]["daily"]["used_usd"], Decimal("3.000000001"), "of all")
    expect(b["all"]["daily"]["left_usd"], Decimal("6.999999999"), "left")
    expect(b["one"]["monthly"]["used_usd"], Decimal("2.000000001"), "of one backend")
    expect(abs(float(b["one"]["monthly"]["usage_percent"]) - 40) < 1e-6, True, "2 of 5")
    expect(abs(float(b["all"]["daily"]["burn_usd_per_hour"]) - 3) < 1e-6, True, "burn")
    expect("daily" in b["one"], False, "no daily limit")


def series(server):
    """S1-105 S1-027 S1-028: as gauges, under the names that the rules look at."""
    wait_for(lambda: server.scalar('load_balancer_daily_budget_usage_percent{budget="all"}') > 29, 30, what="series of budgets")
    expect(server.scalar('load_balancer_daily_budget_usd{budget="all"}'), 10, "limit")
    expect(server.scalar('load_balancer_monthly_budget_usd{budget="one",backend_id="b1"}'), 5, "limit of a month")
    expect(round(server.scalar('load_balancer_monthly_budget_usage_percent{budget="one"}')), 40, "percent")
    expect(server.scalar('vedette_budget_limit_usd{budget="all",period="monthly"}'), 100, "our own")


def reload(server, path):
    """A new limit holds at once; a bad one changes nothing."""
    with open(path, "w") as f:
        f.write(CONFIG % "1")
    expect(http("POST", server.base + "/-/reload")[0], 200, "reload")
    b = budgets(server)["one"]["monthly"]
    expect((b["limit_usd"], b["exceeded"], b["exhausted_at"] is not None), (1, True, True), "exceeded")
    with open(path, "w") as f:
        f.write(CONFIG % "-1")
    status, _, body = http("POST", server.base + "/-/reload")
    expect((status, b"budgets" in body), (500, True), "refused by name: %s" % body[:200])
    expect(budgets(server)["one"]["monthly"]["limit_usd"], 1, "the old one stays")


def main():
    lab = Lab(sys.argv)
    path = lab.write("budgets.yml", CONFIG % "5")
    if time.time() % 86400 < 10 or time.time() % 86400 > 86280:
        lab.skip("budgets", "a day ends within two minutes")
        return lab.done()
    server = lab.vedette(config=path)
    feed(server)
    lab.case("budgets_used", lambda: used(server))
    lab.case("budgets_series", lambda: series(server))
    lab.case("budgets_reload", lambda: reload(server, path))
    return lab.done()


sys.exit(main())
