"""``lab matrix``: every client of a class with every server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cli.documents import MatrixPlayed
from lab.cli.grading import damage_told, time_left, to_go_on
from lab.cli.places import place_at
from lab.cli.screen import Screen
from lab.core.errors import ExitCode, UsageError
from lab.core.escape import one_line

if TYPE_CHECKING:
    from lab.grade.matrix import Cell


class _Told:
    """Tells what goes on: a line for each pair that has played, with -v for each thing that is done."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def say(self, text: str) -> None:
        """Progress in words."""
        self._screen.say(text)

    def at_work(self, name: str, text: str) -> None:
        """What is done with a pair."""
        if self._screen.verbose:
            self._screen.say(f"{name}: {text}")

    def done(self, cells: Sequence[Cell], number: int, total: int, left: float) -> None:
        """A pair has played."""
        names = f"{one_line(cells[0].server.name)} with {one_line(cells[0].client.name)}"
        outcomes = ", ".join(cell.outcome for cell in cells)
        self._screen.tell(f"[{number}/{total}] {names}: {outcomes}{time_left(left, number < total)}")


def matrix(
    file: Path,
    submissions: Path,
    out: Path,
    screen: Screen,
    *,
    jobs: int = 0,
    csv: bool = False,
    scheduler: str = "",
) -> ExitCode:
    """Play the pairs that have no result yet, and write all of it; INCONCLUSIVE if any came to none."""
    from lab.grade import journal
    from lab.grade.matrix import Matrix
    from lab.grade.matrix_results import as_csv, as_data, as_text, write
    from lab.grade.reading import read

    if csv and screen.json:
        raise UsageError("usage", "--csv and --json are two forms of one answer", fix="leave one of them out")
    assigned = read(file)
    with journal.opened(out) as kept:
        damage_told(kept, screen)
        played = Matrix(assigned, submissions, out, kept)
        if all(player.is_reference for player in played.players):
            fix = "name the folder or the archive that holds an entry for each submission"
            raise UsageError("no-submissions", "there is no submission that can take part", fix=fix)
        with to_go_on(), place_at(scheduler, screen) as place:
            played.work(place, jobs, _Told(screen))
        cells = played.cells()
        write(out, played, cells)
    screen.gap()
    if csv:
        screen.show(as_csv(cells).splitlines())
    else:
        screen.show([*as_text(played, cells), "", f"results  {out}"])
    unsure = any(cell.outcome in ("inconclusive", "trouble", "waiting") for cell in cells)
    code = ExitCode.INCONCLUSIVE if unsure else ExitCode.PASSED
    screen.answer(MatrixPlayed(out=str(out), matrix=as_data(played, cells), exit=code))
    return code
