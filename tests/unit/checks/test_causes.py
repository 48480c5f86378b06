"""Why a step failed, from what programs were doing at that moment: the causes as data, and their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lab.checks.causes import causes_of
from lab.checks.causes.failure import Failure
from lab.checks.causes.kinds import (
    AddressInUse,
    Buffered,
    CarriageReturns,
    Cause,
    ChildCrashed,
    Deadlock,
    Died,
    HeldByAnother,
    InLoop,
    IsStopped,
    LastSent,
    LeftEarly,
    LoopbackOnly,
    MemoryUsedUp,
    NotAccepted,
    NoticedLate,
    NotListening,
    NotPassedOn,
    NotRaw,
    NotRead,
    OtherLineEnds,
    OtherPort,
    ReturnsTyped,
    RunsOn,
    ServesUdp,
    Starved,
    StillHeld,
    SwappedPort,
    WaitsForLock,
    WaitsForPeer,
    WithoutNewline,
    said,
)
from lab.checks.causes.ports import swapped
from lab.checks.programs import Asleep, Scene, Wait
from lab.core.archive import Tree
from lab.core.words import Outcome, TcpState
from lab.evidence.facts import Described
from lab.evidence.message import message
from lab.evidence.processes import ProcessRow, ProcessSample, Sleep
from lab.evidence.situation import Doing, Killed, OutOfMemory, Situation, SituationEvent, Unread
from lab.evidence.sockets import DatagramSocket, SocketRow, SocketSample
from lab.evidence.transcript import Exited, Input, Output, Started, StepEnded, TranscriptEvent
from lab.scenario.programs import Recipe
from tests.judged import judge, script, text
from tests.unit.staged import PASS, Stage, at, row, step

SERVER, CLIENT = "192.168.153.128", "192.168.153.129"
LISTEN, ESTABLISHED, CLOSE_WAIT = TcpState.LISTEN, TcpState.ESTABLISHED, TcpState.CLOSE_WAIT
WINDOW = 80_000_000
PIDS = {"server": 100, "client_a": 200, "client_b": 300}


def doing(
    host: str, *calls: tuple[str, int], sockets: tuple[int, ...] = (), child: int = 0, **more: Any
) -> Doing:
    """A process of a host's program, asleep in these calls on these sockets."""
    pid = PIDS[host]
    held = tuple({*sockets, *(inode for _, inode in calls if inode)})
    asleep = tuple(Sleep(*call) for call in calls)
    process = ProcessRow(pid + child, pid if child else 1, pid, 9 + child, "srv", False, 4, held, asleep)
    return Doing(process, **more)


def seen(
    host: str,
    *processes: Doing,
    tcp: Sequence[SocketRow] = (),
    bound: Sequence[SocketRow] = (),
    udp: Sequence[DatagramSocket] = (),
) -> Situation:
    return Situation(at(1000), host, WINDOW, processes, tuple(tcp), tuple(bound), tuple(udp))


LISTENER = row(LISTEN, "0.0.0.0:5000", inode=7)
FROM_A = row(ESTABLISHED, f"{SERVER}:5000", f"{CLIENT}:40000", inode=8)
AT_A = row(ESTABLISHED, f"{CLIENT}:40000", f"{SERVER}:5000", inode=21)
SERVES_A = seen("server", doing("server", ("recv", 8), sockets=(7, 8)), tcp=[LISTENER, FROM_A])
CLOSED_BY_A = replace(FROM_A, state=CLOSE_WAIT)
A_IN_RECV = seen("client_a", doing("client_a", ("recv", 21)), tcp=[AT_A])
A_IN_POLL = seen("client_a", doing("client_a", ("poll", 0), sockets=(21,)), tcp=[AT_A])


@dataclass
class Failed:
    """A step of ``client_a`` that failed a second after both programs were started."""

    folder: Path
    situation: Sequence[SituationEvent] = (SERVES_A, A_IN_POLL)
    events: Sequence[TranscriptEvent] = ()
    action: Mapping[str, Any] = field(default_factory=lambda: {"expect": {"text": "x"}})
    actor: str = "client_a"
    talk: str = ""
    carriage_returns: tuple[str, ...] = ()
    checks: Sequence[Mapping[str, Any]] = ()
    listens: Sequence[int] = (5000,)
    processes: Sequence[ProcessSample] = ()
    took: int = 500
    rest: str = ""

    def stage(self) -> Stage:
        starts = ({"actor": host, "action": {"start": name}} for host, name in
                  (("server", "server"), ("client_a", "client")))  # fmt: skip
        started = [
            Started(at(0), host, name, number, name, PIDS[host])
            for number, host, name in (("1", "server", "server"), ("2", "client_a", "client"))
        ]
        step = StepEnded(
            at(1000),
            at(1000 - self.took),
            "3",
            "f:1:1",
            self.actor,
            "expect 'x'",
            Outcome.FAIL,
            Described("the text 'x'"),
            Described("not"),
            self.rest,
        )
        return Stage(
            self.folder, self.talk, events=(*started, *self.events, step), situation=self.situation,
            processes=self.processes,
            carriage_returns=self.carriage_returns, programs={
                "server": {"command": "s", "listens": list(self.listens)},
                "client": {"command": "c", "tty": False},
            },
            steps=(*starts, {"actor": self.actor, "action": self.action}),
        )  # fmt: skip

    def causes(self) -> tuple[Cause, ...]:
        evidence = self.stage().evidence(*self.checks)
        step = next(event for event in evidence.transcript.events if isinstance(event, StepEnded))
        return causes_of(Failure(Scene(evidence, step.at), step))

    def why(self) -> str:
        return "\n".join(script(self.stage().evidence(*self.checks)).causes)

    def programs(self) -> tuple[str, ...]:
        return script(self.stage().evidence(*self.checks)).programs


@pytest.fixture
def failed(tmp_path: Path) -> Failed:
    return Failed(tmp_path)


def on_tcp(call: str, port: int, peer: str, peer_port: int, *, serves: bool = False) -> Wait:
    return Wait(call, "tcp", ESTABLISHED, port, peer, peer_port, serves)


