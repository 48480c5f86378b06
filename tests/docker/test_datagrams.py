"""Datagrams: servers that are ready for them or not, large ones, fragments and many as they are captured."""

from __future__ import annotations

import pytest

from lab.core.words import Outcome
from tests.docker.stage import Stage
from tests.judged import JudgedRun

LAN = """
version: 1
title: Datagrams
networks: {lan: {subnet: 192.168.153.0/24, ipv6: "fd00:153::/64"}}
hosts:
  server: {addresses: {lan: [192.168.153.128, "fd00:153::128"]}}
  tester: {addresses: {lan: [192.168.153.129, "fd00:153::129"]}}
programs: {sender: sender.py}
steps:
- server: {listen: "udp:7000", as: service}
- tester: {start: sender, args: "${server.%s}"}
- tester: {expect: sent}
"""

SENDER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as own:
    for payload in (b"a" * 1400 + b"1", b"a" * 1400 + b"2", b"a" * 1400 + b"1", b"b" * 5000):
        own.sendto(payload, (sys.argv[1], 7000))
print("sent")
input()
"""

CHECKS = """
checks:
- datagrams: {from: tester, to: "server:7000", count: 4, arrived: 4, size: {min: 1401, max: 5000}, repeated: 1}
- datagrams: {from: tester, to: "server:7000", payload: {contains: "b", nth: 4}}
"""


def play(stage: Stage, address: str, sender: str = SENDER, checks: str = CHECKS) -> Outcome:
    return stage.play(LAN % address + checks, {"sender.py": sender}).verdict.outcome


def test_whole_payloads_and_fragments(stage: Stage) -> None:
    for address in ("address", "address6"):
        assert play(stage, address) is Outcome.PASS


def test_what_differs_at_its_end_only_is_not_the_same(stage: Stage) -> None:
    wrong = CHECKS.replace("repeated: 1", "repeated: 2")
    assert play(stage, "address", checks=wrong) is Outcome.FAIL


def test_many_datagrams_are_counted(stage: Stage) -> None:
    many = SENDER.replace(
        '(b"a" * 1400 + b"1", b"a" * 1400 + b"2", b"a" * 1400 + b"1", b"b" * 5000)',
        "(b'%07d' % number for number in range(20_000))",
    )
    checks = 'checks: [{datagrams: {from: tester, to: "server:7000", count: 20000, repeated: 0}}]\n'
    assert play(stage, "address", many, checks) is Outcome.PASS


SERVER = """
version: 1
title: A server of UDP
networks: {lan: 192.168.153.0/24}
hosts: {server: 192.168.153.128, tester: 192.168.153.129}
programs: {server: {source: server.py, listens: "udp:7000"}}
steps:
- tester: {sleep: 1ms}
- server: {start: server, within: 2s}
- server: {wait: {bound: "udp:7000"}}
- tester: {connect: "udp:server:7000", as: u}
- tester.u: [{type: "hello"}, {expect: "hello"}]
checks: [{datagrams: {from: tester, to: "server:7000", answered: 1}}]
"""

ECHO = """
import socket, time
time.sleep(0.3)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 7000))
while True:
    server.sendto(*server.recvfrom(4096))
"""


def test_a_server_is_ready_when_it_has_bound_its_udp_port(stage: Stage) -> None:
    assert stage.play(SERVER, {"server.py": ECHO}).verdict.outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (ECHO.replace("7000", "7001"), "server has bound UDP port 7001, not 7000"),
        (
            'import socket\nsocket.create_server(("", 7000)).accept()',
            "server has a TCP socket (SOCK_STREAM) at port 7000, and none of UDP (SOCK_DGRAM)",
        ),
    ],
)
def test_a_server_that_is_not_there_is_told_from_one_that_is_elsewhere(
    stage: Stage, wrong: str, why: str
) -> None:
    done = stage.lab("run", stage.lay(SERVER, {"server.py": wrong}), COLUMNS="400")
    assert done.returncode == 1
    assert why in done.stdout


PATTERNS = """
version: 1
title: What payloads look like
networks: {lan: 192.168.153.0/24}
hosts: {server: 192.168.153.128, tester: 192.168.153.129}
steps:
- server: {listen: "udp:7000", as: service}
- tester: {connect: "udp:server:7000", as: u}
- tester.u: [{type: PING 1}, {type: PING 2}, {type: ping}]
- server.service: {expect: ping}
checks:
- datagrams: {from: tester, to: "server:7000", payload: {regex: "^(?i)ping( [0-9]+)?$"}}
- datagrams: {from: tester, to: "server:7000", payload: {regex: "^PING [0-9]+$"}}
- datagrams: {from: tester, to: "server:7000", payload: {regex: "^PING [0-9]+$", nth: 3}}
"""


def test_an_expression_that_matches_payloads_and_one_that_does_not(stage: Stage) -> None:
    pytest.importorskip("re2")
    _, right, wrong, third = JudgedRun(stage.play(PATTERNS).verdict).results
    assert [right.outcome, wrong.outcome, third.outcome] == [Outcome.PASS, Outcome.FAIL, Outcome.FAIL]
    assert (wrong.observed, third.observed) == (
        "payload 'ping'; 1 of 3 is not",
        "payload 'ping'; 1 of 1 is not",
    )


SLOW = """
import socket, sys
server = socket.socket(socket.AF_INET6 if sys.argv[1] == "six" else socket.AF_INET, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
server.bind(("", 7000))
print("bound", flush=True)
input()
"""

FLOOD = """
import socket, sys
for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as own:
        for _ in range(40):
            own.sendto(b"0123456789", (address, 7000))
"""

FLOODED = """
version: 1
title: Two receivers that read too slowly
networks: {lan: {subnet: 192.168.153.0/24, ipv6: "fd00:153::/64"}}
hosts:
  server: {addresses: {lan: [192.168.153.128, "fd00:153::128"]}}
  six: {addresses: {lan: [192.168.153.130, "fd00:153::130"]}}
  tester: {addresses: {lan: [192.168.153.129, "fd00:153::129"]}}
programs:
  server: {source: server.py, args: [four], listens: "udp:7000"}
  six: {source: server.py, args: [six], listens: "udp:7000"}
  flood: flood.py
steps:
- server: {start: server}
- six: {start: six}
- tester: {start: flood, args: ["${server.address}", "${six.address6}"]}
- tester: {wait: {exited: true}}
- server: {expect: 40 read, within: 300ms}
checks:
- datagrams: {from: tester, to: "server:7000", arrived: 40, answered: {count: 40}}
- datagrams: {from: tester, to: "six:7000", arrived: 40, answered: {count: 40}}
"""


def test_what_a_receiver_lost_in_its_own_buffer_is_told(stage: Stage) -> None:
    finished = stage.play(FLOODED, {"server.py": SLOW, "flood.py": FLOOD})
    script, *checks = JudgedRun(finished.verdict).results
    for told, host in zip(checks, ("server", "six"), strict=True):
        assert f"a receive buffer of {host}, that of UDP port 7000, was full: " in told.observed
    assert "the receive buffer of server at UDP port 7000 was full: " in " ".join(script.causes)
    assert "datagrams at UDP port 7000 are unread: server is asleep in read" in " ".join(script.causes)
