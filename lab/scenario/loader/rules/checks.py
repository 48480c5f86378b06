"""Checks: that each refers to hosts, programs and other checks that there are."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from ipaddress import ip_address

from lab.scenario import Scenario
from lab.scenario.addresses import is_address
from lab.scenario.checks import (
    CheckBase,
    ConnectionCheck,
    ConnectionRef,
    ConnectionsCheck,
    ConnectionsRef,
    ExitCheck,
    ListenerCheck,
    OutputCheck,
    ProcessCheck,
)
from lab.scenario.loader.place import Path
from lab.scenario.loader.plain import quoted
from lab.scenario.loader.rules.finding import Case, Finding, checks_of
from lab.scenario.loader.rules.stage import started_as
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.script import numbered_lines
from lab.scenario.steps import RUN, Run, Start
from lab.scenario.variables import references

CONVERSATION = "conversation"
"""The check that is always there: the script's own steps."""


def hosts(case: Case) -> Iterator[Finding]:
    """Every host that a check names exists."""
    known = case.scenario.hosts
    for path, words, check in checks_of(case.scenario):
        for key, host in _hosts(check):
            if host not in known:
                what = f'{words} names host "{host}", which is not defined'
                fix = did_you_mean(host, known, "hosts")
                yield Finding("unknown-host", (*path, check.subject, key), what, fix)


def _hosts(check: CheckBase) -> Iterator[tuple[str, str]]:
    """The hosts of a check, save those that must be an end of its connection."""
    ends = _ends(check)
    if ends is not None:
        if ends.from_ is not None:
            yield "from", ends.from_
        yield "to", ends.to.host
        return
    about = getattr(check, check.subject)
    yield "host", about.host
    if getattr(about, "peer", None) is not None:
        yield "peer", about.peer


def _ends(check: CheckBase) -> ConnectionRef | ConnectionsRef | None:
    if isinstance(check, ConnectionCheck):
        return check.connection
    return check.connections if isinstance(check, ConnectionsCheck) else None


def ends(case: Case) -> Iterator[Finding]:
    """Who closes, resets or sends is an end of the connection, and one of the two."""
    for path, words, check in checks_of(case.scenario):
        if not isinstance(check, ConnectionCheck):
            continue
        both = tuple(dict.fromkeys((check.connection.from_, check.connection.to.host)))
        for below, end in _parties(check):
            by_key = below[0] in ("bytes", "states")
            roles = check.connection.roles(end)
            if not roles:
                what = f'{words}: "{end}" is no end of this connection'
                fix = did_you_mean(end, both, "its ends")
                yield Finding("not-an-end", (*path, *below), what, fix, on_key=by_key)
            elif len(roles) > 1:
                what = f'{words}: "{end}" is both ends of this connection'
                fix = "write from for the end that opened it, or to for the other"
                yield Finding("both-ends", (*path, *below), what, fix, on_key=by_key)


def _parties(check: ConnectionCheck) -> Iterator[tuple[Path, str]]:
    if check.close is not None and check.close.active is not None:
        yield ("close", "active"), check.close.active
    if check.rst is not None and check.rst != "none":
        yield ("rst", "by"), check.rst.by
    if check.retransmissions is not None and check.retransmissions.by is not None:
        yield ("retransmissions", "by"), check.retransmissions.by
    if check.time_wait is not None:
        yield ("time_wait",), check.time_wait
    for position, host in enumerate(check.fin or ()):
        yield ("fin", position), host
    for key in ("bytes", "states"):
        for host in getattr(check, key) or ():
            yield (key, host), host


def own_connections(case: Case) -> Iterator[Finding]:
    """A connection of a host with itself stays on its loopback, which has to be captured."""
    for path, words, check in checks_of(case.scenario):
        both = _ends(check)
        if both is None or both.from_ != both.to.host or both.from_ not in case.scenario.hosts:
            continue
        if "lo" not in case.scenario.hosts[both.from_].capture:
            what = f'{words}: "{both.from_}" speaks to itself over its loopback, which is not captured'
            fix = f'add `capture: lo` to host "{both.from_}"'
            yield Finding("not-captured", (*path, check.subject), what, fix)


