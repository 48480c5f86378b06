"""What every command has in common: words, codes, and that nothing unexpected reaches the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab as package
from lab.cli.screen import Screen
from lab.core.errors import ExitCode
from tests.cli.fakes import FakeEngine, Lab

COMMANDS = (
    "up",
    "run",
    "ps",
    "examples",
    "exec",
    "shell",
    "logs",
    "flow",
    "wireshark",
    "capture",
    "cp",
    "analyze",
    "down",
    "wipe",
    "validate",
    "check",
    "images",
    "doctor",
    "init",
    "grade",
    "bundle",
    "publish",
    "selfcheck",
    "matrix",
)


def test_help_names_every_command_and_exit_code(lab: Lab) -> None:
    said = lab("--help")
    assert said.code == 0
    assert all(f"  {command}" in said.out for command in COMMANDS)
    assert all(str(code.value) in said.out for code in ExitCode)
    assert "..." not in said.out.replace("[ARGS]...", ""), "a description is cut"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(lab: Lab, command: str) -> None:
    said = lab(command, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: lab {command}")


def test_no_words_show_the_help(lab: Lab) -> None:
    assert lab().out == lab("--help").out


def test_version_beside_other_words(lab: Lab) -> None:
    for words in (["--version"], ["--version", "ps"]):
        said = lab(*words)
        assert (said.code, said.out) == (0, f"lab {package.__version__}\n")


@pytest.mark.parametrize(
    "words",
    [
        ["frobnicate"],
        ["--"],
        ["up"],
        ["up", "a.yaml", "b.yaml"],
        ["run", "--frob", "a.yaml"],
        ["exec", "server"],
        ["exec", "server", "--", "-l"],
        ["exec", "server", "--lab", "cafe", "ls"],
        ["images"],
        ["ps", "server"],
        ["up", "a.yaml", "--lease"],
    ],
)
def test_wrong_words_are_one_message_and_code_2(lab: Lab, words: list[str]) -> None:
    said = lab(*words)
    assert said.code == ExitCode.USAGE
    assert said.out == ""
    assert said.err.startswith("error[usage]: ")
    assert "fix: `lab" in said.err


def test_a_mistake_of_the_lab_is_one_message_and_a_file(
    lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine.containers = [None]  # type: ignore[list-item]
    said = lab("ps")
    assert said.code == ExitCode.BUG
    assert said.err.startswith("error[bug]: ")
    assert "Traceback" not in said.err
    (kept,) = tmp_path.glob("tcp-lab-bug-*")
    assert str(kept) in said.err
    assert "Traceback" in kept.read_text()


def test_interrupted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Screen) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("lab.cli.hosts.ps", interrupt)
    said = lab("ps")
    assert (said.code, said.out, said.err) == (ExitCode.INTERRUPTED, "", "interrupted\n")


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("words", [["ps"], ["down"], ["wipe"], ["shell", "a"], ["images", "list"]])
def test_without_an_engine(lab: Lab, words: list[str]) -> None:
    said = lab(*words)
    assert said.code == ExitCode.INCONCLUSIVE
    assert said.err.startswith("error[engine")
    assert "fix:" in said.err


@pytest.mark.usefixtures("no_engine")
def test_an_error_is_json_too_where_a_program_reads(lab: Lab) -> None:
    said = lab("ps", "--json")
    assert said.data["exit"] == said.code == ExitCode.INCONCLUSIVE
    assert set(said.data["error"]) == {"code", "what", "where", "fix"}
