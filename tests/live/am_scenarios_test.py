"""am_scenarios_test.py - generated scenarios of routes, groups, inhibitions, silences, time intervals, flaps, repeats and restarts, fed
to Debian's Alertmanager and to us at the same time: the same notifications must come.

    am_scenarios_test.py BUILD [SCENARIOS [SEED]]       or RELEASE=200

Many scenarios share one pair of servers: each is a subtree of routes for one value of the label scn. Events happen on whole seconds and
waits end on half seconds, so that a machine that is busy for a while changes nothing; scenarios that differ are run up to three times more before
they count. Compared are, for each receiver and group, the messages in order: who fires, who is resolved. Times may differ by one interval.
"""
import json
import os
import random
import shutil
import sqlite3
import sys
import threading
import time

from am_lab import Alertmanager, Sink, post, stamp, vedette_with
from lab import Lab, http

SECONDS = 13      # of events
QUIET = 7         # afterwards
RESTART_AT = 6
BATCH = 40


# S4-010, S4-011, S4-032, S4-071, S1-066, S1-067, S2-096: routes by severity and component, grouping, inhibition, silences
class Scenario:
    def __init__(self, number, seed, restarts):
        self.n, self.restarts = number, restarts
        r = self.r = random.Random("%d/%d/%d" % (seed, number, restarts))
        self.receivers, self.intervals = [], []
        self.interval = r.choice([2, 3])
        self.route = self.make_route(r, 0, None)
        self.inhibit = self.make_inhibit(r) if r.random() < 0.5 else None
        self.alerts = [self.make_alert(r, i) for i in range(r.randint(2, 5))]
        self.events = self.make_events(r)

    def make_route(self, r, depth, matchers):
        receiver = "s%d-r%d" % (self.n, len(self.receivers))
        self.receivers.append((receiver, r.random() < 0.8))
        route = {"receiver": receiver}
        if depth == 0:
            route["matchers"] = ['scn="%d"' % self.n]
            route.update({"group_wait": r.choice(["500ms", "1500ms"]), "group_interval": "%ds" % self.interval,
                          "repeat_interval": r.choice(["5s", "1h"])})
        else:
            route["matchers"] = matchers
        if depth == 0 or r.random() < 0.5:
            route["group_by"] = r.choice([["alertname"], ["team"], ["..."], ["alertname", "team"], []])
        if depth > 0:
            if r.random() < 0.4:
                route["continue"] = True
            if r.random() < 0.3:
                name = "s%d-t%d" % (self.n, len(self.intervals))
                self.intervals.append((name, r.choice([{}, {"years": ["1999"]}, {"times": [{"start_time": "00:00", "end_time": "24:00"}]},
                                                       {"days_of_month": ["-31:-1"], "months": ["1:12"]}])))
                route[r.choice(["mute_time_intervals", "active_time_intervals"])] = [name]
        if depth < 2:
            pool = [['team="a"'], ['team!="a"'], ['sev="crit"'], ['sev=~"crit|warn"'], ['sev!~"c.*"'], ['team="b"', 'sev="warn"'], ['absent=""']]
            route["routes"] = [self.make_route(r, depth + 1, r.choice(pool)) for _ in range(r.randint(0, 2))]
        return route

    def make_inhibit(self, r):
        scn = 'scn="%d"' % self.n
        return {"source_matchers": [scn, 'sev="crit"'], "target_matchers": [scn, r.choice(['sev="warn"', 'sev=~"crit|warn"'])],
                "equal": r.choice([["team"], ["team", "alertname"], []])}

    def make_alert(self, r, i):
        return {"scn": str(self.n), "alertname": r.choice(["A", "B"]), "team": r.choice(["a", "b"]), "sev": r.choice(["crit", "warn"]), "i": str(i)}

    def make_events(self, r):
        """(second, what, which): on whole seconds."""
        events, firing = [], set()
        for second in range(SECONDS):
            if self.restarts and RESTART_AT - 1 <= second <= RESTART_AT + 3:
                continue
            for i in range(len(self.alerts)):
                x = r.random()
                if i not in firing and x < (0.5 if second < 2 else 0.15):
                    events.append((second, "fire", i))
                    firing.add(i)
                elif i in firing and x < 0.12:
                    events.append((second, "resolve", i))
                    firing.discard(i)
                elif i not in firing and x > 0.95 and not self.restarts:
                    events.append((second, "brief", i))  # ends by itself after 2 s
            if r.random() < 0.06:
                events.append((second, "silence", r.choice([{"team": "a"}, {"sev": "warn"}, {"alertname": "A"}])))
        return events


