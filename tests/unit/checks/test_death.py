"""Whose doing a FIN is: the program's, or its kernel's as it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lab import checks
from lab.core.words import Outcome, TcpState
from lab.evidence.processes import ProcessRow, ProcessSample, Sleep
from lab.evidence.situation import Killed, OutOfMemory, SituationEvent
from lab.evidence.sockets import Instrument, Loss, SocketSample
from lab.evidence.transcript import Exited, Input, Started, TranscriptEvent
from lab.scenario import Scenario
from lab.scenario.script import line_of
from tests.judged import judged
from tests.unit.staged import FAIL, INCONCLUSIVE, PASS, Stage, at, row, started, step

OPEN = """
    0    client_a > server  S
    0.1  server > client_a  S.
    0.2  client_a > server  .
"""
TALK = (
    OPEN
    + """
    100   client_a > server  F.
    140   server > client_a  .
    300   server > client_a  F.
    300.1 client_a > server  .
"""
)
"""The server's FIN comes 200 ms after the client's, at 300 ms."""

CRASHED = OPEN + "100 client_a > server F.\n 140 server > client_a .\n 300 server > client_a R."

PROGRAM = Started(at(-50), "server", "server", "1", "/work/server", 7)


def given(text: str, milliseconds: float, *, step: str = "5", kind: str = "signal") -> Input:
    return Input(at(milliseconds), "server", "server", step, kind, text)


def ended(status: int, milliseconds: float = 301) -> Exited:
    return Exited(at(milliseconds), "server", "server", status)


def crashed(dying: float, milliseconds: float = 301) -> Killed:
    """The kernel's own word of the program's end by SIGSEGV: when it began with it, and when that was done."""
    return Killed(at(milliseconds), "server", 7, 1, 7, 10, "srv", SEGV, at(dying))


def orderly(**words: Any) -> Mapping[str, Any]:
    return {"connection": {"from": "client_a", "to": "server:19999"}, **words}


def waited(**words: Any) -> Mapping[str, Any]:
    return {"close_wait": {"host": "server", "peer": "client_a", **words}}


TERM, INT, SEGV, KILL = 143, 130, 139, 137


@pytest.mark.parametrize(
    ("events", "outcome", "told"),
    [
        ((), PASS, "until its own FIN"),
        ((given("SIGTERM", 299), ended(TERM)), FAIL, "SIGTERM (step 5) ended server: killed by SIGTERM"),
        ((given("SIGTERM", 299, step="finally.1"), ended(TERM)), FAIL, "SIGTERM (step finally.1) ended server"),
        ((given("ctrl-c", 290, kind="key"), ended(INT)), FAIL, "the key ctrl-c (step 5) ended server"),
        ((given("SIGTERM", 299), ended(0)), FAIL, "SIGTERM (step 5) ended server: exit status 0"),
        ((given("SIGTERM", 299), ended(0, 1900)), PASS, "until its own FIN"),
        ((given("SIGTERM", 301), ended(TERM, 302)), PASS, "until its own FIN"),
        ((given("SIGUSR1", 299), ended(0)), PASS, "until its own FIN"),
        ((given("SIGUSR1", 299), ended(138)), FAIL, "SIGUSR1 (step 5) ended server"),
        ((given("x\n", 299, kind="text"), ended(0)), PASS, "sent as server ended: exit status 0"),
        ((ended(1),), PASS, "sent as server ended: exit status 1"),
        ((ended(SEGV, 301), crashed(299.8)), FAIL, "sent as server ended: killed by SIGSEGV"),
        ((ended(SEGV, 301), crashed(300.2)), PASS, "until its own FIN"),
        ((ended(SEGV, 500), crashed(299.8, 499)), FAIL, "sent as server ended: killed by SIGSEGV"),
        ((ended(SEGV, 301),), INCONCLUSIVE, "1.000 ms before server ended: killed by SIGSEGV"),
        ((ended(SEGV, 299),), INCONCLUSIVE, "sent as server ended: killed by SIGSEGV"),
        ((ended(SEGV, 600),), PASS, "until its own FIN"),
        ((given("SIGHUP", 290), ended(129, 295)), FAIL, "SIGHUP (step 5) ended server"),
    ],
    ids=[
        "it runs on", "killed", "tidied up", "a key", "handled", "handled and lives on", "closed before",
        "a signal for something else", "that ends it", "typed", "ends by itself",
        "crashes", "closes and crashes", "crashes for long", "nobody says when it began", "nor before",
        "crashes later",
        "its child ends with its terminal",
    ],
)  # fmt: skip
def test_only_its_programs_close_ends_a_stay(
    tmp_path: Path, events: tuple[TranscriptEvent | Killed, ...], outcome: Outcome, told: str
) -> None:
    acts = [event for event in events if not isinstance(event, Killed)]
    killed = [event for event in events if isinstance(event, Killed)]
    stage = Stage(tmp_path, TALK, events=(PROGRAM, *acts, step("1")), situation=killed)
    result = stage.judge(waited(left=True))
    assert (result.outcome, told in result.observed) == (outcome, True), result.observed
    for words in ({"close": {"kind": ["orderly"]}}, {"fin": ["client_a", "server"]}):
        assert stage.judge(orderly(**words)).outcome is outcome
    if outcome is FAIL:
        assert stage.judge(waited(left=False)).outcome is PASS
        assert stage.judge(orderly(close={"kind": ["still_open"]})).outcome is PASS
        assert (
            "server never closed: FIN came only as"
            in stage.judge(orderly(close={"kind": ["orderly"]})).observed
        )
        assert stage.judge(orderly(close={"active": "client_a"})).outcome is PASS


@pytest.mark.parametrize(
    ("dwell", "outcome"),
    [({"max": "500ms"}, INCONCLUSIVE), ({"max": "100ms"}, FAIL), ({"min": "100ms"}, PASS), ({"min": "1s"}, INCONCLUSIVE)],
)  # fmt: skip
def test_a_stay_cut_short_by_a_death_lasted_at_least_so_long(
    tmp_path: Path, dwell: dict[str, str], outcome: Outcome
) -> None:
    events = (PROGRAM, given("SIGTERM", 299), ended(TERM), step("1"))
    result = Stage(tmp_path, TALK, events=events).judge(waited(dwell=dwell))
    assert result.outcome is outcome
    assert outcome is not INCONCLUSIVE or "its program ended too soon to tell" in result.observed


@pytest.mark.parametrize(
    ("number", "outcome"), [("5", PASS), ("7.2.1@3", PASS), ("finally.1", FAIL)], ids=["steps", "a block", "finally"]
)  # fmt: skip
def test_what_the_script_ends_before_anybody_closed_closes(
    tmp_path: Path, number: str, outcome: Outcome
) -> None:
    talk = OPEN + "300 server > client_a F.\n 300.1 client_a > server F.\n 300.2 server > client_a ."
    events = (PROGRAM, given("ctrl-c", 299, step=number, kind="key"), ended(INT), step("1"))
    stage = Stage(tmp_path, talk, events=events)
    result = stage.judge(orderly(close={"active": "server"}))
    assert result.outcome is outcome
    assert outcome is PASS or result.observed.startswith(
        "server never closed: FIN came only as the key ctrl-c"
    )
    assert any("as the key ctrl-c" in sentence for sentence in result.evidence)
    assert stage.judge(orderly(fin=["server", "client_a"])).outcome is outcome


def test_a_reset_of_a_program_that_was_tidied_up_is_not_its_own(tmp_path: Path) -> None:
    events = (PROGRAM, given("SIGKILL", 299, step="finally.1"), ended(137), step("1"))
    stage = Stage(tmp_path, CRASHED, events=events)
    assert stage.judge(orderly(rst={"by": "server"})).outcome is FAIL
    assert stage.judge(orderly(close={"kind": ["reset"]})).outcome is FAIL
    assert stage.judge(orderly(rst="none")).outcome is FAIL
    assert stage.judge(waited(left=False)).outcome is PASS
    alive = Stage(tmp_path, CRASHED, events=(PROGRAM, step("1")))
    assert alive.judge(orderly(rst={"by": "server"})).outcome is PASS


def test_the_program_that_held_the_socket_is_meant(tmp_path: Path) -> None:
    """Another program of the host is ended as the server closes."""
    other = replace(started("other"), at=at(-50), pid=8)
    events = (PROGRAM, other, Exited(at(301), "server", "other", TERM), step("1"))
    order = Input(at(299), "server", "other", "5", "signal", "SIGTERM")
    socket = row(TcpState.ESTABLISHED, "192.168.153.128:19999", "192.168.153.129:40000", inode=5)
    for pid, outcome in ((7, PASS), (8, FAIL), (0, PASS)):
        looks = [ProcessSample(at(10), "server", (ProcessRow(pid, 1, pid, 2, "p", False, 4, (5,), ()),))]
        stage = Stage(
            tmp_path,
            TALK,
            samples=[SocketSample(at(1), "server", (socket,))],
            processes=looks if pid else (),
            events=(order, *events),
        )
        assert stage.judge(orderly(fin=["client_a", "server"])).outcome is outcome


@pytest.mark.parametrize(
    ("pid", "milliseconds", "status", "outcome"),
    [
        (9, 301, SEGV, FAIL),
        (9, 290, SEGV, PASS),
        (9, 299, SEGV, INCONCLUSIVE),
        (9, 302, SEGV, PASS),
        (10, 301, SEGV, INCONCLUSIVE),
        (9, 301, INT, PASS),
    ],
    ids=["the child", "before", "just before", "later", "another that may have it", "ended by somebody"],
)
def test_a_child_that_crashes_has_not_closed(
    tmp_path: Path, pid: int, milliseconds: float, status: int, outcome: Outcome
) -> None:
    """Its parent, the program, goes on."""
    socket = row(TcpState.ESTABLISHED, "192.168.153.128:19999", "192.168.153.129:40000", inode=5)
    rows = [ProcessRow(number, 7, 7, number + 3, "srv", False, 4, (5,), ()) for number in (7, 9)]
    looks = [ProcessSample(at(10), "server", tuple(rows))]
    samples = [SocketSample(at(1), "server", (socket,))]
    stage = Stage(tmp_path, TALK, samples=samples, processes=looks, events=(PROGRAM, step("1")))
    spec = orderly(fin=["client_a", "server"])
    evidence = stage.evidence(spec)
    assert checks.judge(evidence.scenario.checks[0], evidence).outcome is PASS
    killed = Killed(at(milliseconds), "server", pid, 7, 7, pid + 3, "srv", status, at(milliseconds - 1.5))
    evidence = replace(evidence, situation=(killed,))
    result = judged(checks.judge(evidence.scenario.checks[0], evidence), evidence)
    assert result.outcome is outcome
    told = f"srv (process {pid + 3}) ended: killed by SIGSEGV" in result.observed
    assert told is (outcome is not PASS)


SOCKET = 5


def look(
    milliseconds: float, *sockets: int, descriptors: int = 4, asleep: bool = True, pid: int = 9
) -> ProcessSample:
    """A program, which has the socket from the first look on, and perhaps its child."""
    sleeps = (Sleep("sleep", 0),) if asleep else ()
    dead = not descriptors
    rows = [ProcessRow(7, 1, 7, 10, "srv", False, 4, (), ())] if pid != 7 else []
    child = ProcessRow(pid, 7, 7, 12, "srv", dead, descriptors, sockets, () if dead else sleeps)
    return ProcessSample(at(milliseconds), "server", (*rows, child))


@pytest.mark.parametrize("pid", [7, 9], ids=["the program", "its child"])
@pytest.mark.parametrize(
    ("looks", "crash", "outcome"),
    [
        ((), 302, INCONCLUSIVE),
        ((), 360, INCONCLUSIVE),
        ((), 600, PASS),
        ((look(280, SOCKET),), 302, INCONCLUSIVE),
        ((look(299),), 320, PASS),
        ((look(299),), 302, PASS),
        ((look(305, SOCKET),), 320, PASS),
        ((look(305),), 320, PASS),
        ((look(299.9, descriptors=3, asleep=False),), 320, INCONCLUSIVE),
        ((look(299.9, asleep=False), look(310, asleep=False)), 320, PASS),
        ((look(303, descriptors=0),), 320, INCONCLUSIVE),
    ],
    ids=[
        "at once", "nobody looked", "much later", "it had the socket", "it had closed", "it had just closed",
        "it had called shutdown", "it lived on", "it may have been ending", "it was seen once more",
        "it was seen dead",
    ],
)  # fmt: skip
def test_what_left_before_a_crash_is_a_close_if_a_look_proves_it(
    tmp_path: Path, pid: int, looks: tuple[ProcessSample, ...], crash: float, outcome: Outcome
) -> None:
    looks = (look(10, SOCKET), *looks)
    if pid == 7:
        looks = tuple(
            replace(each, rows=tuple(replace(row, pid=7) for row in each.rows[-1:])) for each in looks
        )
    socket = row(TcpState.ESTABLISHED, "192.168.153.128:19999", "192.168.153.129:40000", inode=SOCKET)
    stage = Stage(
        tmp_path,
        TALK,
        samples=[SocketSample(at(1), "server", (socket,))],
        processes=looks,
        events=(PROGRAM, *([ended(SEGV, crash)] if pid == 7 else []), step("1")),
        situation=[Killed(at(crash), "server", 9, 7, 7, 12, "srv", SEGV)] if pid == 9 else [],
    )
    for spec in (
        orderly(fin=["client_a", "server"]),
        orderly(close={"kind": ["orderly"]}),
        waited(left=True),
    ):
        result = stage.judge(spec)
        assert result.outcome is outcome, (spec, result.observed)
        assert ("is not known: " in result.observed) is (outcome is INCONCLUSIVE), result.observed
    assert stage.judge(orderly(close={"active": "client_a"})).outcome is PASS
    assert (
        stage.judge(orderly(close={"kind": ["still_open"]})).outcome is not outcome or outcome is INCONCLUSIVE
    )


@pytest.mark.parametrize(
    ("holders", "parent", "dying", "outcome"),
    [((), 7, 299, INCONCLUSIVE), ((7,), 7, 299, INCONCLUSIVE), ((7,), 8, 299, PASS), ((), 7, 300.5, PASS)],
    ids=["nobody was seen with the socket", "its parent was", "another's child", "it closed before"],
)
def test_a_crash_of_a_process_that_no_look_showed_leaves_a_doubt(
    tmp_path: Path, holders: tuple[int, ...], parent: int, dying: float, outcome: Outcome
) -> None:
    socket = row(TcpState.ESTABLISHED, "192.168.153.128:19999", "192.168.153.129:40000", inode=SOCKET)
    rows = [ProcessRow(pid, 1, pid, pid + 3, "srv", False, 4, (SOCKET,), ()) for pid in holders]
    stage = Stage(
        tmp_path,
        TALK,
        samples=[SocketSample(at(1), "server", (socket,))],
        processes=[ProcessSample(at(10), "server", tuple(rows))],
        events=(PROGRAM, step("1")),
        situation=[Killed(at(301), "server", 9, parent, parent, 0, "", SEGV, at(dying))],
    )
    result = stage.judge(orderly(fin=["client_a", "server"]))
    assert result.outcome is outcome
    assert outcome is PASS or "as a child of its program ended: killed by SIGSEGV" in result.observed


@pytest.mark.parametrize(
    ("situation", "outcome"),
    [
        ((OutOfMemory(at(295), "server"), Killed(at(301), "server", 9, 7, 7, 12, "srv", KILL)), INCONCLUSIVE),
        ((OutOfMemory(at(305), "server"), Killed(at(301), "server", 8, 7, 7, 0, "", KILL)), INCONCLUSIVE),
        ((OutOfMemory(at(295), "server"),), INCONCLUSIVE),
        ((OutOfMemory(at(295), "client_b"),), PASS),
        ((OutOfMemory(at(2500), "server"),), PASS),
        ((OutOfMemory(at(295), "server"), Killed(at(301), "server", 8, 1, 1, 0, "", KILL)), PASS),
        ((Killed(at(301), "server", 9, 7, 7, 12, "srv", KILL),), PASS),
    ],
    ids=[
        "the child", "a child that no look showed", "nobody heard who", "another host", "long after",
        "another program", "killed by its parent",
    ],
)  # fmt: skip
def test_a_child_that_is_killed_for_want_of_memory_has_not_closed(
    tmp_path: Path, situation: tuple[SituationEvent, ...], outcome: Outcome
) -> None:
    socket = row(TcpState.ESTABLISHED, "192.168.153.128:19999", "192.168.153.129:40000", inode=SOCKET)
    rows = [ProcessRow(number, 7, 7, number + 3, "srv", False, 4, (SOCKET,), ()) for number in (7, 9)]
    stage = Stage(
        tmp_path,
        TALK,
        samples=[SocketSample(at(1), "server", (socket,))],
        processes=[ProcessSample(at(10), "server", tuple(rows))],
        events=(PROGRAM, step("1")),
        situation=situation,
    )
    result = stage.judge(orderly(fin=["client_a", "server"]))
    assert result.outcome is outcome, result.observed
    assert outcome is PASS or "closed is not known: " in result.observed


def test_a_program_that_calls_again_had_not_ended(tmp_path: Path) -> None:
    program = Started(at(0), "client_a", "c", "1", "c", 7), Exited(at(130), "client_a", "c", 0)
    for talk, ended in ((TALK, True), (TALK + "110 client_a:40001 > server S", False)):
        result = Stage(tmp_path, talk, events=(*program, step("1"))).judge(
            orderly(fin=["client_a", "server"])
        )
        assert any("as c ended" in sentence for sentence in result.evidence) is ended


def test_who_closed_first_is_no_other_because_that_is_not_known(tmp_path: Path) -> None:
    socket = row(TcpState.ESTABLISHED, "192.168.153.129:40000", "192.168.153.128:19999", inode=SOCKET)
    result = Stage(
        tmp_path,
        TALK,
        samples=[SocketSample(at(1), "client_a", (socket,))],
        events=(PROGRAM, step("1")),
        situation=[Killed(at(101), "client_a", 9, 7, 7, 0, "", SEGV, at(99))],
    ).judge(orderly(close={"active": "client_a"}))
    assert result.outcome is INCONCLUSIVE
    assert "the FIN of client_a came first; but whether client_a closed is not known" in result.observed


def test_whose_close_it_was_is_not_known_where_ends_of_processes_were_missed(tmp_path: Path) -> None:
    def judged(spec: Mapping[str, Any], host: str, *events: TranscriptEvent) -> Outcome:
        lost = [Loss(Instrument.ENDS, host, 1, "no room")]
        stage = Stage(tmp_path, TALK, events=(PROGRAM, *events, step("1")), lost=lost)
        result = stage.judge(spec)
        told = result.observed.endswith(
            "closed is not known: ends of processes"
            + (f" of {host}" if host else "")
            + " were missed 1 time: no room"
        )
        assert told is (result.outcome is INCONCLUSIVE), result.observed
        return result.outcome

    for spec in (
        orderly(close={"kind": ["orderly"]}),
        orderly(close={"kind": ["still_open"]}),
        orderly(fin=["client_a", "server"]),
    ):
        assert {judged(spec, host) for host in ("", "server", "client_a")} == {INCONCLUSIVE}
    assert judged(orderly(handshake="complete"), "") is PASS
    for host, outcome in (("", INCONCLUSIVE), ("server", INCONCLUSIVE), ("client_a", PASS)):
        assert judged(waited(left=True), host) is outcome
        assert judged(waited(left=True), host, ended(0)) is PASS


def test_what_one_end_of_a_program_sent_is_told_in_one_sentence(tmp_path: Path) -> None:
    talk = OPEN + (
        "300 server > client_a F.\n 300.1 client_a > server .\n"
        "301 client_a > server P. 5\n 301.1 server > client_a R\n"
    )
    events = (PROGRAM, given("SIGKILL", 299, step="finally.1"), ended(137), step("1"))
    result = Stage(tmp_path, talk, events=events).judge(
        orderly(close={"kind": ["orderly"], "active": "client_a"})
    )
    assert result.observed == (
        "server never closed: FIN and RST came only as SIGKILL (step finally.1) ended server: "
        "killed by SIGKILL (status 137)"
    )


def test_what_is_missing_in_an_incomplete_capture_is_not_said_never_to_have_been(tmp_path: Path) -> None:
    half = OPEN + "100 client_a > server F.\n 140 server > client_a ."
    for talk, words, full, lacking in (
        (
            OPEN,
            {"active": "client_a", "kind": ["orderly"]},
            "nobody sent FIN",
            "no FIN from client_a and server was captured",
        ),
        (half, {"kind": ["orderly"]}, "server never sent FIN", "no FIN from server was captured"),
    ):
        assert Stage(tmp_path, talk).judge(orderly(close=words)).observed == full
        assert (
            Stage(tmp_path, talk, dropped=1)
            .judge(orderly(close=words))
            .observed.startswith(f"{lacking}; but")
        )
    for fin in (["server"], []):
        observed = Stage(tmp_path, OPEN, dropped=1).judge(orderly(fin=fin)).observed
        assert observed.startswith("no FIN from client_a and server was captured; but")
    assert "never left CLOSE_WAIT" in Stage(tmp_path, half).judge(waited(left=True)).observed
    observed = Stage(tmp_path, half, dropped=1).judge(waited(left=True)).observed
    assert "was not seen to leave CLOSE_WAIT" in observed
    assert "never" not in observed
    seen = Stage(tmp_path, half, dropped=1).judge(orderly(states={"server": ["CLOSE_WAIT", "LAST_ACK"]}))
    assert "never" not in seen.observed
    states = ["SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK"]
    seen = Stage(tmp_path, half, dropped=1).judge(orderly(states={"server": states}))
    assert "it was not seen to leave CLOSE_WAIT" in seen.observed


def test_no_program_is_told_to_have_sent_nothing_where_an_end_sent_it(tmp_path: Path) -> None:
    talk = OPEN + "300 server > client_a F.\n 300.1 client_a > server ."
    events = (PROGRAM, given("SIGKILL", 299, step="finally.1"), ended(137), step("1"))
    observed = Stage(tmp_path, talk, events=events).judge(orderly(fin=["server", "client_a"])).observed
    assert observed.startswith("client_a never sent FIN; server never closed: FIN came only as SIGKILL")
    assert "nobody" not in observed


def test_a_step_says_whether_it_closes() -> None:
    data = {
        "version": 1,
        "title": "Numbers",
        "networks": {"lan": {"subnet": "192.168.153.0/24"}},
        "hosts": {"a": {"address": "192.168.153.2"}},
        "steps": [
            {"actor": "a", "action": {"quiet": "1s"}},
            {"repeat": {"times": 2, "steps": [{"actor": "a", "action": {"key": "ctrl-c", "closes": False}}]}},
        ],
        "finally": [{"actor": "a", "action": {"signal": "SIGTERM", "closes": True}}],
        "checks": [{"exit": {"host": "a", "running": True}}],
    }
    scenario = Scenario.model_validate_json(json.dumps(data))
    lines = [line_of(scenario, number) for number in ("2.1@2", "finally.1")]
    assert [getattr(line and line.action, "closes", None) for line in lines] == [False, True]
    assert line_of(scenario, "2") is None
