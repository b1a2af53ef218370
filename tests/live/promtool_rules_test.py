"""Rule files and their unit tests, given to promtool and to `vedette rules`: the same verdicts, in the same words where words are compared.

Without group_eval_order promtool takes groups in a random order, so all say one. The generated files expect nothing at every step, so that each program prints all alerts and series it has: one text tells whether states,
times, templates, recorded series and ALERTS are the same. Deviations by cause: docs/rules.md.
"""
import glob
import os
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from lab import Lab, expect  # noqa: E402

lab = Lab(sys.argv)
GENERATED = int(os.environ.get("RULES_GENERATED", "25"))


def run(*argv, cwd=None):
    """(exit status, stdout, stderr)"""
    p = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120, cwd=cwd)
    return p.returncode, p.stdout, p.stderr


def lines(text):
    return [line.rstrip() for line in text.splitlines() if line.strip()]


# S2-064 to S2-073: tests/scripts/rules has the cases
def core_rules_fire_when_they_should():
    for path in sorted(glob.glob(os.path.join(lab.root, "tests", "scripts", "rules", "*_test.yml"))):
        for program in (["promtool", "test", "rules"], [lab.binary, "rules", "test"]):
            status, out, err = run(*program, path)
            expect(status, 0, "%s %s: %s" % (program[0], path, out + err))


# S4-005, S1-071, S1-072, S1-074, S1-075, S1-076, S3-009, S2-097: the eight groups; S2-084: files as they are
def built_in_rules_pass_promtool():
    files = sorted(glob.glob(os.path.join(lab.root, "src", "judge", "builtin", "*.yml")))
    assert len(files) == 8, files
    status, out, err = run("promtool", "check", "rules", *files)
    expect(status, 0, out + err)
    ours = run(lab.binary, "rules", "check", *files)
    expect((ours[0], lines(ours[1]), lines(ours[2])), (status, lines(out), lines(err)), "check of the built-in rules")


RULES = """
groups:
  - name: g
    rules:
      - {alert: A, expr: up == 0, for: 5m, labels: {severity: page}, annotations: {summary: "Instance {{ $labels.instance }} down {{ $value }}"}}
      - {record: "job:up:sum", expr: sum by (job) (up)}
      - {record: "job:up:sum", expr: sum by (job) (up)}
      - {alert: Kept, expr: up == 0, keep_firing_for: 3m}
  - name: h
    limit: 1
    rules: [{alert: Few, expr: "job:up:sum < 2", for: 1m, annotations: {u: "{{ $externalURL }} {{ $externalLabels.c }} {{ humanize 1234567.0 }}"}}]
"""
SERIES = """
      - {series: 'up{job="p", instance="a:1"}', values: '1 0x5 1x9 stale _ 0x20'}
      - {series: 'up{job="p", instance="b:1"}', values: '1+0x40'}
"""

