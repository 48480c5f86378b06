"""What a container's labels say, and whose it is."""

from __future__ import annotations

import os
import subprocess
import sys

from msgspec.structs import replace

from lab.engine.labels import PROJECT, Labels, Owner

SOME = Labels(
    run_id="3f2a9c01",
    scenario="multi_client",
    file="/x/multi_client.yaml",
    host="a",
    addresses="10.0.0.1 fd00::1",
    role="host",
    owner=Owner(42, 123456, "machine"),
    expires=1_800_000_000,
)


def test_labels_are_read_as_they_were_written() -> None:
    written = SOME.as_dict()
    assert Labels.read(written) == SOME
    assert PROJECT.items() <= written.items()
    assert all(key.startswith("tcp-lab") for key in written)


def test_what_is_missing_or_damaged_reads_as_expired_and_nobodys() -> None:
    for damaged in ({}, {"tcp-lab.expires": "soon", "tcp-lab.owner.pid": "-1"}, {"tcp-lab.expires": "²"}):
        read = Labels.read(damaged)
        assert read.expires == 0
        assert read.owner.pid == 0


def test_this_process_is_not_gone() -> None:
    owner = Owner.this_process()
    assert owner.pid == os.getpid()
    assert not owner.gone()


def test_a_process_that_has_ended_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert replace(Owner.this_process(), pid=process.pid).gone(), "another process with that number"
        process.communicate(b"\n")
    assert replace(Owner.this_process(), pid=process.pid).gone()


def test_a_process_of_another_machine_is_not_known_to_be_gone() -> None:
    assert not replace(Owner.this_process(), machine="elsewhere", started=1).gone()
