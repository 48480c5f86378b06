"""Every client with every server: each pair once, each program built once, whatever interrupts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from lab.grade.accepting import accept
from lab.grade.batch import Submission, taken_in
from lab.grade.intake import Batch, Refused, handed_in, opened_batch, tree_of
from lab.grade.journal import Entry, Journal
from lab.grade.pairing import REFERENCE, Pairing, fault_of, paired
from lab.grade.place import Images, Lot, Place, Watcher
from lab.grade.reading import Assigned
from lab.grade.result import CaseResult, RunResult
from lab.grade.task import Task
from lab.grade.work import RECORDS, Unit, Work, key_of, sweep

CellOutcome = Literal["passed", "failed", "not-supported", "not-built", "inconclusive", "trouble", "waiting"]
Fault = Literal["", "server", "client", "both", "pair"]
"""Whose fault it is that a pair fails; ``pair``: each of the two passes with the reference."""


class Player(Struct, frozen=True):
    """Who takes part: a student, or the reference. ``faults`` say for a role why it has no such program."""

    key: str
    name: str
    id: str
    digest: str
    languages: tuple[str, ...]
    faults: Mapping[str, str]
    label: str = ""

    @property
    def is_reference(self) -> bool:
        """Whether it is the solution of the assignment's own."""
        return self.key == REFERENCE


class Cell(Struct, frozen=True):
    """What became of a server and a client in a scenario."""

    scenario: str
    server: Player
    client: Player
    outcome: CellOutcome
    fault: Fault = ""
    reason: str = ""
    lacking: tuple[str, ...] = ()
    record: str = ""


class Listener(Watcher, Protocol):
    """Who is told what goes on."""

    def done(self, cells: Sequence[Cell], number: int, total: int, left: float) -> None:
        """A pair was played; so many seconds are left, as far as is known."""


class Matrix:
    """One matrix that is being played."""

    def __init__(self, assigned: Assigned, submissions: Path, out: Path, journal: Journal) -> None:
        self.pairing = paired(assigned)
        self._place = submissions
        self._out = out
        self._journal = journal
        self._images = Images()
        with opened_batch(submissions) as batch:
            self.submissions = taken_in(batch, assigned)
            students = list(_students(batch, self.submissions, self.pairing))
        self.players = [*_reference_player(self.pairing), *students]

    def work(self, place: Place, jobs: int, listener: Listener) -> None:
        """Play the pairs that have no result yet. First each with itself: that builds every program once.

        Raises:
            DiskFullError: there is no room for a record or the journal.
            LabError: the images cannot be had.
        """
        sweep(self._out, self._journal)
        languages = [name for player in self.players for name in player.languages]
        self._images = place.images(self.pairing.assigned, languages, listener)
        lot = Lot(self.pairing.assigned, self._place, self._out / RECORDS)
        work = Work(place, lot, self._journal, listener)
        own = {self._unit(*pair).task.id: pair for pair in self._pairs()}

        def done(unit: Unit, number: int, total: int, left: float) -> None:
            listener.done(list(self._cells_of(*own[unit.task.id])), number, total, left)

        for alone in (True, False):
            units = [
                self._unit(*pair)
                for pair in self._pairs()
                if (pair[0].key == pair[1].key) is alone and not any(self._broken(*pair))
            ]
            todo = [unit for unit in units if not self._is_done(unit)]
            work.do(todo, units, jobs or place.jobs, done)
        sweep(self._out, self._journal)

    def _pairs(self) -> Iterator[tuple[Player, Player]]:
        return ((server, client) for server in self.players for client in self.players)

    def _unit(self, server: Player, client: Player) -> Unit:
        images = self._images.of(*server.languages, *client.languages)
        key = key_of(f"{server.digest}+{client.digest}", self.pairing.assigned, images)
        task = Task(server.key, server.digest, None, client.key, client.digest)
        return Unit(task, f"{server.name} with {client.name}", key)

    def _is_done(self, unit: Unit) -> bool:
        entry = self._journal.entries.get(unit.task.id)
        return entry is not None and entry.key == unit.key and entry.graded is not None

    def _broken(self, server: Player, client: Player) -> tuple[str, str]:
        """Why the server's and the client's program are not built, as far as that is known."""
        return self._why_broken(server, self.pairing.server), self._why_broken(client, self.pairing.client)

    def _why_broken(self, player: Player, role: str) -> str:
        if role in player.faults:
            return player.faults[role]
        entry = self._entry(player, player)
        runs = [run for case in (entry.graded.cases if entry and entry.graded else ()) for run in case.runs]
        return next((run.said for run in runs if role in run.broken), "")

    def _entry(self, server: Player, client: Player) -> Entry | None:
        """What is known of a pair; nothing of one whose programs, scenarios or version were others."""
        unit = self._unit(server, client)
        entry = self._journal.entries.get(unit.task.id)
        if entry is None or entry.key is None or entry.graded is None:
            return None
        same = (entry.key.submission, entry.key.assignment, entry.key.lab)
        return entry if same == (unit.key.submission, unit.key.assignment, unit.key.lab) else None

    def cells(self) -> list[Cell]:
        """All cells: by scenario, then by server, then by client."""
        found = [cell for pair in self._pairs() for cell in self._cells_of(*pair)]
        order = [one.name for one in self.pairing.assigned.played]
        return with_faults(sorted(found, key=lambda cell: order.index(cell.scenario)))

    def _cells_of(self, server: Player, client: Player) -> Iterator[Cell]:
        broken = self._broken(server, client)
        entry = self._entry(server, client)
        results = {case.name: case for case in entry.graded.cases} if entry and entry.graded else {}
        for one in self.pairing.assigned.played:
            if any(broken):
                fault: Fault = "both" if all(broken) else "server" if broken[0] else "client"
                yield Cell(one.name, server, client, "not-built", fault, next(filter(None, broken)))
            else:
                yield _cell(one.name, server, client, results.get(one.name))


