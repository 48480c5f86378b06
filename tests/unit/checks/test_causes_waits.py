"""What a program waits for, and what of its input and output explains it, when a step failed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from lab.checks.causes.kinds import (
    Buffered,
    Deadlock,
    InLoop,
    IsStopped,
    LastSent,
    NotAccepted,
    NotRead,
    OtherLineEnds,
    ReturnsTyped,
    StillHeld,
    WaitsForLock,
    WaitsForPeer,
    WithoutNewline,
)
from lab.checks.programs import Asleep, Wait
from lab.evidence.message import message
from lab.evidence.processes import ProcessSample
from lab.evidence.sockets import DatagramSocket, SocketSample
from lab.evidence.transcript import Exited, Input, Output, Started
from tests.judged import script
from tests.unit.failed import (
    A_IN_POLL,
    A_IN_RECV,
    AT_A,
    CLIENT,
    CLOSE_WAIT,
    CLOSED_BY_A,
    ESTABLISHED,
    FROM_A,
    LISTENER,
    SERVER,
    SERVES_A,
    WINDOW,
    Failed,
    doing,
    on_tcp,
    seen,
)
from tests.unit.staged import at, row


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


def test_a_program_that_has_just_begun_to_run_is_not_called_busy(failed: Failed) -> None:
    runs = doing("client_a", used=9_000_000, running=True)
    failed.situation = (seen("client_a", runs),)
    assert failed.programs()[1] == "client_a: running: it used 11 % of a processor"
