"""``icmp``: passing, failing and inconclusive, word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.core.words import Outcome
from tests.unit.staged import FAIL, INCONCLUSIVE, PASS, Stage

PINGS = """
    0     client_a > server    Q  id=7 no=1 text=abc
    5     server   > client_a  A  id=7 no=1 text=abc
    1000  client_a > server    Q  id=7 no=2 text=abc
    1500  server   > client_a  A  id=7 no=2 text=abc
    2000  client_a > server    Q  id=7 no=3 text=abc entered
    3000  client_a > server    Q  id=7 no=4 text=abc ttl=63
    3001  client_b > server    Q  id=9 no=1
"""


def check(**words: Any) -> dict[str, object]:
    return {"icmp": {"from": "client_a", "to": "server", "type": "echo-request", **words}}


@pytest.mark.parametrize(
    ("words", "outcome", "observed"),
    [
        ({"count": 4}, PASS, "4 messages sent"),
        ({"count": 5}, FAIL, "4 messages sent"),
        ({"count": 4, "type": 8}, PASS, "4 messages sent"),
        ({"count": ">=1", "type": 13}, FAIL, "0 messages sent"),
        ({"count": 0, "to": "client_b"}, PASS, "0 messages sent"),
        ({"answered": {"count": 2}}, PASS, "2 of 4 echo requests answered"),
        ({"answered": {"count": 3}}, FAIL, "2 of 4 echo requests answered"),
        (
            {"answered": {"count": 2, "within": "100ms"}},
            FAIL,
            "1 of 4 echo requests answered, 1 more too late",
        ),
        ({"ttl": {"min": 63, "max": 64}}, PASS, "they arrived with a TTL of 63 to 64"),
        ({"ttl": 64}, FAIL, "they arrived with a TTL of 63 to 64; 1 of 3 is not"),
        ({"ttl": 64, "type": 13}, FAIL, "no such message was sent"),
    ],
)
def test_each_word(tmp_path: Path, words: dict[str, Any], outcome: Outcome, observed: str) -> None:
    result = Stage(tmp_path, PINGS).judge(check(**words))
    assert (result.outcome, result.observed) == (outcome, observed)


def test_whoever_sent_them(tmp_path: Path) -> None:
    assert Stage(tmp_path, PINGS).judge({"icmp": {"type": "echo-request", "count": 5}}).outcome is PASS
    assert Stage(tmp_path, PINGS).judge({"icmp": {"type": "echo-reply", "count": 2}}).outcome is PASS


def test_a_wrong_checksum_counts_as_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "0 client_a > server Q wrong\n1 client_a > server Q no=2 wrong")
    result = stage.judge(check(count=2))
    told = "2 with a wrong checksum, which are dropped by who receives it"
    assert (result.outcome, result.observed) == (FAIL, f"0 messages sent; {told}")
    assert not result.missing
    assert result.evidence[0].endswith(
        "echo-request id 1 seq 1 from client_a to server, its checksum is wrong"
    )
    result = stage.judge(check(answered={"count": 2}))
    assert (result.outcome, result.observed) == (FAIL, f"0 of 0 echo requests answered; {told}")


def test_requests_with_the_same_numbers_cannot_be_told_apart(tmp_path: Path) -> None:
    talk = """
    0  client_a > server    Q
    1  server   > client_a  A
    2  client_a > server    Q
    3  server   > client_a  A
    """
    result = Stage(tmp_path, talk).judge(check(answered={"count": 2}))
    again = "1 has the identifier and the sequence number of an earlier one"
    assert (result.outcome, result.observed) == (FAIL, f"1 of 2 echo requests answered; {again}")


def test_an_error_names_what_it_speaks_of(tmp_path: Path) -> None:
    errors = {"icmp": {"from": "client_b", "type": "time-exceeded", "count": 9}}
    talk = """
    0  client_a > server:53  U  text=who  icmp=client_b:11.0
    5  client_a > server:80  S  icmp=client_b:11.0
    9  client_a > server     Q  id=7 no=3 icmp=client_b:11.0
    """
    evidence = Stage(tmp_path, talk).judge(errors).evidence
    said = "time-exceeded from client_b to client_a, about"
    assert [one.partition(": ")[2] for one in evidence] == [
        f"{said} a datagram from client_a to server, ports 40000 and 53",
        f"{said} a segment from client_a to server, ports 40000 and 80, of connection 1",
        f"{said} an echo id 7 seq 3 from client_a to server",
    ]


def test_one_in_the_name_of_another_counts_for_neither(tmp_path: Path) -> None:
    forged = Stage(tmp_path, "0 client_a > server Q\n1 server > client_a A by=client_b")
    assert forged.judge({"icmp": {"from": "server", "type": "echo-reply", "count": 1}}).outcome is FAIL
    assert forged.judge({"icmp": {"from": "client_b", "type": "echo-reply", "count": 1}}).outcome is FAIL
    assert forged.judge(check(answered={"count": 1})).outcome is FAIL


def test_frames_that_were_lost_leave_it_open(tmp_path: Path) -> None:
    lossy = Stage(tmp_path, PINGS, dropped=3)
    assert lossy.judge(check(count=5)).outcome is INCONCLUSIVE
    assert lossy.judge(check(count=3)).outcome is FAIL, "there were more than that"
    assert lossy.judge(check(answered={"count": 4})).outcome is INCONCLUSIVE
    assert lossy.judge(check(ttl=64)).outcome is FAIL, "what was seen decides it"
    assert lossy.judge(check(ttl="<=64")).outcome is INCONCLUSIVE


def test_what_arrived_and_was_not_seen_to_be_sent_leaves_it_open(tmp_path: Path) -> None:
    assert Stage(tmp_path, "0 client_a > server Q left").judge(check(count=1)).outcome is INCONCLUSIVE