def test_the_second_client_waits_for_what_the_server_does_with_the_first(failed: Failed) -> None:
    failed.actor = "server"
    second = row(ESTABLISHED, f"{SERVER}:5000", "192.168.153.130:40001", inode=0)
    server = doing("server", ("recv", 8), sockets=(7, 8))
    failed.situation = (seen("server", server, tcp=[LISTENER, FROM_A, second]), A_IN_POLL)
    assert failed.causes() == (
        NotAccepted("server", 5000, ("client_b",), (Asleep((on_tcp("recv", 5000, "client_a", 40000),)),)),
    )
    assert "client_b to port 5000 was never accepted" in failed.why()
    assert "server is asleep in recv on its connection with client_a" in failed.why()
    assert "1 connection (client_b) in the accept queue of port 5000" in failed.programs()[0]
    accepting = doing("server", ("accept", 7), sockets=(7, 8))
    failed.situation = (seen("server", accepting, tcp=[LISTENER, FROM_A, second]), A_IN_POLL)
    assert not [cause for cause in failed.causes() if isinstance(cause, NotAccepted)]


@pytest.mark.parametrize("call", ["recv", "send"])
def test_both_ends_asleep_in_one_call_wait_for_each_other(failed: Failed, call: str) -> None:
    server, client = doing("server", (call, 8), sockets=(7, 8)), doing("client_a", (call, 21))
    failed.situation = (
        seen("server", server, tcp=[LISTENER, FROM_A]), seen("client_a", client, tcp=[AT_A]),
    )  # fmt: skip
    assert failed.causes() == (Deadlock(("client_a", "server"), call),)
    assert failed.programs() == (
        f"server: asleep in {call} on its connection with client_a",
        f"client_a: asleep in {call} on its connection with server:5000",
    )


def test_who_sent_last_and_to_whom_instead(failed: Failed) -> None:
    """A reply without a newline, a request without one, and a reply to another client are no silence."""
    server = doing("server", ("recv", 8), sockets=(7, 8))
    failed.situation = (seen("server", server, tcp=[LISTENER, FROM_A]), A_IN_RECV)
    syn = "0 client_a:40000 > server:5000 S\n1 server:5000 > client_a:40000 S.\n"
    failed.talk = asked = syn + "2 client_a:40000 > server:5000 P. 4\n"
    assert failed.causes() == (
        Deadlock(("client_a", "server"), "recv", LastSent("client_a", 4, "server", ())),
    )
    failed.talk = asked + "3 server:5000 > client_a:40000 P. 8\n"
    assert failed.causes() == (
        Deadlock(("client_a", "server"), "recv", LastSent("server", 8, "client_a", ())),
    )
    assert "server was the last to send (8 bytes in all), client_a has read that" in failed.why()
    failed.talk = syn.replace("client_a", "client_b") + asked + "5 server:5000 > client_b:40000 P. 8\n"
    assert "since then server has sent to client_b instead" in failed.why()


def test_what_the_peer_does_that_a_program_waits_for(failed: Failed) -> None:
    server = doing("server", ("sleep", 0), sockets=(7, 8))
    failed.situation = (seen("server", server, tcp=[LISTENER, FROM_A]), A_IN_RECV)
    assert failed.causes() == (WaitsForPeer("client_a", "server", (Asleep((Wait("sleep"),)),)),)


def test_the_peer_that_the_script_has_not_spoken_with_last_is_no_cause(failed: Failed) -> None:
    failed.actor, failed.situation = "server", (SERVES_A, A_IN_POLL)
    assert isinstance(failed.causes()[0], WaitsForPeer)
    failed.events = (Input(at(400), "client_a", "client", "3", "text", "x"),)
    assert isinstance(failed.causes()[0], WaitsForPeer)
    failed.events = (Input(at(400), "client_b", "client", "3", "text", "x"),)
    assert not failed.causes()


def test_bytes_that_nobody_reads(failed: Failed) -> None:
    """The program is in another call: never a guess about its buffer."""
    unread = replace(FROM_A, recv_queue=4)
    failed.actor = "server"
    for call in ("accept", "poll", "sleep"):
        other = doing("server", (call, 7 if call == "accept" else 0), sockets=(7, 8))
        failed.situation = (seen("server", other, tcp=[LISTENER, unread]), A_IN_RECV)
        (cause,) = failed.causes()
        assert isinstance(cause, NotRead)
        assert (cause.program, cause.peer, cause.unread) == ("server", "client_a", 4)
        assert failed.why().startswith("4 bytes from client_a are unread: server is asleep in")
    server = doing("server", ("sleep", 0), sockets=(7, 8))
    at_end = replace(FROM_A, state=CLOSE_WAIT, recv_queue=1)
    failed.situation = (seen("server", server, tcp=[LISTENER, at_end]), A_IN_POLL)
    assert not failed.causes(), "that is a FIN"


def test_a_parent_that_keeps_the_copy_that_its_child_has_closed(failed: Failed) -> None:
    parent, child = doing("server", ("accept", 7), sockets=(7, 8)), doing("server", ("recv", 8), child=1)
    failed.processes = (ProcessSample(at(500), "server", (parent.row, child.row)),)
    failed.situation = seen("server", parent, tcp=[LISTENER, FROM_A]), A_IN_RECV
    held = message(
        "holds-copy",
        still=(message("process", name="server", number=9),),
        closed=(message("child-of", parent="server", number=10),),
    )
    told = (
        "the child of server (process 10) closed its copy, server (process 9) still holds one: FIN is sent"
        " when the last holder closes"
    )
    assert failed.causes() == (StillHeld("server", "client_a", held),)
    assert f"server has not closed its connection with client_a: {told}" in failed.why()
    failed.situation = seen("server", parent, tcp=[LISTENER, FROM_A]), A_IN_POLL
    assert not failed.causes(), "nobody waits for the end of that connection"
    failed.action = {"wait": {"state": "TIME_WAIT", "peer": "server"}}
    assert not failed.causes(), "its client has not closed it"
    failed.situation = seen("server", parent, tcp=[LISTENER, CLOSED_BY_A]), seen("client_a")
    assert failed.causes() == (StillHeld("server", "client_a", held),)
    failed.action = {"wait": {"state": "TIME_WAIT", "peer": "client_b"}}
    assert not failed.causes()


