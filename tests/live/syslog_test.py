#!/usr/bin/python3
"""syslog_test.py BUILD - syslog by rsyslog's omfwd: over TCP with both framings, over UDP, in RFC 5424 and in the older form that it sends when
it is told no template; and by many connections."""
import calendar
import json
import shutil
import socket
import sys
import time

from lab import Lab, expect, free_port, wait_for
from records import kept, wait_kept

CONF = """
module(load="imtcp")
global(workDirectory="%(dir)s")
input(type="imtcp" port="%(from_port)d" address="127.0.0.1")
action(type="omfwd" target="127.0.0.1" port="%(to_port)d" %(how)s action.resumeRetryCount="-1" action.resumeInterval="1"
       queue.type="LinkedList" queue.size="10000")
"""


def say(port, n, text):
    with socket.create_connection(("127.0.0.1", port)) as s:
        for i in range(n):
            s.sendall(b"<14>1 %s host app 1 ID1 - %s %d\n" % (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode(), text, i))


TCP = 'protocol="tcp" TCP_Framing="%s"'
NEW = ' template="RSYSLOG_SyslogProtocol23Format"'
HOW = {"traditional": TCP % "traditional" + NEW, "octet-counted": TCP % "octet-counted" + NEW, "older-form": TCP % "traditional",
       "older-form-with-fractions": TCP % "traditional" + ' template="RSYSLOG_ForwardFormat"', "udp": 'protocol="udp"'}


def rsyslog(lab, to_port, how):
    port = free_port()
    conf = lab.write("rsyslog-%d.conf" % port, CONF % {"dir": lab.dir, "from_port": port, "to_port": to_port, "how": how})
    lab.run("rsyslog", [shutil.which("rsyslogd") or "/usr/sbin/rsyslogd", "-n", "-f", conf, "-i", lab.path("rsyslog-%d.pid" % port)])
    wait_for(lambda: socket.create_connection(("127.0.0.1", port)).close() is None, what="rsyslog listening")
    return port


def main():
    lab = Lab(sys.argv)
    port = free_port()
    udp = free_port()
    server = lab.vedette("--listen-syslog", "127.0.0.1:%d" % port, "--listen-syslog-udp", "127.0.0.1:%d" % udp)

    def plain():
        say(port, 500, b"plain")
        print("   500 messages are kept after %.2f s" % wait_kept(server, "syslog", 500))
    lab.case("many-messages-within-a-second", plain)

    def connections():
        before = kept(server, "syslog")
        all_of_them = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        for s in all_of_them:
            s.sendall(b"<14>1 - h a - - - not ended" if s is all_of_them[0] else b"<14>plain old message\n")
            s.close()
        wait_kept(server, "syslog", before + 100)
    lab.case("a-hundred-connections", connections)

    if not (shutil.which("rsyslogd") or shutil.os.path.exists("/usr/sbin/rsyslogd")):
        lab.skip("rsyslog", "rsyslogd is not installed")
        lab.done()
    for name, how in HOW.items():
        def forwarded(name=name, how=how):
            text = b"by rsyslog " + name.encode()
            before, source = kept(server, "syslog"), rsyslog(lab, udp if name == "udp" else port, how)
            say(source, 1000, text)
            wait_kept(server, "syslog", before + 1000)
            # one line whole: who said it, where, when it was said, and nothing of the head left in the text
            line = json.loads(server.get("/api/v1/logs", {"text": text.decode() + " 999", "service": "app", "limit": 10})[2])["logs"][-1]
            expect((line["message"], line["service"], line["resource"]["host.name"]), (text.decode() + " 999", "app", "host"))
            said = calendar.timegm(time.strptime(line["timestamp"][:19], "%Y-%m-%dT%H:%M:%S"))
            if abs(said - time.time()) > 600:
                raise AssertionError("said at %s" % line["timestamp"])
        lab.case("rsyslog-" + name, forwarded)
    lab.done()


main()
