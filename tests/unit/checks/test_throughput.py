"""``throughput``: passing, failing and inconclusive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.core.words import Outcome
from tests.unit.staged import FAIL, INCONCLUSIVE, MS, PASS, Stage

TALK = """
    0    client_a > server  S
    1    server > client_a  S.
    2    client_a > server  .
    500  server > client_a  P. 1000
    501  client_a > server  .
    2000 server > client_a  P. 1000
    2001 client_a > server  .
"""


def check(**bounds: Any) -> dict[str, object]:
    return {"throughput": {"from": "client_a", "to": "server:19999", "by": "to", **bounds}}


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [
        ({"min": 900}, PASS),
        ({"min": 1010}, FAIL),
        ({"max": 1010}, PASS),
        ({"max": 900}, FAIL),
        ({"min": 900, "max": 1010}, PASS),
        ({"min": 0, "by": "from"}, PASS),
        ({"min": 1, "by": "from"}, FAIL),
        ({"max": 1, "by": "client_a"}, PASS),
        ({"min": 1, "nth": 2}, FAIL),
    ],
)
def test_bytes_by_the_time_from_the_syn_to_the_last_that_arrived(
    tmp_path: Path, bounds: dict[str, Any], outcome: Outcome
) -> None:
    assert Stage(tmp_path, TALK).judge(check(**bounds)).outcome is outcome


def test_where_the_sidecar_was_late_a_near_miss_is_not_judged(tmp_path: Path) -> None:
    late = Stage(tmp_path, TALK, worst_gap=600 * MS)
    assert late.judge(check(min=1010)).outcome is INCONCLUSIVE
    assert late.judge(check(max=900)).outcome is FAIL
    assert late.judge(check(min=5000)).outcome is FAIL
    assert late.judge(check(min=100)).outcome is PASS


DATAGRAMS = """
    0     client_a:4000 > server:9000   U text=0123456789
    1000  client_a:4000 > server:9000   U text=0123456789
    1001  server:9000   > client_a:4000 U text=ok
    1500  client_a:4000 > server:9000   U text=0123456789 entered
    2000  client_a:4001 > server:9000   U text=0123456789
    2500  client_a:4001 > server:53     U text=0123456789
"""


def of_datagrams(**bounds: Any) -> dict[str, object]:
    return {"throughput": {"from": "client_a", "to": "udp:server:9000", **bounds}}


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [
        ({"min": 10}, PASS),  # 20 bytes arrived within two seconds after the first
        ({"min": 11}, FAIL),
        ({"max": 10}, PASS),
        ({"max": 9}, FAIL),
        ({"min": 1, "by": "to"}, FAIL),  # one datagram has no rate
        ({"max": 1, "by": "server"}, PASS),
        ({"min": 1, "to": "udp:server:54"}, FAIL),
    ],
)
def test_datagrams_that_arrived_after_the_first_by_the_time_since(
    tmp_path: Path, bounds: dict[str, Any], outcome: Outcome
) -> None:
    assert Stage(tmp_path, DATAGRAMS).judge(of_datagrams(**bounds)).outcome is outcome


def test_a_rate_of_datagrams_near_its_bound_is_not_judged_where_the_sidecar_was_late(tmp_path: Path) -> None:
    late = Stage(tmp_path, DATAGRAMS, worst_gap=600 * MS)
    outcomes = [
        late.judge(of_datagrams(**bounds)).outcome for bounds in ({"min": 11}, {"max": 9}, {"min": 5})
    ]
    assert outcomes == [INCONCLUSIVE, INCONCLUSIVE, PASS]
    lost = Stage(tmp_path, DATAGRAMS, dropped=1)
    assert lost.judge(of_datagrams(min=5)).outcome is INCONCLUSIVE
