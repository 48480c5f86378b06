"""Where a program's output goes, and who can still write there, asked of this machine's own processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.agent import output


@contextmanager
def _running(**to: int) -> Iterator[subprocess.Popen[bytes]]:
    """A program that waits for the end of its input."""
    words = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, **to) as process:  # type: ignore[call-overload]
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_the_pipe_of_a_program_is_held_until_all_of_its_processes_are_gone() -> None:
    reader, writer = os.pipe()
    with _running(stdout=writer, stderr=writer) as process:
        ends = output.of(process.pid)
        assert len(ends) == 1
        os.close(writer)  # the other end is no output
        assert output.is_held(os.getpid(), process.pid, ends)
        assert output.is_held(os.getpid(), os.getpid(), ends)  # by another process of the same host
    os.close(reader)
    assert not output.is_held(os.getpid(), process.pid, ends)
    assert output.of(process.pid) == []


def test_a_terminal_is_output_and_a_file_is_not() -> None:
    master, terminal = os.openpty()
    null = os.open(os.devnull, os.O_WRONLY)
    with _running(stdout=terminal, stderr=null) as process:
        os.close(terminal)
        ends = output.of(process.pid)
        assert len(ends) == 1
        assert output.is_held(os.getpid(), process.pid, ends)
    assert not output.is_held(os.getpid(), process.pid, ends)
    os.close(null)
    os.close(master)


def test_of_very_many_descriptors_those_of_the_program_are_looked_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output, "_MOST_DESCRIPTORS", 3)
    reader, writer = os.pipe()
    with _running(stdout=writer) as process:
        os.close(writer)
        ends = output.of(process.pid)
        assert output.is_held(os.getpid(), process.pid, ends)
        assert not output.is_held(os.getpid(), os.getpid(), ends)
    os.close(reader)
