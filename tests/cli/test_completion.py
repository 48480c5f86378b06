"""What a shell offers: asked as a shell asks, through the environment (typer, "CLI Options Autocompletion")."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.cli import completion
from lab.cli.exit_code import run
from tests.cli.fakes import FakeEngine, lab_of


def offered(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What bash is offered for the last word of a line."""
    words = line.split(" ")
    monkeypatch.setenv("_LAB_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit):
        run([])
    return capsys.readouterr().out.split()


@pytest.fixture
def tab(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, golden: Path
) -> object:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(golden / "unfriendly", tmp_path / "runs" / "20260101-000000-b-cafe0001")
    return lambda line: offered(line, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("lab wir", ["wireshark"]),
        ("lab images b", ["build"]),
        ("lab flow ca", ["cafe0001"]),
        ("lab check ca", ["cafe0001"]),
        ("lab exec s", ["server"]),
        ("lab capture c", ["client"]),
        ("lab watch a", ["aa"]),
        ("lab wat", ["watch"]),
        ("lab down --lab a", ["aa"]),
        ("lab init --from multi", ["multi_client"]),
        ("lab images build j", ["java"]),
        ("lab exec --lab zz s", []),
    ],
)
def test_words(tab: object, engine: FakeEngine, line: str, among: list[str]) -> None:
    engine.containers = lab_of("aa")
    assert callable(tab)
    assert tab(line) == among


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_nothing_is_offered_and_nothing_said(
    tab: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(tab)
    assert tab("lab exec s") == []
    assert capsys.readouterr().err == ""


def test_completion_is_for_what_is_typed() -> None:
    assert completion.languages.__name__ == "languages"
