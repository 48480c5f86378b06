"""Files that are read, whoever made them, and a disk that is full."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from lab.cli import exit_code
from lab.cli.invocation import Invocation
from lab.cli.screen import Screen
from lab.core.errors import DiskFullError, EvidenceError, ExitCode, UsageError, unless_full
from lab.core.files import opened, written
from lab.output.analyze import analyze
from lab.run.prepare import make_folder
from lab.scenario.loader import load
from lab.wire.packets import opened as opened_capture

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.yaml")
    return folder / "pipe.yaml"


def device(_: Path) -> Path:
    return Path("/dev/zero")


def test_a_file_and_a_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"all of it")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with opened(tmp_path / name) as file:
            assert file.read() == b"all of it"
    with pytest.raises(OSError, match="symbolic"):
        opened(tmp_path / "link", follow=False)
    with pytest.raises(IsADirectoryError):
        opened(tmp_path)
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "none")


@pytest.mark.parametrize("make", [pipe, device])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    with pytest.raises(UsageError, match="is no regular file"):
        load(path)
    with pytest.raises(EvidenceError, match="it is no regular file"), opened_capture(path) as stream:
        analyze(stream)


def test_a_record_on_a_full_disk() -> None:
    with (
        pytest.raises(DiskFullError, match="the disk is full: No space left"),
        written(Path("/dev/full")) as file,
    ):
        file.write(b"what finds no room")


def full(*_: object, **__: object) -> None:
    raise FULL


def test_a_full_disk_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as now:
        now.setattr(Path, "mkdir", full)
        with pytest.raises(DiskFullError) as caught:
            make_folder(tmp_path / "run")
    assert (caught.value.exit_code, caught.value.where) == (ExitCode.INCONCLUSIVE, str(tmp_path / "run"))
    other = UsageError("code", "what")
    assert unless_full(PermissionError(errno.EACCES, "no"), other) is other


def test_a_full_disk_is_no_mistake_of_the_lab(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exit_code, "_understand", lambda _: Invocation(cast("Callable[[Screen], int]", full)))
    assert exit_code.run(["ps"]) == ExitCode.INCONCLUSIVE
    assert "error[disk-full]" in capsys.readouterr().err