def test_a_child_that_keeps_its_connection_is_right(failed: Failed) -> None:
    parent, child = doing("server", ("accept", 7), sockets=(7, 8)), doing("server", ("sleep", 0), child=1)
    child = replace(child, row=replace(child.row, sockets=(8,)))
    failed.processes = (ProcessSample(at(500), "server", (parent.row, child.row)),)
    failed.situation = (
        seen("server", doing("server", ("accept", 7)), child, tcp=[LISTENER, FROM_A]),
        A_IN_RECV,
    )
    assert not [cause for cause in failed.causes() if isinstance(cause, StillHeld)]


def test_a_lock_that_is_never_released(failed: Failed) -> None:
    """Another thread reads from another client: what counts is the connection that nobody serves."""
    other = row(ESTABLISHED, f"{SERVER}:5000", "192.168.153.130:40001", inode=9)
    server = doing("server", ("accept", 7), ("recv", 9), ("futex", 0), sockets=(7, 8, 9))
    failed.situation = (seen("server", server, tcp=[LISTENER, FROM_A, other]), A_IN_RECV)
    lock, *more = failed.causes()
    assert isinstance(lock, WaitsForLock)
    assert (lock.program, lock.peer, more) == ("server", "client_a", [])
    assert "no thread of server reads from client_a, which waits" in failed.why()
    polls = doing("server", ("poll", 0), ("futex", 0), sockets=(7, 8, 9))
    failed.situation = (seen("server", polls, tcp=[LISTENER, FROM_A, other]), A_IN_RECV)
    assert not [cause for cause in failed.causes() if isinstance(cause, WaitsForLock)]


def test_an_exception_that_a_program_has_survived(failed: Failed) -> None:
    printed = "Traceback (most recent call last):\n  File x\n    do()\nKeyError: 'ann'\nready\n"
    server = doing("server", ("accept", 7), sockets=(7, 8))
    failed.situation = (
        seen("server", server, tcp=[LISTENER, FROM_A]), A_IN_RECV,
        Unread(at(1000), "server", "server", printed),
    )  # fmt: skip
    assert failed.causes() == (RunsOn("server", "KeyError: 'ann'"),)


def test_an_exception_of_a_server_whose_client_is_gone(failed: Failed) -> None:
    """Nothing connects them any more, but the frames tell that they have met."""
    printed = "Traceback (most recent call last):\n  File x\nKeyError: 'ann'\n-----\n"
    failed.events = (Exited(at(900), "client_a", "client", 0),)
    failed.situation = (
        seen("server", doing("server", ("accept", 7), sockets=(7,)), tcp=[LISTENER]), seen("client_a"),
        Unread(at(1000), "server", "server", printed),
    )  # fmt: skip
    assert failed.causes() == ()
    failed.talk = "0 client_a:40000 > server:5000 S"
    assert failed.causes() == (RunsOn("server", "KeyError: 'ann'"),)


def test_an_address_that_no_host_has(failed: Failed) -> None:
    """The kernel alone has seen the attempt: no frame left the host, and the program is gone long since."""
    failed.actor, failed.events = "server", (Input(at(400), "client_a", "client", "3", "text", "x"),)
    waits = doing("server", ("accept", 7))
    failed.situation = (seen("server", waits, tcp=[LISTENER]),)
    stage = failed.stage()
    stage.samples = [staged_sample(row(TcpState.SYN_SENT, f"{CLIENT}:40000", "192.168.153.77:5000"))]
    told = script(stage.evidence()).causes
    assert told == ("client_a tried to connect to 192.168.153.77:5000: no host has that address",)
    stage.samples = [staged_sample(row(TcpState.SYN_SENT, f"{CLIENT}:40000", f"{SERVER}:5000"))]
    assert not script(stage.evidence()).causes
    stage.samples = [staged_sample(row(TcpState.SYN_SENT, "127.0.0.1:40000", "127.0.0.2:5000"))]
    assert not script(stage.evidence()).causes, "that is the host itself"


def test_a_program_that_died_before_with_its_last_words(failed: Failed) -> None:
    printed = "Traceback (most recent call last):\n  File x\nConnectionResetError: [Errno 104]\n"
    failed.events = Output(at(700), "server", "server", printed), Exited(at(760), "server", "server", 1)
    failed.situation = (Unread(at(1000), "server", "server", printed), A_IN_POLL)
    assert failed.causes() == (
        Died("server", 1, at(760), "ConnectionResetError: [Errno 104]", exception=True),
    )
    assert "240.000 ms before" in failed.why()
    assert failed.programs()[0].splitlines()[-1] == "  |   File x", "the last line is told as the reason"


def test_a_program_that_was_dying_when_the_step_failed(failed: Failed) -> None:
    """What it held was closed, and broke the step, before it had ended."""
    printed = "Traceback (most recent call last):\n  File x\nValueError: two\n"
    failed.events = Output(at(990), "server", "server", printed), Exited(at(1015), "server", "server", 1)
    failed.situation = (
        replace(seen("server"), at=at(1030)), Unread(at(1020), "server", "server", printed), A_IN_POLL,
    )  # fmt: skip
    assert failed.causes() == (Died("server", 1, at(1015), "ValueError: two", exception=True),)
    assert "with an unhandled exception as the step failed, exit status 1" in failed.why()
    failed.events = Output(at(1005), "server", "server", printed), Exited(at(1015), "server", "server", 1)
    assert not failed.causes(), "that may follow from the failure"


