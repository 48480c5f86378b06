"""Submissions as they come: from platforms, in archives, hostile ones too."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from lab.core.archive import Tree
from lab.core.errors import UsageError
from lab.grade.accepting import accept
from lab.grade.assignment import SubmissionLimits, Submit
from lab.grade.batch import Submission, chosen
from lab.grade.intake import Refused, handed_in, opened_batch, tree_of
from lab.grade.names import Named, folder_for, named
from lab.grade.sameness import sameness

MOST = 1024 * 1024


@pytest.mark.parametrize(
    ("text", "is_folder", "wanted"),
    [
        ("Ada Lovelace_1234_assignsubmission_file", True, Named("Ada Lovelace", "1234", "moodle")),
        ("Ada Lovelace_1234_assignsubmission_file_", True, Named("Ada Lovelace", "1234", "moodle")),
        ("名字_7_assignsubmission_onlinetext", True, Named("名字", "7", "moodle", text=True)),
        ("Ada_B_12_assignsubmission_file_a_b.c", False, Named("Ada_B", "12", "moodle", "a_b.c")),
        ("lovelaceada_123_4567_server.c", False, Named("lovelaceada", "123", "canvas", "server.c")),
        (
            "lovelaceada_LATE_123_4567_my_1.c",
            False,
            Named("lovelaceada", "123", "canvas", "my_1.c", late=True),
        ),
        ("ann.tar.gz", False, Named("ann", file="ann.tar.gz")),
        ("ann", True, Named("ann")),
        (".c", False, Named(".c", file=".c")),
        ("=HYPERLINK(1)\n_x", True, Named("=HYPERLINK(1)\n_x")),
    ],
)
def test_names(text: str, is_folder: bool, wanted: Named) -> None:
    assert named(text, is_folder=is_folder) == wanted


def test_folders_are_safe_and_never_the_same() -> None:
    names = ["..", "a/b", "a_b", "", "Ä ö", "x" * 500, "CON\0", "-rf", "\udcff", "名" * 100, "a\nb"]
    folders = [folder_for(name, f"name:{name}") for name in names]
    assert len(set(folders)) == len(names)
    for folder in folders:
        assert len(folder.encode()) < 120
        assert "/" not in folder
        assert "\n" not in folder
        assert not folder.startswith((".", "-"))


def _zip(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def told(place: Path, submit: Submit | None = None, most: int = MOST) -> dict[str, list[str] | str]:
    """The files that are graded of each submission, or why it is refused."""
    found: dict[str, list[str] | str] = {}
    with opened_batch(place) as batch:
        for one in handed_in(batch):
            try:
                taken = accept(tree_of(batch, one, most), submit or Submit(programs=("server",)))
                found[one.student.name] = [path for path, _ in taken.tree.files]
            except Refused as refused:
                found[one.student.name] = f"{'human: ' if refused.human else ''}{refused.reason}"
    return found


def test_a_folder_of_everything(tmp_path: Path) -> None:
    """Each is a row, and none the end of the batch."""
    for folder in (
        "ann",
        "ben/deep/src",
        "empty",
        "fay",
        "guy_1_assignsubmission_file",
        "two",
        "linked",
        "pipe",
    ):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ann" / "server.c").write_text("int main(){}")
    (tmp_path / "ann" / ".DS_Store").write_text("x")
    (tmp_path / "ben" / "deep" / "src" / "server.py").write_text("x")
    (tmp_path / "cy.zip").write_bytes(_zip({"cy/server.c": b"x", "__MACOSX/cy/._server.c": b"x"}))
    (tmp_path / "dan.zip").write_bytes(b"no zip at all")
    (tmp_path / "eve.c").write_text("x")
    (tmp_path / "fay" / "server.c").write_bytes(b"\x7fELF" + b"\0" * 50)
    (tmp_path / "guy_1_assignsubmission_file" / "hand in.zip").write_bytes(_zip({"server.py": b"x"}))
    (tmp_path / "two" / "server.c").write_text("x")
    (tmp_path / "two.zip").write_bytes(_zip({"server.c": b"x"}))
    (tmp_path / "linked" / "server.c").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe" / "server.c")
    with (tmp_path / "huge.c").open("wb") as file:
        file.truncate(1024**3)
    (tmp_path / "rar.rar").write_bytes(b"Rar!")
    (tmp_path / "slip.zip").write_bytes(_zip({"../../evil.c": b"x"}))
    (tmp_path / "bomb.zip").write_bytes(_zip({"a.c": b"\0" * (60 * MOST)}))
    (tmp_path / "a_LATE_5_6_server.c").write_text("x")
    (tmp_path / "a_LATE_5_7_util-1.c").write_text("x")
    (tmp_path / "=1+2\n").mkdir()
    (tmp_path / "=1+2\n" / "s.py").write_text("x")
    found = told(tmp_path)
    assert found["ann"] == found["cy"] == ["server.c"]
    assert found["ben"] == found["guy"] == ["server.py"] or found["ben"] == ["src/server.py"]
    assert found["eve"] == ["eve.c"]
    assert found["a"] == ["server.c", "util-1.c"]
    assert found["=1+2\n"] == ["s.py"]
    for name, words in {
        "dan": 'human: "dan.zip" cannot be unpacked', "empty": "holds no file", "fay": "compiled",
        "linked": "leads out", "pipe": "device, a pipe", "huge": "larger than", "rar": "cannot be unpacked",
        "slip": "leads out", "bomb": "larger than", "two": "human: the same student handed in several",
    }.items():  # fmt: skip
        assert words in found[name], (name, found[name])


def test_archives_of_a_class(tmp_path: Path) -> None:
    files = {
        "all/ann/server.c": b"x", "all/ben.zip": _zip({"server.py": b"x"}), "all/cy/../../evil.c": b"x",
        "all/.DS_Store": b"x",
    }  # fmt: skip
    (tmp_path / "all.zip").write_bytes(_zip({name: files[name] for name in files if "evil" not in name}))
    assert told(tmp_path / "all.zip") == {"ann": ["server.c"], "ben": ["server.py"]}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, kind in (("ann/server.c", tarfile.REGTYPE), ("ben/null", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, 1 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"x"))
    (tmp_path / "all.tar.gz").write_bytes(stream.getvalue())
    found = told(tmp_path / "all.tar.gz")
    assert found["ann"] == ["server.c"]
    assert "device or a pipe" in found["ben"]
    for name, content in (("no.zip", b"x"), ("cut.tar.gz", stream.getvalue()[:40]), ("what.txt", b"x")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError), opened_batch(tmp_path / name):
            pass


@pytest.mark.parametrize(
    ("submit", "files", "wanted"),
    [
        ({"required": ("server.c",)}, ["Server.c"], "Server.c is there: is that it?"),
        ({"required": ("server.c",)}, ["server-2.c"], ["server.c"]),
        ({"required": ("*.c", "Makefile")}, ["a.c", "sub/Makefile"], ["a.c", "sub/Makefile"]),
        ({"refused": ("*.o",)}, ["a.c", "b/c.o"], "b/c.o may not be handed in"),
        ({"required": ("a.c",), "optional": ("*.h",)}, ["a.c", "b.h", "notes.txt"], ["a.c", "b.h"]),
        ({"languages": ("c",)}, ["a.c", "b.py"], "b.py is written in python"),
        ({"languages": ("c",)}, ["notes.txt"], "no source file in a language that is allowed"),
        ({"limits": SubmissionLimits(files=1)}, ["a.c", "b.c"], "2 files, and 1 are allowed"),
    ],
)
def test_what_was_asked_for(
    submit: dict[str, object], files: list[str], wanted: list[str] | str, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / "all" / "ann" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / "ann" / name).write_text("x")
    found = told(tmp_path / "all", Submit(programs=("server",), **submit))["ann"]  # type: ignore[arg-type]
    assert found == wanted if isinstance(wanted, list) else wanted in found


def test_the_same_but_for_what_does_not_matter() -> None:
    one = Tree((("a.c", b"int main() { return 0; } /* mine */"),))
    other = Tree((("b.c", b"int main()\n{\n  return 0; // hers\n}"),))
    different = Tree((("b.c", b"int main() { return 1; }"),))
    assert sameness(one) == sameness(other) != sameness(different)
    assert sameness(Tree((("notes.txt", b"x"),))) == ""
    assert sameness(Tree((("a.c", b"/*" * 500_000),)))


def test_some_may_be_chosen() -> None:
    submissions = [
        Submission(Named("Ada L", "12", "moodle"), "Ada L_12"),
        Submission(Named("ben"), "ben.zip"),
    ]
    assert chosen(submissions, ["ada l"]) == chosen(submissions, ["12"]) == submissions[:1]
    assert chosen(submissions, ["b*"]) == submissions[1:]
    assert chosen(submissions, []) == submissions
    assert chosen(submissions, ["cy"]) == []
