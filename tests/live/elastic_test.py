#!/usr/bin/python3
"""elastic_test.py BUILD - shippers that speak to an Elasticsearch: rsyslog's omelasticsearch, and bulk bodies as others send them."""
import json
import os
import shutil
import socket
import sys

from lab import Lab, expect, free_port, http, wait_for
from records import kept, post, wait_kept

CONF = """
module(load="imtcp")
module(load="omelasticsearch")
global(workDirectory="%(dir)s")
template(name="doc" type="list" option.jsonf="on") {
    property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="host" name="hostname" format="jsonf")
    property(outname="severity" name="syslogseverity-text" format="jsonf")
    property(outname="message" name="msg" format="jsonf")
}
input(type="imtcp" port="%(from_port)d" address="127.0.0.1")
action(type="omelasticsearch" server="127.0.0.1" serverport="%(to_port)d" template="doc" searchIndex="%(index)s" bulkmode="on"
       searchType="" action.resumeRetryCount="-1" action.resumeInterval="1" errorfile="%(errors)s")
"""


def main():
    lab = Lab(sys.argv)
    server = lab.vedette()

    def greeted():
        status, headers, body = server.get("/elastic/")
        expect((status, headers["X-Elastic-Product"]), (200, "Elasticsearch"))
        expect(json.loads(body)["version"]["number"].split(".")[0], "8")
        expect(http("HEAD", server.base + "/elastic/")[0], 200)
        expect(json.loads(server.get("/elastic/_cluster/health")[2])["status"], "green")
    lab.case("clients-are-greeted", greeted)

    def bulk():
        lines = []
        for i in range(1000):
            lines += [json.dumps({"create": {"_index": "web"}}), json.dumps({"message": "line %d" % i, "http": {"status": 200 + i % 3}})]
        status, headers, body = post(server, "/elastic/_bulk", "\n".join(lines) + "\n", "application/x-ndjson")
        answer = json.loads(body)
        expect((status, answer["errors"], len(answer["items"])), (200, False, 1000))
        if wait_kept(server, "elastic_bulk", 1000) > 1:
            raise AssertionError("not within a second")
    lab.case("bulk", bulk)

    rsyslogd = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
    if not os.path.exists(rsyslogd) or not os.path.exists("/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so"):
        lab.skip("rsyslog-omelasticsearch", "rsyslog-elasticsearch is not installed")
        lab.done()

    def omelasticsearch():
        # It knows no path in front of the API, so a small proxy puts ours there, as a reverse proxy would.
        before, port, proxy = kept(server, "elastic_bulk"), free_port(), free_port()
        lab.run("proxy", [sys.executable, os.path.join(lab.root, "tests/live/prefix_proxy.py"), str(proxy), server.base + "/elastic"])
        wait_for(lambda: http("GET", "http://127.0.0.1:%d/" % proxy)[0] == 200, what="proxy")
        conf = lab.write("rsyslog.conf", CONF % {"dir": lab.dir, "from_port": port, "to_port": proxy, "index": "syslog", "errors": lab.path("errors")})
        lab.run("rsyslog", [rsyslogd, "-n", "-f", conf, "-i", lab.path("rsyslog.pid")])
        wait_for(lambda: socket.create_connection(("127.0.0.1", port)).close() is None, what="rsyslog listening")
        with socket.create_connection(("127.0.0.1", port)) as s:
            for i in range(300):
                s.sendall(b"<13>1 - host app - - - message %d\n" % i)
        wait_kept(server, "elastic_bulk", before + 300, seconds=20)
        if os.path.exists(lab.path("errors")) and os.path.getsize(lab.path("errors")):
            raise AssertionError("rsyslog wrote errors: " + open(lab.path("errors")).read()[:300])
    lab.case("rsyslog-omelasticsearch", omelasticsearch)
    lab.done()


main()