def test_an_end_that_was_asked_for_is_no_cause(failed: Failed) -> None:
    failed.events = (Exited(at(760), "server", "server", 1),)
    failed.situation = (A_IN_POLL,)
    failed.checks = [{"exit": {"host": "server", "status": 1}}]
    assert not [cause for cause in failed.causes() if isinstance(cause, Died)]
    failed.checks = []
    assert [cause for cause in failed.causes() if isinstance(cause, Died)]
    told = Input(at(700), "server", "server", "2", "key", "ctrl-c")
    failed.events = told, Exited(at(760), "server", "server", 130)
    assert not [cause for cause in failed.causes() if isinstance(cause, Died)]


def test_memory(failed: Failed) -> None:
    failed.events = (Exited(at(760), "server", "server", 137),)
    failed.situation = (OutOfMemory(at(759), "server"), A_IN_POLL)
    assert failed.causes() == (MemoryUsedUp("server", 256 << 20, ("server",)),)
    assert "256 MiB, was used up (limits.memory)" in failed.why()


def test_an_exit_check_names_the_memory_too(tmp_path: Path) -> None:
    killed = Started(at(0), "server", "server", "1", "s", 100), Exited(at(5), "server", "server", 137)
    stage = Stage(tmp_path, events=killed, situation=[OutOfMemory(at(4), "server")])
    spec = {"exit": {"host": "server", "status": 0}}
    assert "limits.memory" in stage.judge(spec).causes[0]
    assert not replace(stage, situation=[OutOfMemory(at(4), "client_a")]).judge(spec).causes
    assert not replace(stage, situation=()).judge(spec).causes


def test_an_exit_check_shows_the_last_lines(tmp_path: Path) -> None:
    printed = "".join(f"line {number}\n" for number in range(20))
    events = (
        Started(at(0), "server", "server", "1", "s", 100), Output(at(1), "server", "server", printed),
        Exited(at(5), "server", "server", 3),
    )  # fmt: skip
    result = Stage(tmp_path, events=events).judge({"exit": {"host": "server", "status": 0}})
    assert result.evidence[-1].splitlines()[1:] == [f"  | line {number}" for number in range(14, 20)]
    passed = Stage(tmp_path, events=events).judge({"exit": {"host": "server", "status": 3}})
    assert not any("line" in sentence for sentence in passed.evidence)


def test_a_child_that_crashed_is_told_though_every_step_passed(failed: Failed) -> None:
    killed = Killed(at(900), "server", 103, 100, 100, 12, "srv", 139)
    failed.situation = (killed, SERVES_A, A_IN_POLL)
    assert failed.causes() == (ChildCrashed("server", 12, "srv", "SIGSEGV", at(900)),)
    failed.situation = (replace(killed, status=143), SERVES_A, A_IN_POLL)
    assert not [cause for cause in failed.causes() if isinstance(cause, ChildCrashed)]
    stage = replace(failed.stage(), situation=(killed,))
    stage.events = (*stage.events[:2], step("3"))
    result = judge(stage.evidence()).results[0]
    assert result.outcome is PASS
    assert "killed by SIGSEGV" in result.evidence[1]


def test_swapped_bytes() -> None:
    assert swapped(5000) == 34835
    assert swapped(swapped(5000)) == 5000


START = {"start": "server"}


@pytest.mark.parametrize(
    ("sockets", "unlisted", "expected"),
    [
        ({"tcp": [row(LISTEN, "0.0.0.0:34835", inode=7)]}, 0, SwappedPort("server", 5000, 34835)),
        ({"tcp": [row(LISTEN, "0.0.0.0:5001", inode=7)]}, 0, OtherPort("server", 5000, (5001,))),
        ({"bound": [row(TcpState.CLOSED, "0.0.0.0:5000", inode=7)]}, 0, NotListening("server", 5000)),
        ({}, 1, NotListening("server", 0)),
        ({"udp": [DatagramSocket("::", 5000, "::", 0, 0, 7)]}, 0, ServesUdp("server", 5000)),
    ],
)
def test_where_a_program_listens_instead(
    failed: Failed, sockets: Mapping[str, Any], unlisted: int, expected: Cause
) -> None:
    server = doing("server", ("sleep", 0), sockets=(7,), unlisted=unlisted)
    failed.actor, failed.action = "server", START
    failed.situation = (seen("server", server, **sockets),)
    assert failed.causes() == (expected,)
    assert str(5000) in failed.why() or unlisted


def test_datagrams_that_found_no_room_or_no_reader(failed: Failed) -> None:
    """A buffer that was full, and one that nobody reads; a reader that waits there reads it."""
    flooded = DatagramSocket("::", 5000, "::", 0, 768, 7, drops=28)
    counted = SocketSample(at(2000), "server", (), buffer_losses=28)
    failed.actor = "server"
    failed.situation = (seen("server", doing("server", ("read", 0), sockets=(7,)), udp=[flooded]),)
    stage = replace(failed.stage(), samples=[counted])
    told = " ".join(script(stage.evidence()).causes)
    assert "the receive buffer of server at UDP port 5000 was full: 28 datagrams were dropped" in told
    assert "datagrams at UDP port 5000 are unread: server is asleep in read" in told
    assert "28" not in failed.why(), "28 with a wrong checksum"
    failed.situation = (seen("server", doing("server", ("recv", 7), sockets=(7,)), udp=[flooded]),)
    assert "unread" not in failed.why()


def test_a_port_that_another_program_holds(failed: Failed) -> None:
    other = Started(at(0), "server", "other", "1", "o", 150)
    process = replace(doing("server").row, pid=150, session=150, sockets=(9,))
    failed.events, failed.actor, failed.action = (other,), "server", START
    listens = row(LISTEN, "0.0.0.0:5000", inode=9)
    failed.situation = (seen("server", doing("server"), Doing(process), tcp=[listens]),)
    assert failed.causes() == (HeldByAnother("server.server", 5000, "server.other"),)


def staged_sample(*rows: SocketRow) -> SocketSample:
    return SocketSample(at(300), "client_a", rows)


REFUSED = "0 client_a:40000 > server:{0} S\n0.1 server:{0} > client_a:40000 R."


def test_a_client_that_swaps_the_bytes(failed: Failed) -> None:
    failed.talk = REFUSED.format(34835)
    failed.situation = (seen("server", doing("server", ("accept", 7)), tcp=[LISTENER]), A_IN_POLL)
    assert failed.causes() == (SwappedPort("client_a", 5000, 34835, connects=True),)


