"""Frames that a host sends in the name of another: the port where they enter the switch tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.checks import completeness
from tests.judged import text
from tests.unit.staged import INCONCLUSIVE, PASS, Stage

TALK = """
    100   client_a:40001 > server  S
    100.1 server > client_a:40001  S.
    100.2 client_a:40001 > server  .
    101   client_a:40001 > server  F.
    101.1 server > client_a:40001  F.
    101.2 client_a:40001 > server  .
"""
FORGED_SYN = """
    0   client_a > server S by=client_b
    0.1 server > client_a S.
    0.2 client_a > server R
"""
FORGED_SYN_ACK = """
    0   server > client_a:40001 S. by=client_b
    0.1 client_a:40001 > server R
"""
ALL: list[dict[str, Any]] = [
    {"connection": {"from": "client_a", "to": "server:19999"}, "handshake": "complete", "rst": "none"},
    {"connections": {"from": "client_a", "to": "server:19999", "count": 1}},
    {"connections": {"to": "server:19999", "count": 1}},
]


@pytest.mark.parametrize("spec", ALL)
@pytest.mark.parametrize("forged", [FORGED_SYN, FORGED_SYN_ACK])
def test_what_is_forged_counts_for_nobody(tmp_path: Path, forged: str, spec: dict[str, Any]) -> None:
    assert Stage(tmp_path, forged + TALK).judge(spec).outcome is PASS


def test_who_forged_is_told(tmp_path: Path) -> None:
    evidence = Stage(tmp_path, FORGED_SYN + TALK).evidence()
    assert list(map(text, completeness.losses(evidence))) == [
        "client_b forged 1 frame in the name of client_a (192.168.153.129) (frame 1): it counts for nobody else"
    ]
    assert not list(completeness.losses(Stage(tmp_path, TALK).evidence()))


def test_a_frame_forged_into_a_connection_leaves_a_doubt_of_that_one(tmp_path: Path) -> None:
    into = TALK.replace("101   client_a", "100.5 client_a:40001 > server P. 3 by=client_b\n101 client_a")
    result = Stage(tmp_path, into).judge(ALL[0])
    assert result.outcome is INCONCLUSIVE
    assert "client_b forged 1 frame in the name of client_a" in result.observed
    other = {"connection": {"from": "client_b", "to": "server:19999"}, "rst": "none"}
    apart = into + "200 client_b > server S\n200.1 server > client_b S.\n200.2 client_b > server ."
    assert Stage(tmp_path, apart).judge(other).outcome is PASS


def test_a_router_sends_in_the_name_of_others(tmp_path: Path) -> None:
    routed = Stage(tmp_path, FORGED_SYN + TALK, routers=("client_b",))
    assert not list(completeness.losses(routed.evidence()))
    assert routed.judge(ALL[1]).outcome is INCONCLUSIVE
