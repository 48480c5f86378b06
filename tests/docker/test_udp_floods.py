"""Hostile datagrams: floods, very many sockets, lengths that lie and fragments cost only who sends them."""

from __future__ import annotations

from lab.core.words import Outcome
from tests.docker.stage import Stage
from tests.judged import JudgedRun

SOCKETS = """
import os, socket, time
for process in range(6):
    if not os.fork():
        own = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(900)]
        for one in own:
            one.bind(("", 0))
        time.sleep(60)
time.sleep(1)
print("there", flush=True)
time.sleep(60)
"""

FLOOD = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
    for number in range(20_000):
        try:
            own.sendto(b"flood", ("10.9.8.3", 10_000 + number))
        except ConnectionRefusedError:
            pass
print("flooded", flush=True)
"""

LIES = """
import socket, struct
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
def send(payload, ident=0, fragment=0, source="10.9.8.2", protocol=17):
    ends = socket.inet_aton(source) + socket.inet_aton("10.9.8.3")
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, fragment, 64, protocol, 0)
    raw.sendto(head + ends + payload, ("10.9.8.3", 0))
for size in (0, 7, 900, 65535):
    send(struct.pack("!HHHH", 4000, 7000, size, 0) + b"lie", ident=size % 999 + 1)
    send(struct.pack("!HHHH", 4000, 7000, size, 0) + b"lie", ident=size % 999 + 2, source="10.9.8.1")
send(struct.pack("!HHIIBBHHH", 4000, 80, 1, 1, 0x10, 2, 100, 0, 0), protocol=6)
for number in range(500):
    send(struct.pack("!HHHH", 4000, 7000, 80, 0) + bytes(16), ident=1000 + number, fragment=0x2000)
    send(bytes(24), ident=1000 + number, fragment=0x2001)
print("lied", flush=True)
"""

PLAY = """
version: 1
title: A good host beside bad ones
networks: {lan: 10.9.8.0/24}
hosts:
  good: 10.9.8.1
  bad: {address: 10.9.8.2, raw: true, limits: {processes: 32}}
  server: 10.9.8.3
  caller: 10.9.8.4
programs: {sockets: {source: sockets.py, tty: false}, flood: flood.py, lies: lies.py}
timeouts: {step: 60s, scenario: 3m}
steps:
- server: {listen: "udp:7000", as: echo}
- server: {listen: 80, as: web}
- bad: {start: sockets}
- bad: {expect: there}
- bad: {start: flood, as: flood}
- bad: {start: lies, as: lies}
- good: {connect: "udp:server:7000", as: u}
- caller: {connect: "server:80", as: c}
- good.u: {type: one}
- server.echo: [{expect: one}, {type: ONE}]
- good.u: {expect: ONE}
- bad.lies: {expect: lied}
- bad.flood: {expect: flooded}
- good.u: {type: two}
- server.echo: [{expect: two}, {type: TWO}]
- good.u: {expect: TWO}
checks:
- datagrams: {from: good, to: "server:7000", count: 2, answered: 2, size: 3, order: kept}
- {connection: {from: caller, to: "server:80"}, handshake: complete, rst: none}
- datagrams: {from: good, to: "server:7000", count: 3}
- datagrams: {from: bad, to: "server:10000", count: 1}
- datagrams: {from: bad, to: "server:7000", arrived: 0}
"""


def test_hostile_datagrams_cost_only_who_sends_them(stage: Stage) -> None:
    files = {"sockets.py": SOCKETS, "flood.py": FLOOD, "lies.py": LIES}
    finished = stage.play(PLAY, files)
    script, *checks = JudgedRun(finished.verdict).results
    assert script.outcome is Outcome.PASS, script.observed
    good, tcp, wrong, bad, lies = checks
    assert good.outcome is Outcome.PASS, good.observed
    assert tcp.outcome is Outcome.PASS, tcp.observed
    assert wrong.outcome is Outcome.FAIL, wrong.observed
    assert Outcome.INCONCLUSIVE in {bad.outcome, lies.outcome}, "nobody knows what those were to be"
    (lost,) = [one for one in finished.evidence.info.sampling.lost if one.instrument == "datagrams"]
    assert (lost.host, "more than 4096" in lost.why) == ("bad", True)