def test_a_client_that_swaps_the_bytes_of_a_port_of_the_script(failed: Failed) -> None:
    failed.talk = REFUSED.format(34835)
    failed.situation = (seen("server", tcp=[LISTENER]), A_IN_POLL)  # no program holds it
    assert failed.causes() == (SwappedPort("client_a", 5000, 34835, connects=True),)


def test_a_server_on_loopback_alone(failed: Failed) -> None:
    failed.talk = REFUSED.format(5000)
    local = row(LISTEN, "127.0.0.1:5000", inode=7)
    failed.situation = (seen("server", doing("server", ("accept", 7)), tcp=[local]), A_IN_POLL)
    assert failed.causes() == (LoopbackOnly("server", "127.0.0.1", 5000),)


@pytest.mark.parametrize(
    ("pattern", "rest", "told"),
    [
        ({"line": "Hello"}, "one\r\nHello", "Hello"),
        ({"glob": "Hel*"}, "Hello", "Hello"),
        ({"line": "Hello"}, "Hello ", ""),
        ({"line": "Hello"}, "Hello\n", ""),
        ({"line": "Hello"}, "", ""),
        ({"line": "Hel*"}, "Hello", ""),
        ({"text": "Hello?"}, "Hello", ""),
        ({"line": "${nobody}"}, "Hello", ""),
    ],
)
def test_a_line_that_lacks_nothing_but_its_end(
    failed: Failed, pattern: Mapping[str, str], rest: str, told: str
) -> None:
    failed.action, failed.rest = {"expect": pattern}, rest
    failed.situation = (SERVES_A, A_IN_POLL)
    wanted = WithoutNewline("client_a", told)
    assert (failed.causes() == (wanted,)) is bool(told)
    assert not told or "client_a printed 'Hello' without the newline (\\n) that ends a line" in failed.why()
    failed.events = (Exited(at(999), "client_a", "client", 0),)
    assert wanted not in failed.causes(), "the end of the output ends a line, too"


@pytest.mark.parametrize(
    ("text", "rest", "told"),
    [
        ("Hello\r\n", "one\nHello\n", ("LF", "CRLF")),
        ("Hello\nyou", "Hello\r\nyou", ("CRLF", "LF")),
        ("Hello", "Hallo\n", None),
        ("Hello\n", "Hello", None),
        ("${nobody}\r\n", "Hello\n", None),
    ],
)
def test_a_text_that_is_there_with_other_line_ends(
    failed: Failed, text: str, rest: str, told: tuple[str, str] | None
) -> None:
    failed.action, failed.rest = {"expect": {"text": text}}, rest
    failed.situation = (SERVES_A, A_IN_POLL)
    wanted = OtherLineEnds(*told) if told else None
    assert [one for one in failed.causes() if isinstance(one, OtherLineEnds)] == ([wanted] if wanted else [])
    ends = [end.replace("CRLF", "CR LF") for end in told or ()]
    assert not told or f"its lines end with {ends[0]}, not with {ends[1]}" in failed.why()


@pytest.mark.parametrize("regex", [r"^220 .*\r\n", "^220 .*\r\n"])
def test_a_regular_expression_with_other_line_ends_than_what_came(failed: Failed, regex: str) -> None:
    failed.action, failed.rest = {"expect": {"regex": regex}}, "220 ready\n"
    failed.situation = (SERVES_A, A_IN_POLL)
    assert OtherLineEnds("LF", "CRLF", maybe=True) in failed.causes()
    assert "what came has lines that end with LF, not with CR LF" in failed.why()
    failed.rest = "220 ready\r\n"
    assert not [one for one in failed.causes() if isinstance(one, OtherLineEnds)]


def test_a_terminal_turns_what_is_typed(failed: Failed) -> None:
    failed.action, failed.rest = {"expect": {"text": "Hello\r\n"}}, "Hello\n\n"
    failed.actor = "server"
    failed.situation = (SERVES_A, A_IN_POLL)
    failed.events = (Input(at(3), "server", "server", "1", "text", "Hello\r\n"),)
    assert failed.causes() == (OtherLineEnds("LF", "CRLF"), ReturnsTyped("server"))
    assert "`tty: false`" in failed.why()


def test_a_loop_that_does_not_end_on_0(failed: Failed) -> None:
    left = row(CLOSE_WAIT, f"{SERVER}:5000", f"{CLIENT}:40000", inode=8)
    server = doing("server", sockets=(7, 8), used=60_000_000, waited=15_000_000, running=True)
    failed.situation = (seen("server", server, tcp=[LISTENER, left]),)
    failed.actor = "server"
    assert failed.causes() == (InLoop("server", 75, 18, ("client_a",)),)
    assert "recv returns 0" in failed.why()
    assert "busy: it used 75 % of a processor" in failed.programs()[0]


def test_where_processors_are_short_nobody_knows_whether_it_is_a_loop(failed: Failed) -> None:
    server = doing("server", sockets=(7, 8), used=1_000_000, waited=79_000_000, running=True)
    failed.situation, failed.actor = (seen("server", server, tcp=[LISTENER, FROM_A]),), "server"
    assert not failed.causes()
    assert failed.programs()[0] == "server: ready to run: it waited 98 % of the time for a processor"


