"""query_cache_test.py BUILD: kept answers, stats=all and explain as a client sees them, and that plain answers, kept ones and
continued ones are the same bytes while rows come in.
"""
import json
import os
import random
import subprocess
import sys
import time

from lab import Lab, expect
from rw import send

STEP = 15000
NOW = (int(time.time()) // 86400 * 86400 - 86400 + 36000) * 1000  # yesterday at ten
QUERIES = ["sum by (job) (rate(x_total[1m]))", "x_total", "topk(2, x_total)", "max_over_time(x_total[3m]) / 7", "x_total offset -1m"]


def rows(first, last):
    return [({"__name__": "x_total", "job": "j%d" % (i % 3), "i": str(i)}, [(t, (t - NOW) / 1000 * (i + 1) / 3) for t in range(first, last, STEP)])
            for i in range(9)]


def ask(server, query, start, end, **more):
    code, _, body = server.get("/api/v1/query_range", {"query": query, "start": start / 1000, "end": end / 1000, "step": 15, **more})
    expect(code, 200, body[:300])
    return json.loads(body)


def use(answer):
    return answer["data"]["stats"]["cache"]["result"]


def kept_and_continued(server):
    send(server.base, rows(NOW, NOW + 1200000))
    q, end = QUERIES[0], NOW + 1200000 - STEP
    expect(use(ask(server, q, NOW, end, stats="all")), "miss")
    expect(use(ask(server, q, NOW, end, stats="all")), "hit")
    expect(use(ask(server, q, NOW, end, stats="all", nocache=1)), "unused")
    moved = ask(server, q, NOW + 60000, end + 60000, stats="all")
    expect(use(moved), "partial")
    expect(moved["data"]["stats"]["cache"]["stepsReused"], (end - NOW - 60000) // STEP, "steps reused")
    send(server.base, [({"__name__": "x_total", "job": "late", "i": "l"}, [(NOW + 30000, 1)])])
    expect(use(ask(server, q, NOW + 60000, end, stats="all")), "miss", "after a late row")
    metrics = server.get("/metrics")[2].decode()
    for label in ("hit", "partial", "miss"):
        assert 'vedette_query_answers_total{cache="%s"}' % label in metrics, label


def steps_add_up(server):
    stats = ask(server, "sum(count_over_time(x_total[1m]))", NOW + 600000, NOW + 660000, stats="all", nocache=1)["data"]["stats"]["samples"]
    expect(stats["totalQueryableSamplesPerStep"], [[(NOW + 600000) // 1000 + k * 15, 36] for k in range(5)])
    expect(stats["totalQueryableSamples"], 180)


def same_bytes(server, seed, rounds):
    print("# seed %d" % seed)
    chance, now = random.Random(seed), NOW + 1200000
    for _ in range(rounds):
        more = chance.randrange(4) * STEP
        send(server.base, rows(now, now + more)) if more else None
        now += more
        if chance.randrange(6) == 0:
            t = now - chance.randrange(1, 60) * STEP
            send(server.base, [({"__name__": "x_total", "job": "j1", "i": "1"}, [(t, chance.random())])])
        query = chance.choice(QUERIES)
        start, end = now - 900000, now + chance.randrange(3) * STEP
        kept, plain = ask(server, query, start, end), ask(server, query, start, end, nocache=1)
        expect(kept, plain, "%s over [%d, %d]" % (query, start, end))


def explained(lab, server):
    args = {"query": "sum(rate(x_total[1m]))", "start": NOW / 1000, "end": NOW / 1000 + 600, "step": 15}
    code, _, body = server.get("/api/v1/explain", args)
    plan = json.loads(body)["data"]["plan"]
    expect((code, plan["kind"], plan["children"][0]["kind"]), (200, "aggregation", "function"))
    expect(plan["children"][0]["children"][0]["read"]["series"], 10)
    expect(server.get("/api/v1/explain", {"query": "sum("})[0], 400)
    shown = subprocess.run([lab.binary, "query", "--server", server.base, "--explain", "--time", str(NOW / 1000 + 600), "sum(rate(x_total[1m]))"],
                           capture_output=True, text=True)
    expect(shown.returncode, 0, shown.stderr)
    assert "'- rate(x_total[1m])" in shown.stdout and "10 series" in shown.stdout, shown.stdout
    broken = subprocess.run([lab.binary, "query", "--server", server.base, "--explain", "sum("], capture_output=True, text=True)
    expect(broken.returncode, 1)
    assert "parse error" in broken.stderr, broken.stderr


def none_kept(lab):
    server = lab.vedette("--query-cache", "0", "--self-metrics=no", "--host-metrics=no")
    send(server.base, rows(NOW, NOW + 600000))
    for _ in range(2):
        expect(use(ask(server, QUERIES[0], NOW, NOW + 300000, stats="all")), "unused")


def main():
    lab = Lab(sys.argv)
    server = lab.vedette("--self-metrics=no", "--host-metrics=no", "--retention", "forever")
    lab.case("kept_and_continued", lambda: kept_and_continued(server))
    lab.case("samples_of_each_step_add_up", lambda: steps_add_up(server))
    lab.case("explained", lambda: explained(lab, server))
    lab.case("the_same_bytes", lambda: same_bytes(server, int(os.environ.get("SEED", random.randrange(1 << 30))), 300))
    lab.case("none_kept", lambda: none_kept(lab))
    lab.done()


main()
