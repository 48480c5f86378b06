"""Much traffic: it is captured and judged, not "could not judge"."""

from __future__ import annotations

import re

import pytest

from lab.core.words import Outcome
from lab.deploy import deployment as deploy
from lab.evidence.evidence import Evidence
from tests.docker.stage import Stage, assert_passed
from tests.judged import JudgedRun, text

HEAD = """\
version: 1
title: Much traffic
networks: {lan: 192.168.71.0/24}
hosts: {server: 192.168.71.10, client: 192.168.71.11}
timeouts: {step: 60s, scenario: 120s}
programs:
  server: {source: server.py, listens: 6000, tty: false}
  client: {source: client.py, tty: false}
steps:
- server: {start: server}
- client: {start: client}
- client: {expect: done}
- client: {wait: {exited: true}}
"""

SWALLOWS = """\
import socket
listener = socket.create_server(("", 6000))
while True:
    connection, _ = listener.accept()
    while connection.recv(1 << 16):
        pass
    connection.close()
"""

POURS = """\
import socket
connection = socket.create_connection(("server", 6000))
for _ in range(SIZE // 1_000_000):
    connection.sendall(bytes(1_000_000))
connection.shutdown(socket.SHUT_WR)
connection.recv(1)
print("done", flush=True)
"""

SHORT = """\
import socket
for _ in range(20_000):
    connection = socket.create_connection(("server", 6000))
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
    connection.close()
print("done", flush=True)
"""


def bulk(size: int) -> dict[str, str]:
    return {"server.py": SWALLOWS, "client.py": POURS.replace("SIZE", str(size))}


def complete(evidence: Evidence) -> bool:
    (capture,) = evidence.info.captures
    assert not capture.doubt, capture
    return capture.captured > 0


@pytest.mark.alone  # it takes all processors
def test_a_hundred_megabytes_one_way(stage: Stage) -> None:
    finished = stage.play(
        HEAD + "checks:\n- connection: {from: client, to: 'server:6000'}\n"
        "  bytes: {client: 100000000, server: 0}\n  close: {kind: orderly, active: client}\n",
        bulk(100_000_000),
    )
    assert_passed(finished)
    assert complete(finished.evidence)
    assert sum(file.stat().st_size for file in finished.record.iterdir()) < 64 * 1024**2


@pytest.mark.alone  # it takes all processors
def test_twenty_thousand_short_connections(stage: Stage) -> None:
    finished = stage.play(
        HEAD + "checks:\n- connections: {to: 'server:6000', count: 20000}\n"
        "- connection: {from: client, to: 'server:6000', nth: 20000}\n  close: {active: client}\n"
        "- close_wait: {host: server, observed: true, left: true}\n",
        {"server.py": SWALLOWS, "client.py": SHORT},
    )
    assert_passed(finished)
    assert complete(finished.evidence)


def test_a_capture_grows_no_larger_than_it_may(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "CAPTURE_LIMIT", 1_000_000)
    finished = stage.play(
        HEAD + "checks:\n- connection: {from: client, to: 'server:6000'}\n  bytes: {client: 20000000}\n",
        bulk(20_000_000),
    )
    (capture,) = finished.evidence.info.captures
    assert capture.full
    assert "largest size" in text(capture.doubt)
    assert (finished.record / capture.path).stat().st_size <= 1_000_000
    assert finished.verdict.outcome is Outcome.INCONCLUSIVE


ROUTED = """\
version: 1
title: The middle of the path has the smallest MTU
networks: {near: 10.71.1.0/24, between: {subnet: 10.71.2.0/24, mtu: 1000}, far: 10.71.3.0/24}
timeouts: {step: 10s}
programs:
  server: {source: server.py, listens: 6000, tty: false}
  client: {source: client.py, tty: false}
hosts:
  client: {addresses: {near: 10.71.1.10}}
  first: {addresses: {near: 10.71.1.1, between: 10.71.2.1}, forward: true}
  second: {addresses: {between: 10.71.2.2, far: 10.71.3.1}, forward: true}
  server: {addresses: {far: 10.71.3.10}}
steps:
- server: {start: server}
- client: {start: client}
- client: {expect: done}
- client: {wait: {exited: true}}
checks:
- connection: {from: client, to: "server:6000"}
  bytes: {client: 1000000}
  close: {kind: orderly, active: client}
  retransmissions: {data: ">=1"}
- connections: {to: "server:6000", count: 1}
"""


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (ROUTED, ("fragmentation needed", 1000)),
        (
            re.sub(r"10\.71\.(\d)\.(\d+)", r'"fd71:\1::\2"', ROUTED)
            .replace('::0"/24', '::/64"')
            .replace("mtu: 1000", "mtu: 1300"),
            ("packet too big", 1300),
        ),
    ],
    ids=["IPv4", "IPv6"],
)
def test_a_router_that_drops_what_is_too_big_leaves_no_doubt(
    stage: Stage, text: str, meaning: tuple[str, int]
) -> None:
    files = bulk(1_000_000)
    both = '("", 6000), family=socket.AF_INET6, dualstack_ipv6=True'
    files["server.py"] = files["server.py"].replace('("", 6000)', both)
    finished = stage.play(text, files)
    assert_passed(finished)
    (connection,) = finished.evidence.connections
    assert connection.lost
    told = next(one.evidence for one in JudgedRun(finished.verdict).results if one.subject == "connection")
    said = "never arrived: first did not pass it on: {}: the next link takes {} bytes (ICMP, frame "
    assert any(said.format(*meaning) in sentence for sentence in told), told