TESTS = {
    "passes": """
rule_files: [rules.yml]
group_eval_order: [g, h]
evaluation_interval: 1m
tests:
  - interval: 1m
    external_labels: {c: d}
    external_url: http://x.example
    input_series:%s
    alert_rule_test:
      - {eval_time: 5m, alertname: A}
      - eval_time: 6m
        alertname: A
        exp_alerts: [{exp_labels: {severity: page, instance: "a:1", job: p}, exp_annotations: {summary: "Instance a:1 down 0"}}]
      - eval_time: 8m
        alertname: Kept
        exp_alerts: [{exp_labels: {instance: "a:1", job: p}}]
      - {eval_time: 12m, alertname: Kept}
      - eval_time: 3m30s
        alertname: Few
        exp_alerts: [{exp_labels: {job: p}, exp_annotations: {u: "http://x.example d 1.235M"}}]
    promql_expr_test:
      - {expr: "job:up:sum", eval_time: 1m, exp_samples: [{labels: 'job:up:sum{job="p"}', value: 1}]}
      - {expr: 'count(ALERTS{alertname="A"})', eval_time: 3m, exp_samples: [{labels: '{}', value: 1}]}
      - {expr: "1 / 0", eval_time: 3m, exp_samples: [{labels: '{}', value: .inf}]}
      - {expr: "nothing", eval_time: 3m}
""" % SERIES,
    "fails": """
rule_files: [rules.yml]
group_eval_order: [g, h]
tests:
  - name: first
    interval: 1m
    input_series:%s
    alert_rule_test:
      - {eval_time: 10m, alertname: Kept, exp_alerts: [{exp_labels: {x: y}}, {exp_labels: {a: b}, exp_annotations: {s: t}}]}
      - {eval_time: 6m, alertname: A}
      - {eval_time: 0, alertname: Nobody, exp_alerts: [{exp_labels: {}}]}
    promql_expr_test:
      - {expr: "ALERTS", eval_time: 7m}
      - {expr: "up", eval_time: 7m, exp_samples: [{labels: up, value: 1.5}]}
      - {expr: "up +", eval_time: 1m}
  - interval: 2m
    input_series: [{series: lonely, values: 1e7 1e-7}]
    promql_expr_test: [{expr: lonely, eval_time: 2m}, {expr: "lonely * 1e300 * 1e300", eval_time: 0}]
""" % SERIES,
    "a rule that cannot be evaluated": """
rule_files: [broken.yml]
tests:
  - interval: 1m
    input_series: [{series: 'up{job="p"}', values: '1x3'}, {series: 'up{job="q"}', values: '_ _ 1x3'}]
    alert_rule_test: [{eval_time: 5m, alertname: B}]
    promql_expr_test: [{expr: up, eval_time: 5m}]
""",
    "order of groups": """
rule_files: [order.yml]
group_eval_order: [second, first]
tests:
  - interval: 1m
    input_series: [{series: x, values: '1 2 3'}]
    promql_expr_test: [{expr: b, eval_time: 1m, exp_samples: [{labels: b, value: 3}]}]
""",
}
TESTS["no rule file of this name"] = "rule_files: [nowhere.yml]\ntests: []"
REFUSED = {
    "an unknown key": "tests: [{intervall: 1m}]",
    "a group twice in the order": "group_eval_order: [a, a]\ntests: []",
    "values that are none": "tests: [{interval: 1m, input_series: [{series: x, values: 1 two}], promql_expr_test: [{expr: x, eval_time: 1m}]}]",
    "a series that is none": "tests: [{interval: 1m, input_series: [{series: 'x{', values: 1}], promql_expr_test: [{expr: x, eval_time: 1m}]}]",
    "an alert test without a name": "tests: [{interval: 1m, alert_rule_test: [{eval_time: 1m}]}]",
}


def verdicts(folder):
    lab.write("rules.yml", RULES)
    lab.write("broken.yml", "groups: [{name: g, rules: [{alert: B, expr: 'count by (job) (up) > 0', labels: {job: x}}]}]")
    lab.write("order.yml", "groups: [{name: first, rules: [{record: b, expr: a + 1}]}, {name: second, rules: [{record: a, expr: x}]}]")
    for name, text in TESTS.items():
        path = lab.write("test.yml", text)
        lab.case("tests_%s" % name.replace(" ", "_"), lambda: same_output(path, folder))
    for name, text in REFUSED.items():
        path = lab.write("test.yml", text)

        def both_refuse():
            theirs, ours = run("promtool", "test", "rules", path), run(lab.binary, "rules", "test", path)
            expect((ours[0] != 0), (theirs[0] != 0), "refused (%r here, %r there)" % (ours, theirs))
            assert theirs[0] != 0 and "FAILED" in ours[2], ours
        lab.case("refuses_%s" % name.replace(" ", "_"), both_refuse)


def same_output(path, folder):
    theirs, ours = run("promtool", "test", "rules", path, cwd=folder), run(lab.binary, "rules", "test", path, cwd=folder)
    expect(ours[0], theirs[0], "exit status; stderr here: " + ours[2])
    expect(lines(ours[1]), lines(theirs[1]), "stdout")
    expect(words(ours[2]), words(theirs[2]), "stderr")


def words(text):
    """Without what parsers say after the position: their wording is a test of its own."""
    return [re.sub(r"(many-to-many|found duplicate).*", r"\1", line) for line in lines(text)]


# ---- generated ----

def generated(seed):
    """Samples never lie exactly on the edge of a window (releases differ there), and no two rules write the same series (an error there,
    the last one wins here)."""
    r = random.Random(seed)
    hosts, metrics = ["a", "b", "c"], ["m", "n"]

    def values():
        out = ["_"]
        while len(out) < 6:
            out.append(r.choice(["%d" % r.randint(-2, 9), "%dx%d" % (r.randint(0, 9), r.randint(1, 6)), "_x%d" % r.randint(1, 4), "stale",
                                 "%d%+dx%d" % (r.randint(0, 9), r.randint(-2, 2), r.randint(1, 6)), "%d.5" % r.randint(0, 9), "NaN"]))
        return " ".join(out)

    def expr():
        m = r.choice(metrics + ["rec0"])
        return r.choice(["%s > %d", "sum by (host) (%s) >= %d", "%s == bool %d", "max(%s) > %d", "%s unless n > %d", "max_over_time(%s[3m7s]) > %d",
                         "absent(%s{host='a'}) or n < %d", "delta(%s[4m7s]) > %d"]) % (m, r.randint(0, 6))

    texts = ["{{ $value }}", "{{ $labels.host }} {{ $labels.none }}", "{{ humanize $value }} {{ humanize1024 $value }}", "{{ $value | printf \"%.3f\" }}",
             "{{ humanizeDuration $value }}", "{{ humanizePercentage $value }}", "{{ humanizeTimestamp $value }}", "{{ with query \"m\" | sortByLabel \"host\" }}{{ . | first | value }}{{ end }}",
             "{{ range query \"m\" | sortByLabel \"host\" }}{{ .Labels.host }}:{{ .Value }} {{ end }}", "{{ if gt $value 3.0 }}high{{ else }}low{{ end }}",
             "{{ range $k, $v := $labels }}{{ $k }}={{ $v }} {{ end }}", "{{ $externalLabels.cluster }}@{{ $externalURL }}", "{{ len $labels }} {{ $labels.host | toUpper | reReplaceAll \"A\" \"x\" }}",
             "{{ tableLink \"up == 1\" }} {{ graphLink \"a b\" }}", "{{ .Labels.host }}-{{ .Value }}", "{{ title \"some text\" }} {{ stripPort \"h:80\" }} {{ match \"a\" $labels.host }}",
             "{{ define \"x\" }}{{ .arg0 }}{{ end }}{{ template \"x\" (args $value) }}", "{{ printf \"%v %s\" $value $labels.host }}", "{{ $value }}{{- \" trimmed \" -}}  !", "plain"]

    def rule(i):
        if r.random() < 0.3:
            return {"record": "rec%d" % i, "expr": expr().split(">")[0].strip(), "labels": r.choice([{}, {"x": "y"}, {"host": "one"}])}
        rule = {"alert": "A%d" % i, "expr": expr(), "annotations": {k: r.choice(texts) for k in r.sample(["s", "d", "v"], r.randint(0, 3))}}
        if r.random() < 0.6:
            rule["for"] = r.choice(["0s", "1m", "2m", "3m30s"])
        if r.random() < 0.4:
            rule["keep_firing_for"] = r.choice(["1m", "2m", "4m"])
        if r.random() < 0.5:
            rule["labels"] = {r.choice(["severity", "host", "job"]): r.choice(["page", "{{ $value }}", "{{ $labels.host }}x", ""])}
        return rule

    groups = [{"name": "g%d" % g, **({"limit": r.randint(1, 3)} if r.random() < 0.2 else {}), "rules": [rule(4 * g + i) for i in range(r.randint(1, 4))]} for g in range(2)]
    steps = range(0, 25, r.choice([1, 2, 3]))
    import json
    test = {"rule_files": ["gen.yml"], "group_eval_order": ["g0", "g1"], "evaluation_interval": r.choice(["1m", "30s", "2m"]), "tests": [{
        "interval": "61s", "external_labels": {"cluster": "c1"}, "external_url": "http://x.example/p",
        "input_series": [{"series": '%s{host="%s",job="j"}' % (m, h), "values": values()} for m in metrics for h in hosts if r.random() < 0.8],
        "alert_rule_test": [{"eval_time": "%dm" % t, "alertname": "A%d" % k} for t in steps for k in range(8)],
        "promql_expr_test": [{"expr": e, "eval_time": "%dm" % t} for t in steps for e in ("ALERTS", "ALERTS_FOR_STATE", '{__name__=~"rec.*"}', "timestamp(rec0)")]}]}
    return json.dumps({"groups": groups}, indent=1), json.dumps(test)


def compare_generated(seed):
    rules, test = generated(seed)
    lab.write("gen.yml", rules)
    path = lab.write("gen-test.yml", test)
    theirs, ours = run("promtool", "test", "rules", path), run(lab.binary, "rules", "test", path)
    expect(ours[0], theirs[0], "exit status of seed %d; here: %s" % (seed, ours[2][:300]))
    mine, other = words(ours[2]), words(theirs[2])
    for a, b in zip(mine, other):
        expect(a, b, "seed %d" % seed)
    expect(len(mine), len(other), "lines of seed %d" % seed)


def generated_scenarios():
    for seed in range(GENERATED):
        compare_generated(seed)


if not lab.have("promtool"):
    lab.done()
lab.case("built_in_rules_pass_promtool", built_in_rules_pass_promtool)
lab.case("core_rules_fire_when_they_should", core_rules_fire_when_they_should)
verdicts(lab.dir)
lab.case("%d_generated_files_say_the_same" % GENERATED, generated_scenarios)
lab.done()