def configuration(scenarios, sink, side):
    receivers = [{"name": "nobody"}]
    for s in scenarios:
        for name, resolved in s.receivers:
            receivers.append({"name": name, "webhook_configs": [{"url": sink.url("%s/%s" % (side, name)), "send_resolved": resolved}]})
    return json.dumps({"route": {"receiver": "nobody", "routes": [s.route for s in scenarios]}, "receivers": receivers,
                       "inhibit_rules": [s.inhibit for s in scenarios if s.inhibit],
                       "time_intervals": [{"name": n, "time_intervals": [t]} for s in scenarios for n, t in s.intervals]})


class World:
    """One pair of servers and the scenarios that run on it."""

    def __init__(self, lab, scenarios, restarts):
        self.scenarios, self.restarts, self.sink = scenarios, restarts, Sink()
        self.theirs = Alertmanager(lab, configuration(scenarios, self.sink, "am"))
        self.ours = vedette_with(lab, configuration(scenarios, self.sink, "us"))
        self.firing, self.late = {}, None

    def both(self, path, what):
        threads = [threading.Thread(target=post, args=(s.base, path, what)) for s in (self.theirs, self.ours)]
        [t.start() for t in threads]
        [t.join() for t in threads]

    def alert(self, scenario, i, start, end=None):
        return {"labels": scenario.alerts[i], "startsAt": stamp(start), **({"endsAt": stamp(end)} if end else {})}

    def second(self, second, now):
        alerts = []
        for s in self.scenarios:
            for at, what, which in s.events:
                if at != second:
                    continue
                if what == "fire":
                    self.firing[(s.n, which)] = (s, now)
                    alerts.append(self.alert(s, which, now))
                elif what == "brief":
                    alerts.append(self.alert(s, which, now, now + 2))
                elif what == "resolve":
                    _, start = self.firing.pop((s.n, which))
                    alerts.append(self.alert(s, which, start, now))
                elif what == "silence":
                    m = [{"name": k, "value": v, "isRegex": False, "isEqual": True} for k, v in {"scn": str(s.n), **which}.items()]
                    self.both("/api/v2/silences", {"matchers": m, "startsAt": stamp(now), "endsAt": stamp(now + 4), "createdBy": "t", "comment": "t"})
        if alerts:
            self.both("/api/v2/alerts", alerts)

    def restart(self):
        """Alertmanager forgets the alerts themselves and we do not; for the comparison we are made to."""
        def forget(s):
            if s is self.ours:
                with sqlite3.connect(os.path.join(s.data, "state.db")) as db:
                    db.execute("DELETE FROM active_alerts")
        threads = [threading.Thread(target=lambda s=s: (s.stop(), forget(s), s.start())) for s in (self.theirs, self.ours)]
        [t.start() for t in threads]
        [t.join() for t in threads]

    def run(self):
        try:
            self.play()
        except Exception as e:
            self.late = "not played to its end: %s" % e

    def play(self):
        begin = self.begin = time.time() + 0.5
        for second in range(SECONDS + QUIET):
            time.sleep(max(0, begin + second - time.time()))
            if time.time() > begin + second + 0.4 and not (self.restarts and RESTART_AT < second < RESTART_AT + 3):
                self.late = "the machine was too busy: second %d came %.1f s late" % (second, time.time() - begin - second)
            if self.restarts and second == RESTART_AT:
                self.restart()
            elif self.restarts and second == RESTART_AT + 2:  # senders tell again what fires
                self.both("/api/v2/alerts", [self.alert(s, i, start) for (_, i), (s, start) in self.firing.items()])
            else:
                self.second(second, begin + second)
        self.theirs.stop()
        self.ours.stop()
        self.sink.server.shutdown()

    def told(self, side, scenario):
        """{(receiver, group): [(time, firing, resolved), ...]}"""
        out = {}
        for at, path, body, _ in self.sink.taken():
            where, receiver = path.strip("/").split("/")
            if where != side or receiver.split("-")[0] != "s%d" % scenario.n:
                continue
            sets = [tuple(sorted(a["labels"]["i"] for a in body["alerts"] if a["status"] == s)) for s in ("firing", "resolved")]
            out.setdefault((receiver, body["groupKey"]), []).append((at, sets[0], sets[1]))
        return out

    def out_of_step(self, scenario):
        """Messages leave on half seconds: those that do not, of either server, tell of a busy machine. A restart moves that beat."""
        for side in ("am", "us"):
            for key, told in self.told(side, scenario).items():
                for at, *_ in told:
                    second = at - self.begin
                    if not 0.45 <= second % 1 <= 0.85 and not (self.restarts and second > RESTART_AT):
                        return "the machine was too busy: %s of %s came at %.2f" % (key, side, second)
        return None


