"""The command line with an engine that is a list of containers."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from lab.cli.exit_code import run
from lab.core.errors import EngineError
from tests.cli.fakes import GOLDEN, FakeEngine, Lab, Said
from tests.contract import require_of


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine without containers, which every command of the test connects to."""
    fake = FakeEngine()
    monkeypatch.setattr("lab.engine.connect", lambda **_: fake)
    monkeypatch.setattr("lab.engine.containers.ours", lambda engine: list(engine.containers))
    monkeypatch.setattr("lab.engine.containers._remove", lambda engine, one: engine.remove([one]))
    return fake


@pytest.fixture
def lab(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    """Carries out ``lab WORDS`` in an empty folder, eighty columns wide; JSON must be what its schema allows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def carried_out(*words: object) -> Said:
        texts = [str(word) for word in words]
        code = run(texts)
        out, err = capsys.readouterr()
        require_of(texts, out)
        return Said(int(code), out, err)

    return carried_out


@pytest.fixture
def golden() -> Path:
    """Saved records, a folder each."""
    return GOLDEN


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine answers."""

    def refuse(**_: object) -> NoReturn:
        raise EngineError("engine-not-running", "nobody answers there", where="unix:///x", fix="start it")

    monkeypatch.setattr("lab.engine.connect", refuse)
