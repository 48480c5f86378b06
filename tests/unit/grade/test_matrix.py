"""``lab matrix``: who plays with whom, whose fault it is, and what is written."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec
import pytest

import lab
from lab.core.errors import ScenarioError, UsageError
from lab.grade.journal import Entry, Key, opened
from lab.grade.matrix import Cell, Matrix, Player, with_faults
from lab.grade.matrix_document import Document
from lab.grade.matrix_results import as_csv, as_data, as_text
from lab.grade.pairing import REFERENCE, paired
from lab.grade.reading import read
from lab.grade.result import CaseResult, CheckSeen, Graded, RunOutcome, RunResult

COURSE = Path(__file__).parents[2] / "docker" / "matrix"
NASTY = "=cmd\x1b[31m"


def lay(folder: Path, assignment: str = "", scenario: str = "") -> Path:
    """The assignment of the test with containers, with other words at the end of its files."""
    (folder / "reference").mkdir(parents=True)
    for path in ("reference/server.py", "reference/client.py"):
        (folder / path).write_bytes((COURSE / path).read_bytes())
    (folder / "talk.yaml").write_text((COURSE / "talk.yaml").read_text() + scenario)
    (folder / "assignment.yaml").write_text((COURSE / "assignment.yaml").read_text() + assignment)
    return folder / "assignment.yaml"


def test_the_server_is_the_one_that_listens(tmp_path: Path) -> None:
    pairing = paired(read(lay(tmp_path / "a")))
    assert pairing.roles == ("server", "client")
    again = paired(read(lay(tmp_path / "b", "matrix: {server: client, client: server, scenarios: [talk]}\n")))
    assert again.roles == ("client", "server")
    assert [one.case.runs for one in again.assigned.played] == [1]


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("matrix: {server: server, client: server}", "not both a server server and a client server"),
        ("matrix: {client: server}", "not both a server server and a client server"),
    ],
)
def test_what_cannot_play(assignment: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        paired(read(lay(tmp_path / "a", f"{assignment}\n")))


def test_nobody_listens_and_nobody_plays(tmp_path: Path) -> None:
    file = lay(tmp_path / "a")
    talk = file.with_name("talk.yaml")
    whole = talk.read_text()
    talk.write_text(whole.replace(", listens: 7000", ""))
    with pytest.raises(UsageError, match=r"it is not clear who plays with whom: programs that listen: none"):
        paired(read(file))
    talk.write_text(whole)
    file.write_text(file.read_text().replace("[server, client]", "server"))
    with pytest.raises(UsageError, match=r"a matrix needs a scenario with two programs that are handed in"):
        paired(read(file))


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("matrix: {server: reference}", 'the server of the matrix is "reference", which is not handed in'),
        ("matrix: [tolk]", 'did you mean "talk"?'),
        ("matrix: tolk", 'did you mean "talk"?'),
    ],
)
def test_mistakes(assignment: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        read(lay(tmp_path / "a", f"{assignment}\n"))
    assert words in str(caught.value)


REF, ANN, BEN = (
    Player(key, key, key, "", (), {}) for key in (REFERENCE, "name:ann", "name:ben")
)  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "server", "client", "fault"),
    [
        ("passed", "passed", "passed", "pair"),
        ("passed", "failed", "passed", "server"),
        ("passed", "passed", "failed", "client"),
        ("passed", "failed", "failed", "both"),
        ("passed", "inconclusive", "passed", ""),
        ("passed", "waiting", "passed", ""),
        ("passed", "failed", "not-supported", "server"),
        ("failed", "passed", "failed", ""),
        ("trouble", "failed", "failed", ""),
    ],
)
def test_the_reference_is_the_judge(
    reference: RunOutcome, server: RunOutcome, client: RunOutcome, fault: str
) -> None:
    cells = [
        Cell("talk", REF, REF, reference),
        Cell("talk", ANN, REF, server),
        Cell("talk", REF, BEN, client),
        Cell("talk", ANN, BEN, "failed"),
        Cell("other", ANN, REF, "passed"),
        Cell("other", ANN, BEN, "failed"),
    ]
    found = with_faults(cells)
    assert found[3].fault == fault
    assert found[5].fault == "", "of another scenario nothing is known"
    assert found[1].fault == ("server" if server == "failed" and reference == "passed" else "")


def test_everything_that_is_written(tmp_path: Path) -> None:
    file = lay(tmp_path / "course")
    submissions = tmp_path / "submissions"
    for name in ("ann", "ben", NASTY):
        (submissions / name).mkdir(parents=True)
        (submissions / name / "client.py").write_text(f"# {name}")
        (submissions / name / "server.py").write_text(f"# {name}")
    (submissions / "cem").mkdir()
    (submissions / "cem" / "server.py").touch()
    assigned = read(file)
    with opened(tmp_path / "out") as journal:
        before = Matrix(assigned, submissions, tmp_path / "out", journal)
        by_name = {player.name: player for player in before.players}
        assert list(by_name) == ["reference", NASTY, "ann", "ben"]

        def played(server: str, client: str, run: RunResult, *, digest: str = "") -> None:
            ends = by_name[server], by_name[client]
            key = Key("+".join(digest or one.digest for one in ends), assigned.digest, lab.__version__)
            journal.write(
                Entry("/".join(one.key for one in ends), key, Graded((CaseResult("talk", (run,)),)))
            )

        played("reference", "reference", RunResult("passed", record="r"))
        played("ann", "reference", RunResult("passed"))
        played("reference", "ann", RunResult("passed"))
        played(
            "ann",
            "ann",
            RunResult("failed", (CheckSeen("c", "pass"), CheckSeen("d", "fail", causes=(NASTY,)))),
        )
        played("ben", "ben", RunResult("not-built", said="server.c:1: error: no\nmore", broken=("server",)))
        played("reference", "ben", RunResult("failed", lacking=("client",)))
        played(NASTY, "reference", RunResult("passed"), digest="another")
        matrix = Matrix(assigned, submissions, tmp_path / "out", journal)
        cells = matrix.cells()

    signs = {(cell.server.name, cell.client.name): (cell.outcome, cell.fault) for cell in cells}
    assert len(signs) == 16
    assert signs["ann", "ann"] == ("failed", "pair")
    assert {signs["ben", client] for client in by_name} == {("not-built", "server")}
    assert signs["reference", "ben"] == ("not-supported", "")
    assert signs[NASTY, "reference"] == ("waiting", ""), "it is a result of another submission"
    document = msgspec.convert(as_data(matrix, cells), Document)  # strict: no key is missing, none unknown
    assert [one.name for one in document.refused] == ["cem"]
    assert document.cells[0].record == "records/r"
    assert [one.reference for one in document.players] == [True, False, False, False]
    rows = list(csv.DictReader(io.StringIO(as_csv(cells))))
    assert {row["server"] for row in rows} == {"reference", "'=cmd␛[31m", "ann", "ben"}
    text = "\n".join(as_text(matrix, cells))
    for part in (
        "  3 ann        ok   .   X   .",
        "  4 ben         B   B   B   B",
        "ann with ann: d: =cmd␛[31m",
        "client of ben: with 1 of 4",
        "server of ben: server.c:1: error: no\n",
        "cem: client.* is missing",
    ):
        assert part in text
    assert "\x1b" not in text
