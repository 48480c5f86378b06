"""Where a look at the kernel shows what the frames do not: a check that rests on it is not judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lab.core.words import TcpState
from lab.evidence.sockets import SocketSample
from tests.judged import judge as verdict_on
from tests.unit.staged import FAIL, INCONCLUSIVE, MS, PASS, Stage, at, row

STAY = """
    0    client_a > server  S
    0.1  server > client_a  S.
    0.2  client_a > server  .
    100  client_a > server  F.
    100.1 server > client_a  .
    200  server > client_a  F.
    200.1 client_a > server  .
"""
"""The server is in CLOSE_WAIT from 100.01 to 200 ms."""

WAY = ["SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"]
LISTENER = row(TcpState.LISTEN, "0.0.0.0:19999")


def socket(state: TcpState) -> Any:
    return row(state, "192.168.153.128:19999", "192.168.153.129:40000")


OPENED, LEFT = socket(TcpState.ESTABLISHED), socket(TcpState.CLOSE_WAIT)


def seen(first: float, *rows: Any, until: float = 0, took: float = 0.2) -> SocketSample:
    """What a look showed, and how long further looks showed the same."""
    return SocketSample(at(first), "server", rows, took=round(took * MS), until=at(until or first))


def judge(folder: Path, samples: list[SocketSample], talk: str = STAY) -> dict[str, Any]:
    stage = Stage(folder, talk, samples=samples)
    return {
        "close_wait": stage.judge({"close_wait": {"host": "server", "dwell": {"max": "150ms"}}}),
        "states": stage.judge(
            {"connection": {"from": "client_a", "to": "server:19999"}, "states": {"server": WAY}}
        ),
        "state": stage.judge({"state": {"host": "server", "state": "CLOSE_WAIT", "port": 19999}}),
    }


@pytest.mark.parametrize(
    "samples",
    [
        [],
        [seen(30, LISTENER, OPENED, until=90), seen(110, LISTENER, LEFT, until=190), seen(210, LISTENER)],
        [seen(30, LISTENER, OPENED, until=119), seen(181, LISTENER)],
        [seen(30, LISTENER, OPENED, until=50), seen(150, LISTENER, LEFT)],
        [seen(30, LISTENER, OPENED, until=50), seen(179.5, LISTENER, took=1)],
        [replace(seen(30, LISTENER, OPENED), until=0), seen(210, LISTENER)],
    ],
    ids=["no look", "as it was", "a moment late and early", "few looks", "a long look", "an older record"],
)
def test_wire_and_kernel_agree(tmp_path: Path, samples: list[SocketSample]) -> None:
    assert {result.outcome for result in judge(tmp_path, samples).values()} == {PASS}


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (
            [seen(30, LISTENER, OPENED, until=150)],
            "shows ESTABLISHED at +150.000 ms, the frames say CLOSE_WAIT",
        ),
        ([seen(30, LISTENER, OPENED), seen(121, LISTENER)], "shows no such socket at +121.000 ms"),
        ([seen(30, LISTENER, OPENED), seen(90, until=179)], "shows no such socket at +179.000 ms"),
        ([seen(150, LISTENER, socket(TcpState.LAST_ACK))], "shows LAST_ACK at +150.000 ms"),
    ],
)
def test_wire_and_kernel_disagree(tmp_path: Path, samples: list[SocketSample], told: str) -> None:
    for name, result in judge(tmp_path, samples).items():
        assert (name, result.outcome) == (name, INCONCLUSIVE)
        assert told in result.observed
        assert "wire and kernel disagree" in result.observed


def test_a_state_that_both_show_at_another_time_is_judged(tmp_path: Path) -> None:
    """What the kernel itself shows stands, whatever the frames say of another moment."""
    samples = [seen(110, LEFT, until=120), seen(150, OPENED)]
    assert judge(tmp_path, samples)["state"].outcome is PASS


def test_another_connection_with_the_same_ports_is_no_disagreement(tmp_path: Path) -> None:
    opened = "0 client_a > server S\n 0.1 server > client_a S.\n 0.2 client_a > server .\n"
    again = "400 client_a > server S seq+5000\n 400.1 server > client_a R."
    spec = {
        "connection": {"from": "client_a", "to": "server:19999"},
        "states": {"server": ["SYN_RECEIVED", "ESTABLISHED"]},
    }
    gone = [seen(100, LISTENER, OPENED, until=300), seen(500, LISTENER, until=900)]
    assert Stage(tmp_path, opened + again, samples=gone).judge(spec).outcome is PASS
    assert Stage(tmp_path, opened, samples=gone).judge(spec).outcome is INCONCLUSIVE


def test_a_long_stay_that_the_kernel_denies_proves_nothing(tmp_path: Path) -> None:
    leaking = STAY.partition("200  server")[0]
    spec = {"close_wait": {"host": "server", "left": True}}
    denied = Stage(tmp_path, leaking, samples=[seen(-1, LISTENER, until=9000)]).judge(spec)
    assert denied.outcome is INCONCLUSIVE
    shown = [seen(-1, LISTENER), seen(101, LISTENER, LEFT, until=9000)]
    assert Stage(tmp_path, leaking, samples=shown).judge(spec).outcome is FAIL


def test_the_verdict_lists_what_no_check_depends_on(tmp_path: Path) -> None:
    listens = {"listener": {"host": "server", "port": 19999}}
    denied = [seen(30, LISTENER, OPENED, until=150)]
    verdict = verdict_on(Stage(tmp_path, STAY, samples=denied).evidence(listens))
    assert verdict.outcome is PASS
    (told,) = verdict.disagreements
    assert told.startswith(
        "server:19999 (peer client_a): the kernel of server shows ESTABLISHED at +150.000 ms"
    )
    agreed = [seen(30, LISTENER, OPENED, until=90), seen(110, LISTENER, LEFT, until=190)]
    assert verdict_on(Stage(tmp_path, STAY, samples=agreed).evidence(listens)).disagreements == ()