def listener_addresses(case: Case) -> Iterator[Finding]:
    """A listener is looked for at an address that its host has."""
    for path, words, check in checks_of(case.scenario):
        if not isinstance(check, ListenerCheck) or check.listener.host not in case.scenario.hosts:
            continue
        own = _addresses(case.scenario, check.listener.host)
        text = check.listener.address or "any"
        if not _is_among(own, text):
            what = f'{words}: "{text}" is no address of host "{check.listener.host}"'
            fix = did_you_mean(text, ("any", "loopback", *own), "one of")
            yield Finding("bad-address", (*path, "listener", "address"), what, fix)


def _is_among(own: list[str], text: str) -> bool:
    """Whether a text is an address of a host, however it is written, or one of the words for some."""
    if text in ("any", "loopback") or references(text):
        return True
    return is_address(text) and ip_address(text) in map(ip_address, own)


def _addresses(scenario: Scenario, name: str) -> list[str]:
    host = scenario.hosts[name]
    every = [host.address or "", *(text for texts in host.addresses.values() for text in texts)]
    return [text for text in every if is_address(text)]


def programs(case: Case) -> Iterator[Finding]:
    """Whose output or end is judged is started somewhere."""
    started = _started(case.scenario)
    for path, words, check in checks_of(case.scenario):
        if not isinstance(check, OutputCheck | ExitCheck | ProcessCheck):
            continue
        about = getattr(check, check.subject)
        names = started.get(about.host, ())
        if about.program is not None and about.program not in names:
            what = f'{words}: no program "{about.program}" is started on host "{about.host}"'
            fix = did_you_mean(about.program, names, "programs started there")
            yield Finding("not-started", (*path, check.subject, "program"), what, fix)
        elif about.program is None and about.host in case.scenario.hosts and not {*names} - {RUN}:
            what = f'{words}: no program is started on host "{about.host}"'
            fix = "start one in the script, or name another host"
            if names:
                fix = (
                    "a command of a `run` step is no program of the host: to speak of it, add `program: run`"
                )
            yield Finding("not-started", (*path, check.subject, "host"), what, fix)


def _started(scenario: Scenario) -> dict[str, list[str]]:
    """What runs on each host at some time, commands of ``run`` included."""
    names: dict[str, list[str]] = {}
    for _, line in numbered_lines(scenario):
        if isinstance(line.action, Start | Run):
            name = started_as(line.action) if isinstance(line.action, Start) else RUN
            names.setdefault(line.host, []).append(name)
    return names


def names(case: Case) -> Iterator[Finding]:
    """Names of checks are their own."""
    owners = {CONVERSATION: "the script itself"}
    for position, check in enumerate(case.scenario.checks):
        if check.name is None:
            continue
        if check.name in owners:
            what = f'check {position + 1} is named "{check.name}", as is {owners[check.name]}'
            yield Finding("duplicate-name", ("checks", position, "name"), what, "give it a name of its own")
        owners.setdefault(check.name, f"check {position + 1}")


def needs(case: Case) -> Iterator[Finding]:
    """What a check needs is there, and does not need it in turn."""
    named = {check.name: check for check in case.scenario.checks if check.name}
    for path, words, check in checks_of(case.scenario):
        for position, name in enumerate(check.needs):
            if name not in named and name != CONVERSATION:
                what = f'{words} needs "{name}", but no check has this name'
                fix = did_you_mean(name, (*named, CONVERSATION), "names")
                yield Finding("unknown-check", (*path, "needs", position), what, fix)
    circle = _circle({name: check.needs for name, check in named.items()})
    if circle:
        position = next(number for number, check in enumerate(case.scenario.checks) if check.name in circle)
        what = f"checks need each other in a circle: {' → '.join(map(quoted, circle))}"
        yield Finding("needs-circle", ("checks", position, "needs"), what, "take one `needs:` away")


def _circle(graph: dict[str, tuple[str, ...]]) -> list[str]:
    """A circle in who needs whom, beginning and ending with one name, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []
