"""Which failure explains which: the first cause, and what follows from it.

A program that listens on the wrong address fails a listener check, then the connection of every client, then
what these would have printed. A check follows from another if all that it lacks is something that did not
come, if the other shows why nothing could come, and if it is about the same hosts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum

from msgspec import Struct
from msgspec.structs import replace

from lab.checks.death import end_of, order_behind
from lab.checks.select import connections_to, is_meant, listening, runs_of
from lab.checks.subjects.connection import ConnectionCheck
from lab.checks.subjects.exit import ExitCheck
from lab.checks.subjects.listener import ListenerCheck, listens
from lab.core.words import FAULTS, Outcome, signal_name
from lab.evidence.evidence import Evidence
from lab.evidence.transcript import Exited, ProgramRun
from lab.evidence.verdict import CheckResult
from lab.scenario.base import Endpoint
from lab.scenario.checks import CheckBase
from lab.scenario.loader.shape import hosts_in
from lab.scenario.steps import RUN
from lab.wire.tcp import Connection

_MADE = frozenset({"complete", "simultaneous", "unknown"})
"""Handshakes after which a connection was there, or may have been."""


class Rank(IntEnum):
    """How early in the life of a conversation something stops what comes after it."""

    NEVER_LISTENED = 0
    LISTEN = 1
    HANDSHAKE = 2
    END = 3
    SCRIPT = 4
    NONE = 5


class _Block(Struct, frozen=True):
    """A failure that stops what comes after it, and the hosts that it concerns: all, if ``everywhere``."""

    name: str
    rank: Rank
    hosts: frozenset[str]
    everywhere: bool = False
    at: int = 0
    """When a program ended (ns): of several ends the first comes before the others."""

    @property
    def place(self) -> tuple[Rank, int]:
        """What comes first, smallest first."""
        return self.rank, self.at


def with_causes(
    results: Sequence[CheckResult], specs: Sequence[CheckBase], evidence: Evidence
) -> list[CheckResult]:
    """The results, the conversation's first; those that follow from another name it."""
    script, *others = results
    pairs = list(zip(others, specs, strict=True))
    blocks = [
        *_script(script, evidence),
        *(b for result, spec in pairs for b in _block(result, spec, evidence)),
        *_ends(pairs, evidence),
    ]
    step = evidence.transcript.failed
    concerned = [frozenset({step.host.partition(".")[0]}) if step else frozenset[str]()]
    concerned += [_hosts(spec) for spec in specs]
    return [_follow(result, hosts, blocks) for result, hosts in zip(results, concerned, strict=True)]


