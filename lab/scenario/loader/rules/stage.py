"""Who runs when, as far as the script tells: nobody is spoken to before its start, nobody started twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from lab.scenario import Scenario
from lab.scenario.loader.place import step_words
from lab.scenario.loader.rules.context import RuleContext
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake
from lab.scenario.script import StepPath, blocks, walk
from lab.scenario.steps import Entrance, Kind, Line, Repeat, Step


def spoken_to(context: RuleContext) -> Iterator[Mistake]:
    """A program is started before it is spoken to, and by the name that it was given."""
    begun: set[str] = set()
    yield from _spoken_to(context, ("steps",), context.scenario.steps, begun)
    yield from _spoken_to(context, ("finally",), context.scenario.finally_, begun)


def _spoken_to(
    context: RuleContext, path: StepPath, steps: tuple[Step, ...], begun: set[str]
) -> Iterator[Mistake]:
    """Adds the actors that the steps bring on to those that have begun."""
    for position, step in enumerate(steps):
        here = (*path, position)
        if isinstance(step, Line) and step.host in context.scenario.hosts and _too_early(step, begun):
            yield _not_begun(context.scenario, here, step)
        held = list(blocks(here, step))
        for below, part in held:
            beside = [other for way, branch in held if way != below for other in branch]
            yield from _spoken_to(context, below, part, begun | _brought_on(beside))
        begun |= _brought_on([step])


def _brought_on(steps: Iterable[Step]) -> set[str]:
    """The actors that steps bring on: ``host.name``, and the host alone for a program without ``as``."""
    lines = (step for _, step in walk((), steps) if isinstance(step, Line))
    found: set[str] = set()
    for line in lines:
        entrance = _entrance(line)
        if entrance is not None:
            name = f"{line.host}.{entrance.name}"
            found |= {name, *(f"{name}.{number}" for number in range(1, entrance.count + 1))}
            found |= {line.actor} if entrance.main else set()
    return found


def _too_early(line: Line, begun: set[str]) -> bool:
    return line.actor not in begun and line.action.needs_program()


def _not_begun(scenario: Scenario, path: StepPath, line: Line) -> Mistake:
    at, actor = step_words(path), line.actor
    ever = _brought_on((*scenario.steps, *scenario.finally_))
    there = sorted(name for name in ever if name.partition(".")[0] == line.host)
    if actor in ever:
        what, fix = f"{at} speaks to {actor}, which is started only later", f"start it before {at}"
    elif there:
        what, fix = (
            f"{at} speaks to {actor}, which is never started",
            did_you_mean(actor, there, "started there"),
        )
    else:
        what = f'{at} speaks to host "{line.host}", where no program is ever started'
        fix = f"start one first: `{line.host}: {{start: …}}`"
    return Mistake("not-started", (*path, "actor"), what, fix)


class _Stage(Struct):
    """Who may still be there: host and name to what it is, and the name of each host's main program."""

    there: dict[tuple[str, str], Entrance] = field(default_factory=dict)
    main: dict[str, str] = field(default_factory=dict)

    def in_the_way(self, line: Line) -> str | None:
        """The name of somebody who may still be there where another is to be brought on."""
        entrance = _entrance(line)
        if entrance is None:
            return None
        main = self.main.get(line.host) if entrance.main else None
        return entrance.name if (line.host, entrance.name) in self.there else main

    def find(self, line: Line) -> Entrance | None:
        """Whom an actor stands for; ``crowd.7`` is one of several."""
        name, _, number = (line.program or self.main.get(line.host, "")).partition(".")
        found = self.there.get((line.host, name))
        return found if found is None or not number or int(number) <= found.count else None

    def play(self, line: Line) -> None:
        """Take note of a line: somebody is brought on, or may leave."""
        found, entrance = self.find(line), _entrance(line)
        if entrance is not None:
            self.there[line.host, entrance.name] = entrance
            if entrance.main:
                self.main[line.host] = entrance.name
        elif found is not None and line.action.may_end_program():
            self.there.pop((line.host, found.name), None)
            if self.main.get(line.host) == found.name:
                del self.main[line.host]


