"""The files that a matrix leaves: the table for people, JSON, CSV."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lab.core.errors import UsageError, unless_full
from lab.core.escape import one_line, unicode_json
from lab.grade.matrix import Cell, Fault, Matrix, Player
from lab.grade.matrix_document import document
from lab.grade.results import cell as harmless
from lab.grade.results import put
from lab.grade.work import RECORDS

JSON, CSV, TEXT = "matrix.json", "matrix.csv", "matrix.txt"
_LONGEST_NAME = 30
_LONGEST_REASON = 160
_SIGNS = {
    "ok": "passes",
    "S": "fails, and the server fails with the reference, too",
    "C": "fails, and the client fails with the reference, too",
    "SC": "fails, and both fail with the reference, too",
    "X": "fails, though each of the two passes with the reference",
    "F": "fails; whose fault it is nobody can tell",
    "-": "a program exited with status 127: it does not support that",
    "B": "a program does not build, or is not there",
    "?": "nobody can tell: the evidence or the engine failed",
    ".": "not played yet",
}
_FAILED: dict[Fault, str] = {"server": "S", "client": "C", "both": "SC", "pair": "X"}
_OTHERS = {
    "passed": "ok", "not-supported": "-", "not-built": "B", "inconclusive": "?", "trouble": "?",
    "waiting": ".",
}  # fmt: skip


def as_data(matrix: Matrix, cells: list[Cell]) -> Any:
    """The document as JSON has it."""
    return msgspec.to_builtins(document(matrix, cells, RECORDS))


def write(out: Path, matrix: Matrix, cells: list[Cell]) -> None:
    """Write all of it. DiskFullError if there is no room, UsageError if it cannot be written."""
    try:
        put(out / JSON, unicode_json(json.dumps(as_data(matrix, cells), indent=1) + "\n"))
        put(out / CSV, as_csv(cells))
        put(out / TEXT, "\n".join(as_text(matrix, cells)) + "\n")
    except OSError as error:
        what = f"the results cannot be written: {error.strerror}"
        refusal = UsageError("out", what, where=str(out), fix="name another folder: --out DIR")
        raise unless_full(error, refusal) from error


def as_csv(cells: Iterable[Cell]) -> str:
    """A row for each cell (RFC 4180). No text in it is a formula."""
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\r\n")
    rows.writerow(("scenario", "server", "server_id", "client", "client_id", "outcome", "fault", "reason"))
    for one in cells:
        texts = (
            one.scenario, one.server.name, one.server.id, one.client.name, one.client.id,
            one.outcome, one.fault, _short(one.reason),
        )  # fmt: skip
        rows.writerow(map(harmless, texts))
    return stream.getvalue()


def as_text(matrix: Matrix, cells: Sequence[Cell]) -> Iterator[str]:
    """A table for each scenario with servers as rows and clients as columns, and what it comes to."""
    pairing = matrix.pairing
    yield one_line(pairing.assigned.assignment.title)
    told = len(matrix.players)
    yield f"{told} servers ({pairing.server}) as rows, {told} clients ({pairing.client}) as columns"
    for one in pairing.assigned.played:
        own = [cell for cell in cells if cell.scenario == one.name]
        yield from ("", f"{one.name}: {one_line(one.loaded.scenario.title)}")
        yield from _table(matrix.players, own)
        yield from _summary(own, pairing.server)
    used = {_sign(cell) for cell in cells}
    yield ""
    yield from (f"  {sign:<2}  {text}" for sign, text in _SIGNS.items() if sign in used)
    if not any(player.is_reference for player in matrix.players):
        yield "  The assignment has no reference solution: nobody can tell whose fault it is."
    refused = [one for one in matrix.submissions if one.refused]
    if refused:
        yield from ("", "Not in the matrix:")
    yield from (f"  {one_line(one.student.name)}: {one_line(one.refused)}" for one in refused)


def _sign(cell: Cell) -> str:
    return _FAILED.get(cell.fault, "F") if cell.outcome == "failed" else _OTHERS[cell.outcome]


def _table(players: Sequence[Player], cells: Sequence[Cell]) -> Iterator[str]:
    """Columns have the number of their row."""
    signs = {(cell.server.key, cell.client.key): _sign(cell) for cell in cells}
    names = [f"{number:>3} {_name(player)}" for number, player in enumerate(players, start=1)]
    width = max(map(len, names))
    yield f"{'':{width}} {' '.join(f'{number:>3}' for number in range(1, len(players) + 1))}"
    for name, server in zip(names, players, strict=True):
        row = " ".join(f"{signs[server.key, client.key]:>3}" for client in players)
        yield f"{name:{width}} {row}"


def _name(player: Player) -> str:
    name = one_line(player.name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _summary(cells: Sequence[Cell], server: str) -> Iterator[str]:
    if any(
        cell.server.is_reference and cell.client.is_reference and cell.outcome != "passed" for cell in cells
    ):
        yield "  The reference does not pass with itself: nobody can tell whose fault it is."
    yield from _list(
        "Servers that fail with the reference client", cells,
        lambda cell: cell.client.is_reference and cell.fault == "server", lambda cell: _name(cell.server),
    )  # fmt: skip
    yield from _list(
        "Clients that fail with the reference server", cells,
        lambda cell: cell.server.is_reference and cell.fault == "client", lambda cell: _name(cell.client),
    )  # fmt: skip
    yield from _list(
        "Pairs that fail though each passes with the reference", cells,
        lambda cell: cell.fault == "pair", lambda cell: f"{_name(cell.server)} with {_name(cell.client)}",
    )  # fmt: skip
    yield from _lacking(cells, server)
    broken = [
        (player, role, cell.reason)
        for cell in cells
        if cell.outcome == "not-built" and cell.server.key == cell.client.key
        for player, role in ((cell.server, "server"), (cell.client, "client"))
        if cell.fault in (role, "both")
    ]
    if broken:
        yield "  Not built:"
    yield from (f"    {role} of {_name(player)}: {_short(why)}" for player, role, why in broken)


def _list(
    heading: str, cells: Sequence[Cell], wanted: Callable[[Cell], bool], name: Callable[[Cell], str]
) -> Iterator[str]:
    found = [cell for cell in cells if cell.outcome == "failed" and wanted(cell)]
    if found:
        yield f"  {heading}:"
    yield from (f"    {name(cell)}: {_short(cell.reason)}" for cell in found)


def _lacking(cells: Sequence[Cell], server: str) -> Iterator[str]:
    """Which programs do not support it, with how many others."""
    counts = Counter(
        (program, _name(cell.server if program == server else cell.client))
        for cell in cells
        for program in cell.lacking
    )
    if counts:
        yield "  Not supported:"
    for (program, player), number in counts.items():
        yield f"    {program} of {player}: with {number} of {len({cell.server.key for cell in cells})}"


def _short(text: str) -> str:
    line = one_line(text.strip().partition("\n")[0])
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"
