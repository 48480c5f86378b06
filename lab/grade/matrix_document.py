"""What ``matrix.json`` holds: format 1. Its schema is ``scenarios/matrix.schema.json``."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from lab.grade.matrix import Cell, CellOutcome, Fault, Matrix, Player


class OfPlayer(Struct, frozen=True, forbid_unknown_fields=True):
    """Who takes part; ``id`` is a name for files that nobody else has. The reference has no submission."""

    id: str
    name: str
    submission: str
    digest: str
    reference: bool


class Refused(Struct, frozen=True, forbid_unknown_fields=True):
    """Who takes no part, and why."""

    name: str
    submission: str
    reason: str


class OfCell(Struct, frozen=True, forbid_unknown_fields=True):
    """A server and a client, by their ids, in a scenario.

    ``fault`` says whose it is: ``pair`` where each of the two passes with the reference, nothing where it is
    not known. ``not_supported`` are programs that exited with status 127. ``record`` is a folder beside this.
    """

    scenario: str
    server: str
    client: str
    outcome: CellOutcome
    fault: Fault
    reason: str
    not_supported: list[str]
    record: str


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """All pairs; ``server`` and ``client`` are the programs that play."""

    format: Literal[1]
    title: str
    server: str
    client: str
    scenarios: list[str]
    players: list[OfPlayer]
    refused: list[Refused]
    cells: list[OfCell]


def document(matrix: Matrix, cells: list[Cell], records: str) -> Document:
    """The matrix for programs."""
    pairing = matrix.pairing
    return Document(
        1,
        pairing.assigned.assignment.title,
        pairing.server,
        pairing.client,
        [one.name for one in pairing.assigned.played],
        [_player(one) for one in matrix.players],
        [Refused(one.student.name, one.label, one.refused) for one in matrix.submissions if one.refused],
        [_cell(cell, records) for cell in cells],
    )


def _player(one: Player) -> OfPlayer:
    return OfPlayer(one.id, one.name, one.label, one.digest, one.is_reference)


def _cell(cell: Cell, records: str) -> OfCell:
    return OfCell(
        cell.scenario,
        cell.server.id,
        cell.client.id,
        cell.outcome,
        cell.fault,
        cell.reason,
        list(cell.lacking),
        f"{records}/{cell.record}" if cell.record else "",
    )
