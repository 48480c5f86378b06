"""``lab selfcheck``: which assignment is meant, and what of a folder would be handed in."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.core.errors import UsageError
from lab.grade.handout import lay
from lab.grade.intake import Refused
from lab.grade.publishing import published
from lab.grade.reading import Assigned, read
from lab.grade.selfcheck import found, taken, visible
from tests.unit.grade import course


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an empty folder ``work`` in it, where the command is given."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def handout(home: Path, place: str) -> Assigned:
    file = course.lay(home.parent / f"{home.name}-course")
    lay(published(read(file)), home / place)
    return read(home / place / "assignment.yaml")


def paths(work: Path, assigned: Assigned) -> list[str]:
    return [path for path, _ in taken(work, assigned, Path("work/runs")).tree.files]


def test_the_assignment_is_found_near_the_work(home: Path) -> None:
    work, name = home / "work", "assignment.yaml"
    with pytest.raises(UsageError, match=r"there is no assignment.yaml here, in a folder here, or above"):
        found(work)
    (home / name).touch()
    assert found(work) == Path(name)
    (work / "server.py").touch()
    assert found(work / "server.py") == Path(name)
    for folder in ("b", "a"):
        (work / folder).mkdir()
    (work / "a" / name).touch()
    assert found(work) == Path("work/a") / name
    (work / "b" / name).touch()
    with pytest.raises(UsageError, match=r"several folders hold an assignment.yaml: a, b"):
        found(work)
    (work / name).touch()
    assert found(work) == Path("work") / name


@pytest.mark.parametrize("place", ["work", "work/handout", "handout"])
def test_what_is_the_assignments_is_not_handed_in(home: Path, place: str) -> None:
    assigned, work = handout(home, place), home / "work"
    (work / "runs" / "1").mkdir(parents=True)
    (work / "runs" / "1" / "old.py").touch()
    (work / "src").mkdir()
    (work / "src" / "server.py").write_text("mine")
    (work / "runs.py").touch()
    own = ["handout.md", "include/proto.h"] if place == "work" else []
    assert paths(work, assigned) == sorted([*own, "runs.py", "src/server.py"])


def test_a_file_is_what_it_is_in_a_class(home: Path) -> None:
    assigned = handout(home, "handout")
    (home / "work" / "server.py").write_text("mine")
    tree = taken(home / "work" / "server.py", assigned, Path("runs")).tree
    assert (tree.main, tree.files) == ("server.py", (("server.py", b"mine"),))
    with pytest.raises(Refused, match=r"\*\.py is missing"):
        taken(home / "handout", assigned, Path("runs"))
    with pytest.raises(UsageError, match=r"there is nothing to check"):
        taken(home / "gone", assigned, Path("runs"))


def test_the_teachers_file_is_played_without_what_is_hidden(home: Path) -> None:
    assigned = visible(read(course.lay(home)))
    assert [one.name for one in assigned.played] == ["talk", "again", "unpublished", "only-hidden"]
    assert [one.case.needs for one in assigned.played] == [(), ("talk",), (), ()]
