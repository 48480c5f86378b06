"""``handshake_time``: passing, failing and inconclusive."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.core.words import Outcome
from lab.evidence.capture import Drop
from tests.unit.staged import FAIL, INCONCLUSIVE, PASS, Stage, at

SLOW = """
    0    client_a > server  S
    1000 client_a > server  S again
    1030 server > client_a  S.
    1040 client_a > server  .
"""


def check(most: str, nth: int = 1) -> dict[str, object]:
    ref = {"from": "client_a", "to": "server:19999", "nth": nth, "max": most}
    return {"handshake_time": ref}


@pytest.mark.parametrize(("most", "outcome"), [("1040ms", PASS), ("1039ms", FAIL), ("5s", PASS)])
def test_it_lasts_from_the_first_syn_to_the_ack(tmp_path: Path, most: str, outcome: Outcome) -> None:
    result = Stage(tmp_path, SLOW).judge(check(most))
    assert result.outcome is outcome, result
    assert result.observed == "it took 1.040 s"
    assert [sentence.split(": ")[1] for sentence in result.evidence] == [
        "SYN",
        "ACK that completes the handshake",
    ]


def test_a_refused_connection_has_none(tmp_path: Path) -> None:
    result = Stage(tmp_path, "0 client_a > server S\n 0.1 server > client_a R.").judge(check("5s"))
    assert result.outcome is FAIL
    assert "server refused" in result.observed


def test_without_a_second_connection_there_is_nothing_to_measure(tmp_path: Path) -> None:
    result = Stage(tmp_path, SLOW).judge(check("5s", nth=2))
    assert result.outcome is FAIL
    assert "there was only 1" in result.observed


def test_a_syn_may_have_been_lost_from_the_capture(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SLOW, dropped=1, drops=(Drop(at(-5), at(2), 1),))
    assert stage.judge(check("5s")).outcome is INCONCLUSIVE
