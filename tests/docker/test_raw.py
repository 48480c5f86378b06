"""Raw sockets: what a host with ``raw: true`` may do, what it may not, and what another host may."""

from __future__ import annotations

from lab.core.words import Outcome
from lab.evidence.transcript import Output
from tests.docker.stage import Stage

PLAY = """
version: 1
title: A host with raw sockets, and one without
networks: {lan: {subnet: 192.168.153.0/24, ipv6: "fd00:153::/64"}}
hosts:
  server: {addresses: {lan: [192.168.153.128, "fd00:153::128"]}}
  raw: {addresses: {lan: [192.168.153.129, "fd00:153::129"]}, raw: true}
  plain: {addresses: {lan: [192.168.153.130, "fd00:153::130"]}}
programs:
  look: {source: look.py}
  silent: {source: look.py, tty: false}
  forge: {source: forge.py}
  other: {source: look.py}
timeouts: {step: 20s}
steps:
- raw: {start: look}
- raw: {expect: done}
- raw: {start: silent, as: silent}
- raw.silent: {expect: done}
- raw: {start: forge, as: forge}
- raw.forge: {expect: done}
- raw: {run: "grep -E 'Cap(Prm|Bnd)' /proc/self/status; grep NoNew /proc/self/status"}
- plain: {start: other}
- plain: {expect: done}
checks:
- icmp: {from: raw, to: server, type: echo-request, count: 3, answered: 3}
- icmp: {from: plain, type: echo-request, count: 0}
- icmp: {from: server, to: plain, type: echo-reply, count: ">=1"}
- datagrams: {from: raw, to: "server:7000", count: 1}
- datagrams: {from: plain, to: "server:7000", count: 0}
"""

LOOK = """
import ctypes, errno, os, socket, struct
def tried(*kind):
    try:
        return socket.socket(*kind)
    except OSError as error:
        print(*kind, errno.errorcode[error.errno])
status = open("/proc/self/status").read().split("\\n")
print(*(line.replace("\\t", " ") for line in status if line[:6] in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewP")))
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
for kind in ((17, 3, 768), (17, 2, 768), (40, 1, 0), (2, 10, 0), (16, 3, 12), (16, 3, 16), (2, 1, 132)):
    tried(*kind)
tried(10, 3, 58)
if own := tried(2, 3, 1):
    head = struct.pack("!BBHHH", 8, 0, 0, 7, os.getpid() % 65536)
    own.sendto(head[:2] + struct.pack("!H", checksum(head)) + head[4:], ("192.168.153.128", 0))
for call in (lambda: os.setuid(0), lambda: os.chown("/work", 0, 0), lambda: open("/proc/sys/net/ipv4/ip_forward", "w")):
    try:
        call()
        print("it could")
    except OSError as error:
        print(errno.errorcode[error.errno])
print("done")
"""

FORGE = (
    LOOK.split("for kind", maxsplit=1)[0]
    + """
own = socket.socket(2, 3, 255)
head = struct.pack("!BBHHH", 8, 0, 0, 9, 9)
head = head[:2] + struct.pack("!H", checksum(head)) + head[4:]
def ip(source):
    ends = socket.inet_aton(source) + socket.inet_aton("192.168.153.128")
    return struct.pack("!BBHHHBBH", 0x45, 0, 28, 1, 0, 64, 1, 0) + ends + head
own.sendto(ip("192.168.153.129"), ("192.168.153.128", 0))
own.sendto(ip("192.168.153.130"), ("192.168.153.128", 0))
six = socket.socket(10, 3, 255)
def ip6(source):
    ends = socket.inet_pton(10, source) + socket.inet_pton(10, "fd00:153::128")
    data = struct.pack("!HHHH", 4000, 7000, 11, 0) + b"lie"
    summed = checksum(ends + struct.pack("!II", len(data), 17) + data + bytes(1)) or 0xFFFF
    return struct.pack("!IHBB", 6 << 28, len(data), 17, 64) + ends + data[:6] + struct.pack("!H", summed) + data[8:]
six.sendto(ip6("fd00:153::129"), ("fd00:153::128", 0))
six.sendto(ip6("fd00:153::130"), ("fd00:153::128", 0))
print("done")
"""
)

CAPABILITIES = "CapInh: {0} CapPrm: {0} CapEff: {0} CapBnd: {0} CapAmb: {0} NoNewPrivs: 1"
REFUSED = "17 3 768 EPERM\n17 2 768 EPERM\n40 1 0 EPERM\n2 10 0 EPERM\n16 3 12 EPERM\n16 3 16 EPERM\n2 1 132 EPERM\n"
NOTHING_ELSE = "EPERM\nEPERM\nEROFS\ndone\n"


def test_a_raw_host_has_raw_sockets_and_nothing_else(stage: Stage) -> None:
    finished = stage.play(PLAY, {"look.py": LOOK, "forge.py": FORGE})
    said = "".join(one.text for one in finished.evidence.transcript.events if isinstance(one, Output))
    raw, none = (CAPABILITIES.format(f"{bits:016x}") for bits in (1 << 13, 0))
    assert said.count(raw) == 3
    assert said.count(none) == 1
    assert said.count(REFUSED + NOTHING_ELSE) == 2, said
    assert said.count(REFUSED + "10 3 58 EPERM\n2 3 1 EPERM\n" + NOTHING_ELSE) == 1, said
    assert f"CapPrm:\t{1 << 13:016x}\nCapBnd:\t{1 << 13:016x}\nNoNewPrivs:\t1" in said
    results = [result.outcome for result in finished.verdict.results]
    assert results == [Outcome.PASS] * 6, finished.verdict.results
    forged = {(one.host, one.address, one.frames) for one in finished.evidence.forged}
    assert forged == {("raw", "192.168.153.130", 1), ("raw", "fd00:153::130", 1)}


REFUSED_PLAY = """
version: 1
title: A program that needs a raw socket
networks: {lan: 192.168.153.0/24}
hosts: {server: 192.168.153.128, pinger: 192.168.153.129}
programs: {ping: {source: ping.py}}
steps:
- pinger: {start: ping}
- pinger: {expect: done}
checks: [{icmp: {from: pinger, type: echo-request, count: 1}}]
"""


def test_a_program_that_is_refused_a_raw_socket_is_told_how_to_get_it(stage: Stage) -> None:
    ping = "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\nprint('done')"
    done = stage.lab("run", stage.lay(REFUSED_PLAY, {"ping.py": ping}), COLUMNS="400")
    assert done.returncode == 1
    assert "host pinger has no raw sockets (`raw: true` at the host allows them)" in done.stdout


def test_people_in_a_raw_host_have_what_its_programs_have(stage: Stage) -> None:
    """`lab exec` and `lab shell` of a host with raw sockets and of one without."""
    opens = "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); print('open')"
    text = REFUSED_PLAY.replace("pinger: 192.168.153.129", "pinger: {address: 192.168.153.129, raw: true}")
    up = stage.lab("up", stage.lay(text, {"ping.py": "print('done'); input()"}))
    assert up.returncode == 1, "no echo request was sent"
    try:
        for host, allowed in (("pinger", True), ("pinger.ping", True), ("server", False)):
            done = stage.lab("exec", host, "python3", "-c", opens)
            assert (done.stdout == "open\n") is allowed, done
            assert ("PermissionError" in done.stderr) is not allowed, done
    finally:
        stage.lab("down")