def _students(batch: Batch, submissions: Sequence[Submission], pairing: Pairing) -> Iterator[Player]:
    """Those whose submissions can take part, each read once more and let go of."""
    handed = {one.student.key: one for one in handed_in(batch)}
    submit = pairing.assigned.assignment.submit
    for own in submissions:
        if not own.digest:
            continue
        try:
            tree = accept(tree_of(batch, handed[own.student.key], submit.limits.bytes), submit).tree
        except Refused:
            continue
        faults = {role: fault for role in pairing.roles if (fault := fault_of(tree, role, pairing))}
        languages = (own.language,) if own.language else ()
        yield Player(own.student.key, own.student.name, own.folder, own.digest, languages, faults, own.label)


def _reference_player(pairing: Pairing) -> Iterator[Player]:
    reference = pairing.reference
    if reference.roles:
        why = "the assignment has no reference solution for it"
        faults = {role: why for role in pairing.roles if role not in reference.roles}
        yield Player(REFERENCE, "reference", "reference", reference.digest, reference.languages, faults)


def _cell(scenario: str, server: Player, client: Player, result: CaseResult | None) -> Cell:
    if result is None or not result.runs:
        return Cell(scenario, server, client, "waiting")
    run = result.runs[0]
    if run.lacking:
        why = f"{' and '.join(run.lacking)} exited with status 127"
        return Cell(
            scenario, server, client, "not-supported", reason=why, lacking=run.lacking, record=run.record
        )
    return Cell(scenario, server, client, run.outcome, reason=_reason(run), record=run.record)


def _reason(run: RunResult) -> str:
    """The first check that did not pass, and why; or what was said instead."""
    if run.said:
        return run.said
    order = ("fail", "inconclusive")
    seen = sorted(
        (one for one in run.checks if one.outcome in order), key=lambda one: order.index(one.outcome)
    )
    if not seen:
        return ""
    return f"{seen[0].name}: {seen[0].causes[0] if seen[0].causes else seen[0].observed}"


def with_faults(cells: Sequence[Cell]) -> list[Cell]:
    """The cells with whose fault it is that some fail: of each server and client the reference is the judge.

    Where the reference does not pass with itself, or is not there, nobody's fault is told.
    """
    by_place = {(cell.scenario, cell.server.key, cell.client.key): cell.outcome for cell in cells}

    def outcome(cell: Cell, server: str, client: str) -> str:
        return by_place.get((cell.scenario, server, client), "waiting")

    found = []
    for cell in cells:
        fault: Fault = cell.fault
        if cell.outcome == "failed" and outcome(cell, REFERENCE, REFERENCE) == "passed":
            server = outcome(cell, cell.server.key, REFERENCE)
            client = outcome(cell, REFERENCE, cell.client.key)
            fault = _fault(server, client)
        found.append(replace(cell, fault=fault))
    return found


def _fault(server: str, client: str) -> Fault:
    """Whose fault a failure is, by how the server and the client do with the reference."""
    at_fault: dict[tuple[bool, bool], Fault] = {
        (True, True): "both", (True, False): "server", (False, True): "client",
    }  # fmt: skip
    if server == client == "passed":
        return "pair"
    return at_fault.get((server == "failed", client == "failed"), "")
