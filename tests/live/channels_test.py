"""channels_test.py - what receivers are sent: the same alerts and the same configuration in Debian's Alertmanager and in ours, every channel that both
have, texts by the same templates. The messages must be equal but for what is documented (docs/channels.md). Mail goes to a real SMTP server with
STARTTLS and AUTH, and must not go where that is missing.
"""
import email
import email.policy
import json
import sys
import time

from am_lab import Alertmanager, post, stamp, vedette_with
from lab import Lab, expect, wait_for
from sinks import HttpSink, SmtpSink, certificate

TEMPLATES = r"""
{{ define "__subject" }}{{ .Status | toUpper }} {{ .GroupLabels.SortedPairs.Values | join " " }} {{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join "/" }}{{ end }}{{ end }}
{{ define "__alertmanager" }}Mon{{ end }}
{{ define "__alertmanagerURL" }}http://mon.example/?r={{ .Receiver }}{{ end }}
{{ define "pagerduty.default.instances" }}{{ range . }}{{ .Labels.i }} {{ .StartsAt.Unix }} {{ .Annotations.summary }};{{ end }}{{ end }}
{{ define "opsgenie.default.description" }}{{ range .Alerts.Firing }}{{ .Status }} {{ .Labels.i }} {{ end }}{{ range .Alerts.Resolved }}{{ .Status }} {{ .Labels.i }} {{ end }}{{ end }}
{{ define "slack.default.text" }}{{ range .Alerts.Firing }}<{{ .GeneratorURL }}|{{ .Labels.i | title }}> {{ reReplaceAll "(a)(.)" "$2$1" .Annotations.summary }}
{{ end }}{{ len .Alerts.Resolved }} over{{ end }}
{{ define "my.page" }}<html><body><h1 title="{{ .CommonAnnotations.summary }}">{{ template "__subject" . }}</h1>{{ template "my.rows" .Alerts.Firing }}{{ template "my.rows" .Alerts.Resolved }}
{{ range .GroupLabels.SortedPairs }}<b>{{ .Name }}={{ .Value }}</b>{{ end }}</body></html>{{ end }}
{{ define "my.rows" }}{{ range . }}<p class='{{ .Labels.i }}'>{{ .Annotations.summary }} <a href="{{ .GeneratorURL }}">go</a> <a href="http://x/?q={{ .Annotations.summary }}">q</a> {{ .Annotations.html | safeHtml }}
<a href="{{ .Annotations.bad }}">bad</a></p>{{ end }}{{ end }}
{{ define "my.text" }}{{ range $i, $a := .Alerts.Firing }}{{ if gt $i 0 }}, {{ end }}{{ $a.Status }}:{{ index $a.Labels "i" }}:{{ $a.Labels.none }}{{ end }} {{ len .Alerts.Resolved }}
{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}{{ .CommonAnnotations.Names }} {{ .CommonLabels.Names | join "," }} äöü €{{ end }}
"""

SUMMARY = "a <b>\"loud\"</b> & 'slow' banana ünï"


def configuration(side, sink, smtp, cert, templates):
    def url(kind):
        return sink.url("%s/%s" % (side, kind))
    receivers = {
        "webhook": {"webhook_configs": [{"url": url("webhook")}]},
        "few.r+x": {"webhook_configs": [{"url": url("few"), "max_alerts": 1, "send_resolved": False}]},
        "slack": {"slack_configs": [{"api_url": url("slack"), "send_resolved": True, "channel": "#{{ .GroupLabels.alertname }}", "short_fields": True,
                                     "fields": [{"title": "S", "value": "{{ .Status }}"}, {"title": "T", "value": "{{ .CommonLabels.team }}", "short": False}],
                                     "actions": [{"type": "button", "text": "Run {{ .Status }}", "url": "http://x/{{ .CommonLabels.team }}"}],
                                     "icon_emoji": ":fire:", "link_names": True}]},
        "pagerduty": {"pagerduty_configs": [{"url": url("pagerduty"), "routing_key": "k", "severity": "{{ if eq .Status \"firing\" }}critical{{ else }}info{{ end }}",
                                             "class": "c", "details": {"mine": "{{ .Alerts | len }}"}, "links": [{"href": "http://x", "text": "{{ .Status }}"}],
                                             "images": [{"src": "http://i", "alt": "a"}]}]},
        "opsgenie": {"opsgenie_configs": [{"api_url": url("opsgenie/"), "api_key": "k", "tags": "a,{{ .CommonLabels.team }}", "priority": "P2", "details": {"x": "{{ .Status }}"},
                                           "responders": [{"name": "one", "type": "team"}], "note": "n", "update_alerts": False}]},
        "email": {"email_configs": [{"to": "A <a@example.com>, %s@example.com" % side, "from": "Móñ <mon@example.com>", "send_resolved": True, "html": '{{ template "my.page" . }}',
                                     "text": '{{ template "my.text" . }}', "headers": {"X-Group": "{{ .GroupLabels.alertname }} ü"}}]},
    }
    return json.dumps({
        "global": {"smtp_smarthost": "localhost:%d" % smtp.port, "smtp_auth_username": "me", "smtp_auth_password": "secret", "smtp_hello": "mon.example"},
        "templates": [templates],
        "route": {"receiver": "webhook", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "3s", "repeat_interval": "1h",
                  "routes": [{"receiver": r, "continue": True} for r in receivers]},
        "receivers": [{"name": n, **with_ca(r, cert)} for n, r in receivers.items()],
    })


