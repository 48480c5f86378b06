"""Checks: that each refers to hosts, programs and other checks that there are."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from lab.scenario import Scenario
from lab.scenario.loader.plain import quoted
from lab.scenario.loader.rules.context import RuleContext, checks_of, placed, unknown_host
from lab.scenario.loader.shape import hosts_in
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake
from lab.scenario.script import numbered_lines
from lab.scenario.steps import RUN, Entrance

CONVERSATION = "conversation"
"""The check that is always there: the script's own steps."""


def hosts(context: RuleContext) -> Iterator[Mistake]:
    """Every host that a check names exists."""
    for path, words, check in checks_of(context.scenario):
        for below, host in hosts_in(check):
            if host not in context.scenario.hosts:
                yield unknown_host(host, (*path, *below), words, context.scenario)


def script(context: RuleContext) -> Iterator[Mistake]:
    """Checks judge what a script has done: a lab to play with has neither."""
    if context.scenario.checks and not context.scenario.steps:
        what = "there are checks and no steps: nothing happens that they could judge"
        yield Mistake("no-steps", ("checks",), what, "add `steps:`, or leave the checks out", on_key=True)


def own_connections(context: RuleContext) -> Iterator[Mistake]:
    """A connection of a host with itself stays on its loopback, which has to be captured."""
    for path, words, check in checks_of(context.scenario):
        ends = {below[-1]: host for below, host in hosts_in(check)}
        name = ends.get("from", "")
        host = context.scenario.hosts.get(name)
        if host is not None and name == ends.get("to") and "lo" not in host.capture:
            what = f'{words}: "{name}" speaks to itself over its loopback, which is not captured'
            fix = f'add `capture: lo` to host "{name}"'
            yield Mistake("not-captured", (*path, check.subject), what, fix)


def programs(context: RuleContext) -> Iterator[Mistake]:
    """Whose output or end is judged is started somewhere."""
    started = _started(context.scenario)
    for path, words, check in checks_of(context.scenario):
        about = check.about
        if not hasattr(about, "program"):
            continue
        names = [
            entrance.name
            for entrance in started.get(about.host, ())
            if check.of_connections or entrance.kind in {"program", "command"}
        ]
        if about.program is not None and about.program not in names:
            what = f'{words}: no program "{about.program}" is started on host "{about.host}"'
            fix = did_you_mean(about.program, names, "programs started there")
            yield Mistake("not-started", (*path, check.subject, "program"), what, fix)
        elif about.program is None and about.host in context.scenario.hosts and not {*names} - {RUN}:
            what = f'{words}: no program is started on host "{about.host}"'
            fix = "start one in the script, or name another host"
            if names:
                fix = (
                    "a command of a `run` step is no program of the host: to speak of it, add `program: run`"
                )
            yield Mistake("not-started", (*path, check.subject, "host"), what, fix)


def _started(scenario: Scenario) -> dict[str, list[Entrance]]:
    """What is brought on at each host at some time, commands of ``run`` included."""
    found: dict[str, list[Entrance]] = {}
    for _, line in numbered_lines(scenario):
        entrance = line.action.enters()
        if entrance is not None:
            found.setdefault(line.host, []).append(entrance)
    return found


def own_words(context: RuleContext) -> Iterator[Mistake]:
    """Every check says something that can be false, and what it says makes sense."""
    for path, words, check in checks_of(context.scenario):
        if check.words and not check.given():
            fix = f"add one of: {', '.join(check.words)}"
            yield Mistake("no-assertion", path, f"{words} asserts nothing", fix)
        for mistake in check.mistakes(context.scenario):
            yield placed(mistake, path, words)


def names(context: RuleContext) -> Iterator[Mistake]:
    """Names of checks are their own."""
    owners = {CONVERSATION: "the script itself"}
    for position, check in enumerate(context.scenario.checks):
        if check.name is None:
            continue
        if check.name in owners:
            what = f'check {position + 1} is named "{check.name}", as is {owners[check.name]}'
            yield Mistake("duplicate-name", ("checks", position, "name"), what, "give it a name of its own")
        owners.setdefault(check.name, f"check {position + 1}")


def needs(context: RuleContext) -> Iterator[Mistake]:
    """What a check needs is there, and does not need it in turn."""
    named = {check.name: check for check in context.scenario.checks if check.name}
    for path, words, check in checks_of(context.scenario):
        for position, name in enumerate(check.needs):
            if name not in named and name != CONVERSATION:
                what = f'{words} needs "{name}", but no check has this name'
                fix = did_you_mean(name, (*named, CONVERSATION), "names")
                yield Mistake("unknown-check", (*path, "needs", position), what, fix)
    circle = _circle({name: check.needs for name, check in named.items()})
    if circle:
        position = next(
            number for number, check in enumerate(context.scenario.checks) if check.name in circle
        )
        what = f"checks need each other in a circle: {' → '.join(map(quoted, circle))}"
        yield Mistake("needs-circle", ("checks", position, "needs"), what, "take one `needs:` away")


def _circle(graph: dict[str, tuple[str, ...]]) -> list[str]:
    """A circle in who needs whom, beginning and ending with one name, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []
