"""``file``: passing, failing, inconclusive."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from lab.core.words import Outcome
from lab.evidence.files import FileEvidence, SeenFile
from tests.unit.staged import FAIL, INCONCLUSIVE, PASS, Stage

PROGRAMS: dict[str, Any] = {
    "server": {"source": ["server.py"], "files": {"big.bin": {"random": 8}}},
    "client": {"source": ["client.py"]},
}
STEPS = [{"actor": host, "action": {"start": host.partition("_")[0]}} for host in ("server", "client_a")]


def seen(
    content: bytes = b"", host: str = "server", path: str = "out", program: str = "", **more: Any
) -> FileEvidence:
    digest = hashlib.sha256(content).hexdigest()
    fields = {"kind": "file", "size": len(content), "sha256": digest, "kept": len(content), **more}
    return FileEvidence(SeenFile(1, host, program or host.partition("_")[0], path, **fields), content)


def judged(folder: Path, words: dict[str, Any], *files: FileEvidence) -> Any:
    stage = Stage(folder, files=files, programs=PROGRAMS, steps=STEPS)
    return stage.judge({"file": {"host": "server", "path": "out", **words}})


OTHER = {"same_as": {"host": "client_a", "path": "out"}}


@pytest.mark.parametrize(
    ("words", "content", "outcome"),
    [
        ({"exists": True}, b"", PASS),
        ({"exists": False}, b"", FAIL),
        ({"size": 3}, b"abc", PASS),
        ({"size": "<=2"}, b"abc", FAIL),
        ({"sha256": hashlib.sha256(b"abc").hexdigest()}, b"abc", PASS),
        ({"sha256": hashlib.sha256(b"abc").hexdigest()}, b"abcd", FAIL),
        ({"contains": ["b", "c"]}, b"abc", PASS),
        ({"contains": ["c", "b"]}, b"abc", FAIL),
        ({"contains": ["\u00e9"]}, "\u00e9".encode(), PASS),
        ({"lines": {"a": 2}}, b"a\na\nab", PASS),
        ({"lines": {"a": 2}}, b"a\na\na", FAIL),
        ({"lines": {"a": 1}}, b"a\r\n", FAIL),
        (OTHER, b"abc", PASS),
        (OTHER, b"abd", FAIL),
        (OTHER, b"ab", FAIL),
        (OTHER, b"abcd", FAIL),
        (OTHER, b"", FAIL),
    ],
)
def test_words(tmp_path: Path, words: dict[str, Any], content: bytes, outcome: Outcome) -> None:
    assert judged(tmp_path, words, seen(content), seen(b"abc", "client_a")).outcome is outcome


WORDS: list[dict[str, Any]] = [
    {"exists": True}, {"size": ">=0"}, {"sha256": "0" * 64}, {"contains": ["a"]}, {"lines": {"a": "<=1"}}, OTHER,
]  # fmt: skip


@pytest.mark.parametrize("words", WORDS, ids=str)
@pytest.mark.parametrize("kind", ["missing", "folder", "link", "fifo", "device"])
def test_what_is_no_file_fails(tmp_path: Path, words: dict[str, Any], kind: str) -> None:
    nothing = seen(kind=kind, sha256="")
    result = judged(tmp_path, words, nothing, seen(b"abc", "client_a"))
    assert result.outcome is FAIL
    assert result.absent is (kind == "missing")
    exists_not = judged(tmp_path, {"exists": False}, nothing)
    assert exists_not.outcome is (PASS if kind == "missing" else FAIL)


@pytest.mark.parametrize("words", [*WORDS, {"exists": False}], ids=str)
def test_what_was_not_read_is_not_known(tmp_path: Path, words: dict[str, Any]) -> None:
    for files in ((), (seen(kind="unread", sha256="", why="it could not be read"),)):
        assert judged(tmp_path, words, *files, seen(b"abc", "client_a")).outcome is INCONCLUSIVE


def test_a_file_that_is_being_written_is_there_and_no_more_is_known(tmp_path: Path) -> None:
    for words in WORDS[1:]:
        file = seen(b"a", changing=True)
        assert judged(tmp_path, words, file, seen(b"a", "client_a")).outcome is INCONCLUSIVE
    assert judged(tmp_path, {"exists": True}, seen(b"a", changing=True)).outcome is PASS


def test_what_is_not_kept_is_in_doubt_unless_the_rest_decides(tmp_path: Path) -> None:
    cut = seen(b"a\nb\na", size=9, sha256="")
    assert judged(tmp_path, {"contains": ["b"]}, cut).outcome is PASS
    assert judged(tmp_path, {"contains": ["c"]}, cut).outcome is INCONCLUSIVE
    assert judged(tmp_path, {"lines": {"a": 1}}, cut).outcome is INCONCLUSIVE
    assert judged(tmp_path, {"lines": {"a": ">=2"}}, cut).outcome is INCONCLUSIVE
    assert judged(tmp_path, {"lines": {"b": 0}}, cut).outcome is FAIL
    assert judged(tmp_path, {"sha256": "0" * 64}, cut).outcome is INCONCLUSIVE
    same = seen(b"a\nb\na", "client_a", size=9, sha256="")
    assert judged(tmp_path, OTHER, cut, same).outcome is INCONCLUSIVE
    assert judged(tmp_path, OTHER, cut, seen(b"abc", "client_a")).outcome is FAIL
    hashed, other = seen(b"a", size=9), seen(b"b", "client_a", size=9)
    assert judged(tmp_path, OTHER, hashed, other).outcome is FAIL


def test_the_first_difference_is_shown(tmp_path: Path) -> None:
    given = seen(b"ab\ncd\nef", "", "big.bin", "server")
    words = {"same_as": {"program": "server", "path": "big.bin"}}
    result = judged(tmp_path, words, seen(b"ab\ncX\nef"), given)
    assert result.observed == "it differs from byte 5 on (it has 8 bytes)"
    shown = result.evidence[0].splitlines()
    assert shown[0] == "the first difference, at byte 5 (line 2):"
    assert shown[1].split("  ")[1:3] == ["expected", "64 0a 65 66"]
    assert shown[2].split("  ")[1:3] == ["there is", "58 0a 65 66"]
    assert shown[2].endswith(r"'X\nef'")
    assert (
        judged(tmp_path, words, seen(b"ab"), given).observed
        == "it ends after 2 bytes of 8, which are the same"
    )