def with_ca(receiver, cert):
    for mail in receiver.get("email_configs", []):
        mail["tls_config"] = {"ca_file": cert}
    return receiver


def alerts(now, over):
    labels = [{"alertname": "Slow", "team": "core", "i": i} for i in ("ant", "bee")]
    return [{"labels": l, "annotations": {"summary": SUMMARY, "html": "<i>x</i>", "bad": "javascript:alert(1)"}, "startsAt": stamp(now), "generatorURL": "http://p/g?e=a%20b&c=<d>",
             **({"endsAt": stamp(now + 1)} if l["i"] in over else {})} for l in labels]


class World:
    def __init__(self, lab):
        self.sink = HttpSink({"/slack": (200, "text/plain", b"ok"), "/pagerduty": (202, "application/json", b"{}"), "/opsgenie": (202, "application/json", b"{}")})
        cert, key = certificate(lab)
        self.cert, self.key = cert, key
        self.smtp = SmtpSink(cert, key, users={"me": "secret"})
        templates = lab.write("mine.tmpl", TEMPLATES)
        self.am = Alertmanager(lab, configuration("am", self.sink, self.smtp, cert, templates))
        self.us = vedette_with(lab, configuration("us", self.sink, self.smtp, cert, templates))
        self.now = time.time() - 60

    def fire(self, over):
        for side in (self.am, self.us):
            post(side.base, "/api/v2/alerts", alerts(self.now, over))

    def messages(self, side, kind):
        return [(method, path.replace("/%s/" % side, "/"), headers, json.loads(body))
                for method, path, headers, body in self.sink.of("/%s/%s" % (side, kind))]

    def wait(self, kind, n):
        for side in ("am", "us"):
            wait_for(lambda: len(self.sink.of("/%s/%s" % (side, kind))) >= n, 60, 0.1, "%d of %s at %s" % (n, kind, side))

    def mails(self, n):
        for side in ("am", "us"):
            wait_for(lambda: len(self.smtp.to(side + "@example.com")) >= n, 60, 0.1, "%d mails of %s" % (n, side))
        return [[email.message_from_bytes(m["data"], policy=email.policy.default) for m in self.smtp.to(side + "@example.com")[:n]] for side in ("am", "us")]


