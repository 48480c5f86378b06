"""The source files of a scenario: read once, from regular files within its folder, up to a bound."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lab.core.errors import ScenarioError, UsageError
from lab.scenario.cast import MAX_SOURCE_BYTES
from lab.scenario.loader import gathering, load

SECRET = b"secret"
TEXT = """
version: 1
title: Sources
networks: {lan: 10.0.0.0/24}
hosts: {a: 10.0.0.1}
programs: {PROGRAMS}
steps: [{a: {start: p}}]
checks: [{connections: {to: "a:1", count: 0}}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a scenario; a file with a secret lies beside it."""
    (tmp_path / "secret.py").write_bytes(SECRET)
    made = tmp_path / "here"
    (made / "sub").mkdir(parents=True)
    (made / "p.py").write_bytes(b"own")
    return made


def read(folder: Path, *paths: str) -> dict[str, bytes]:
    listed = ", ".join(f'"{path}"' for path in paths)
    file = folder / "play.yaml"
    file.write_text(TEXT.replace("{PROGRAMS}", f"{{p: {{sources: [{listed}], run: x}}}}"))
    return dict(load(file).sources)


def refused(folder: Path, path: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        read(folder, path)
    return f"{caught.value.code}: {caught.value.what}"


def test_links_are_followed_within_the_folder(folder: Path) -> None:
    (folder / "sub/up.py").symlink_to("../p.py")
    (folder / "absolute.py").symlink_to(folder / "p.py")
    (folder / "other").symlink_to("sub")
    paths = ("p.py", "sub/up.py", "absolute.py", "other/up.py")
    assert {path: read(folder, path)[path] for path in paths} == dict.fromkeys(paths, b"own")


@pytest.mark.parametrize("target", ["../secret.py", "sub/../../secret.py", "/etc/passwd", "{up}/secret.py"])
def test_no_link_leads_out(folder: Path, target: str) -> None:
    (folder / "link.py").symlink_to(target.format(up=folder.parent))
    assert refused(folder, "link.py").startswith("outside-folder: ")
    (folder / "away").symlink_to(Path(target.format(up=folder.parent)).parent)
    assert refused(folder, f"away/{Path(target).name}").startswith("outside-folder: ")


def test_a_circle_of_links(folder: Path) -> None:
    (folder / "a.py").symlink_to("b.py")
    (folder / "b.py").symlink_to("a.py")
    assert "symbolic links" in refused(folder, "a.py")


def test_what_is_no_regular_file_is_refused_at_once(folder: Path) -> None:
    os.mkfifo(folder / "fifo.py")
    assert "is no regular file" in refused(folder, "fifo.py")
    assert "is a folder" in refused(folder, "sub")
    assert "is a folder" in refused(folder, ".")


@pytest.mark.parametrize("put", ["link", "fifo", "folder"])
def test_a_file_that_is_replaced_the_moment_it_is_opened(
    folder: Path, put: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is put there after the look at it is not followed, not waited for, and not read."""

    def looked(*words: Any, **more: Any) -> os.stat_result:
        told = real(*words, **more)
        if words[0] == "p.py":
            (folder / "p.py").unlink(missing_ok=True)
            if put == "link":
                (folder / "p.py").symlink_to("../secret.py")
            elif put == "fifo":
                os.mkfifo(folder / "p.py")
            else:
                (folder / "p.py").mkdir()
        return told

    real = os.stat
    monkeypatch.setattr(os, "stat", looked)
    assert "p.py" in refused(folder, "p.py")


def test_a_folder_that_is_replaced_by_a_link_the_moment_it_is_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked(*words: Any, **more: Any) -> os.stat_result:
        told = real(*words, **more)
        if words[0] == "sub":
            (folder / "sub").rmdir()
            (folder / "sub").symlink_to("..")
        return told

    real = os.stat
    monkeypatch.setattr(os, "stat", looked)
    assert "cannot be read" in refused(folder, "sub/secret.py")


def test_what_was_read_is_kept_whatever_is_put_there_later(folder: Path) -> None:
    file = folder / "play.yaml"
    file.write_text(TEXT.replace("{PROGRAMS}", "{p: p.py}"))
    loaded = load(file)
    (folder / "p.py").unlink()
    (folder / "p.py").symlink_to("../secret.py")
    assert loaded.sources == {"p.py": b"own"}


def test_a_source_may_be_so_large_and_no_larger(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.truncate(folder / "p.py", MAX_SOURCE_BYTES)
    assert len(read(folder, "p.py")["p.py"]) == MAX_SOURCE_BYTES
    os.truncate(folder / "p.py", MAX_SOURCE_BYTES + 1)
    assert refused(folder, "p.py") == 'too-big: program "p": "p.py" is larger than 16 MiB'
    monkeypatch.setattr(gathering, "MAX_SOURCES_BYTES", 100)
    for name in ("q.py", "r.py"):
        (folder / name).write_bytes(b"x" * 60)
    with pytest.raises(ScenarioError, match="together"):
        read(folder, "q.py", "r.py")


def test_a_scenario_that_is_no_regular_file(folder: Path) -> None:
    os.mkfifo(folder / "fifo.yaml")
    for file in (folder / "fifo.yaml", Path("/dev/zero")):
        with pytest.raises(UsageError, match="is no regular file"):
            load(file)


def laid(folder: Path, path: str) -> bytes:
    file = folder / "play.yaml"
    text = TEXT.replace("{PROGRAMS}", f'{{p: {{command: x, files: {{in.txt: {{from: "{path}"}}}}}}}}')
    file.write_text(text)
    return load(file).laid["p", "in.txt"]


def test_a_file_of_a_program_is_read_as_its_sources_are(folder: Path) -> None:
    (folder / "sub/up.py").symlink_to("../p.py")
    assert laid(folder, "sub/up.py") == b"own"
    (folder / "out.py").symlink_to("../secret.py")
    os.mkfifo(folder / "fifo")
    for path in ("out.py", "../secret.py", "/etc/passwd", "fifo", "sub", "/dev/zero"):
        with pytest.raises(ScenarioError):
            laid(folder, path)
    (folder / "large").write_bytes(b"")
    os.truncate(folder / "large", MAX_SOURCE_BYTES + 1)
    with pytest.raises(ScenarioError, match="larger than 16 MiB"):
        laid(folder, "large")
