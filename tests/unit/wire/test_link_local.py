"""Link-local addresses: whose they are, in captures and in the kernel's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lab.checks.select import without_zone
from lab.core.words import TcpState
from lab.evidence.capture import Interface, link_local
from lab.evidence.sockets import SocketSample
from tests.unit import sketch
from tests.unit.staged import PASS, Stage, at, row

MACS = {"server": "02:00:00:00:00:00", "client_a": "02:00:01:00:00:07", "client_b": "52:54:00:12:34:56"}
ADDRESSES = {
    "server": "fe80::ff:fe00:0",
    "client_a": "fe80::1ff:fe00:7",
    "client_b": "fe80::5054:ff:fe12:3456",
}
TALK = """
    0    client_a > server  S
    0.1  server > client_a  S.
    0.2  client_a > server  .
    1    client_a > server  P. 2
    2    client_a > server  F.
    2.1  server > client_a  .
    50   server > client_a  F.
    50.1 client_a > server  .
"""


def interfaces() -> tuple[Interface, ...]:
    return tuple(
        Interface(index, f"p{index}", host, "lan", MACS[host]) for host, index in sketch.PORTS.items()
    )


def capture() -> bytes:
    """What the switch sees of a connection by link-local addresses."""
    frames = []
    for time, source, target, packet, _ in sketch.Script(ADDRESSES).frames(TALK):
        frames.append((time, sketch.framed(packet, interface=sketch.PORTS[source])))
        frames.append(
            (time + sketch.DELAY, sketch.framed(packet, interface=sketch.PORTS[target], leaving=True))
        )
    return sketch.pcap(sorted(frames, key=lambda frame: frame[0]))


def test_a_mac_gives_the_address() -> None:
    assert link_local(interfaces()) == {address: host for host, address in ADDRESSES.items()}
    for mac in ("", "02:00:00:00:00", "02:00:00:00:00:zz", "02-00-00-00-00-00"):
        assert link_local([replace(interfaces()[0], mac=mac)]) == {}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("fe80::1%eth0", "fe80::1"),
        ("FE80:0::1", "fe80::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("nobody%x", "nobody%x"),
    ],
)
def test_the_zone_is_no_part_of_an_address(text: str, plain: str) -> None:
    assert without_zone(text) == plain


@pytest.mark.parametrize(
    "spec",
    [
        {"connection": {"from": "client_a", "to": "server:19999"}, "handshake": "complete", "close": {"kind": ["orderly"]},
         "bytes": {"client_a": 2}},
        {"connections": {"from": "client_a", "to": "server:19999", "count": 1}},
        {"close_wait": {"host": "server", "peer": "client_a", "left": True, "dwell": {"min": "40ms"}}},
        {"state": {"host": "server", "peer": "client_a", "state": "CLOSE_WAIT", "owner": "process"}},
    ],
)  # fmt: skip
def test_checks_know_whose_it_is(tmp_path: Path, spec: dict[str, Any]) -> None:
    ends = f"{ADDRESSES['server']}:19999", f"{ADDRESSES['client_a']}:40000"
    held = row(TcpState.CLOSE_WAIT, *ends)
    samples = [SocketSample(at(-10), "server", ()), SocketSample(at(30), "server", (held,)),
               SocketSample(at(50), "server", ())]  # fmt: skip
    result = Stage(tmp_path, samples=samples, capture=capture(), macs=MACS).judge(spec)
    assert result.outcome is PASS, result