def same(theirs, ours, what=""):
    """Equal JSON, with the first difference named."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for k in sorted(set(theirs) | set(ours)):
            same(theirs.get(k, "(missing)"), ours.get(k, "(missing)"), what + "." + k)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for i, (a, b) in enumerate(zip(theirs, ours)):
            same(a, b, "%s[%d]" % (what, i))
    else:
        expect(ours, theirs, what or "message")


def compare(w, kind, n, drop=()):
    w.wait(kind, n)
    for (tm, tp, th, tb), (om, op, oh, ob) in list(zip(w.messages("am", kind), w.messages("us", kind)))[:n]:
        for body in (tb, ob):
            [body.pop(key, None) for key in drop]
            if "alerts" in body:  # we tell of those that fire first
                body["alerts"].sort(key=lambda a: a["fingerprint"])
        expect((om, op), (tm, tp), "request")
        expect(oh.get("Content-Type"), th.get("Content-Type"), "content type")
        expect(oh.get("Authorization"), th.get("Authorization"), "authorization")
        same(tb, ob)


def compare_mail(w, n):
    theirs, ours = w.mails(n)
    for a, b in zip(theirs, ours):
        expect(b["From"], "Móñ <mon@example.com>", "From")  # Alertmanager encodes the address, too, which RFC 2047, 5 forbids
        for header in ("Subject", "X-Group", "MIME-Version"):
            expect(b[header], a[header], header)
        expect([p.get_content_type() for p in b.walk()], [p.get_content_type() for p in a.walk()], "parts")
        for pa, pb in zip(a.iter_parts(), b.iter_parts()):
            expect(pb["Content-Transfer-Encoding"], "quoted-printable", "encoding")
            expect(pb.get_content().replace("\r\n", "\n").strip(), pa.get_content().replace("\r\n", "\n").strip(), pa.get_content_type())
    for mail in w.smtp.to("us@example.com"):
        expect((mail["tls"], mail["auth"], mail["from"], mail["to"]), (True, "me", "mon@example.com", ["a@example.com", "us@example.com"]), "envelope")
    first = ours[0]
    expect(len({m["Message-ID"] for m in ours}), n, "different message ids")
    expect(len({m["References"] for m in ours}), 1, "one thread")
    expect(first["Date"] is not None and first["Message-ID"].endswith("@example.com>"), True, "date and id")


def mail_needs(w, lab, what, smtp, require=True, ca=True, to="x@example.com"):
    """Nothing arrives when TLS is not to be had; what does arrive, does so by TLS."""
    receiver = {"name": "m", "email_configs": [{"to": to, "from": "m@example.com", "smarthost": "localhost:%d" % smtp.port, "require_tls": require,
                                                "tls_config": {"ca_file": w.cert} if ca else {}}]}
    server = vedette_with(lab, json.dumps({"route": {"receiver": "m", "group_wait": "100ms", "group_interval": "1s"}, "receivers": [receiver]}))
    post(server.base, "/api/v2/alerts", alerts(time.time(), ()))
    if what == "nothing":
        wait_for(lambda: failures(server) > 0, 60, 0.2, "a failure counted")
        expect(smtp.mails, [], "mails")
    else:
        wait_for(lambda: smtp.to(to), 60, 0.1, "a mail")
    server.stop()


def failures(server):
    text = server.get("/metrics")[2].decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if "notifications_failed_total{" in line or "notification_requests_failed_total{" in line)


def guarded(w, lab):
    """Without outbound.allow_private the sink on this machine is not reached."""
    before = len(w.sink.got)
    lab.write("guarded-am.yml", json.dumps({"route": {"receiver": "w", "group_wait": "100ms"}, "receivers": [{"name": "w", "webhook_configs": [{"url": w.sink.url("guarded")}]}]}))
    server = lab.vedette("--builtin-rules=no", "--host-metrics=no", "--self-metrics=no", config=lab.write("guarded.yml", "alertmanager_config: guarded-am.yml\n"))
    post(server.base, "/api/v2/alerts", alerts(time.time(), ()))
    wait_for(lambda: failures(server) > 0, 60, 0.2, "a failure counted")
    expect([g[1] for g in w.sink.got[before:] if "guarded" in g[1]], [], "requests")
    server.stop()


def main():
    lab = Lab(sys.argv)
    if not lab.have("prometheus-alertmanager", "openssl"):
        return lab.done()
    w = World(lab)
    w.fire(over=())
    w.wait("webhook", 1)
    w.fire(over=("ant",))
    w.wait("webhook", 2)
    w.fire(over=("ant", "bee"))
    # S1-068, S1-069, S1-172, S4-070
    lab.case("webhook: as Alertmanager, from firing to resolved", lambda: compare(w, "webhook", 3, ["externalURL"]))
    lab.case("webhook: max_alerts", lambda: compare(w, "few", 1, ["externalURL"]))
    lab.case("slack: as Alertmanager", lambda: compare(w, "slack", 3))
    lab.case("pagerduty: as Alertmanager", lambda: compare(w, "pagerduty", 3))
    lab.case("opsgenie: as Alertmanager", lambda: compare(w, "opsgenie", 3))
    lab.case("email: as Alertmanager, by STARTTLS and AUTH, in one thread", lambda: compare_mail(w, 3))
    lab.case("email: no STARTTLS, no mail", lambda: mail_needs(w, lab, "nothing", SmtpSink(w.cert, w.key, starttls=False)))
    lab.case("email: a certificate that nobody vouches for, no mail", lambda: mail_needs(w, lab, "nothing", SmtpSink(w.cert, w.key), ca=False))
    lab.case("email: require_tls false", lambda: mail_needs(w, lab, "a mail", SmtpSink(w.cert, w.key, starttls=False), require=False))
    lab.case("outbound: this machine is not reached unless allowed", lambda: guarded(w, lab))
    return lab.done()


if __name__ == "__main__":
    sys.exit(main())
