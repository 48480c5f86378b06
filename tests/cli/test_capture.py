"""capture and watch, before anything is captured; tests/docker/test_by_hand.py and test_watch_again.py capture."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from msgspec.structs import replace

from lab.core.errors import ExitCode
from tests.cli.fakes import FakeEngine, Lab, lab_of


def test_a_terminal_is_refused_as_standard_output() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "lab", "capture"],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == ExitCode.USAGE
    assert "lab capture | wireshark -k -i -" in done.stderr


@pytest.mark.parametrize("words", [(), ("--lab", "x"), ("nobody", "--lab", "aa")])
def test_a_lab_or_host_that_is_not_there(lab: Lab, engine: FakeEngine, words: tuple[str, ...]) -> None:
    engine.containers = lab_of("aa") if "aa" in words else []
    said = lab("capture", *words)
    assert (said.code, said.out) == (ExitCode.USAGE, "")


@pytest.mark.parametrize(("word", "why"), [("x", "no lab is called 'x'"), ("a", "2 labs are up")])
def test_a_lab_to_watch_that_is_not_there(lab: Lab, engine: FakeEngine, word: str, why: str) -> None:
    engine.containers = [*lab_of("aa"), *lab_of("ab")]
    said = lab("watch", word)
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    assert why in said.err
    assert "--lab" not in said.err, "`lab watch` has no such option"


def test_the_lab_to_watch_unless_said(lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no lab is up" in lab("watch").err
    engine.containers = [*lab_of("aa"), *lab_of("ab")]
    monkeypatch.setenv("LAB_RUN", "x")
    assert "no lab is called 'x'" in lab("watch").err


@pytest.mark.parametrize("command", ["watch", "capture"])
def test_a_lab_whose_network_has_ended(lab: Lab, engine: FakeEngine, command: str) -> None:
    engine.containers = [replace(one, state="exited") for one in lab_of("aa")]
    said = lab(command, *(["aa"] if command == "watch" else ["--lab", "aa"]))
    assert (said.code, said.out) == (ExitCode.INCONCLUSIVE, "")
    assert "the sidecar of lab aa does not run" in said.err
