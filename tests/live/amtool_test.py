"""amtool_test.py - Debian's amtool against us: alerts, silences, configuration, routes; and our sample file against it."""
import json
import os
import subprocess
import sys

from am_lab import get, vedette_with
from lab import Lab, expect, wait_for

lab = Lab(sys.argv)
if not lab.have("amtool"):
    lab.done()

SAMPLE = os.path.join(lab.root, "deploy", "alertmanager.yml")
with open(SAMPLE) as f:
    server = vedette_with(lab, f.read())


def amtool(*args, status=0, stdin=None, prefix=""):
    p = subprocess.run(["amtool", "--alertmanager.url=" + server.base + prefix, *args], input=stdin, capture_output=True, text=True, timeout=60)
    if p.returncode != status:
        raise AssertionError("amtool %s: status %d: %s%s" % (" ".join(args), p.returncode, p.stdout[-300:], p.stderr[-300:]))
    return p.stdout


def check_config():
    out = subprocess.run(["amtool", "check-config", SAMPLE], capture_output=True, text=True)
    expect(out.returncode, 0, out.stdout + out.stderr)


def alerts():
    amtool("alert", "add", "disk", "service=db", "severity=critical", "--annotation=summary=full")
    amtool("alert", "add", "alertname=lag", "service=web", "severity=warning", "team=data")
    found = wait_for(lambda: len(json.loads(amtool("alert", "query", "-o", "json"))) == 2 and json.loads(amtool("alert", "query", "-o", "json")), 10)
    disk = next(a for a in found if a["labels"]["alertname"] == "disk")
    expect(disk["annotations"], {"summary": "full"})
    expect(sorted(r["name"] for r in disk["receivers"]), ["pager"])
    expect(len(json.loads(amtool("alert", "query", "-o", "json", "service=db"))), 1)
    expect(len(json.loads(amtool("alert", "query", "-o", "json", "service=~w.*"))), 1)
    expect(json.loads(amtool("alert", "query", "-o", "json", "service!~.*")), [])
    expect(len(json.loads(amtool("alert", "query", "-o", "json", "--receiver=data"))), 1)
    expect(len(json.loads(amtool("alert", "query", "-o", "json", prefix="/am"))), 2)


def silences():
    name = amtool("silence", "add", "service=web", "--comment=maintenance", "--author=ann", "--duration=1h").strip()
    one = json.loads(amtool("silence", "query", "-o", "json"))[0]
    expect((one["id"], one["createdBy"], one["comment"], one["status"]["state"]), (name, "ann", "maintenance", "active"))
    expect(len(json.loads(amtool("alert", "query", "-o", "json"))), 1, "alerts that are not silenced")
    silenced = json.loads(amtool("alert", "query", "-o", "json", "--silenced"))
    expect([a["status"]["silencedBy"] for a in silenced], [[name]])
    longer = amtool("silence", "update", name, "--duration=2h").strip().split()
    expect(name in " ".join(longer), True, "an end moved keeps the id")
    amtool("silence", "add", "service=~d.*", "team!=x", "-c", "second")
    expect(len(json.loads(amtool("silence", "query", "-o", "json"))), 2)
    expect(len(json.loads(amtool("silence", "query", "-o", "json", "service=web"))), 1)
    amtool("silence", "expire", name)
    expect(len(json.loads(amtool("silence", "query", "-o", "json"))), 1)
    expect([s["id"] for s in json.loads(amtool("silence", "query", "-o", "json", "--expired"))], [name])
    amtool("silence", "expire", name, status=1)
    exported = amtool("silence", "query", "-o", "json")
    amtool("silence", "import", "--force", stdin=exported)


def configuration():
    shown = amtool("config", "show")
    expect("receiver: team" in shown and "escalations" not in shown, True, shown)
    expect(amtool("config", "routes", "test", "service=db", "severity=critical").split(), ["pager"])
    expect(amtool("config", "routes", "test", "severity=critical", "team=data").split(), ["pager,data"])
    expect(amtool("config", "routes", "test", "a=b").split(), ["team"])
    expect("pager" in amtool("config", "routes", "show"), True)


def silences_survive_a_kill():
    before = sorted(s["id"] for s in get(server.base, "/api/v2/silences"))
    server.kill9()
    server.start()
    expect(sorted(s["id"] for s in get(server.base, "/api/v2/silences")), before)
    expect(len(get(server.base, "/api/v2/alerts")), 2, "alerts")


lab.case("sample_is_good_for_amtool", check_config)
lab.case("alerts", alerts)
lab.case("silences", silences)
lab.case("configuration_and_routes", configuration)
lab.case("silences_and_alerts_survive_a_kill", silences_survive_a_kill)
lab.done()
