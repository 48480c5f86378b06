"""Hosts that do not come up, and hosts that do not stay."""

from __future__ import annotations

import pytest

from lab.core.errors import EngineError
from lab.core.words import Outcome
from tests.docker.stage import Stage, broken, one_host, results

SCENARIO = """
version: 1
title: A command that kills all it can
networks: {lan: 10.9.8.0/24}
hosts: {a: 10.9.8.1, b: 10.9.8.2}
programs: {p: {command: "sh -c 'read go; (kill -9 -1); sleep 60'"}, q: {command: cat}}
steps:
- a: {start: p}
- b: {start: q}
- a: {send: go}
- a: {wait: {exited: true}}
- b: {send: still here}
- b: {expect: {line: still here}}
- b: {quiet: 4s}    # until the host has ended, a moment after its first process was killed
- a: {start: q}
checks:
- {exit: {host: a, program: p, signal: SIGKILL}, name: p}
- {exit: {host: b, program: q, running: true}, name: q}
"""


def test_a_host_that_kills_itself_is_the_programs_fault_and_no_one_elses(stage: Stage) -> None:
    finished = stage.play(SCENARIO)
    step = broken(finished)
    assert (step.step, step.expected, step.observed) == ("8", "host a is up", "all in it was killed")
    assert results(finished)["p"].outcome is Outcome.PASS
    assert results(finished)["q"].outcome is Outcome.PASS


def test_a_program_that_does_not_fit_into_its_host(stage: Stage) -> None:
    text = one_host("- a: {start: p}").replace("a: 10.9.8.1", "a: {address: 10.9.8.1, limits: {work: 1m}}")
    with pytest.raises(EngineError) as caught:
        stage.play(text, {"p.py": "#" * 3_000_000})
    assert caught.value.code == "delivery"
    assert "cannot unpack the programs on a" in caught.value.what
    assert "No space left on device" in caught.value.what
    assert caught.value.fix == "raise limits.work"
