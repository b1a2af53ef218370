#!/usr/bin/python3
"""syslog_test.py BUILD - syslog over TCP by rsyslog's omfwd, with both framings, through a restart of ours, and by many connections."""
import shutil
import socket
import sys
import time

from lab import Lab, free_port, wait_for
from records import kept, wait_kept

CONF = """
module(load="imtcp")
global(workDirectory="%(dir)s")
input(type="imtcp" port="%(from_port)d" address="127.0.0.1")
action(type="omfwd" target="127.0.0.1" port="%(to_port)d" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format"
       TCP_Framing="%(framing)s" action.resumeRetryCount="-1" action.resumeInterval="1"
       queue.type="LinkedList" queue.size="10000")
"""


def say(port, n, text):
    with socket.create_connection(("127.0.0.1", port)) as s:
        for i in range(n):
            s.sendall(b"<14>1 %s host app 1 ID1 - %s %d\n" % (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode(), text, i))


def rsyslog(lab, to_port, framing):
    port = free_port()
    conf = lab.write("rsyslog-%d.conf" % port, CONF % {"dir": lab.dir, "from_port": port, "to_port": to_port, "framing": framing})
    lab.run("rsyslog", [shutil.which("rsyslogd") or "/usr/sbin/rsyslogd", "-n", "-f", conf, "-i", lab.path("rsyslog-%d.pid" % port)])
    wait_for(lambda: socket.create_connection(("127.0.0.1", port)).close() is None, what="rsyslog listening")
    return port


def main():
    lab = Lab(sys.argv)
    port = free_port()
    server = lab.vedette("--listen-syslog", "127.0.0.1:%d" % port)

    def plain():
        say(port, 500, b"plain")
        took = wait_kept(server, "syslog", 500)
        if took > 1:
            raise AssertionError("it took %.1f s" % took)
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
    for framing in ("traditional", "octet-counted"):
        def forwarded(framing=framing):
            before, source = kept(server, "syslog"), rsyslog(lab, port, framing)
            say(source, 1000, b"by rsyslog")
            wait_kept(server, "syslog", before + 1000)
        lab.case("rsyslog-" + framing, forwarded)
    lab.done()


main()
