"""Files are read as they are, whoever made them, within a bound and through no link."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.agent import files
from lab.agent.files import Reading
from lab.agent.protocol import FileFound


def read(root: Path, path: str, *, wait: float = 0.0, busy: bool = False) -> tuple[FileFound, bytes]:
    def opened() -> int:
        return os.open(root, os.O_PATH | os.O_DIRECTORY)

    reading = Reading(opened, os.getpid(), path, wait=wait, wanted=True, busy=lambda: busy)
    while (found := reading()) is None:
        pass
    return found, bytes(reading.content)


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as own:
        own.bind(str(path))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a host; a secret lies beside it."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root/work/p").mkdir(parents=True)
    return tmp_path / "root"


def test_a_regular_file(root: Path) -> None:
    (root / "work/p/out").write_bytes(b"abc")
    found, content = read(root, "work/p/out")
    assert (found.kind, found.size, found.kept, content) == ("file", 3, 3, b"abc")
    assert found.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert (found.changing, [*found.writers]) == (False, [])


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda out: out.mkdir(), "folder"),
        (lambda out: out.symlink_to("../../../secret"), "link"),
        (os.mkfifo, "fifo"),
        (_bind, "device"),
        (lambda _: None, "missing"),
    ],
)
def test_what_is_no_regular_file(
    root: Path, make: Callable[[Path], object], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "work/p")
    make(Path("out"))
    found, content = read(root, "work/p/out")
    assert (found.kind, found.sha256, content) == (kind, "", b"")


def test_no_link_on_the_way_is_followed_and_no_path_leads_out(root: Path) -> None:
    (root / "work/q").symlink_to("../..")
    found, content = read(root, "work/q/secret")
    assert (found.kind, found.why, content) == ("link", "q", b"")
    for path in ("../secret", "work/../../secret", "", "work//p", "work/./p"):
        assert read(root, path)[0].kind == "unread"
    (root / "work/p/file").write_text("")
    assert read(root, "work/p/file/more")[0].why == "file"


def test_what_is_beside_a_missing_one_is_told(root: Path) -> None:
    for number in range(30):
        (root / f"work/p/{number:02}").touch()
    found, _ = read(root, "work/p/out")
    assert [*found.beside] == [f"{number:02}" for number in range(10)]


def test_bounds(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_KEPT", 5)
    (root / "work/p/out").write_bytes(b"0123456789")
    found, content = read(root, "work/p/out")
    assert (found.kept, content) == (5, b"01234")
    assert found.sha256 == hashlib.sha256(b"0123456789").hexdigest()
    os.truncate(root / "work/p/out", 1 << 40)
    monkeypatch.setattr(files, "MOST_READ", 1 << 22)
    found, content = read(root, "work/p/out")
    assert (found.kind, found.size, found.sha256, len(content)) == ("file", 1 << 40, "", 5)


def test_what_takes_too_long_is_given_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_READ_SECONDS", -1.0)
    (root / "work/p/out").write_bytes(b"0")
    assert read(root, "work/p/out")[0].kind == "unread"


def test_a_file_that_is_open_for_writing_is_waited_for(root: Path) -> None:
    with (root / "work/p/out").open("w") as out:
        found, content = read(root, "work/p/out")
        assert [*found.writers] != []
        assert content == b""

        def finish() -> None:
            out.write("late")
            out.close()

        closing = threading.Timer(0.2, finish)
        closing.start()
        found, content = read(root, "work/p/out", wait=60)
    closing.join()
    assert (content, [*found.writers]) == (b"late", [])


def test_a_file_that_is_not_there_yet_is_waited_for_while_programs_run(root: Path) -> None:
    out = root / "work/p/out"
    coming = threading.Timer(0.2, lambda: out.write_text("late"))
    coming.start()
    assert read(root, "work/p/out", wait=60, busy=True)[1] == b"late"
    coming.join()
    out.unlink()
    assert read(root, "work/p/out", wait=0.05, busy=True)[0].kind == "missing"


def test_a_file_that_changes_meanwhile_is_told_as_that(root: Path) -> None:
    out = root / "work/p/out"
    out.write_bytes(bytes(3 << 20))
    reading = Reading(
        lambda: os.open(root, os.O_PATH), os.getpid(), "work/p/out", wait=0.0, wanted=True, busy=lambda: False
    )
    while (found := reading()) is None:
        with out.open("ab") as more:
            more.write(b"x")
    assert found.changing
    assert found.kept <= found.size == 3 << 20


def test_no_more_is_read_than_a_file_had_when_it_was_opened(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, read_on = root / "work/p/out", os.read
    out.write_bytes(b"abc")

    def grown(file: int, most: int) -> bytes:
        with out.open("ab") as more:
            more.write(b"x" * 100)
        return read_on(file, most)

    monkeypatch.setattr(os, "read", grown)
    found, content = read(root, "work/p/out")
    assert (found.size, found.kept, content, found.changing) == (3, 3, b"abc", True)
    assert found.sha256 == hashlib.sha256(b"abc").hexdigest()
