"""``lab publish``: students get what is visible and what is named, and nothing else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from lab.core.errors import LabError, ScenarioError, UsageError
from lab.grade.handout import lay
from lab.grade.points import shares
from lab.grade.publishing import published
from lab.grade.reading import Assigned, read
from lab.grade.visible import visible_part
from tests.unit.grade import course


@pytest.fixture
def assigned(tmp_path: Path) -> Assigned:
    return read(course.lay(tmp_path / "course"))


def made(assigned: Assigned, folder: Path) -> dict[str, bytes]:
    lay(published(assigned), folder)
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_what_students_get(assigned: Assigned, tmp_path: Path) -> None:
    publication = published(assigned)
    assert (publication.hidden, publication.checks) == (("secret-first",), 1)
    assert {one.name: one.why for one in publication.left_out} == {
        "unpublished": "`publish:` does not name its program judge",
        "only-hidden": "all its checks are hidden",
    }
    files = made(assigned, tmp_path / "out")
    assert sorted(files) == [
        "assignment.yaml",
        "handout.md",
        "include/proto.h",
        "scenarios/again.yaml",
        "scenarios/files/server/www/a.txt",
        "scenarios/programs/client/sources/sub/main.py",
        "scenarios/programs/tool/b.py",
        "scenarios/programs/tool/main.py",
        "scenarios/talk.yaml",
    ]
    for path, content in files.items():
        assert b"secret" not in path.lower().encode() + content.lower(), path
        for name in (b"unpublished", b"only-hidden", b"other", b"judge", b"teachers", b"publish"):
            assert name not in content, path
    assert sorted(path.name for path in tmp_path.iterdir()) == ["course", "out"]  # nothing is left beside it


def test_a_visible_scenario_without_checks_is_published(assigned: Assigned) -> None:
    scenario = assigned.played[0].loaded.scenario
    assert visible_part(scenario.model_copy(update={"checks": ()})) is not None
    hidden = tuple(check for check in scenario.checks if check.visibility != "visible")
    assert hidden
    assert visible_part(scenario.model_copy(update={"checks": hidden})) is None


def test_it_plays_and_is_worth_what_is_visible(assigned: Assigned, tmp_path: Path) -> None:
    made(assigned, tmp_path / "out")
    talk, again = (own := read(tmp_path / "out" / "assignment.yaml")).played
    assert own.assignment.submit.programs == ("server",)
    assert (talk.name, talk.case.needs, talk.brought) == ("talk", (), ("server",))
    assert (again.name, again.case.needs, again.case.runs) == ("again", ("talk",), 2)
    assert talk.case.hints == {"Seen": "look again", "conversation": "speak"}
    # 2 of 8 points of the checks are visible, and the scenario is worth 8.
    assert shares(talk) == {"Seen": shares(assigned.played[0])["Seen"]} == {"Seen": Fraction(2)}
    assert (again.case.rule, again.case.worth) == (assigned.played[2].case.rule, Fraction(4))
    assert talk.loaded.trees["tool"] == assigned.played[0].loaded.trees["tool"]
    assert talk.loaded.laid == assigned.played[0].loaded.laid


def test_a_solution_is_published_where_the_assignment_says_so(tmp_path: Path) -> None:
    file = course.lay(tmp_path / "course")
    file.write_text(file.read_text().replace("[client, tool]", "[client, tool, server]"))
    files = made(read(file), tmp_path / "out")
    assert files["scenarios/programs/server/Secret_solution.py"] == b"# Secret solution\n"
    assert b"source: programs/server/Secret_solution.py" in files["scenarios/talk.yaml"].replace(
        b"\n    - ", b" "
    )


def test_the_same_name_with_other_sources_has_a_folder_of_its_own(tmp_path: Path) -> None:
    file = course.lay(tmp_path / "course")
    other = file.parent / "other"
    for path in (*file.parent.glob("teachers/*.py"), file.parent / "teachers" / "again.yaml"):
        (other / path.name).parent.mkdir(exist_ok=True)
        (other / path.name).write_bytes(path.read_bytes())
    again = other / "again.yaml"
    again.write_text(
        again.read_text()
        .replace("hosts:", "  tool: {source: Secret_other.py}\nhosts:")
        .replace("checks:", "- b: {start: tool}\nchecks:")
    )
    file.write_text(file.read_text().replace("teachers/again", "other/again"))
    files = made(read(file), tmp_path / "out")
    assert "scenarios/programs/tool-2/Secret_other.py" in files
    assert "scenarios/programs/tool/main.py" in files


def test_a_folder_that_holds_something_is_refused(assigned: Assigned, tmp_path: Path) -> None:
    publication = published(assigned)
    there = tmp_path / "there"
    there.mkdir()
    lay(publication, there)
    with pytest.raises(UsageError, match=r"the folder is not empty: it holds assignment.yaml"):
        lay(publication, there)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"it is no folder"):
        lay(publication, tmp_path / "file")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match=r"it is no folder"):
        lay(publication, tmp_path / "nowhere")


def test_what_does_not_read_back_is_not_published(assigned: Assigned, tmp_path: Path) -> None:
    folder = assigned.file.parent / "teachers" / "Secret_folder" / "code" / "sub"
    (folder / ".gitignore").write_text("main.pyc\n")
    publication = published(read(assigned.file))
    changed = publication.trees["talk", "client"]
    trees = {**publication.trees, ("talk", "client"): type(changed)(changed.files[1:])}
    publication = type(publication)(
        publication.tree, publication.assignment, publication.scenarios, trees, (), (), 0
    )
    with pytest.raises(LabError, match=r"program client of talk does not read back"):
        lay(publication, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["course"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[client, tool]", "[cliant]", 'did you mean "client"?'),
        ("include/proto.h", "include/prot.h", 'did you mean "proto.h"?'),
        ("include/proto.h", "../x.h", "leads out of"),
        ("include/proto.h", "include", "is a folder"),
    ],
)
def test_mistakes(old: str, new: str, words: str, tmp_path: Path) -> None:
    file = course.lay(tmp_path)
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        read(file)
    assert words in str(caught.value)
    assert "assignment.yaml:15:" in str(caught.value)


def test_nothing_is_left(tmp_path: Path) -> None:
    file = course.lay(tmp_path)
    file.write_text(
        file.read_text()
        .replace("points: 8", "points: 8\n  visibility: hidden")
        .replace("again.yaml, ", "again.yaml, visibility: hidden, ")
    )
    with pytest.raises(
        UsageError, match=r"no scenario is left for students: unpublished: .*judge; only-hidden"
    ):
        published(read(file))


def test_a_file_of_a_name_that_is_taken(tmp_path: Path) -> None:
    file = course.lay(tmp_path)
    file.write_text(file.read_text().replace("handout.md", "assignment.yaml"))
    with pytest.raises(UsageError, match=r"assignment.yaml is a file for students"):
        published(read(file))
