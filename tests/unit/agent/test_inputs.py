"""A pipe that is kept open from outside, asked of this machine's own processes."""

from __future__ import annotations

import select
import subprocess
from pathlib import Path

from lab.agent.inputs import Inputs


def _open_descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def test_a_program_reads_no_end_of_input_until_it_is_let_go() -> None:
    inputs = Inputs()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        inputs.keep(process.pid)
        process.stdin.write(b"all\n")
        process.stdin.close()
        assert process.stdout.readline() == b"all\n"
        assert not select.select([process.stdout], [], [], 0.2)[0]
        inputs.end(process.pid)
        assert process.stdout.read() == b""
        assert process.wait() == 0


def test_what_is_no_pipe_is_not_opened() -> None:
    inputs, before = Inputs(), _open_descriptors()
    with subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL) as process:
        inputs.keep(process.pid)
        assert _open_descriptors() == before
        process.kill()
    inputs.keep(process.pid)  # it is gone
    inputs.end(process.pid)
    assert _open_descriptors() == before
