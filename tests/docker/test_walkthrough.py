"""docs/walkthrough.md: each command on the page is typed, in an empty folder, and prints what the page shows."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.engine.containers import ours, remove
from tests.docker.stage import CHECKOUT, PATIENCE, Stage, environment

PAGE = CHECKOUT / "docs" / "walkthrough.md"
LEFT_OUT = "..."
"""A line of the page that stands for any lines of the output."""

_VARIES = {
    r"[+-]?\d+(\.\d+)? (ms|s)\b": "TIME",
    r"(?<!\S)-?\d+\.\d{3}(?=✗| )": "TIME",
    r"\b(3[2-9]|[45]\d|6[0-5])\d{3}\b": "PORT",  # those that the kernel gives to clients
    r"\b(process |pid=)\d+": r"\1PROCESS",
    r"\bframe \d+": "frame N",
    r"\b[0-9a-f]{8}\b": "RUN",
    r"─+": "─",  # an arrow is as long as the times leave room for
}


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the page with the output that stands below it."""
    for block in re.findall(
        r"^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        for typed in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = typed.partition("\n")
            yield command, output


def plain(text: str) -> str:
    """A text without what varies: a longer number may also break a line elsewhere, or widen a column."""
    text = "".join(f"{word} " for word in text.split())
    for pattern, name in _VARIES.items():
        text = re.sub(pattern, name, text)
    return text


def agrees(shown: str, printed: str) -> bool:
    """Whether the page shows an output, in order, from its first word to its last."""
    kept = re.split(rf"^{re.escape(LEFT_OUT)}\n", shown, flags=re.MULTILINE)
    return re.fullmatch(".*".join(re.escape(plain(part)) for part in kept), plain(printed)) is not None


def lists_sockets(command: str) -> bool:
    return command.startswith("lab exec") and " ss " in command


def in_order(command: str, output: str) -> str:
    """The kernel lists sockets in no order."""
    return "\n".join(sorted(output.splitlines())) if lists_sockets(command) else output


def typed(stage: Stage, command: str) -> subprocess.CompletedProcess[str]:
    """A command as the reader types it, in a terminal of 80 columns."""
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=stage.folder,
        env=environment(PATH=path, COLUMNS="80"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a 1.5 ms\n", "a 22 s\n", True),
        ("one\n...\nfour\n", "one\ntwo\nthree\nfour\n", True),
        ("one\n...\n", "one\n", True),
        ("one\nthree\n", "one\ntwo\nthree\n", False),
        ("ESTAB 6 0\n", "ESTAB 0 0\n", False),
        ("one\n", "one\ntwo\n", False),
        ("", "one\n", False),
    ],
    ids=["varies", "left-out", "nothing-left-out", "gap", "another-number", "more", "silence"],
)
def test_what_is_compared(shown: str, printed: str, *, same: bool) -> None:
    assert agrees(shown, printed) is same


def test_the_page(stage: Stage) -> None:
    steps = list(commands())
    assert sum(lists_sockets(command) for command, _ in steps) >= 5
    try:
        for command, shown in steps:
            _assert_prints(stage, command, shown)
    finally:
        folder = str(stage.folder)
        remove(stage.engine, [one.id for one in ours(stage.engine) if one.labels.folder == folder])


def _assert_prints(stage: Stage, command: str, shown: str) -> None:
    """Type it. Who only looks may look again: a program needs a moment until it has closed and accepted."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = typed(stage, command)
        same = agrees(in_order(command, shown), in_order(command, done.stdout))
        if same or not lists_sockets(command) or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert same, f"$ {command}\n{done.stdout}{done.stderr}\nthe page shows:\n{shown}"
    assert done.returncode == bool(re.search("^✗ fail", shown, re.MULTILINE)), done.stderr
