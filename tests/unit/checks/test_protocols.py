"""``protocols``: what a host may speak, and what its kernel says unasked."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lab.core.words import Outcome
from tests.unit import sketch
from tests.unit.staged import FAIL, INCONCLUSIVE, PASS, Stage

UDP = "0 client_a:4000 > server:53 U text=who\n1 server:53 > client_a:4000 U text=me\n"


def check(*only: str | int, host: str = "client_a") -> dict[str, object]:
    return {"protocols": {"host": host, "only": list(only)}}


@pytest.mark.parametrize(
    ("talk", "only", "outcome", "observed"),
    [
        (UDP, ("udp",), PASS, "it speaks udp"),
        (UDP, (17, "tcp"), PASS, "it speaks udp"),
        (UDP, ("tcp",), FAIL, "it speaks udp"),
        (UDP + "2 client_a > server S", ("udp",), FAIL, "it speaks tcp and udp"),
        (UDP + "2 client_a > server Q", ("udp",), FAIL, "it speaks icmp and udp"),
        (UDP + "2 client_a > server Q", ("udp", "icmp"), PASS, "it speaks icmp and udp"),
        (UDP + "2 server > client_a S\n3 client_a > server R.", ("udp",), PASS, "it speaks udp"),
        (UDP + "2 server > client_a Q\n3 client_a > server A", ("udp",), PASS, "it speaks udp"),
        (UDP + "2 server > client_a:9 U icmp=client_a:3.3", ("udp",), PASS, "it speaks udp"),
        ("0 server:1 > client_a:2 U", ("udp",), FAIL, "it speaks nobody"),
    ],
)  # fmt: skip
def test_what_a_host_may_speak(
    tmp_path: Path, talk: str, only: tuple[str | int, ...], outcome: Outcome, observed: str
) -> None:
    result = Stage(tmp_path, talk).judge(check(*only))
    assert (result.outcome, result.observed) == (outcome, observed.replace("nobody", "nothing on the wire"))


def test_the_frame_is_the_proof(tmp_path: Path) -> None:
    result = Stage(tmp_path, UDP + "2 client_a > server S\n3 client_a > server S again").judge(check("udp"))
    assert [one.partition(": ")[2] for one in result.evidence] == [
        "the first of 2 tcp packets from client_a, to server"
    ]


def test_what_it_sends_in_the_name_of_another_is_its_own(tmp_path: Path) -> None:
    stage = Stage(tmp_path, UDP + "2 client_b > server S by=client_a entered")
    assert stage.judge(check("udp")).outcome is FAIL
    assert stage.judge(check("udp", host="client_b")).observed == "it speaks nothing on the wire"


def test_what_a_router_forwards_is_not_its_own(tmp_path: Path) -> None:
    talk = "0 client_b:1 > server:2 U\n" + "1 client_a > server S by=client_b\n"
    stage = Stage(tmp_path, talk, routers=("client_b",))
    assert stage.judge(check("udp", host="client_b")).outcome is PASS


def test_protocols_without_a_name_and_those_of_kernels(tmp_path: Path) -> None:
    here, there = sketch.HOSTS["client_a"], sketch.HOSTS["server"]
    frames = [
        sketch.ip(here, there, bytes(8), protocol=protocol) for protocol in (2, 253)
    ] + [
        sketch.ip("fd00::1", "ff02::1", bytes([kind]) + bytes(23), protocol=58) for kind in (133, 135, 136, 143)
    ] + [
        sketch.ip(here, there, struct.pack("!BBHI", 8, 0, 0, 0) * 3, protocol=1, fragment=5)
    ]  # fmt: skip
    capture = sketch.pcap(
        [(sketch.EPOCH, sketch.framed(one, interface=sketch.PORTS["client_a"])) for one in frames]
    )
    assert Stage(tmp_path, capture=capture).judge(check(253)).outcome is PASS
    result = Stage(tmp_path, capture=capture).judge(check("udp"))
    assert (result.outcome, result.observed) == (FAIL, "it speaks 253")


def test_frames_that_were_lost_leave_it_open(tmp_path: Path) -> None:
    lossy = Stage(tmp_path, UDP, dropped=3)
    assert lossy.judge(check("udp")).outcome is INCONCLUSIVE
    assert lossy.judge(check("tcp")).outcome is FAIL, "what was seen decides it"