def test_a_loop_on_a_busy_machine_is_one_that_never_sleeps(failed: Failed) -> None:
    for waited in (790_000_000, 0):  # a kernel without statistics does not say how long a thread has waited
        server = doing(
            "server", sockets=(7, 8), used=50_000_000, waited=waited, running=True, awake=50_000_000
        )
        looked = replace(seen("server", server, tcp=[LISTENER, FROM_A]), window=1_000_000_000)
        failed.situation, failed.actor = (looked,), "server"
        assert failed.causes()[0] == InLoop("server", 5, waited // 10_000_000, ())
        assert "busy: it used 5 % of a processor" in failed.programs()[0]
    assert "maybe in a loop: it used 5 % of a processor and slept in no call" in failed.why()


def test_work_that_takes_half_the_time_is_no_loop(failed: Failed) -> None:
    server = doing("server", sockets=(7, 8), used=40_000_000, running=True)
    failed.situation, failed.actor = (seen("server", server, tcp=[LISTENER, FROM_A]),), "server"
    assert not failed.causes()


def test_a_busy_program_that_has_nothing_to_do_with_it_is_no_cause(failed: Failed) -> None:
    other = Started(at(0), "client_b", "other", "1", "o", 300)
    failed.events = (other,)
    busy = doing("client_b", used=WINDOW, running=True)
    failed.situation = (SERVES_A, A_IN_POLL, seen("client_b", busy))
    assert not [cause for cause in failed.causes() if isinstance(cause, InLoop)]
    assert failed.programs()[-1].startswith("client_b: busy")


def test_a_program_that_is_stopped(failed: Failed) -> None:
    failed.situation = (seen("server", doing("server", sockets=(8,), stopped=True), tcp=[FROM_A]), A_IN_POLL)
    assert failed.causes() == (IsStopped("server"),)


def test_output_that_may_be_in_a_buffer(failed: Failed) -> None:
    failed.situation = (seen("client_a", doing("client_a", ("sleep", 0))),)
    assert failed.causes() == (Buffered("client_a", tty=False),)
    failed.events = (Output(at(10), "client_a", "client", "something"),)
    assert not failed.causes()


def test_a_buffer_is_named_only_where_the_program_had_something_to_print(failed: Failed) -> None:
    """It has got what was sent, and has read it: then its buffer comes first, not the client that idles."""
    failed.actor, failed.situation = "server", (SERVES_A, A_IN_POLL)
    failed.events = (Input(at(400), "client_a", "client", "3", "text", "x"),)
    assert not [cause for cause in failed.causes() if isinstance(cause, Buffered)]
    failed.talk = "0 client_a:40000 > server:5000 S\n1 server:5000 > client_a:40000 S.\n"
    failed.talk += "2 client_a:40000 > server:5000 P. 4\n"
    assert failed.causes() == (Buffered("server", tty=True),)


def test_line_ends(failed: Failed) -> None:
    failed.events, failed.carriage_returns = (Exited(at(10), "client_a", "client", 127),), ("client",)
    assert failed.causes() == (CarriageReturns("client_a"),)
    failed.events = (Exited(at(10), "client_a", "client", 0),)
    assert not failed.causes(), "it did what it was to do"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.sh", b"echo a\r\necho b\r\n", True),
        ("a.sh", b"echo a\n", False),
        ("a", b"#!/bin/bash\r\necho a\r\n", True),
        ("a.py", b"#!/usr/bin/python3\r\nprint()\r\n", True),
        ("a.py", b"print()\r\n", False),
        ("a.c", b"int main(void) {\r\n}\r\n", False),
    ],
)
def test_which_scripts_line_ends_matter(name: str, content: bytes, expected: bool) -> None:
    assert Recipe("p", Tree(((name, content),), main=name), None, ("x",)).has_carriage_returns is expected


def test_what_children_do_is_told_with_their_program(failed: Failed) -> None:
    own, child = doing("server", ("wait", 0), sockets=(7,)), doing("server", ("recv", 8), child=3)
    failed.situation = (seen("server", own, child, tcp=[LISTENER, FROM_A]), A_IN_POLL)
    assert failed.programs()[0] == (
        "server: asleep in wait; its child srv (process 12) asleep in recv on its connection with client_a"
    )


def test_unread_output_of_a_program_beside_that_has_nothing_to_do_with_it_is_not_shown(
    failed: Failed,
) -> None:
    failed.events = (Started(at(0), "client_a", "other", "1", "o", 250),)
    said = (
        Unread(at(1000), "client_a", "other", "a banner\n"),
        Unread(at(1000), "server", "server", "why\n"),
    )
    failed.situation = (*said, SERVES_A, A_IN_POLL)
    failed.actor = "client_a.client"
    told = "\n".join(failed.programs())
    assert "a banner" not in told
    assert "  | why" in told


def test_a_record_from_before_is_judged_without_causes(failed: Failed) -> None:
    failed.situation = ()
    assert failed.causes() == ()
    assert failed.programs() == ("server: running", "client_a: running")


def test_what_finally_did_is_no_part_of_the_failure(failed: Failed) -> None:
    """The look at the failure counts: programs were alive, whatever ended them, or was started, later."""
    key = Input(at(1200), "server", "server", "finally.1", "key", "ctrl-c")
    ended = Exited(at(1300), "server", "server", 130), Exited(at(1400), "client_a", "client", 1)
    more = Started(at(1500), "server", "server", "finally.2", "s", 160)
    server = doing("server", ("recv", 8), sockets=(7, 8))
    situation = (seen("server", server, tcp=[LISTENER, FROM_A]), A_IN_RECV)
    failed.situation = situation
    stage = failed.stage()
    words = Output(at(1250), "server", "server", "Traceback (most recent call last):\nKeyboardInterrupt\n")
    stage.events = (*stage.events, key, words, *ended, more)
    killed = Killed(at(1350), "server", 103, 100, 100, 12, "srv", 139)
    stage.situation = (*situation, killed, OutOfMemory(at(3000), "server"))
    result = script(stage.evidence())
    assert "each waits for the other to send" in result.causes[0]
    assert result.programs[0] == ("server: asleep in recv on its connection with client_a")
    assert result.programs[1] == "client_a: asleep in recv on its connection with server:5000"
    assert len(result.causes) == 1


def test_a_program_that_ended_before_the_failure_has_ended_for_it(failed: Failed) -> None:
    failed.events, failed.situation = (Exited(at(940), "server", "server", 0),), (A_IN_POLL,)
    assert failed.programs()[0] == "server: ended 60.000 ms before: exit status 0"


