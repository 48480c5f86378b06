"""``datagrams``: passing, failing and inconclusive, word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.core.words import Outcome
from tests.unit.staged import FAIL, INCONCLUSIVE, MS, PASS, Stage

PINGS = """
    0     client_a:4000 > server:12000  U  text=ping1
    5     server:12000  > client_a:4000 U  text=PING1
    1000  client_a:4000 > server:12000  U  text=ping2
    2000  client_a:4000 > server:12000  U  text=ping3  entered
    3000  client_a:4000 > server:12000  U  text=ping4
    3500  server:12000  > client_a:4000 U  text=PING4
"""


def check(**words: Any) -> dict[str, object]:
    return {"datagrams": {"from": "client_a", "to": "server:12000", **words}}


@pytest.mark.parametrize(
    ("words", "outcome", "observed"),
    [
        ({"count": 4}, PASS, "4 datagrams sent"),
        ({"count": 5}, FAIL, "4 datagrams sent"),
        ({"arrived": 3}, PASS, "3 datagrams arrived"),
        ({"arrived": 4}, FAIL, "3 datagrams arrived"),
        ({"size": 5}, PASS, "payloads of 5 bytes"),
        ({"size": {"max": 4}}, FAIL, "payloads of 5 bytes; 4 of 4 are not"),
        ({"interval": {"min": "1s", "max": "1s"}}, PASS, "1.000 s to 1.000 s between two datagrams"),
        ({"interval": {"min": "1001ms"}}, FAIL, "1.000 s to 1.000 s between two datagrams; 3 of 3 are not"),
        ({"payload": {"contains": "ping"}}, PASS, "payload 'ping1'"),
        ({"payload": {"contains": "pong"}}, FAIL, "payload 'ping1'; 4 of 4 are not"),
        ({"payload": {"text": "ping2", "nth": 2}}, PASS, "payload 'ping2'"),
        ({"payload": {"text": "ping2"}}, FAIL, "payload 'ping1'; 3 of 4 are not"),
        ({"payload": {"bytes": "hex:70696e6731", "nth": 1}}, PASS, "payload 'ping1'"),
        ({"payload": {"text": "ping9", "nth": 9}}, FAIL, "no datagram was sent"),
        ({"answered": {"count": 2}}, PASS, "2 of 4 datagrams answered"),
        ({"answered": {"count": 2, "within": "100ms"}}, FAIL, "1 of 4 datagrams answered, 1 more too late"),
        ({"repeated": 0}, PASS, "0 of 4 had the payload of an earlier one"),
        ({"repeated": ">=1"}, FAIL, "0 of 4 had the payload of an earlier one"),
        ({"order": "kept"}, PASS, "0 of 3 overtook the one before"),
        ({"unreachable": "none"}, PASS, "0 ICMP errors"),
        ({"unreachable": "server"}, FAIL, "0 ICMP errors"),
    ],
)
def test_each_word(tmp_path: Path, words: dict[str, Any], outcome: Outcome, observed: str) -> None:
    result = Stage(tmp_path, PINGS).judge(check(**words))
    assert (result.outcome, result.observed) == (outcome, observed)


def test_the_same_payload_again_is_repeated(tmp_path: Path) -> None:
    again = PINGS + "    4000 client_a:4000 > server:12000 U text=ping4"
    assert Stage(tmp_path, again).judge(check(repeated=1)).outcome is PASS


def test_one_that_overtakes(tmp_path: Path) -> None:
    talk = """
    0    client_a > server:12000  U  text=first   entered
    1    client_a > server:12000  U  text=second
    100  client_a > server:12000  U  text=first   left
    """
    result = Stage(tmp_path, talk).judge(check(order="kept"))
    assert (result.outcome, result.observed) == (FAIL, "1 of 2 overtook the one before")


def test_an_icmp_error_names_who_sent_it(tmp_path: Path) -> None:
    talk = "0  client_a > server:12000  U  text=who  icmp=server:3.3"
    result = Stage(tmp_path, talk).judge(check(unreachable="server"))
    assert result.outcome is PASS
    assert "nobody has that port" in result.evidence[0]
    assert Stage(tmp_path, talk).judge(check(unreachable="none")).outcome is FAIL
    assert Stage(tmp_path, talk).judge(check(unreachable="client_b")).outcome is FAIL


def test_an_answer_with_the_same_payload_belongs_to_its_question(tmp_path: Path) -> None:
    talk = """
    0    client_a:4000 > server:12000  U  text=one
    1    client_a:4000 > server:12000  U  text=two
    50   server:12000 > client_a:4000  U  text=one
    300  server:12000 > client_a:4000  U  text=two
    """
    result = Stage(tmp_path, talk).judge(check(answered={"count": 1, "within": "100ms"}))
    assert result.outcome is PASS, result.observed


def test_what_was_never_sent_fails_every_word_that_needs_it(tmp_path: Path) -> None:
    for words in ({"count": 1}, {"size": 5}, {"payload": {"text": "x"}}, {"order": "kept"}, {"repeated": 0}):
        assert Stage(tmp_path, "0 client_a > server S").judge(check(**words)).outcome is FAIL
    assert Stage(tmp_path, "0 client_a > server S").judge(check(count=0)).outcome is PASS


def test_frames_that_were_lost_leave_it_open(tmp_path: Path) -> None:
    lossy = Stage(tmp_path, PINGS, dropped=3)
    assert lossy.judge(check(count=5)).outcome is INCONCLUSIVE
    assert lossy.judge(check(count=3)).outcome is FAIL, "there were more than that"
    assert lossy.judge(check(size="<=4")).outcome is FAIL, "what was seen decides it"
    assert lossy.judge(check(size=5)).outcome is INCONCLUSIVE


def test_a_busy_machine_leaves_an_interval_open(tmp_path: Path) -> None:
    busy = Stage(tmp_path, PINGS, worst_gap=400 * MS)
    assert busy.judge(check(interval={"min": "900ms"})).outcome is INCONCLUSIVE
    assert busy.judge(check(interval={"min": "100ms"})).outcome is PASS


def test_what_arrived_and_was_not_seen_to_be_sent_leaves_it_open(tmp_path: Path) -> None:
    talk = "0 client_a > server:12000 U text=ghost left"
    assert Stage(tmp_path, talk).judge(check(count=1)).outcome is INCONCLUSIVE