def difference(world, scenario):
    """None, or what is not the same."""
    if world.late:
        return "LATE: " + world.late
    busy = world.out_of_step(scenario)
    if busy:
        return "LATE: " + busy
    am, us = world.told("am", scenario), world.told("us", scenario)
    for key in sorted(set(am) | set(us)):
        a, b = am.get(key, []), us.get(key, [])
        if [x[1:] for x in a] != [x[1:] for x in b]:
            return "%s: Alertmanager %s, we %s" % (key, [x[1:] for x in a], [x[1:] for x in b])
        for x, y in zip(a, b):
            if abs(x[0] - y[0]) > scenario.interval + 1:
                return "%s: %s came %.1f s apart" % (key, x[1:], y[0] - x[0])
    return None


def run_batch(lab, scenarios):
    worlds = [World(lab, part, restarts) for restarts in (False, True) for part in [[s for s in scenarios if s.restarts == restarts]] if part]
    threads = [threading.Thread(target=w.run) for w in worlds]
    [t.start() for t in threads]
    [t.join() for t in threads]
    told = sum(len(w.sink.taken()) for w in worlds)
    return {s.n: difference(w, s) for w in worlds for s in w.scenarios}, told


def main():
    lab = Lab(sys.argv)
    if shutil.which("prometheus-alertmanager") is None:
        lab.skip("am_scenarios", "prometheus-alertmanager is not installed")
        lab.done()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else int(os.environ.get("RELEASE", 20))
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    scenarios = [Scenario(n, seed, n % 4 == 3) for n in range(count)]
    result, told = {}, 0
    for first in range(0, count, BATCH):
        part, n = run_batch(lab, scenarios[first:first + BATCH])
        result.update(part)
        told += n
    repeats = 0
    for _ in range(3):
        again = [s for s in scenarios if result[s.n]]
        for first in range(0, len(again), BATCH):
            print("again: %s" % {s.n: result[s.n][:200] for s in again[first:first + BATCH]}, flush=True)
            result.update(run_batch(lab, again[first:first + BATCH])[0])
            repeats += len(again[first:first + BATCH])
    print("%d scenarios, %d notifications, %d run again" % (count, told, repeats), flush=True)

    def same(s):
        if result[s.n] and result[s.n].startswith("LATE"):
            lab.skip("scenario_%d" % s.n, result[s.n])
        elif result[s.n]:
            raise AssertionError(result[s.n] + " of " + json.dumps({"route": s.route, "inhibit": s.inhibit, "alerts": s.alerts, "events": s.events}))
    for s in scenarios:
        lab.case("scenario_%d%s" % (s.n, "_restart" if s.restarts else ""), lambda s=s: same(s))
    lab.done()


main()
