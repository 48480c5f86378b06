"""The command as a process: its streams, and screens of every kind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
RECORD = CHECKOUT / "tests" / "golden" / "runs" / "unfriendly"


def _lab(
    *words: object, env: Mapping[str, str] | None = None, before: str = "", **streams: int
) -> subprocess.CompletedProcess[bytes]:
    """``lab WORDS`` in a process of its own; ``before`` is run in it first."""
    start = [sys.executable, "-c", f"{before}\nfrom lab.cli import main; main()"]
    return subprocess.run(
        [*start, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **(env or {})},
        stdout=streams.get("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        check=False,
    )


def test_a_record_is_judged_where_the_engines_library_is_not_installed() -> None:
    gone = "import sys; sys.modules.update(dict.fromkeys(['docker', 'requests', 'urllib3']))"
    done = _lab("check", RECORD, before=gone)
    assert done.returncode == 1
    assert b"2 failed" in done.stdout
    assert _lab("logs", RECORD, before=gone).returncode == 0


@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "C", "LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"COLUMNS": "1"},
        {"COLUMNS": "0"},
        {"TERM": "dumb"},
    ],
)
def test_any_locale_and_screen(env: Mapping[str, str]) -> None:
    for command in ("check", "logs"):
        done = _lab(command, RECORD, env=env)
        assert done.returncode == (1 if command == "check" else 0)
        assert done.stdout.endswith(b"\n")
        assert done.stderr == b""


def test_a_reader_that_goes_away_changes_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = _lab("check", RECORD, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_an_answer_that_cannot_be_written() -> None:
    with Path("/dev/full").open("wb") as full:
        done = _lab("check", RECORD, stdout=full.fileno())
    assert done.returncode == 3
    assert done.stderr == b"error[output]: cannot write the answer: No space left on device\n"


def test_no_streams_at_all() -> None:
    assert _lab("check", RECORD, before="import os, sys; os.close(1); sys.stdout = None").returncode == 1


@pytest.mark.parametrize(
    ("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_on_a_terminal_only_if_wanted(env: Mapping[str, str], coloured: bool) -> None:
    ours, theirs = os.openpty()
    plain = {"NO_COLOR": "", "TERM": "xterm"}
    done = _lab("check", RECORD, env={**plain, **env}, stdout=theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        shown = terminal.read(4096)
    assert done.returncode == 1
    assert (b"\x1b[31m" in shown) == coloured
    assert "✗ fail".encode() in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_an_error_that_cannot_be_written_as_json_keeps_its_code() -> None:
    with Path("/dev/full").open("wb") as full:
        done = _lab("check", "nowhere", "--json", stdout=full.fileno())
    assert (done.returncode, b"Traceback" in done.stderr) == (3, False)
