"""From a program of a scenario to its files, how it is built and how it is started."""

from __future__ import annotations

import io
import shlex
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab.archive import archive
from lab.errors import SubmissionError
from lab.programs import Recipe, recipe
from lab.scenario.cast import MAX_SOURCE_BYTES, Program


def made(folder: Path, **program: Any) -> Recipe:
    model = Program(**program)
    for name in (model.source, *model.sources):
        if name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"// {name}\n")
    return recipe("p", model, folder)


@pytest.mark.parametrize(
    ("program", "build", "argv"),
    [
        (
            {"source": "server.cpp"},
            "g++ -std=gnu++20 -O1 -g -Wall -Wextra -pthread -o server server.cpp",
            ("./server",),
        ),
        ({"source": "a/b.c"}, "gcc -std=gnu17 -O1 -g -Wall -Wextra -pthread -o b b.c", ("./b",)),
        (
            {"sources": ("Server.C", "rest.c", "HEAD.H")},
            "gcc -std=gnu17 -O1 -g -Wall -Wextra -pthread -o Server -x c Server.C -x none rest.c",
            ("./Server",),
        ),
        ({"source": "p.py"}, None, ("python3", "p.py")),
        ({"source": "P.PY"}, None, ("python3", "P.PY")),
        ({"source": "p.sh"}, None, ("sh", "p.sh")),
        ({"source": "Main.java"}, "javac Main.java", ("java", "Main")),
        (
            {"sources": ("a.cpp", "b.cpp", "b.h")},
            "g++ -std=gnu++20 -O1 -g -Wall -Wextra -pthread -o a a.cpp b.cpp",
            ("./a",),
        ),
        ({"sources": ("a.cpp", "Makefile")}, "make", ("./a",)),
        ({"source": "a.rs", "build": "rustc a.rs", "run": "./a --loud"}, "rustc a.rs", ("./a", "--loud")),
        ({"command": "nc -l '80 81'"}, None, ("nc", "-l", "80 81")),
        ({"image": "alpine"}, None, ()),
    ],
)
def test_how_a_program_is_built_and_run(
    tmp_path: Path, program: dict[str, Any], build: str | None, argv: tuple[str, ...]
) -> None:
    found = made(tmp_path, **program)
    assert (found.build, found.argv) == (build, argv)


def test_a_files_name_is_no_shell_command(tmp_path: Path) -> None:
    found = made(tmp_path, source="it's; ls.cpp")
    assert found.build is not None
    assert shlex.split(found.build)[-3:] == ["-o", "it's; ls", "it's; ls.cpp"]
    assert found.argv == ("./it's; ls",)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError) as caught:
        recipe("p", Program(source="none.cpp"), tmp_path)
    assert caught.value.code == "unreadable-source"
    assert str(tmp_path / "none.cpp") in caught.value.where


def test_a_folder_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError):
        recipe("p", Program(source="."), tmp_path)


def test_a_source_may_be_so_large_and_no_larger(tmp_path: Path) -> None:
    with (tmp_path / "p.py").open("wb") as file:
        file.truncate(MAX_SOURCE_BYTES)
    recipe("p", Program(source="p.py"), tmp_path)
    with (tmp_path / "p.py").open("wb") as file:
        file.truncate(MAX_SOURCE_BYTES + 1)
    with pytest.raises(SubmissionError) as caught:
        recipe("p", Program(source="p.py"), tmp_path)
    assert caught.value.code == "large-source"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError) as caught:
        made(tmp_path, sources=("a/x.cpp", "b/x.cpp"))
    assert caught.value.code == "same-name"


def test_a_digest_tells_one_build_from_another(tmp_path: Path) -> None:
    first = made(tmp_path, source="p.cpp")
    assert first.digest("image") == made(tmp_path, source="p.cpp").digest("image")
    (tmp_path / "p.cpp").write_text("int main() {}\n")
    others = [
        recipe("p", Program(source="p.cpp"), tmp_path).digest("image"),
        recipe("q", Program(source="p.cpp"), tmp_path).digest("image"),
        recipe("p", Program(source="p.cpp", build="clang p.cpp"), tmp_path).digest("image"),
        recipe("p", Program(source="p.cpp"), tmp_path).digest("another image"),
    ]
    assert len({first.digest("image"), *others}) == 5


def test_an_archive_is_the_same_for_the_same_files() -> None:
    packed = archive([("a", b"1"), ("b/c", b"22")], mode=0o755)
    assert packed == archive([("a", b"1"), ("b/c", b"22")], mode=0o755)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert [(one.name, one.size, one.mode, one.uid, one.mtime) for one in tar] == [
            ("a", 1, 0o755, 0, 0), ("b/c", 2, 0o755, 0, 0),
        ]  # fmt: skip
