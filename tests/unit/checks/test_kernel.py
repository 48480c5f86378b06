"""The checks that rest on the kernel's samples and on the transcript."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lab.checks import completeness
from lab.core.words import TcpState
from lab.evidence.facts import IsRunning
from lab.evidence.processes import HIDDEN, ProcessRow, ProcessSample, Sleep
from lab.evidence.sockets import Instrument, Loss, SocketSample
from lab.evidence.transcript import Dropped, TranscriptEvent
from tests.judged import script, text
from tests.unit.staged import (
    FAIL,
    INCONCLUSIVE,
    MS,
    PASS,
    Stage,
    at,
    exited,
    printed,
    row,
    started,
    step,
    typed,
)

ANY = row(TcpState.LISTEN, "0.0.0.0:19999")
LOCAL = row(TcpState.LISTEN, "127.0.0.1:19999")
OWN = row(TcpState.LISTEN, "192.168.153.128:19999")
SIX = row(TcpState.LISTEN, ":::19999")
OPENED = row(TcpState.ESTABLISHED, "192.168.153.128:19999", "192.168.153.129:40000")
TALK = "0 client_a > server S\n 0.1 server > client_a S.\n 0.2 client_a > server .\n 1 client_a > server F."


def sampled(*rows: Any) -> list[SocketSample]:
    return [SocketSample(at(-1), "server", rows)]


def listener(**words: Any) -> dict[str, Any]:
    return {"listener": {"host": "server", "port": 19999, **words}}


@pytest.mark.parametrize(
    ("socket", "address", "outcome"),
    [
        (ANY, None, PASS), (ANY, "any", PASS), (ANY, "loopback", FAIL), (ANY, "192.168.153.128", FAIL),
        (SIX, "any", PASS), (LOCAL, None, PASS), (LOCAL, "loopback", PASS), (LOCAL, "any", FAIL),
        (OWN, "${server.address}", PASS), (OWN, "any", FAIL),
    ],
)  # fmt: skip
def test_a_listener_and_its_address(tmp_path: Path, socket: Any, address: str | None, outcome: str) -> None:
    words = {"address": address} if address else {}
    stage = Stage(tmp_path, samples=sampled(socket), variables={"server.address": "192.168.153.128"})
    assert stage.judge(listener(**words)).outcome == outcome


def test_a_listener_elsewhere_is_told(tmp_path: Path) -> None:
    local = Stage(tmp_path, samples=sampled(LOCAL)).judge(listener(address="any"))
    assert local.observed == "server listens on 127.0.0.1:19999 only: other hosts cannot reach it"
    other = Stage(tmp_path, samples=sampled(row(TcpState.LISTEN, "0.0.0.0:3001"))).judge(listener())
    assert (other.outcome, other.absent) == (FAIL, False)
    assert other.observed == "server listens on 0.0.0.0:3001"
    nothing = Stage(tmp_path, samples=sampled()).judge(listener())
    assert (nothing.outcome, nothing.absent) == (FAIL, True)


def test_a_listener_that_was_not_sampled_is_not_judged(tmp_path: Path) -> None:
    assert Stage(tmp_path).judge(listener()).outcome is INCONCLUSIVE
    assert Stage(tmp_path, samples=sampled(), worst_gap=2000 * MS).judge(listener()).outcome is INCONCLUSIVE


@pytest.mark.parametrize(
    ("instrument", "host", "outcome"),
    [
        (Instrument.SOCKETS, "server", INCONCLUSIVE),
        (Instrument.SOCKETS, "", INCONCLUSIVE),
        (Instrument.SOCKETS, "a", FAIL),
        (Instrument.COUNTERS, "server", FAIL),
        (Instrument.PROCESSES, "server", FAIL),
        (Instrument.ENDS, "server", FAIL),
        (Instrument.EVENTS, "", FAIL),
    ],
)
def test_what_was_lost_is_missed_where_it_is_needed(
    tmp_path: Path, instrument: Instrument, host: str, outcome: str
) -> None:
    stage = Stage(tmp_path, samples=sampled(), lost=[Loss(instrument, host, 2, "OSError: no buffer")])
    assert stage.judge(listener()).outcome == outcome
    (told,) = map(text, completeness.losses(stage.evidence()))
    assert "2 times" in told
    assert told.endswith(": OSError: no buffer")


def test_counters_that_were_lost_are_not_judged(tmp_path: Path) -> None:
    lost = [Loss(Instrument.COUNTERS, "server", 1, "OSError: no buffer")]
    stage = Stage(tmp_path, samples=crowded(2, HALF_OPEN), lost=lost)
    assert stage.judge(listener(overflows=0)).outcome is INCONCLUSIVE
    assert stage.judge(listener(queue_max=">=2")).outcome is PASS


def crowded(waiting: int, *rows: Any, overflows: int = 0) -> list[SocketSample]:
    """A listener with a limit of 1 and so many connections waiting, then the same with nobody."""
    full = replace(ANY, recv_queue=waiting, send_queue=1)
    samples = [SocketSample(at(1), "server", (full, *rows)), SocketSample(at(2), "server", (ANY,))]
    return [samples[0], replace(samples[1], overflows=overflows)]


HALF_OPEN = row(TcpState.SYN_RECEIVED, "192.168.153.128:19999", "192.168.153.129:40001", inode=0)


@pytest.mark.parametrize(
    ("words", "outcome", "told"),
    [
        ({"queue_max": 2}, PASS, "at the fullest it was 2 finished connections waiting for accept"),
        ({"queue_max": "<=1"}, FAIL, "2 finished connections"),
        ({"queue_max": ">=3"}, FAIL, "2 finished connections"),
        ({"syn_queue_max": 1}, PASS, "1 handshake waiting"),
        ({"syn_queue_max": 0}, FAIL, "1 handshake waiting"),
        ({"backlog": "0..1"}, PASS, "its limit is 0 and 1"),
        ({"backlog": 1}, FAIL, "its limit is 0 and 1"),
        ({"overflows": ">=1"}, PASS, "3 connections found an accept queue of server full"),
        ({"overflows": 0}, FAIL, "3 connections found"),
    ],
)
def test_the_queues_of_a_listener(tmp_path: Path, words: dict[str, Any], outcome: str, told: str) -> None:
    result = Stage(tmp_path, samples=crowded(2, HALF_OPEN, overflows=3)).judge(listener(**words))
    assert result.outcome == outcome
    assert told in result.observed


def test_queues_that_were_not_watched_are_judged_by_what_was_seen(tmp_path: Path) -> None:
    stage = Stage(tmp_path, samples=crowded(2, overflows=1), worst_gap=2000 * MS)
    assert stage.judge(listener(queue_max="<=5")).outcome is INCONCLUSIVE
    assert stage.judge(listener(queue_max=">=2")).outcome is PASS
    assert stage.judge(listener(queue_max="<=1")).outcome is FAIL
    assert stage.judge(listener(overflows=0)).outcome is FAIL
    assert stage.judge(listener(overflows=1)).outcome is INCONCLUSIVE


def state(name: str, **words: Any) -> dict[str, Any]:
    return {"state": {"host": "server", "state": name, **words}}


def test_states_of_the_kernel_and_of_the_wire(tmp_path: Path) -> None:
    stage = Stage(tmp_path, TALK, samples=sampled(OPENED))
    assert stage.judge(state("ESTABLISHED", peer="client_a", port=19999)).outcome is PASS
    assert stage.judge(state("ESTABLISHED", peer="client_b")).outcome is FAIL
    assert stage.judge(state("SYN_RECEIVED")).evidence == ("frame 3, +0.100 ms: server goes to SYN_RECEIVED",)
    assert stage.judge(state("CLOSE_WAIT", observed=False)).outcome is FAIL
    assert stage.judge(state("LAST_ACK", observed=False)).outcome is PASS
    assert stage.judge(state("LAST_ACK")).outcome is FAIL


def test_a_state_is_not_judged_on_what_is_missing(tmp_path: Path) -> None:
    unsampled = Stage(tmp_path, TALK)
    assert unsampled.judge(state("LISTEN")).outcome is INCONCLUSIVE
    assert unsampled.judge(state("TIME_WAIT", observed=False)).outcome is INCONCLUSIVE
    assert unsampled.judge(state("CLOSE_WAIT")).outcome is PASS
    lossy = Stage(tmp_path, TALK, samples=sampled(OPENED), dropped=1)
    assert lossy.judge(state("LAST_ACK", observed=False)).outcome is INCONCLUSIVE
    assert lossy.judge(state("ESTABLISHED", observed=False)).outcome is FAIL


def test_who_holds_a_socket(tmp_path: Path) -> None:
    stage = Stage(tmp_path, TALK, samples=sampled(replace(OPENED, inode=0)))
    assert stage.judge(state("ESTABLISHED", owner="none")).outcome is PASS
    held = stage.judge(state("ESTABLISHED", owner="process"))
    assert held.outcome is FAIL
    assert "; a socket of server was seen in ESTABLISHED (held by no process); no program" in held.observed
    assert Stage(tmp_path, TALK).judge(state("ESTABLISHED", owner="none")).outcome is INCONCLUSIVE


def process(pid: int, *, parent: int = 1, session: int = 7, zombie: bool = False, **more: Any) -> ProcessRow:
    sleeps = tuple(Sleep(call, 0) for call in more.get("asleep", ()))
    sockets = more.get("sockets", ())
    return ProcessRow(
        pid, parent, session, pid + 4, "srv", zombie, 3 + len(sockets), sockets, sleeps, more.get("mark", 0)
    )


def looked(milliseconds: float, *rows: ProcessRow) -> ProcessSample:
    return ProcessSample(at(milliseconds), "server", rows)


FAMILY = (
    looked(1, process(7, asleep=["accept"])),
    looked(2, process(7, sockets=(5,)), process(8, parent=7, zombie=True), process(9, asleep=["recv"])),
    looked(3, process(70, parent=1, session=70, zombie=True)),
)


@pytest.mark.parametrize(
    ("words", "outcome", "told"),
    [
        ({"asleep_in": "accept"}, PASS, "it was asleep in accept"),
        ({"asleep_in": "recv"}, PASS, "it was asleep in recv"),
        ({"asleep_in": "poll"}, FAIL, "it was seen asleep in accept and recv"),
        ({"zombies": 1}, PASS, "server had 1 zombie when"),
        ({"zombies": 0}, FAIL, "server had 1 zombie when"),
        ({"children": 1}, PASS, "server had 1 running child when"),
        ({"children": 0}, FAIL, "server had 1 running child when"),
        ({"descriptors": 4}, PASS, "server had 4 open descriptors when"),
        ({"descriptors": "<=3"}, FAIL, "server had 4 open descriptors when"),
    ],
)
def test_processes(tmp_path: Path, words: dict[str, Any], outcome: str, told: str) -> None:
    stage = Stage(tmp_path, events=(started(),), processes=FAMILY)
    result = stage.judge({"process": {"host": "server", **words}})
    assert result.outcome == outcome
    assert told in result.observed


def test_what_a_program_left_to_init_counts_for_it(tmp_path: Path) -> None:
    rows = (
        process(7, mark=5),
        *(process(pid, session=70, mark=mark) for pid, mark in ((8, 5), (9, 6), (10, 0))),
    )
    stage = Stage(tmp_path, events=(started(),), processes=[looked(1, *rows)])
    assert stage.judge({"process": {"host": "server", "children": 1}}).outcome is PASS
    assert "process 12 (srv)" in "".join(stage.judge({"process": {"host": "server", "children": 0}}).evidence)


@pytest.mark.parametrize("who", [7, 8])
def test_a_process_that_hides_where_it_came_from_leaves_a_doubt(tmp_path: Path, who: int) -> None:
    rows = [process(pid, session=pid, mark=HIDDEN if pid == who else 5 + pid) for pid in (7, 8)]
    stage = Stage(tmp_path, events=(started(),), processes=[looked(1, *rows)])
    result = stage.judge({"process": {"host": "server", "zombies": 0}})
    assert result.outcome is INCONCLUSIVE
    assert f"process {who + 4} (srv) changed the limits by which it is known" in result.observed
    assert stage.judge({"process": {"host": "server", "descriptors": 3}}).outcome is PASS


def test_a_program_that_was_not_looked_at_is_not_judged(tmp_path: Path) -> None:
    spec = {"process": {"host": "server", "zombies": 0}}
    assert Stage(tmp_path, events=(started(),)).judge(spec).outcome is INCONCLUSIVE
    absent = Stage(tmp_path, processes=FAMILY).judge(spec)
    assert (absent.outcome, absent.absent) == (FAIL, True)


def test_a_call_that_nobody_knows_is_not_judged(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path, events=(started(),), processes=[looked(1, process(7, asleep=["unknown", "recv"]))]
    )
    assert stage.judge({"process": {"host": "server", "asleep_in": "recv"}}).outcome is PASS
    result = stage.judge({"process": {"host": "server", "asleep_in": "accept"}})
    assert result.outcome is INCONCLUSIVE
    assert "where it sleeps is not known on such a machine" in result.observed
    assert stage.judge({"process": {"host": "server", "zombies": 0}}).outcome is PASS


def output(**words: Any) -> dict[str, Any]:
    return {"output": {"host": "server", **words}}


CHAT = (
    started(), printed("client say:Bye\r\nyou want to say:"), typed("Bye\n"),
    printed(" client shutdown !\r\n"), printed("a client of "),
    printed("two words", program="other"), printed("two words"),
)  # fmt: skip

ON_A_TERMINAL: dict[str, Any] = {"server": {"source": "s.py"}}


@pytest.mark.parametrize(
    ("words", "outcome", "told"),
    [
        (
            {"lines": {" client shutdown !": 1, "client say:Bye": 1}},
            PASS,
            "1 line ' client shutdown !'; 1 line 'client say:Bye'",
        ),
        ({"lines": {" client shutdown !": 2}}, FAIL, "1 line"),
        ({"lines": {"shutdown": 1}}, FAIL, "the line ' client shutdown !' contains it"),
        ({"lines": {"you want to say:": ">=1"}}, PASS, ""),
        ({"lines": {"a client of two words": 1}}, PASS, ""),
        ({"contains": ["say:Bye", "shutdown", "of two"]}, PASS, "it contains them in this order"),
        ({"contains": ["shutdown", "say:Bye"]}, FAIL, "'say:Bye' is not there after 'shutdown'"),
        ({"contains": ["client", "client", "client", "client"]}, FAIL, "'client' is not there after"),
        ({"program": "other", "contains": ["client"]}, FAIL, "'client' is not there"),
        ({"lacks": ["error"]}, PASS, "'error' is not there"),
        ({"lacks": ["error", "shutdown"]}, FAIL, "in the line ' client shutdown !'"),
        ({"contains": ["${word}"]}, PASS, ""),
        ({"lines": {"exit ${word}": 1}}, FAIL, "0 lines 'exit shutdown'"),
    ],
)
def test_output(tmp_path: Path, words: dict[str, Any], outcome: str, told: str) -> None:
    stage = Stage(tmp_path, events=CHAT, variables={"word": "shutdown"}, programs=ON_A_TERMINAL)
    result = stage.judge(output(**words))
    assert result.outcome == outcome
    assert told in result.observed


def test_what_is_typed_on_a_pipe_is_in_no_line_of_the_output(tmp_path: Path) -> None:
    halves = (started(), printed("an ans"), typed("next\n"), printed("wer\n"))
    piped = {"server": {"source": "s.py", "tty": False}}
    whole = output(lines={"an answer": 1}, contains=["answer"])
    assert Stage(tmp_path, events=halves, programs=piped).judge(whole).outcome is PASS
    assert Stage(tmp_path, events=halves, programs=ON_A_TERMINAL).judge(whole).outcome is FAIL


def test_output_that_was_not_kept_is_not_judged(tmp_path: Path) -> None:
    dropped = Dropped(at(2), "server", "server", 1000)
    stage = Stage(tmp_path, events=(*CHAT, dropped), programs=ON_A_TERMINAL)
    assert stage.judge(output(lacks=["error"])).outcome is INCONCLUSIVE
    assert stage.judge(output(lacks=["shutdown"])).outcome is FAIL
    assert stage.judge(output(contains=["shutdown"])).outcome is PASS
    assert stage.judge(output(contains=["error"])).outcome is INCONCLUSIVE
    assert stage.judge(output(lines={" client shutdown !": 1})).outcome is INCONCLUSIVE
    assert stage.judge(output(lines={" client shutdown !": 0})).outcome is FAIL


def test_a_program_that_printed_nothing(tmp_path: Path) -> None:
    for words in ({"contains": ["x"]}, {"lines": {"x": 1}}):
        result = Stage(tmp_path, events=(started(),)).judge(output(**words))
        assert (result.outcome, result.observed, result.absent) == (FAIL, "nothing was printed", False)
        never = Stage(tmp_path, events=()).judge(output(**words))
        assert (never.outcome, never.absent) == (FAIL, True)


def test_a_text_whose_variable_was_never_captured_is_not_judged(tmp_path: Path) -> None:
    result = Stage(tmp_path, events=CHAT).judge(output(contains=["${answer}"]))
    assert (result.outcome, result.absent) == (INCONCLUSIVE, True)
    assert result.observed == '"${answer}" has no value'


def end(**words: Any) -> dict[str, Any]:
    return {"exit": {"host": "server", **words}}


@pytest.mark.parametrize(
    ("words", "events", "outcome", "told"),
    [
        ({"status": 0}, (started(), exited(0)), PASS, "server: exit status 0"),
        ({"status": 0}, (started(), exited(139)), FAIL, "server: killed by SIGSEGV (status 139)"),
        ({"status": 0}, (started(), exited(0), started(), exited(1)), FAIL, "exit status 1"),
        ({"status": 0}, (started(),), FAIL, "server was still running"),
        ({"status": 0}, (), FAIL, "no program of server was started"),
        ({"status": ">=1"}, (started(), exited(1)), PASS, ""),
        ({"signal": "SIGSEGV"}, (started(), exited(139)), PASS, ""),
        ({"signal": "SIGSEGV"}, (started(), exited(1)), FAIL, "exit status 1"),
        ({"running": True}, (started(),), PASS, ""),
        ({"running": True}, (started(), exited(0)), FAIL, "exit status 0"),
        ({"program": "other", "status": 0}, (started(), exited(0)), FAIL, "server.other was never started"),
        (
            {"program": "other", "status": 0},
            (started("other"), started(), exited(1), exited(0, "other")),
            PASS,
            "other: exit status 0",
        ),
    ],
)
def test_exit(
    tmp_path: Path, words: dict[str, Any], events: tuple[TranscriptEvent, ...], outcome: str, told: str
) -> None:
    result = Stage(tmp_path, events=events).judge(end(**words))
    assert result.outcome == outcome
    assert told in result.observed


def test_the_conversation(tmp_path: Path) -> None:
    good = script(Stage(tmp_path, events=(step("1"), step("2"))).evidence())
    assert (good.outcome, good.observed) == (PASS, "all 2 steps passed")
    wrong = step("2", FAIL, expected="the text 'Hi'", observed="nothing came within 5s")
    bad = script(Stage(tmp_path, events=(step("1"), wrong), unplayed="3").evidence())
    assert (bad.outcome, bad.observed) == (FAIL, "nothing came within 5s")
    assert bad.expected == "step 2, server: expect 'x': the text 'Hi'"
    assert bad.evidence[0].startswith("step 2 at chat.yaml:9:3")


def test_what_a_step_waited_for_is_told_once(tmp_path: Path) -> None:
    running = replace(step("1", FAIL), what="the program is running", expected=IsRunning())
    other = replace(step("1", FAIL), what="signal SIGTERM", expected=IsRunning())
    told = [script(Stage(tmp_path, events=(one,)).evidence()).expected for one in (running, other)]
    assert told == [
        "step 1, server: the program is running",
        "step 1, server: signal SIGTERM: the program is running",
    ]


def test_a_conversation_of_which_a_step_is_missing(tmp_path: Path) -> None:
    assert script(Stage(tmp_path, events=(step("1"),), unplayed="2").evidence()).outcome is FAIL
    assert script(Stage(tmp_path, events=()).evidence()).outcome is INCONCLUSIVE
