"""Who runs when, as far as the script tells: nobody is spoken to before its start, nobody started twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from lab.scenario import Scenario
from lab.scenario.loader.place import step_words
from lab.scenario.loader.rules.case import Case
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake
from lab.scenario.script import StepPath, blocks, walk
from lab.scenario.steps import Entrance, Line, Repeat, Step


def spoken_to(case: Case) -> Iterator[Mistake]:
    """A program is started before it is spoken to, and by the name that it was given."""
    begun: set[str] = set()
    yield from _spoken_to(case, ("steps",), case.scenario.steps, begun)
    yield from _spoken_to(case, ("finally",), case.scenario.finally_, begun)


def _spoken_to(case: Case, path: StepPath, steps: tuple[Step, ...], begun: set[str]) -> Iterator[Mistake]:
    """Adds the actors that the steps bring on to those that have begun."""
    for position, step in enumerate(steps):
        here = (*path, position)
        if isinstance(step, Line) and step.host in case.scenario.hosts and _too_early(step, begun):
            yield _not_begun(case.scenario, here, step)
        held = list(blocks(here, step))
        for below, part in held:
            beside = [other for way, branch in held if way != below for other in branch]
            yield from _spoken_to(case, below, part, begun | _brought_on(beside))
        begun |= _brought_on([step])


def _brought_on(steps: Iterable[Step]) -> set[str]:
    """The actors that steps bring on: ``host.name``, and the host alone for a program without ``as``."""
    lines = (step for _, step in walk((), steps) if isinstance(step, Line))
    starts = [(line, entrance) for line in lines if (entrance := _program(line)) is not None]
    main = {line.actor for line, entrance in starts if entrance.main}
    return main | {f"{line.host}.{entrance.name}" for line, entrance in starts}


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
    """What may still be running: host and name to program, and the name of each host's main program."""

    running: dict[tuple[str, str], str] = field(default_factory=dict)
    main: dict[str, str] = field(default_factory=dict)

    def in_the_way(self, line: Line) -> str | None:
        """The name of a program that may still run where another is to be started."""
        entrance = _program(line)
        if entrance is None:
            return None
        main = self.main.get(line.host) if entrance.main else None
        return entrance.name if (line.host, entrance.name) in self.running else main

    def name(self, line: Line) -> str:
        """The name of the program that an actor stands for."""
        return line.program or self.main.get(line.host, "")

    def play(self, line: Line) -> None:
        """Take note of a line: a program enters, or may leave."""
        name, entrance = self.name(line), _program(line)
        if entrance is not None:
            self.running[line.host, entrance.name] = entrance.program or ""
            if entrance.main:
                self.main[line.host] = entrance.name
        elif line.action.may_end_program():
            self.running.pop((line.host, name), None)
            if self.main.get(line.host) == name:
                del self.main[line.host]


def _program(line: Line) -> Entrance | None:
    """The program that a line starts; commands are over when their step is."""
    entrance = line.action.enters()
    return entrance if entrance and entrance.program else None


def one_at_a_time(case: Case) -> Iterator[Mistake]:
    """Programs that run on a host at once have different names."""
    stage = _Stage()
    for path, line in _in_order(case.scenario):
        other = stage.in_the_way(line)
        if other:
            at = step_words(path)
            what = f'{at} starts a program on host "{line.host}" while "{other}" may still run there'
            fix = "wait for its end (`wait: {exited: true}`), or give the second one a name with `as:`"
            yield Mistake("started-twice", (*path, "action", line.action.verb), what, fix)
        stage.play(line)


def on_a_terminal(case: Case) -> Iterator[Mistake]:
    """Keys are pressed on terminals only."""
    stage = _Stage()
    for path, line in _in_order(case.scenario):
        program = case.scenario.programs.get(stage.running.get((line.host, stage.name(line)), ""))
        if line.action.needs_terminal and program is not None and not program.tty:
            name, verb = stage.name(line), line.action.verb
            what = f'{step_words(path)} presses a key, but "{name}" has no terminal (`tty: false`)'
            fix = "send a signal (`signal: SIGINT`), or give the program a terminal"
            yield Mistake("no-terminal", (*path, "action", verb), what, fix)
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
