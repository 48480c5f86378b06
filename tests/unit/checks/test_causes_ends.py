"""Programs that ended before a step failed: why, and what they said."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from lab.checks.causes.kinds import (
    CarriageReturns,
    ChildCrashed,
    Died,
    LeftEarly,
    MemoryUsedUp,
    RunsOn,
    said,
)
from lab.core.archive import Tree
from lab.evidence.processes import ProcessSample
from lab.evidence.situation import Doing, Killed, OutOfMemory, Unread
from lab.evidence.transcript import Exited, Input, Output, Started
from lab.scenario.programs import Recipe
from tests.judged import judge, script, text
from tests.unit.failed import (
    A_IN_POLL,
    A_IN_RECV,
    FROM_A,
    LISTENER,
    SERVES_A,
    Failed,
    doing,
    seen,
)
from tests.unit.staged import PASS, Stage, at, step


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
