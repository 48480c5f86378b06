"""Trees of sources: folders, lists with globs and archives, whoever made them."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lab.core.archive import MOST_MEMBERS, Tree
from lab.core.errors import ScenarioError
from lab.scenario.loader import Loaded, load
from lab.scenario.loader.leftovers import MOST_PATTERNS, ignored_by, is_left_out

TEXT = """
version: 1
title: Sources
networks: {lan: 10.0.0.0/24}
hosts: {a: 10.0.0.1}
programs: {p: {source: [SOURCE], build: "true", run: x}}
steps: [{a: {start: p}}]
checks: [{connections: {to: "a:1", count: 0}}]
"""
MIB = 1024**2


def lay(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def loaded(folder: Path, *sources: str) -> Loaded:
    file = folder / "play.yaml"
    file.write_text(TEXT.replace("SOURCE", ", ".join(f'"{source}"' for source in sources)))
    return load(file)


def tree(folder: Path, *sources: str) -> Tree:
    return loaded(folder, *sources).trees["p"]


def paths(folder: Path, *sources: str) -> list[str]:
    return [path for path, _ in tree(folder, *sources).files]


def refused(folder: Path, *sources: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        loaded(folder, *sources)
    (problem,) = caught.value.problems
    assert problem.fix
    return f"{problem.code}: {problem.what}"


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    """An archive as many systems make it: text is the target of a link."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            kind = stat.S_IFLNK if isinstance(content, str) else stat.S_IFREG
            info.create_system, info.external_attr = 3, (kind | 0o644) << 16
            archive.writestr(info, content)
    return result.getvalue()


def tarred(files: Mapping[str, bytes | str], kind: bytes = tarfile.SYMTYPE) -> bytes:
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = kind, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return result.getvalue()


def tar_gz(files: Mapping[str, bytes | str]) -> bytes:
    return gzip.compress(tarred(files))


Pack = Callable[[Mapping[str, bytes | str]], bytes]
PACKERS: dict[str, Pack] = {"a.zip": zipped, "a.tar": tarred, "a.tar.gz": tar_gz, "a.TGZ": tar_gz}


def test_a_folder_keeps_its_shape(tmp_path: Path) -> None:
    lay(tmp_path, {"hand/Makefile": b"all:", "hand/src/main.c": b"1", "hand/src/in/x.h": b"2"})
    (tmp_path / "hand/logs").mkdir()
    (tmp_path / "hand/src/x.h").symlink_to("in/x.h")
    found = loaded(tmp_path, "hand")
    assert found.trees["p"] == Tree(
        (("Makefile", b"all:"), ("src/in/x.h", b"2"), ("src/main.c", b"1")),
        ("logs", "src", "src/in"),
        (("src/x.h", "in/x.h"),),
    )
    assert set(found.sources) == {"hand/Makefile", "hand/src/main.c", "hand/src/in/x.h"}


def test_what_was_read_of_a_tree_is_kept(tmp_path: Path) -> None:
    lay(tmp_path, {"hand/main.c": b"1"})
    found = loaded(tmp_path, "hand")
    (tmp_path / "hand/main.c").write_bytes(b"2")
    assert found.trees["p"].files == (("main.c", b"1"),)


@pytest.mark.parametrize("name", PACKERS)
def test_an_archive_with_all_in_one_folder(tmp_path: Path, name: str) -> None:
    packed = PACKERS[name]({
        "hand-in/": b"", "hand-in/src/a.c": b"1", "hand-in/Makefile": b"all:", "hand-in/b.c": "src/a.c",
        "__MACOSX/hand-in/._a.c": b"x", "hand-in/.DS_Store": b"x", "hand-in/.git/HEAD": b"x",
        "hand-in/a.c~": b"x", "hand-in/.a.c.swp": b"x", "hand-in/src/__pycache__/a.pyc": b"x",
    } if name == "a.zip" else {"hand-in/src/a.c": b"1", "hand-in/Makefile": b"all:", "hand-in/b.c": "src/a.c"})  # fmt: skip
    lay(tmp_path, {name: packed})
    found = loaded(tmp_path, name)
    assert found.trees["p"] == Tree(
        (("Makefile", b"all:"), ("src/a.c", b"1")),
        ("src",),
        (("b.c", "src/a.c"),),
    )
    assert found.sources == {name: packed}


def test_names_of_other_systems_and_tongues(tmp_path: Path) -> None:
    lay(tmp_path, {"übung/größe.c": b"1"})
    assert paths(tmp_path, "übung") == ["größe.c"]
    # macOS writes UTF-8 and does not say so; some programs of Windows write a backslash.
    said, not_said = zipped({"größe.c": b"1", "b.c": b"2"}), zipped({"gr\x94e.c": b"1", "b.c": b"2"})
    assert paths_of(tmp_path, said) == ["b.c", "größe.c"]
    assert paths_of(tmp_path, not_said.replace(b"gr\xc2\x94e.c", b"gr\xc3\xb6e.c")) == ["b.c", "gröe.c"]
    dos = bytearray(zipped({"src\\a.c": b"1", "b.c": b"2"}))
    for place in (dos.find(b"PK\x01\x02"),):
        dos[place + 5] = 0
    assert paths_of(tmp_path, bytes(dos)) == ["b.c", "src/a.c"]
    lay(tmp_path, {"latin/caf\udce9.c": b"1"})
    assert paths(tmp_path, "latin") == ["caf\udce9.c"]


