"""The summary of a class, and the texts that a teacher adds to the feedback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.grade.batch import Row, Submission, row_of
from lab.grade.feedback import as_text, lines
from lab.grade.names import Named
from lab.grade.reading import Assigned, read
from lab.grade.result import CaseResult, CheckSeen, Graded, RunResult
from lab.grade.summary import summary

STARTER = Path(__file__).parents[3] / "scenarios" / "starter_assignment"
TEXTS = """
texts:
  passed: well done
  failed: |
    see
    *chapter* 3
  not_built: read the first error
  inconclusive: nobody knows
  trouble: our trouble
  not_played: first things first
  refused: hand in again
  human: write to us
"""
ALL = (
    "well done", "see\n*chapter* 3\n", "read the first error", "nobody knows", "our trouble",
    "trouble with echo", "first things first",
)  # fmt: skip


@pytest.fixture
def assigned(tmp_path: Path) -> Assigned:
    """The starter with all texts, and one of its own for a scenario."""
    shutil.copytree(STARTER, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "assignment.yaml"
    own = "  points: 8\n  texts: {trouble: trouble with echo}\n"
    file.write_text(file.read_text().replace("  points: 8\n", own).replace("visibility: hidden", "") + TEXTS)
    return read(file)


def row(assigned: Assigned, name: str, *runs: RunResult, pieces: CaseResult | None = None) -> Row:
    other = pieces or CaseResult("pieces", (run("pass"),))
    return row_of(Submission(Named(name), name, "d"), Graded((CaseResult("echo", runs), other)), assigned)


def run(*outcomes: str, cause: str = "", hidden: str = "pass") -> RunResult:
    checks = [CheckSeen(f"check {number}", one, causes=(cause,)) for number, one in enumerate(outcomes)]
    all_passed = {*outcomes, hidden} == {"pass"}
    outcome = "passed" if all_passed else "failed" if "fail" in {*outcomes, hidden} else "inconclusive"
    return RunResult(outcome, (*checks, CheckSeen("hidden", hidden, shown=False)))  # type: ignore[arg-type]


def told(one: Row, assigned: Assigned) -> str:
    return as_text(list(lines(one, assigned, Path("none"))))


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        pytest.param([run("pass"), run("pass")], "well done", id="passed"),
        pytest.param([run("pass"), run("pass", "fail")], "see\n*chapter* 3\n", id="failed"),
        pytest.param([RunResult("not-built", said="x.c:1: error")], "read the first error", id="not built"),
        pytest.param([run("pass"), run("inconclusive")], "nobody knows", id="inconclusive"),
        pytest.param([RunResult("trouble")], "trouble with echo", id="trouble of one scenario"),
        pytest.param([run("pass"), run("pass", hidden="fail")], "well done", id="only what is hidden failed"),
    ],
)
def test_the_text_for_what_became_of_a_scenario(assigned: Assigned, runs: list[RunResult], text: str) -> None:
    feedback = told(row(assigned, "ann", *runs), assigned).partition("pieces:")[0]
    assert [one for one in ALL if one in feedback] == [text]


def test_the_text_for_the_whole(assigned: Assigned) -> None:
    blocked = row(assigned, "ann", run("fail"), pieces=CaseResult("pieces", blocked="echo"))
    assert "because echo did not pass.\nfirst things first\n" in told(blocked, assigned)
    own = Submission(Named("ann"), "ann", refused="no file")
    assert "no file\nhand in again\n" in told(Row(own, "refused", ("no file",)), assigned)
    assert "\nwrite to us\n" in told(row(assigned, "ann", RunResult("trouble")), assigned)


def test_causes_that_differ_in_numbers_are_the_same(assigned: Assigned) -> None:
    causes = ["b stayed 2.103 s (step 1)", "a\x1b[1m stayed", "b stayed 2.2 s (step 1)", "long" * 100, "c"]
    rows = [row(assigned, f"s{number}", run("fail", cause=cause)) for number, cause in enumerate(causes)]
    rows += [row(assigned, "x", run("pass", "fail", cause="z" * 300)), row(assigned, "y", run("pass"))]
    text = "\n".join(summary(rows, assigned))
    assert (
        "Failed, by how many:\n"
        "     5  echo: check 0\n"
        "        2 of them, like this: b stayed 2.103 s (step 1)\n"
        "     1  echo: check 1\n"
        f"        1 of them: {'z' * 200} …\n"
    ) in f"{text}\n"


def test_causes_that_differ_in_bytes_are_the_same(assigned: Assigned) -> None:
    causes = ["no datagram was sent", "payload 'hex:ff ab 01 00'; 1 is not", r"payload 'A\x01\x00'; 1 is not"]
    rows = [row(assigned, f"s{number}", run("fail", cause=cause)) for number, cause in enumerate(causes)]
    assert f"        2 of them, like this: {causes[1]}" in list(summary(rows, assigned))


def test_what_the_linker_misses_is_named(assigned: Assigned) -> None:
    said = "/usr/bin/ld: a.o: in function `main':\na.c:5: undefined reference to `f'\ncollect2: error: ld returned 1"
    one = row(assigned, "eve", RunResult("not-built", said=said))
    assert "        1 of them: undefined reference to `f'" in list(summary([one], assigned))
