"""Which failure explains which: the first cause, and what follows from it.

A program that listens on the wrong address fails a listener check, then the connection of every client, then
what these would have printed. A check follows from another if all that it lacks is something that did not
come, if the other shows why nothing could come, and if it is about the same hosts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from lab.checks.listener import listens
from lab.checks.select import connections_to, runs_of
from lab.evidence import Evidence
from lab.flows import Connection
from lab.scenario.base import Endpoint
from lab.scenario.checks import CheckBase, ConnectionCheck, ExitCheck, ListenerCheck
from lab.transcript import StepEnded
from lab.verdict import CheckResult
from lab.words import Outcome

_MADE = frozenset({"complete", "simultaneous", "unknown"})
"""Handshakes after which a connection was there, or may have been."""


class Rank(IntEnum):
    """How early in the life of a conversation something stops what comes after it."""

    LISTEN = 0
    HANDSHAKE = 1
    END = 2
    SCRIPT = 3
    NONE = 4


@dataclass(frozen=True, slots=True)
class _Block:
    """A failure that stops what comes after it, and the hosts that it concerns: all, if ``everywhere``."""

    name: str
    rank: Rank
    hosts: frozenset[str]
    everywhere: bool = False


def with_causes(
    results: Sequence[CheckResult], specs: Sequence[CheckBase], evidence: Evidence
) -> list[CheckResult]:
    """The results, the conversation's first; those that follow from another name it."""
    script, *others = results
    pairs = list(zip(others, specs, strict=True))
    blocks = [
        *_script(script, evidence),
        *(b for result, spec in pairs for b in _block(result, spec, evidence)),
    ]
    step = _broken_at(evidence)
    concerned = [frozenset({step.host.partition(".")[0]}) if step else frozenset[str]()]
    concerned += [_hosts(spec) for spec in specs]
    return [_follow(result, hosts, blocks) for result, hosts in zip(results, concerned, strict=True)]


def _follow(result: CheckResult, hosts: frozenset[str], blocks: Sequence[_Block]) -> CheckResult:
    if result.outcome is not Outcome.FAIL or not result.missing:
        return result
    own = next((block.rank for block in blocks if block.name == result.name), Rank.NONE)
    before = [
        block
        for block in sorted(blocks, key=lambda block: block.rank)
        if block.rank < own and (block.everywhere or (hosts and hosts <= block.hosts))
    ]
    return replace(result, follows=before[0].name) if before else result


# What stops what comes after it


def _script(script: CheckResult, evidence: Evidence) -> Iterator[_Block]:
    """A script that broke off: whatever its later steps would have brought about is not there."""
    step = _broken_at(evidence)
    if script.outcome is Outcome.FAIL and step is not None:
        hosts = frozenset({step.host.partition(".")[0]})
        yield _Block(script.name, Rank.SCRIPT, hosts, everywhere=bool(evidence.transcript.unplayed))


def _broken_at(evidence: Evidence) -> StepEnded | None:
    """The step that failed."""
    steps = (event for event in evidence.transcript.events if isinstance(event, StepEnded))
    return next((step for step in steps if step.outcome is Outcome.FAIL), None)


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
        case ExitCheck() if _ended_early(spec, evidence):
            own = spec.exit.host
            peers = {side.host for c in evidence.connections for side in c.sides if own in _ends(c)}
            yield _Block(result.name, Rank.END, frozenset({own, *peers}))
        case _:
            return


def _unmade(connections: Sequence[Connection], evidence: Evidence) -> list[Connection]:
    """Those that were tried before the script broke off, and never made."""
    step = _broken_at(evidence)
    return [
        connection
        for connection in connections
        if connection.handshake not in _MADE and (step is None or connection.began.time <= step.at)
    ]


def _ends(connection: Connection) -> set[str]:
    return {side.host for side in connection.sides}


def _ended_early(spec: ExitCheck, evidence: Evidence) -> bool:
    """Whether a program that the check speaks of had ended, and not with 0, when the script broke off."""
    step = _broken_at(evidence)
    runs = runs_of(evidence, spec.exit.host, spec.exit.program)
    return step is not None and any(
        run.exited is not None and run.exited.status != 0 and run.exited.at <= step.at for run in runs
    )


# Whom a check is about


def _hosts(spec: CheckBase) -> frozenset[str]:
    """The hosts that a check names."""
    ref = getattr(spec, spec.subject)
    named = [getattr(ref, word, None) for word in ("host", "peer", "from_")]
    to = getattr(ref, "to", None)
    return frozenset(host for host in (*named, to and to.host) if host)
