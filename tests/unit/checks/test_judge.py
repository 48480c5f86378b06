"""The verdict: order, the worst outcome, needs, a script cut short, and the same bytes twice."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec.structs import replace

from lab.checks import judging
from lab.core.words import TcpState
from lab.evidence.sockets import SocketSample
from lab.evidence.transcript import Dropped
from lab.output.document import verdict_as_data
from tests.judged import judge
from tests.unit.staged import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    SKIPPED,
    Stage,
    at,
    exited,
    printed,
    row,
    started,
    step,
)

RUNS = {"name": "runs", "exit": {"host": "server", "status": 0}, "points": 3}
SAYS = {"name": "says", "output": {"host": "server", "contains": ["hello"]}, "needs": ["runs"]}
LAST = {"name": "last", "output": {"host": "server", "lacks": ["error"]}, "needs": ["says"]}
GOOD = (started(), printed("hello\n"), exited(0), step("1"))
CRASH = (started(), printed("hello\n"), exited(139), step("1"))


def test_the_conversation_comes_first_then_the_checks_in_order(tmp_path: Path) -> None:
    verdict = judge(Stage(tmp_path, events=GOOD).evidence(RUNS, SAYS, LAST))
    assert [result.name for result in verdict.results] == ["conversation", "runs", "says", "last"]
    assert {result.outcome for result in verdict.results} == {PASS}
    assert (verdict.outcome, verdict.results[1].points) == (PASS, 3)


def test_what_needs_a_check_that_did_not_pass_is_skipped(tmp_path: Path) -> None:
    verdict = judge(Stage(tmp_path, events=CRASH).evidence(LAST, SAYS, RUNS))
    assert [result.outcome for result in verdict.results] == [PASS, SKIPPED, SKIPPED, FAIL]
    assert verdict.results[1].observed == 'not judged: it needs "says", which did not pass'
    assert verdict.outcome is FAIL


def test_checks_that_need_each_other_end_and_do_not_pass(tmp_path: Path) -> None:
    verdict = judge(Stage(tmp_path, events=CRASH).evidence({**RUNS, "needs": ["says"]}, SAYS))
    assert [result.outcome for result in verdict.results] == [PASS, SKIPPED, SKIPPED]
    assert verdict.outcome is INCONCLUSIVE


def test_a_script_cut_short_explains_what_is_absent(tmp_path: Path) -> None:
    events = (started(), step("1", FAIL, observed="no such line"))
    verdict = judge(Stage(tmp_path, events=events, unplayed="2").evidence(RUNS, {**LAST, "needs": []}))
    conversation, runs, last = verdict.results
    assert (conversation.outcome, runs.outcome, last.outcome) == (FAIL, SKIPPED, PASS)
    assert runs.observed == "not judged: step 2 was not reached"


def test_a_script_cut_short_leaves_what_the_evidence_decides(tmp_path: Path) -> None:
    """One wrong end of two, a silent program, a client that ended without a try, a full queue."""
    events = (started(), exited(1), started(), started("client", "client_a"), exited(0, "client", "client_a"))
    waits = replace(row(TcpState.ESTABLISHED, "192.168.153.128:19999", "192.168.153.129:40000"), inode=0)
    stage = Stage(
        tmp_path,
        samples=[SocketSample(at(0), "server", (waits,))],
        events=(*events, step("1", FAIL)),
        unplayed="2",
    )
    silent = {"output": {"host": "client_a", "lines": {"hello": 1}}}
    never = {"connection": {"from": "client_a", "to": "server:19999"}, "handshake": "complete"}
    owned = {"state": {"host": "server", "state": "ESTABLISHED", "peer": "client_a", "owner": "process"}}
    elsewhere = {"state": {"host": "server", "state": "ESTABLISHED", "peer": "client_b"}}
    verdict = judge(stage.evidence(RUNS, silent, never, owned, elsewhere))
    assert [result.outcome for result in verdict.results[1:]] == [FAIL, FAIL, FAIL, FAIL, SKIPPED]
    assert "never accepted" not in verdict.results[4].expected
    assert "no program ever accepted the connection" in verdict.results[4].observed


def test_a_step_that_failed_last_hides_nothing(tmp_path: Path) -> None:
    events = (started(), step("1", FAIL, observed="no such line"))
    verdict = judge(Stage(tmp_path, events=events).evidence(RUNS))
    assert [result.outcome for result in verdict.results] == [FAIL, FAIL]


def test_what_a_step_expects_is_said_once(tmp_path: Path) -> None:
    events = (step("1", FAIL, expected="expect 'x'", observed="not within 1 s"),)
    assert (
        judge(Stage(tmp_path, events=events).evidence()).results[0].expected == "step 1, server: expect 'x'"
    )


def test_what_is_absent_after_a_whole_script_fails(tmp_path: Path) -> None:
    [_, runs] = judge(Stage(tmp_path, events=(started(), step("1"))).evidence(RUNS)).results
    assert (runs.outcome, runs.observed) == (FAIL, "server was still running")


def test_inconclusive_is_worse_than_pass_and_better_than_fail(tmp_path: Path) -> None:
    stage = Stage(tmp_path, events=(*GOOD, Dropped(at(3), "server", "server", 10)))
    absent = {"name": "absent", "output": {"host": "server", "lacks": ["error"]}}
    assert judge(stage.evidence(RUNS, absent)).outcome is INCONCLUSIVE
    assert judge(stage.evidence({**RUNS, "exit": {"host": "server", "status": 1}}, absent)).outcome is FAIL


def test_only_some_checks(tmp_path: Path) -> None:
    evidence = Stage(tmp_path, events=CRASH).evidence(RUNS, SAYS, LAST)
    assert [(r.name, r.outcome) for r in judge(evidence, ["says"]).results] == [("says", SKIPPED)]


def test_the_same_evidence_gives_the_same_bytes(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "0 client_a > server S\n 0.1 server > client_a R.", events=CRASH)
    spec = {"connection": {"from": "client_a", "to": "server:19999"}, "handshake": "complete", "rst": "none"}
    texts = {json.dumps(verdict_as_data(judging.judge(stage.evidence(spec, RUNS)))) for _ in range(3)}
    assert len(texts) == 1
