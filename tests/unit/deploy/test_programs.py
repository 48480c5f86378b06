"""From a program of a scenario to its files, how it is built and how it is started."""

from __future__ import annotations

import io
import shlex
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from lab.core.archive import MOST_MEMBERS, ArchiveError, Laid, Tree, archive, checked, packed, with_laid
from lab.scenario.cast import Program
from lab.scenario.programs import Recipe, header_cure, recipe


def made(name: str = "p", content: bytes = b"", **program: Any) -> Recipe:
    model = Program(**program)
    names = [PurePosixPath(path).name for path in model.paths]
    return recipe(name, model, Tree(tuple((file, content) for file in names), main=(names or [""])[0]))


@pytest.mark.parametrize(
    ("program", "build", "argv"),
    [
        (
            {"source": "server.cpp"},
            "g++ -std=gnu++20 -O1 -g -Wall -Wextra -pthread -o server server.cpp",
            ("./server",),
        ),
        ({"source": "a/b.c"}, "gcc -std=gnu17 -O1 -g -Wall -Wextra -pthread -o b b.c -lm", ("./b",)),
        (
            {"sources": ("Server.C", "rest.c", "HEAD.H")},
            "gcc -std=gnu17 -O1 -g -Wall -Wextra -pthread -o Server -x c Server.C -x none rest.c -lm",
            ("./Server",),
        ),
        ({"source": "p.py"}, None, ("python3", "p.py")),
        ({"source": "P.PY"}, None, ("python3", "P.PY")),
        ({"source": "p.sh"}, None, ("sh", "p.sh")),
        ({"source": "Main.java"}, "javac -d . Main.java", ("java", "Main")),
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
    program: dict[str, Any], build: str | None, argv: tuple[str, ...]
) -> None:
    found = made(**program)
    assert (found.build, found.argv) == (build, argv)


def test_a_java_file_with_a_package_is_run_by_the_whole_name_of_its_class() -> None:
    found = made(source="Main.java", content=b"// hello\npackage edu.net;\npublic class Main {}\n")
    assert (found.build, found.argv) == ("javac -d . Main.java", ("java", "edu.net.Main"))


def test_a_files_name_is_no_shell_command() -> None:
    found = made(source="it's; ls.cpp")
    assert found.build is not None
    assert shlex.split(found.build)[-3:] == ["-o", "it's; ls", "it's; ls.cpp"]
    assert found.argv == ("./it's; ls",)


def test_a_digest_tells_one_build_from_another() -> None:
    first = made(source="p.cpp")
    assert first.digest("image") == made(source="p.cpp").digest("image")
    others = [
        made(source="p.cpp", content=b"int main() {}").digest("image"),
        made("q", source="p.cpp").digest("image"),
        made(source="p.cpp", build="clang p.cpp").digest("image"),
        first.digest("another image"),
    ]
    assert len({first.digest("image"), *others}) == 5


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ("p.c:1:10: fatal error: help.h: No such file or directory", "add src/help.h to `sources:`"),
        ("fatal error: in/deep.h: No such file or directory", 'and include it as "deep.h"'),
        ("fatal error: none.h: No such file or directory", ""),
        ("fatal error: ../out.h: No such file or directory", ""),
        ("p.c:1:10: error: help.h", ""),
    ],
)
def test_a_missing_header_that_lies_beside_its_source_is_named(tmp_path: Path, words: str, cure: str) -> None:
    (tmp_path / "src" / "in").mkdir(parents=True)
    for name in ("src/help.h", "src/in/deep.h", "out.h"):
        (tmp_path / name).touch()
    said = header_cure(Program(source=("src/p.c",)), tmp_path, words)
    assert cure in said
    assert bool(said) is bool(cure)


def tarred(*members: tuple[str, bytes, str | bytes], end: bool = True) -> bytes:
    """An archive of members: a name, a type, and the content or where a link leads."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, kind, given in members:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid = kind, 0o4700, 77
            if isinstance(given, bytes):
                member.size = len(given)
                tar.addfile(member, io.BytesIO(given))
            else:
                member.linkname = given
                tar.addfile(member)
    return packed.getvalue() if end else packed.getvalue()[:1000]


REG, DIR, SYM, LNK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def test_what_was_built_is_taken_into_its_programs_folder() -> None:
    given = tarred(
        ("./", DIR, ""), ("./bin", DIR, ""), ("./bin/p", REG, b"1"), ("./q", LNK, "./bin/p"),
        ("./away", SYM, "/etc/passwd"), ("./fifo", tarfile.FIFOTYPE, ""),
    )  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(checked(given, "p"))) as tar:
        assert [(one.name, one.type, one.linkname, one.mode, one.uid) for one in tar] == [
            ("p", DIR, "", 0o775, 0), ("p/bin", DIR, "", 0o775, 0), ("p/bin/p", REG, "", 0o775, 0),
            ("p/q", LNK, "p/bin/p", 0o775, 0), ("p/away", SYM, "/etc/passwd", 0o775, 0),
        ]  # fmt: skip
        member = tar.extractfile("p/bin/p")
        assert member is not None
        assert member.read() == b"1"


@pytest.mark.parametrize(
    "given",
    [
        b"no archive at all, but longer than a block of one" * 20,
        tarred(("p", REG, b"x" * 900), end=False),
        tarred(("../oracle/oracle.sh", REG, b"")),
        tarred(("/work/oracle/oracle.sh", REG, b"")),
        tarred(("a", DIR, ""), ("a/../../oracle", REG, b"")),
        tarred(("x", SYM, "../oracle"), ("x/oracle.sh", REG, b"")),
        tarred(("x", LNK, "../oracle/oracle.sh")),
        tarred(("x", SYM, "y"), ("z", LNK, "x")),
        tarred(("x", REG, b""), ("x", SYM, "/")),
        tarred(*((str(number), REG, b"") for number in range(MOST_MEMBERS + 1))),
    ],
    ids=[
        "garbage",
        "cut",
        "up",
        "absolute",
        "up again",
        "through",
        "hard link",
        "link to link",
        "twice",
        "many",
    ],
)
def test_what_no_programs_folder_needs_is_refused(given: bytes) -> None:
    with pytest.raises(ArchiveError):
        checked(given, "p")


def test_an_archive_is_the_same_for_the_same_files() -> None:
    packed = archive([("a", b"1"), ("b/c", b"22")], mode=0o755)
    assert packed == archive([("a", b"1"), ("b/c", b"22")], mode=0o755)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert [(one.name, one.size, one.mode, one.uid, one.mtime) for one in tar] == [
            ("a", 1, 0o755, 0, 2), ("b/c", 2, 0o755, 0, 2),
        ]  # fmt: skip


def unpacked(given: bytes) -> dict[str, tuple[int, bytes]]:
    """The mode and the content of each file of an archive, the last of each name."""
    with tarfile.open(fileobj=io.BytesIO(given)) as tar:
        found = {}
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            found[member.name] = member.mode, file.read() if file else b""
        return found


def test_files_are_laid_into_a_programs_folder() -> None:
    given = packed(Tree((("p.py", b"print()"), ("in.txt", b"old")), ("www",)), "p/")
    laid = with_laid(given, "p", [Laid("in.txt", b"new", 0o640), Laid("www/a/b", b"b", 0o644)])
    found = unpacked(laid)
    assert found["p/in.txt"] == (0o640, b"new")
    assert found["p/www/a/b"] == (0o644, b"b")
    assert found["p/p.py"][1] == b"print()"
    assert unpacked(with_laid(b"", "p", [Laid("p", b"own", 0o600)])) == {"p/p": (0o600, b"own")}
    assert unpacked(with_laid(given, "p", [Laid("p", b"own", 0o600)]))["p/p"] == (0o600, b"own")


@pytest.mark.parametrize(("path", "why"), [("www", "www is a folder"), ("p.py/a", "p.py is no folder")])
def test_files_that_are_in_the_way_of_what_was_built(path: str, why: str) -> None:
    given = packed(Tree((("p.py", b"print()"),), ("www",)), "p/")
    with pytest.raises(ArchiveError, match=why):
        with_laid(given, "p", [Laid(path, b"", 0o644)])