def paths_of(folder: Path, packed: bytes) -> list[str]:
    (folder / "a.zip").write_bytes(packed)
    return paths(folder, "a.zip")


def test_a_list_begins_in_the_folder_that_all_have_in_common(tmp_path: Path) -> None:
    lay(tmp_path, {f"hand/{name}": b"" for name in ("src/a.c", "src/b.c", "src/t/c.c", "inc/a.h", "x.py")})
    assert paths(tmp_path, "hand/src/*.c") == ["a.c", "b.c"]
    assert paths(tmp_path, "hand/src/**/*.c") == ["a.c", "b.c", "t/c.c"]
    assert paths(tmp_path, "hand/src/[ab].c", "hand/inc") == ["inc/a.h", "src/a.c", "src/b.c"]
    assert paths(tmp_path, "hand/src/a.c", "hand/src/b.c") == ["a.c", "b.c"]
    assert paths(tmp_path, "hand/*/a.?", "hand/x.py") == ["inc/a.h", "src/a.c", "x.py"]


def test_a_file_whose_name_is_like_a_glob(tmp_path: Path) -> None:
    lay(tmp_path, {"a[1].c": b"1", "a1.c": b"2"})
    assert tree(tmp_path, "a[1].c").files == (("a[1].c", b"1"),)


@pytest.mark.parametrize(
    ("patterns", "path", "left_out"),
    [
        ("*.o", "a/b.o", True), ("*.o", "a/b.c", False), ("/build", "build", True), ("/build", "a/build", False),
        ("build/", "a/build/", True), ("build/", "a/build", False), ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True), ("a/**", "a/x/", True), ("a/**", "a/", False), ("*.o\n!k.o", "k.o", False),
        ("*.o\n!k.o", "l.o", True), ("\\#x", "#x.", False), ("\\#x", "#x", True), ("\\!x", "!x", True),
        ("# x", "# x", False), ("[^a].c", "b.c", True), ("[^a].c", "a.c", False), ("**/foo", "a/foo", True),
        ("foo/*", "foo/x/y", False), ("x  ", "x", True), ("x\r", "x", True), ("", "x", False), ("/", "x", False),
        ("[", "[", True), ("a\\*", "a*", True), ("a\\*", "ab", False), (".DS_Store", "src/x.c~", True),
    ],
)  # fmt: skip
def test_what_a_gitignore_names(patterns: str, path: str, left_out: bool) -> None:
    parts = tuple(path.rstrip("/").split("/"))
    ignored = ignored_by(patterns.encode(), ())
    assert is_left_out(parts, is_folder=path.endswith("/"), ignored=ignored) is left_out


def test_a_gitignore_holds_for_its_own_folder_and_what_is_below(tmp_path: Path) -> None:
    lay(tmp_path, {
        "h/.gitignore": b"*.o\nbuild/\n", "h/a.o": b"", "h/a.c": b"", "h/build/x.c": b"", "h/lib/.gitignore": b"!k.o\n/own",
        "h/lib/k.o": b"", "h/lib/l.o": b"", "h/lib/own": b"", "h/own": b"",
    })  # fmt: skip
    assert paths(tmp_path, "h") == [".gitignore", "a.c", "lib/.gitignore", "lib/k.o", "own"]


def test_a_hostile_gitignore_takes_no_time(tmp_path: Path) -> None:
    lay(tmp_path, {f"h/{'a' * 250}{number}": b"" for number in range(100)})
    lay(tmp_path, {"h/.gitignore": b"*a*a*a*a*a*a*a*a*b\n" * MOST_PATTERNS, "h/ok.c": b""})
    began = time.monotonic()
    assert "ok.c" in paths(tmp_path, "h")
    assert time.monotonic() - began < 60
    lay(tmp_path, {"h/.gitignore": b"*.o\n" * (MOST_PATTERNS + 1)})
    assert "has more than 1000 lines" in refused(tmp_path, "h")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "x/../../../secret", "../.."])
def test_no_link_leads_out_of_a_tree(tmp_path: Path, target: str) -> None:
    lay(tmp_path, {"secret": b"s", "h/a.c": b"", "h/sub/b.c": b""})
    (tmp_path / "h/sub/link").symlink_to(target)
    said = f'outside-folder: program "p": "h/sub/link" is a link to "{target}", which leads out of "h"'
    assert refused(tmp_path, "h") == said
    for name, pack in PACKERS.items():
        lay(tmp_path, {name: pack({"a.c": b"", "sub/link": target})})
        assert f'link" is a link to "{target}", which leads out of' in refused(tmp_path, name)


def test_a_folder_that_is_itself_a_link_out(tmp_path: Path) -> None:
    (tmp_path / "away").symlink_to("/etc")
    assert "leads out of the scenario's folder" in refused(tmp_path, "away")
    assert "leads out of the scenario's folder" in refused(tmp_path, "../x")
    assert "leads out of the scenario's folder" in refused(tmp_path, "/etc/*.conf")


def test_a_tree_holds_no_pipe_and_no_device(tmp_path: Path) -> None:
    lay(tmp_path, {"h/a.c": b""})
    os.mkfifo(tmp_path / "h/pipe")
    assert '"h/pipe" is a device, a pipe or a socket' in refused(tmp_path, "h")
    for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
        lay(tmp_path, {"a.tar": tarred({"a.c": b"", "dev": ""}, kind)})
        assert 'holds "dev", which is a device or a pipe' in refused(tmp_path, "a.tar")


@pytest.mark.parametrize("name", ["../evil.c", "/etc/evil.c", "a/../../evil.c", "C:\\evil.c"])
def test_a_path_that_leads_out_of_an_archive(tmp_path: Path, name: str) -> None:
    for archive, pack in PACKERS.items():
        lay(tmp_path, {archive: pack({"a.c": b"", name: b"x"})})
        assert f'holds "{name}", which leads out of it' in refused(tmp_path, archive)


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (b"no archive", "bad-archive"), (b"", "bad-archive"), (zipped({"a.c": b"1" * 5000})[:60], "bad-archive"),
        (zipped({"a": b"", "a/b": b""}), "leads through a file"), (zipped({"a/b": b"", "a": b""}), "twice"),
        (zipped({}), "holds no file"), (zipped({"__MACOSX/._a": b"", ".DS_Store": b""}), "what is always left out (.DS_Store, __MACOSX)"),
        (zipped({"a\\" * 40 + "/" + "x/" * 40 + "a.c": b""}), "more than 32 deep"),
        (zipped({"x" * 300: b""}), "a name that no file can have"),
        (zipped({str(number): b"" for number in range(MOST_MEMBERS + 1)}), "more than 2000 files and folders"),
    ],
    ids=["garbage", "empty", "cut", "through a file", "folder and file", "nothing", "leftovers", "deep", "name", "many"],
)  # fmt: skip
def test_archives_that_cannot_be_taken(tmp_path: Path, packed: bytes, words: str) -> None:
    lay(tmp_path, {"a.zip": packed})
    assert words in refused(tmp_path, "a.zip")


def test_archives_that_are_bombs(tmp_path: Path) -> None:
    zeros = bytes(16 * MIB)
    lay(tmp_path, {"a.zip": zipped(dict.fromkeys("abc", zeros)), "b.zip": zipped({"a": zeros + b"0"})})
    lay(tmp_path, {"a.tgz": gzip.compress(bytes(200 * MIB)), "c.zip": zipped({"a": zeros})})
    assert "unpacks to more than 100 times its size" in refused(tmp_path, "a.zip")
    assert '"b.zip/a" is larger than 16 MiB' in refused(tmp_path, "b.zip")
    assert "unpacks to more than 64 MiB" in refused(tmp_path, "a.tgz")
    assert tree(tmp_path, "c.zip").files == (("a", zeros),)


def test_a_tar_whose_links_go_in_a_circle(tmp_path: Path) -> None:
    lay(tmp_path, {"a.tar": tarred({"a": "b", "b": "a"}, tarfile.LNKTYPE)})
    assert "bad-archive" in refused(tmp_path, "a.tar")
    lay(tmp_path, {"a.tar": tarred({"a.c": b"1", "b.c": "a.c"}, tarfile.LNKTYPE)})
    assert tree(tmp_path, "a.tar").files == (("a.c", b"1"), ("b.c", b"1"))


@pytest.mark.parametrize("target", ["../../secret.c", "/etc/passwd", "a/../../secret.c", "C:\\secret.c"])
def test_a_tar_whose_hard_link_leads_out(tmp_path: Path, target: str) -> None:
    lay(tmp_path, {"a.tar": tarred({"a.c": b"1", "b.c": target}, tarfile.LNKTYPE)})
    assert f'holds "b.c", which is a link to "{target}", which leads out of it' in refused(tmp_path, "a.tar")


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    lay(tmp_path, {"h/a.c": b"", "a.zip": zipped({"a.c": b""})})
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path, "empty") == 'no-file: program "p": "empty" holds no file'
    assert refused(tmp_path, "h/*.cpp") == 'no-file: program "p": "h/*.cpp" fits no file'
    assert 'there is no file "none"' in refused(tmp_path, "none/*.c")
    assert '"h/a.c" is no folder' in refused(tmp_path, "h/a.c/*.c")
    assert "is an archive, and not the only source" in refused(tmp_path, "h", "a.zip")


def test_all_trees_together_have_a_bound(tmp_path: Path) -> None:
    for number in range(5):
        lay(tmp_path, {f"h/{number}": b""})
        os.truncate(tmp_path / f"h/{number}", 15 * MIB)
    assert "larger than 64 MiB together" in refused(tmp_path, "h")