def why_on_top(results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """Some results; why the script broke off stands with what it follows from, if that is among them."""
    script = next((result for result in results if result.subject == "conversation"), None)
    top = next((result for result in results if script and result.name == script.follows), None)
    if script is None or top is None or top.outcome is not Outcome.FAIL:
        return tuple(results)
    moved = {
        script.name: replace(script, causes=()),
        top.name: replace(top, causes=tuple(dict.fromkeys((*top.causes, *script.causes)))),
    }
    return tuple(moved.get(result.name, result) for result in results)


def _follow(result: CheckResult, hosts: frozenset[str], blocks: Sequence[_Block]) -> CheckResult:
    if result.outcome is not Outcome.FAIL or not result.missing:
        return result
    own = next((block.place for block in blocks if block.name == result.name), (Rank.NONE, 0))
    before = [
        block
        for block in sorted(blocks, key=lambda block: block.place)
        if block.place < own and (block.everywhere or (hosts and hosts <= block.hosts))
    ]
    return replace(result, follows=before[0].name) if before else result


# What stops what comes after it


def _script(script: CheckResult, evidence: Evidence) -> Iterator[_Block]:
    """A script that broke off: whatever its later steps would have led to is not there."""
    step = evidence.transcript.failed
    if script.outcome is Outcome.FAIL and step is not None:
        hosts = frozenset({step.host.partition(".")[0]})
        yield _Block(script.name, Rank.SCRIPT, hosts, everywhere=bool(evidence.transcript.unplayed))


def _block(result: CheckResult, spec: CheckBase, evidence: Evidence) -> Iterator[_Block]:
    if result.outcome is not Outcome.FAIL:
        return
    match spec:
        case ListenerCheck() if not listens(spec.listener, evidence):
            to = Endpoint(spec.listener.host, spec.listener.port)
            turned_away = _unmade(connections_to(evidence, to), evidence)
            clients = {connection.client.host for connection in turned_away}
            yield _Block(result.name, Rank.LISTEN, frozenset({to.host, *clients}))
        case ConnectionCheck() if spec.handshake in {None, "complete"}:
            ref = spec.connection
            tries = connections_to(evidence, ref.to, ref.from_)[ref.nth - 1 : ref.nth]
            elsewhere = [c for c in evidence.connections if not tries and c.client.host == ref.from_]
            if _unmade(tries or elsewhere, evidence):
                yield _Block(result.name, Rank.HANDSHAKE, frozenset({ref.from_, ref.to.host}))
        case _:
            return


def _unmade(connections: Sequence[Connection], evidence: Evidence) -> list[Connection]:
    """Those that were tried before the script broke off, and never made."""
    step = evidence.transcript.failed
    return [
        connection
        for connection in connections
        if connection.handshake not in _MADE and (step is None or connection.began.time <= step.at)
    ]


# Ends of programs


_Exit = tuple[CheckResult, ExitCheck]
"""A check of how programs end, with its result."""


class _End(Struct, frozen=True):
    """How a program, or a process that it had started, ended early and not as it was to; with the check.

    It was ``unasked`` for if the script had done nothing that ends a program.
    """

    host: str
    at: int
    check: str = ""
    unasked: bool = True


def _ends(pairs: Sequence[tuple[CheckResult, CheckBase]], evidence: Evidence) -> Iterator[_Block]:
    """The programs that ended early, as far as none that no check speaks of did so before them."""
    step = evidence.transcript.failed
    until = step.at if step else evidence.info.ended
    exits = [(result, spec) for result, spec in pairs if isinstance(spec, ExitCheck)]
    if all(result.outcome is not Outcome.FAIL for result, _ in exits):
        return
    awaited = {spec.listener.host for _, spec in pairs if isinstance(spec, ListenerCheck)}
    for end in sorted(_early(exits, until, evidence), key=lambda end: end.at):
        if not end.check:
            return
        first = end.unasked and end.host in awaited and _gone_unheard(end.host, until, evidence)
        rank = Rank.NEVER_LISTENED if first else Rank.END
        if step is None and rank is Rank.END:
            continue
        peers = {
            side.host
            for connection in evidence.connections
            if end.host in {side.host for side in connection.sides}
            for side in connection.sides
        }
        yield _Block(end.check, rank, frozenset({end.host, *peers}), at=end.at)


def _gone_unheard(host: str, until: int, evidence: Evidence) -> bool:
    """Whether all programs of a host had ended, and none of them had ever listened."""
    ends = [run.exited for run in runs_of(evidence, host)]
    return not listening(evidence, host) and all(end is not None and end.at <= until for end in ends)


def _early(exits: Sequence[_Exit], until: int, evidence: Evidence) -> Iterator[_End]:
    """What ended until a time and was not to, except for what the script or a check had wanted."""
    for run in (run for runs in evidence.runs.values() for run in runs):
        if run.exited is not None and run.exited.at <= until:
            yield from _unwanted(run, run.exited, exits, evidence)
    for host, processes in evidence.killed.items():
        for killed in processes:
            crashed = signal_name(killed.status) in FAULTS and (host, killed.pid) not in evidence.programs
            if crashed and killed.at <= until:
                yield _End(host, end_of(host, killed.at, evidence))


def _unwanted(run: ProgramRun, end: Exited, exits: Sequence[_Exit], evidence: Evidence) -> Iterator[_End]:
    """The end of a program, unless a check wants it so, or none speaks of it and the script ended it."""
    host, program = run.started.host, run.started.program
    checked = {
        result.outcome: result.name
        for result, spec in exits
        if spec.exit.host == host and is_meant(program, spec.exit.program)
        if end.status or spec.exit.running
    }
    unasked = order_behind(run, end, evidence) is None
    if Outcome.FAIL in checked or (end.status and not checked and program != RUN and unasked):
        yield _End(host, end_of(host, end.at, evidence), checked.get(Outcome.FAIL, ""), unasked)


# Whom a check is about


def _hosts(spec: CheckBase) -> frozenset[str]:
    """The hosts that a check names."""
    return frozenset(host for _, host in hosts_in(spec))