def _entrance(line: Line) -> Entrance | None:
    """Whom a line brings on; commands are over when their step is."""
    entrance = line.action.enters()
    return entrance if entrance and entrance.stays else None


def one_at_a_time(context: RuleContext) -> Iterator[Mistake]:
    """Programs that run on a host at once have different names."""
    stage = _Stage()
    for path, line in _in_order(context.scenario):
        other = stage.in_the_way(line)
        if other:
            what, fix = _in_the_way(line, other)
            what = f"{step_words(path)} {what}"
            yield Mistake("started-twice", (*path, "action", line.action.verb), what, fix)
        stage.play(line)


def _in_the_way(line: Line, other: str) -> tuple[str, str]:
    entrance = line.action.enters()
    if entrance is not None and entrance.kind != "program":
        what = f'opens "{other}" on host "{line.host}" while another of that name may still be there'
        return what, "close the first (`close: both`), or give the second another name with `as:`"
    what = f'starts a program on host "{line.host}" while "{other}" may still run there'
    return what, "wait for its end (`wait: {exited: true}`), or give the second one a name with `as:`"


def of_the_right_kind(context: RuleContext) -> Iterator[Mistake]:
    """What is done with programs is not done with connections, nor the other way round."""
    stage = _Stage()
    for path, line in _in_order(context.scenario):
        found = stage.find(line) if line.action.needs_program() else None
        if found is not None and not line.action.accepts(found.kind):
            what = f'{step_words(path)}: "{line.action.verb}" is not done with a {found.kind}'
            fix = f"{line.actor} is one: it understands {_understood(found.kind)}"
            yield Mistake("bad-actor", (*path, "action", line.action.verb), what, fix)
        stage.play(line)


def _understood(kind: Kind) -> str:
    words = {
        "connection": "send, type, bytes, expect, quiet, reset, close: write and close: both",
        "listener": "accept",
    }
    return words.get(kind, "send, type, bytes, expect, quiet, key, signal, wait and close: stdin")


def on_a_terminal(context: RuleContext) -> Iterator[Mistake]:
    """Keys are pressed on terminals only."""
    stage = _Stage()
    for path, line in _in_order(context.scenario):
        found = stage.find(line)
        program = context.scenario.programs.get(found.program or "") if found else None
        if (
            found is not None
            and line.action.needs_terminal
            and program is not None
            and (found.on_pipes or not program.tty)
        ):
            name, verb = found.name, line.action.verb
            why = "it reads or writes a file" if found.on_pipes else "`tty: false`"
            what = f'{step_words(path)} presses a key, but "{name}" has no terminal ({why})'
            fix = "send a signal (`signal: SIGINT`), or give the program a terminal"
            yield Mistake("no-terminal", (*path, "action", verb), what, fix)
        stage.play(line)


def read_by_somebody(context: RuleContext) -> Iterator[Mistake]:
    """Nothing is said to a program that reads a file."""
    stage = _Stage()
    for path, line in _in_order(context.scenario):
        found = stage.find(line)
        if found is not None and found.reads and line.action.gives_input:
            what = f'{step_words(path)} speaks to "{found.name}", which reads a file (`stdin:`)'
            fix = "put what it is to read into that file, or leave out `stdin:`"
            yield Mistake("no-input", (*path, "action", line.action.verb), what, fix)
        stage.play(line)


def _in_order(scenario: Scenario) -> Iterator[tuple[StepPath, Line]]:
    """The lines as they are played, branch after branch; two rounds of a ``repeat`` show all there is."""
    yield from _played(("steps",), scenario.steps)
    yield from _played(("finally",), scenario.finally_)


def _played(path: StepPath, steps: tuple[Step, ...]) -> Iterator[tuple[StepPath, Line]]:
    for position, step in enumerate(steps):
        here = (*path, position)
        if isinstance(step, Line):
            yield here, step
        rounds = min(2, step.repeat.times) if isinstance(step, Repeat) else 1
        for below, held in [*blocks(here, step)] * rounds:
            yield from _played(below, held)