def test_a_server_that_left_before_it_was_needed(failed: Failed) -> None:
    failed.events, failed.situation = (Exited(at(940), "server", "server", 0),), (A_IN_POLL,)
    assert not failed.causes(), "nobody needed it"
    failed.actor = "server"
    assert failed.causes() == (LeftEarly("server", at(940)),)
    assert failed.why() == (
        "server ended with exit status 0 60.000 ms before the step failed: the script had not told it to"
    )
    failed.events = (Input(at(900), "server", "server", "2", "end", ""), *failed.events)
    assert not failed.causes()


def test_a_program_that_goes_on_in_the_background(failed: Failed) -> None:
    """Its child has a session of its own; the mark of its start tells whose it is."""
    own = doing("server").row
    left = replace(own, pid=150, parent=1, session=150, number=22, mark=5)
    failed.events, failed.actor = (Exited(at(600), "server", "server", 0),), "server"
    failed.situation = (seen("server", Doing(left)),)
    stage = failed.stage()
    stage.processes = (ProcessSample(at(100), "server", (replace(own, mark=5),)),)
    result = script(stage.evidence())
    assert "left its child srv (process 22) running in the background" in result.causes[0]
    assert "its child srv (process 22)" in result.programs[0]


def test_a_raw_socket_that_the_host_has_not(failed: Failed) -> None:
    failed.actor, failed.action = "server", START
    said = (
        "  own = socket.socket(2, socket.SOCK_RAW, 1)\nPermissionError: [Errno 1] Operation not permitted\n"
    )
    failed.events = (Output(at(10), "server", "server", said), Exited(at(20), "server", "server", 1))
    assert failed.causes()[0] == NotRaw("server", "server")
    assert "`raw: true` at the host allows them" in failed.why()
    failed.events = (
        Output(at(10), "server", "server", "kill: Operation not permitted\n"),
        Exited(at(20), "server", "server", 1),
    )
    assert isinstance(failed.causes()[0], Died)


def test_an_address_in_use(failed: Failed) -> None:
    failed.actor, failed.action = "server", START
    failed.events = (
        Output(at(10), "server", "server", "OSError: [Errno 98] Address already in use\n"),
        Exited(at(20), "server", "server", 1),
    )
    before = row(TcpState.TIME_WAIT, f"{SERVER}:5000", f"{CLIENT}:40000", inode=0)
    failed.situation = (seen("server", tcp=[before]),)
    assert failed.causes()[0] == AddressInUse("server", 5000)
    assert "SO_REUSEADDR" in failed.why()
    other = Started(at(0), "server", "other", "1", "o", 150)
    process = replace(doing("server").row, pid=150, session=150, sockets=(9,))
    failed.events = (other, *failed.events)
    listens = row(LISTEN, "0.0.0.0:5000", inode=9)
    failed.situation = (seen("server", Doing(process), tcp=[listens, before]),)
    assert failed.causes()[0] == HeldByAnother("server.server", 5000, "server.other")
    failed.situation = (seen("server"),)
    assert isinstance(failed.causes()[0], Died), "who was in the way is not known"


def test_a_port_that_only_a_check_names(failed: Failed) -> None:
    """Without ``listens`` the port that was refused is compared with those that checks speak of."""
    failed.talk = REFUSED.format(5000)
    failed.listens = ()
    listens = row(LISTEN, "0.0.0.0:34835", inode=7)
    failed.situation = (seen("server", doing("server", ("accept", 7)), tcp=[listens]), A_IN_POLL)
    assert not failed.causes(), "nobody says which port is meant"
    for check in (
        {"listener": {"host": "server", "port": 5000}},
        {"connection": {"from": "client_a", "to": "server:5000"}, "handshake": "complete"},
    ):
        failed.checks = [check]
        assert failed.causes() == (SwappedPort("server", 5000, 34835),)


def test_a_port_that_the_kernel_chose(failed: Failed) -> None:
    failed.actor, failed.action = "server", START
    listens = row(LISTEN, "0.0.0.0:46399", inode=7)
    failed.situation = (seen("server", doing("server", ("accept", 7)), tcp=[listens]),)
    assert "without bind, or with port 0, the kernel chooses such a port" in failed.why()


@pytest.mark.parametrize(("took", "late"), [(100, False), (500, False), (1400, True)])
def test_a_machine_that_is_short_of_processors(failed: Failed, took: int, late: bool) -> None:
    """Told where a step ran out of time, beside other causes; not where it failed for something else."""
    failed.action = {"expect": {"text": "x"}, "within": "300ms"}
    failed.took = took
    waits = doing("client_a", ("sleep", 0), waited=48_000_000)
    failed.events = (Output(at(10), "client_a", "client", "something"),)
    failed.situation = (seen("client_a", waits),)
    expected: tuple[Cause, ...] = (Starved((("client_a", 60),)),) if took > 300 else ()
    if late:
        expected = (*expected, NoticedLate(0.3, 1_400_000_000))
    assert failed.causes() == expected


@pytest.mark.parametrize(
    ("waited", "since", "took", "outcome"),
    [
        ((91, 5), 500, 1000, Outcome.INCONCLUSIVE),
        ((50, 0), 500, 1000, Outcome.INCONCLUSIVE),
        ((49, 5), 500, 1000, Outcome.FAIL),
        ((91, 51), 500, 1000, Outcome.FAIL),
        ((91, 5), 100, 1000, Outcome.FAIL),
        ((91, 5), 0, 1000, Outcome.FAIL),
        ((91, 5), 500, 900, Outcome.FAIL),
    ],
    ids=["starved", "just so", "not much", "by itself", "not long", "never measured", "no time-out"],
)
def test_a_step_whose_program_had_no_processor_is_undecided(
    failed: Failed, waited: tuple[int, int], since: int, took: int, outcome: Outcome
) -> None:
    percent, used = waited
    failed.action, failed.took = {"expect": {"text": "x"}, "within": "1s"}, took
    time = since * 1_000_000
    waits = doing("client_a", ("sleep", 0), waited_since=time * percent // 100, used_since=time * used // 100)
    failed.situation = (replace(seen("client_a", waits), since=time),)
    failed.checks = [{"output": {"host": "client_a", "lines": {"x": 1}}}]
    verdict = judge(failed.stage().evidence(*failed.checks))
    assert [result.outcome for result in verdict.results] == [outcome, outcome]
    told = f"but the machine is short of processors: client_a waited {percent} % of the time for one"
    assert (told in verdict.results[0].observed) is (outcome is Outcome.INCONCLUSIVE)


def test_a_program_that_keeps_the_lab_busy_makes_nothing_undecided(failed: Failed) -> None:
    failed.action, failed.took = {"expect": {"text": "x"}, "within": "400ms"}, 950
    failed.situation = (seen("client_a", doing("client_a", used=WINDOW * 6 // 10)),)
    assert judge(failed.stage().evidence()).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("within", "took", "outcome"),
    [("400ms", 950, Outcome.INCONCLUSIVE), ("400ms", 850, Outcome.FAIL), ("4s", 5100, Outcome.INCONCLUSIVE),
     ("4s", 4900, Outcome.FAIL)],
)  # fmt: skip
def test_a_step_whose_end_the_lab_noticed_much_too_late_is_undecided(
    failed: Failed, within: str, took: int, outcome: Outcome
) -> None:
    failed.action, failed.took = {"expect": {"text": "x"}, "within": within}, took
    verdict = judge(failed.stage().evidence())
    assert verdict.results[0].outcome is outcome
    told = "the lab noticed after " in str(verdict.results[0].observed)
    assert told is (outcome is Outcome.INCONCLUSIVE)


@pytest.mark.parametrize(("ended", "outcome"), [(799, Outcome.INCONCLUSIVE), (801, Outcome.FAIL)])
def test_an_end_in_time_that_was_heard_of_too_late_is_undecided(
    failed: Failed, ended: int, outcome: Outcome
) -> None:
    failed.action = {"wait": {"exited": True}, "within": "300ms"}
    failed.events = (Exited(at(ended), "client_a", "client", 1),)
    verdict = judge(failed.stage().evidence())
    assert verdict.results[0].outcome is outcome
    told = "but client_a had ended 201.000 ms before, in time, and the lab heard of it too late"
    assert (told in verdict.results[0].observed) is (outcome is Outcome.INCONCLUSIVE)


def test_what_would_have_failed_on_any_machine_is_decided(failed: Failed) -> None:
    failed.actor, failed.action, failed.took = "server", {**START, "within": "1s"}, 1000
    listens = row(LISTEN, "0.0.0.0:5001", inode=7)
    waits = doing("server", ("accept", 7), waited_since=480_000_000)
    failed.situation = (replace(seen("server", waits, tcp=[listens]), since=500_000_000),)
    assert (
        judge(failed.stage().evidence({"output": {"host": "server", "lines": {"x": 1}}})).outcome
        is Outcome.FAIL
    )


def test_who_used_a_processor_waited_for_none_at_that_time(failed: Failed) -> None:
    """The kernel counts both a little late: together they are no more than the time between the looks."""
    failed.action, failed.took = {"expect": {"text": "x"}, "within": "300ms"}, 400
    failed.events = (Output(at(10), "client_a", "client", "something"),)
    runs = doing("client_a", used=28_000_000, waited=WINDOW)
    failed.situation = (seen("client_a", runs),)
    assert failed.causes() == (Starved((("client_a", 65),)),)


def test_how_a_program_died_in_words() -> None:
    exited = Died("a", 3, at(0), "got ann", exception=False)
    silent, killed = replace(exited, words=""), replace(exited, status=141)
    told = tuple(text(said(cause, at(5))) for cause in (exited, silent, killed))
    why = "a was killed by SIGPIPE 5.000 ms before the step failed: it wrote to a connection or a pipe"
    assert told == (
        "a ended with exit status 3 5.000 ms before the step failed; its last line of output: got ann",
        "a ended with exit status 3 5.000 ms before the step failed; it had printed nothing",
        f"{why} that nobody reads; its last line of output: got ann",
    )


def test_a_program_that_has_just_begun_to_run_is_not_called_busy(failed: Failed) -> None:
    runs = doing("client_a", used=9_000_000, running=True)
    failed.situation = (seen("client_a", runs),)
    assert failed.programs()[1] == "client_a: running: it used 11 % of a processor"


@pytest.mark.parametrize(
    ("actor", "rest", "unread", "repeated"),
    [
        ("server", "Traceback\nKeyError: 1\n", "", False),
        ("client_a", "", "Traceback\nKeyError: 1\n", False),
        ("server", "", "", True),
        ("client_a", "", "", True),
        ("server", "something before\n", "", True),
    ],
    ids=["the step shows it", "the situation does", "it was consumed", "and elsewhere", "it came later"],
)
def test_the_last_words_of_a_program_are_told_once(
    failed: Failed, actor: str, rest: str, unread: str, repeated: bool
) -> None:
    failed.actor, failed.rest = actor, rest
    printed = Output(at(2), "server", "server", "listening\nTraceback\nKeyError: 1\n")
    failed.events = (printed, Exited(at(900), "server", "server", 1))
    failed.situation = (Unread(at(1000), "server", "server", unread),) if unread else ()
    spec = {"exit": {"host": "server", "status": 0}}
    evidence = failed.stage().evidence(spec)
    told = [sentence for sentence in judge(evidence).results[1].evidence if "| KeyError: 1" in sentence]
    assert bool(told) is repeated


def test_what_a_router_says_of_a_connection_that_was_never_made(failed: Failed) -> None:
    failed.talk = "0 client_a > server:5000 S entered icmp=client_b:3.1\n"
    said = "destination unreachable: no answer from that host"
    means = message("icmp-means", what="host-unreachable", mtu=0)
    assert NotPassedOn("client_a", "server", "client_b", means) in failed.causes()
    assert f"client_b did not pass on what client_a sent to server: {said} (ICMP)" in failed.why()
    failed.talk = "0 client_a > server:5000 S entered\n 999.5 client_a > server:5000 S again entered icmp=client_b:3.1\n"
    assert not [cause for cause in failed.causes() if isinstance(cause, NotPassedOn)], "it is said later"
