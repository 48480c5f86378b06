"""What is told of a step that failed beside its causes, and when nobody can tell whether it would have."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lab.checks.causes.kinds import (
    Cause,
    NoticedLate,
    Starved,
)
from lab.core.words import Outcome
from lab.evidence.situation import Killed, OutOfMemory, Unread
from lab.evidence.transcript import Exited, Input, Output, Started
from tests.judged import judge, script
from tests.unit.failed import (
    A_IN_POLL,
    A_IN_RECV,
    FROM_A,
    LISTEN,
    LISTENER,
    SERVES_A,
    START,
    WINDOW,
    Failed,
    doing,
    seen,
)
from tests.unit.staged import at, row


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
