#!/usr/bin/env python3
"""Export: rows by backend and hour against hand sums, lineage that can be checked, filters, schedules, and the command.

Rows of the feature list: S1-057 S1-058 S1-061 S1-062 S1-063 S1-064 S1-134"""
import csv
import glob
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import urllib.parse

from lab import Lab, expect, http, wait_for

HOUR = 3600
COLUMNS = ("hour,backend_id,requests,errors,total_cost_usd,response_time_p50_ms,response_time_p95_ms,response_time_p99_ms,error_rate_percent,quality_score,"
           "accuracy_score,user_satisfaction_score,availability_percent,sla_compliance_percent,utilization_percent")
END = int(time.time()) // HOUR * HOUR  # the hour that has begun is not looked at
BEGIN = END - 3 * HOUR


def feed(server):
    """Three hours, a value a minute: b1 counts 1 a minute, b2 only in the second hour, 2 a minute, at 0.000001 USD each."""
    lines = []
    for i in range(181):
        t = (BEGIN + 60 * i) * 1000
        lines.append('load_balancer_requests_total{backend_id="b1"} %d %d' % (i, t))
        lines.append('load_balancer_quality_score{backend_id="b1"} 0.5 %d' % t)
        n = 2 * max(0, min(i, 120) - 60)
        lines.append('load_balancer_requests_total{backend_id="=b2"} %d %d' % (n, t))
        lines.append('load_balancer_total_cost_usd{backend_id="=b2"} %.6f %d' % (n / 1e6, t))
    status, _, body = http("POST", server.base + "/api/v1/import/prometheus", ("\n".join(lines) + "\n").encode(), {"Content-Type": "text/plain"})
    expect(status in (200, 204), True, body[:200])


def export(server, status=200, **params):
    code, _, body = http("GET", server.base + "/api/v1/export?" + urllib.parse.urlencode(params), timeout=60)
    expect(code, status, body[:300])
    return body.decode()


def parse(text):
    """(lineage, rows): the checksum is of what follows the lines with #."""
    lines = text.split("\n")
    head = [l for l in lines if l.startswith("# ")]
    rest = "\n".join(lines[len(head):])
    lineage = dict(l[2:].split(": ", 1) for l in head)
    expect(hashlib.sha256(rest.encode()).hexdigest(), lineage["sha256"], "sha256")
    rows = list(csv.DictReader(io.StringIO(rest)))
    expect(len(rows), int(lineage["rows"]), "rows")
    expect(rest.split("\n", 1)[0], COLUMNS if lineage["query"].strip('"') == "hours by backend" else "time,series,value", "columns")
    return lineage, rows


def hour(i):
    return time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(BEGIN + i * HOUR))


def by_hour(server):
    """S1-061 S1-064: counts of each hour, exactly; a name that looks like a formula is none."""
    lineage, rows = parse(export(server, format="csv", start=BEGIN, end=END))
    expect((lineage["source"], lineage["query"]), ("vedette", "hours by backend"), "lineage")
    expect([(r["hour"], r["requests"]) for r in rows if r["backend_id"] == "b1"], [(hour(i), "60") for i in range(3)], "b1")
    b2 = [r for r in rows if r["backend_id"] == "'=b2"]
    expect([(r["hour"], r["requests"], r["total_cost_usd"]) for r in b2], [(hour(1), "120", "0.00012")], "b2")
    expect({r["quality_score"] for r in rows if r["backend_id"] == "b1"}, {"0.5"}, "quality")


def filters(server):
    """S1-062 S1-063"""
    _, rows = parse(export(server, start=BEGIN + HOUR, end=BEGIN + 2 * HOUR, backend_id="b1"))
    expect([(r["hour"], r["backend_id"]) for r in rows], [(hour(1), "b1")], "one hour of one")
    expect(parse(export(server, start=BEGIN, end=END, backend_id="nobody"))[1], [], "of nobody")
    for bad in ({"format": "xml"}, {"start": "2", "end": "1"}, {"query": "sum("}):
        export(server, 400, **bad)


def as_json(server):
    """S1-058 S1-134: the same rows; the checksum is that of the text of rows."""
    text = export(server, output_format="json", start=BEGIN, end=END, backend_id="b1")
    j = json.loads(text)
    expect(hashlib.sha256(text[text.index('"rows":[') + 7:text.rindex("]") + 1].encode()).hexdigest(), j["lineage"]["sha256"], "sha256")
    expect([(r["hour"], r["requests"], r["errors"]) for r in j["rows"]], [(hour(i), 60, None) for i in range(3)], "rows")


def expression(server):
    lineage, rows = parse(export(server, query='load_balancer_quality_score{backend_id="b1"}', start=BEGIN, end=END, step="30m"))
    expect((len(rows), {r["value"] for r in rows}, "load_balancer_quality_score" in lineage["query"]), (6, {"0.5"}, True), "points")


def command(lab, server):
    """S1-134: the command's file is whole, with one lineage over all days."""
    for fmt in ("csv", "json"):
        out = lab.path("out." + fmt)
        p = subprocess.run([lab.binary, "export", "--server", server.base, "--format", fmt, "--start", str(BEGIN), "--end", str(END), "--out", out],
                           capture_output=True, text=True, timeout=60)
        expect(p.returncode, 0, p.stderr)
        expect("100 %" in p.stderr, True, "progress")
        text = open(out).read()
        rows = json.loads(text)["rows"] if fmt == "json" else parse(text)[1]
        expect(len(rows), 4, fmt)
    expect(subprocess.run([lab.binary, "export", "--format", "xml"], capture_output=True, timeout=20).returncode, 2, "wrong usage")


def scheduled(lab):
    """S1-057: the hours that have passed are written by themselves, whole."""
    path = lab.write("export.yml", "enable_csv_export: true\nenable_json_export: true\nexport_interval_hours: 1\nexport_dir: out\nbudget_interval: 1s\n")
    server = lab.vedette(config=path)
    wait_for(lambda: len(glob.glob(os.path.join(server.data, "out", "hours-*.csv"))) == 7, 60, what="seven files")
    wait_for(lambda: len(glob.glob(os.path.join(server.data, "out", "hours-*.json"))) == 7, 60, what="seven files")
    for name in glob.glob(os.path.join(server.data, "out", "hours-*.csv")):
        parse(open(name).read())
    server.stop()


def main():
    lab = Lab(sys.argv)
    server = lab.vedette()
    feed(server)
    lab.case("export_hours_by_backend", lambda: by_hour(server))
    lab.case("export_filters", lambda: filters(server))
    lab.case("export_json", lambda: as_json(server))
    lab.case("export_of_a_query", lambda: expression(server))
    lab.case("export_command", lambda: command(lab, server))
    lab.case("export_scheduled", lambda: scheduled(lab))
    return lab.done()


sys.exit(main())
