"""The first cause of several failures, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from lab.checks.relations import why_on_top
from lab.core.words import Outcome, TcpState
from lab.evidence.message import message
from lab.evidence.situation import Killed, Situation
from lab.evidence.sockets import DatagramSocket, SocketSample
from lab.evidence.transcript import Exited, Input
from lab.output.document import verdict_as_data
from lab.output.style import Style
from lab.output.verdict import table
from tests.judged import JudgedRun, judge
from tests.unit.staged import FAIL, SKIPPED, Stage, at, exited, printed, row, started, step

REFUSED = "0 client_a > server S\n 0.1 server > client_a R."
OPEN = "0 client_a > server S\n 0.1 server > client_a S.\n 0.2 client_a > server .\n"

LISTENS = {"name": "listens", "listener": {"host": "server", "port": 19999, "address": "any"}}
MADE = {
    "name": "made",
    "connection": {"from": "client_a", "to": "server:19999"},
    "handshake": "complete",
    "bytes": {"client_a": 5},
    "close": {"kind": ["orderly"]},
}
COUNTED = {"name": "counted", "connections": {"to": "server:19999", "count": 1}}
SAYS = {"name": "says", "output": {"host": "client_a", "lines": {"hello": 1}}}
ENDS = {"name": "ends", "exit": {"host": "client_a", "status": 0}}
LACKS = {"name": "lacks", "output": {"host": "client_a", "lacks": ["error"]}}
WAITED = {"name": "waited", "close_wait": {"host": "server", "left": True}}
STATE = {"name": "state", "state": {"host": "server", "state": "CLOSE_WAIT"}}
OTHER = {"name": "other", "output": {"host": "client_b", "lines": {"hello": 1}}}
LOOPBACK = [SocketSample(at(-1), "server", (row(TcpState.LISTEN, "127.0.0.1:19999"),))]

CLIENT = started("client", "client_a")
EVENTS = (
    started(),
    CLIENT,
    printed("error: refused\n", "client", "client_a"),
    exited(1, "client", "client_a"),
    replace(step("3", FAIL, expected="hello"), host="client_a"),
)


def follows(verdict: JudgedRun) -> dict[str, str]:
    return {result.name: result.follows for result in verdict.results if result.outcome is FAIL}


def test_one_wrong_bind_is_the_cause_of_all_the_rest(tmp_path: Path) -> None:
    stage = Stage(tmp_path, REFUSED, samples=LOOPBACK, events=EVENTS)
    verdict = judge(stage.evidence(MADE, COUNTED, SAYS, ENDS, LACKS, LISTENS, WAITED, STATE))
    assert follows(verdict) == {
        "conversation": "listens",
        "made": "listens",
        "counted": "listens",
        "says": "listens",
        "ends": "listens",
        "lacks": "",
        "listens": "",
        "waited": "listens",
        "state": "listens",
    }
    lines = list(table(verdict.verdict, Style(width=200)))
    assert lines[0] == "✗ fail  listens"
    assert [line for line in lines if "follows" in line] == ["        follows   from: listens"] * 7
    assert lines[-1].endswith("0 of 9 checks passed, 9 failed, 7 of them because of another")
    assert [result["follows"] for result in verdict_as_data(verdict.verdict)["results"]][:2] == [
        "listens"
    ] * 2


def test_why_the_script_broke_off_stands_with_the_first_cause_that_is_shown(tmp_path: Path) -> None:
    verdict = judge(Stage(tmp_path, REFUSED, samples=LOOPBACK, events=EVENTS).evidence(LISTENS, ENDS))
    script, top, other = (replace(result, causes=()) for result in verdict.verdict.results)
    cause = message("serves-udp", program="server", port=19999)
    script = replace(script, causes=(cause,))
    assert script.follows == top.name
    causes = [result.causes for result in why_on_top([script, top, other])]
    assert causes == [(), (cause,), ()]
    for shown in ([script], [script, other], [script, replace(top, outcome=Outcome.SKIPPED)]):
        assert list(why_on_top(shown)) == shown


def test_without_a_check_of_the_listener_the_refusal_is_the_cause(tmp_path: Path) -> None:
    stage = Stage(tmp_path, REFUSED, samples=LOOPBACK, events=EVENTS, unplayed="4")
    verdict = judge(stage.evidence(SAYS, MADE, OTHER.copy()))
    assert follows(verdict) == {"conversation": "made", "says": "made", "made": ""}


def test_a_script_that_broke_off_explains_what_did_not_come(tmp_path: Path) -> None:
    events = (started(), CLIENT, started("client", "client_b"), step("3", FAIL, expected="hello"))
    stage = Stage(tmp_path, OPEN, events=events, unplayed="4")
    verdict = judge(
        stage.evidence(
            MADE, SAYS, OTHER, {"name": "no", "rst": {"by": "server"}, "connection": MADE["connection"]}
        )
    )
    assert follows(verdict) == {
        "conversation": "",
        "made": "conversation",
        "says": "conversation",
        "other": "conversation",
        "no": "conversation",
    }


def test_a_program_that_crashed_is_the_cause_of_a_broken_script(tmp_path: Path) -> None:
    crash = Exited(at(1), "server", "server", 139)
    events = (started(), CLIENT, crash, replace(step("3", FAIL), host="client_a"))
    runs = {"name": "runs", "exit": {"host": "server", "status": 0}}
    verdict = judge(Stage(tmp_path, OPEN, events=events).evidence(SAYS, runs))
    assert follows(verdict) == {"conversation": "runs", "says": "runs", "runs": ""}


@pytest.mark.parametrize("heard", [1, 4.5], ids=["heard in order", "heard late"])
def test_of_several_ends_the_first_is_the_cause(tmp_path: Path, heard: float) -> None:
    """The server crashes, and its client leaves because of that: 1 ms later, but it is heard before."""
    talk = OPEN + (
        "1 server > client_a F.\n 1.1 client_a > server .\n 2 client_a > server F.\n 2.1 server > client_a .\n"
    )
    crash = Exited(at(heard), "server", "server", 136)
    left = Exited(at(4), "client_a", "client", 1)
    broken = replace(step("3", FAIL), host="client_a", at=at(5))
    stage = Stage(tmp_path, talk, events=(started(), CLIENT, crash, left, broken), unplayed="4")
    runs = {"name": "runs", "exit": {"host": "server", "status": 0}}
    for specs in ((runs, ENDS), (ENDS, runs)):
        assert follows(judge(stage.evidence(*specs))) == {"conversation": "runs", "ends": "runs", "runs": ""}
    assert follows(judge(stage.evidence(ENDS))) == {"conversation": "", "ends": "conversation"}
    awaited = {"name": "awaited", "exit": {"host": "server", "status": 136}}
    assert follows(judge(stage.evidence(ENDS, awaited))) == {"conversation": "ends", "ends": ""}


def test_a_child_that_crashed_comes_before_the_client_that_left(tmp_path: Path) -> None:
    killed = Killed(at(1), "server", 9, 7, 7, 12, "srv", 139)
    left, broken = Exited(at(4), "client_a", "client", 1), replace(step("3", FAIL), host="client_a", at=at(5))
    stage = Stage(tmp_path, OPEN, events=(started(), CLIENT, left, broken), unplayed="4", situation=[killed])
    assert follows(judge(stage.evidence(ENDS))) == {"conversation": "", "ends": "conversation"}
    stage.situation = [replace(killed, at=at(6))]
    assert follows(judge(stage.evidence(ENDS))) == {"conversation": "ends", "ends": ""}


def test_what_the_script_ended_is_no_cause(tmp_path: Path) -> None:
    other = started("client", "client_b")
    order = Input(at(0.5), "client_b", "client", "2", "key", "ctrl-c")
    ended = Exited(at(1), "client_b", "client", 130), Exited(at(4), "client_a", "client", 1)
    broken = replace(step("3", FAIL), host="client_a", at=at(5))
    stage = Stage(tmp_path, OPEN, events=(started(), CLIENT, other, order, *ended, broken), unplayed="4")
    assert follows(judge(stage.evidence(ENDS))) == {"conversation": "ends", "ends": ""}


def test_what_came_and_should_not_have_follows_from_nothing(tmp_path: Path) -> None:
    """A server that never closes, a reset, a text: they are wrong, whatever else is."""
    talk = OPEN + "1 client_a > server F.\n 1.1 server > client_a .\n"
    stays = {"name": "stays", "close_wait": {"host": "server", "left": True}}
    stage = Stage(tmp_path, talk, events=EVENTS, unplayed="4")
    verdict = judge(stage.evidence(stays, LACKS, {**MADE, "name": "made"}))
    assert follows(verdict) == {"conversation": "", "stays": "", "lacks": "", "made": ""}


def test_what_went_another_way_follows_from_nothing(tmp_path: Path) -> None:
    """The server closed first: it never is in CLOSE_WAIT, whatever step failed later."""
    talk = OPEN + (
        "1 server > client_a F.\n 1.1 client_a > server .\n 2 client_a > server F.\n 2.1 server > client_a .\n"
    )
    events = (started(), CLIENT, step("3", FAIL, expected="hello"))
    stage = Stage(tmp_path, talk, events=events, unplayed="4")
    assert follows(judge(stage.evidence(WAITED))) == {"conversation": "", "waited": ""}


AWAITS = {
    "starts": {"start": "server"},
    "waits": {"wait": {"listening": 19999}},
    "waits elsewhere": {"wait": {"listening": 19998}},
    "does something else": {"quiet": "1s"},
}


@pytest.mark.parametrize(
    ("action", "talk", "udp", "outcome"),
    [
        ("starts", "", 0, FAIL),
        ("waits", "", 0, FAIL),
        ("does something else", REFUSED, 0, FAIL),
        ("does something else", "", 19999, FAIL),
        ("waits elsewhere", OPEN.replace("server", "client_b"), 19998, SKIPPED),
        ("does something else", "9 client_a > server S\n 9.1 server > client_a R.", 0, SKIPPED),
    ],
)
def test_a_listener_that_was_awaited_in_vain_is_the_cause(
    tmp_path: Path, action: str, talk: str, udp: int, outcome: Outcome
) -> None:
    """Steps were not reached and the server runs on: it might have listened later, had it not been awaited."""
    bound = (DatagramSocket("::", udp, "::", 0, 0, 7),) if udp else ()
    broken = replace(step("1", FAIL), host="server", at=at(5))
    stage = Stage(
        tmp_path, talk, events=(started(milliseconds=-1), broken), unplayed="2",
        samples=[SocketSample(at(-1), "server", ())], situation=[Situation(at(5), "server", 80_000_000, udp=bound)],
        programs={"server": {"command": "s", "listens": [19999]}},
        steps=[{"actor": "server", "action": AWAITS[action]}],
    )  # fmt: skip
    script, listens = judge(stage.evidence(LISTENS)).results
    assert listens.outcome is outcome
    assert script.follows == ("listens" if outcome is FAIL else "")
    stage.unplayed, stage.events = "", (started(milliseconds=-1),)
    assert judge(stage.evidence(LISTENS)).results[1].outcome is FAIL, "all was reached: it never listened"


def test_what_was_never_started_may_have_listened(tmp_path: Path) -> None:
    broken = replace(step("1", FAIL), host="client_a", at=at(5))
    samples = [SocketSample(at(-1), "server", ())]
    stage = Stage(tmp_path, REFUSED, events=(broken,), unplayed="2", samples=samples)
    assert judge(stage.evidence(LISTENS)).results[1].outcome is SKIPPED


@pytest.mark.parametrize("status", [0, 1, 139])
def test_a_server_that_ended_before_it_listened_is_the_cause(tmp_path: Path, status: int) -> None:
    runs = {"name": "runs", "exit": {"host": "server", "running": True}}
    ended, left = Exited(at(1), "server", "server", status), Exited(at(4), "client_a", "client", 1)
    broken = replace(step("3", FAIL), host="client_a", at=at(5))
    events = (started(), CLIENT, ended, left, broken)
    stage = Stage(tmp_path, REFUSED, events=events, samples=[SocketSample(at(-1), "server", ())])
    expected = {"conversation": "runs", "listens": "runs", "runs": "", "made": "runs", "ends": "runs"}
    assert follows(judge(stage.evidence(LISTENS, runs, MADE, ENDS))) == expected
    stage.events = (started(), CLIENT, ended, left, step("3"))
    verdict = judge(stage.evidence(LISTENS, runs, MADE, ENDS))
    assert follows(verdict) == {"listens": "runs", "runs": "", "made": "runs", "ends": "runs"}


def test_a_server_that_ended_for_another_reason_is_not_the_cause_of_a_missing_listener(
    tmp_path: Path,
) -> None:
    """It had listened elsewhere, the script ended it, or another program of its host goes on."""
    runs = {"name": "runs", "exit": {"host": "server", "program": "server", "running": True}}
    ended, left = Exited(at(1), "server", "server", 1), Exited(at(4), "client_a", "client", 1)
    broken = replace(step("3", FAIL), host="client_a", at=at(5))
    events = (started(), CLIENT, ended, left, broken)
    nothing = [SocketSample(at(-1), "server", ())]
    listened = Stage(tmp_path, REFUSED, events=events, samples=LOOPBACK)
    key = Input(at(0.5), "server", "server", "2", "key", "ctrl-c")
    asked = Stage(tmp_path, REFUSED, events=(started(), CLIENT, key, ended, left, broken), samples=nothing)
    beside = Stage(tmp_path, REFUSED, events=(started("other"), *events), samples=nothing)
    for stage in (listened, asked, beside):
        found = follows(judge(stage.evidence(LISTENS, runs, MADE, ENDS)))
        assert found == {
            "conversation": "listens",
            "listens": "",
            "runs": "listens",
            "made": "listens",
            "ends": "listens",
        }


@pytest.mark.parametrize(("closed", "outcome"), [(3, FAIL), (8, SKIPPED)])
def test_what_ended_a_connection_after_the_script_broke_off_is_no_close(
    tmp_path: Path, closed: int, outcome: Outcome
) -> None:
    """The server closes first: before the step failed, or when all programs were ended."""
    talk = (
        OPEN
        + f"{closed} server > client_a F.\n {closed}.1 client_a > server F.\n {closed}.2 server > client_a ."
    )
    broken = replace(step("1", FAIL), host="server", at=at(5))
    stage = Stage(tmp_path, talk, events=(started(milliseconds=-1), broken), unplayed="2")
    waits = {"close_wait": {"host": "server", "peer": "client_a", "observed": True}}
    assert judge(stage.evidence(waits)).results[1].outcome is outcome
