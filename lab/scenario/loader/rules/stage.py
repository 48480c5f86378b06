"""Who runs when, as far as the script tells: nobody is spoken to before its start, nobody started twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from lab.scenario import Scenario
from lab.scenario.loader.place import step_words
from lab.scenario.loader.rules.finding import Case, Finding
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.script import StepPath, blocks, numbered_lines, walk
from lab.scenario.steps import (
    RUN,
    Close,
    Expect,
    Key,
    Line,
    Quiet,
    Repeat,
    Run,
    Send,
    SendBytes,
    SendSignal,
    Start,
    Step,
    Type,
    Wait,
)

_SPEAKING = (Expect, Quiet, Send, Type, SendBytes, Key, SendSignal, Close)
"""What is done with a program, which must have been started; ``wait: {exited: true}`` is another."""

_ENDING_KEYS = ("ctrl-c", "ctrl-d", "ctrl-\\")


def started_as(start: Start) -> str:
    """What a started program is called on its host."""
    return start.as_ or start.start


def names_given(case: Case) -> Iterator[Finding]:
    """No program is called as the commands of ``run`` are, and no program is told to start another."""
    for path, line in numbered_lines(case.scenario):
        at, action = step_words(path), line.action
        if isinstance(action, Start) and started_as(action) == RUN:
            what = f'{at}: a program cannot be called "{RUN}": commands of `run` are called so'
            where = (*path, "action", "as" if action.as_ else "start")
            yield Finding("reserved-name", where, what, "give it another name with `as:`")
        if isinstance(action, Start | Run) and line.program is not None:
            what = f'{at}: "{action.verb}" is done by a host, not by a program on it'
            name = f", as: {line.program}" if isinstance(action, Start) else ""
            fix = f"write `{line.host}: {{{action.verb}: …{name}}}`"
            yield Finding("bad-actor", (*path, "actor"), what, fix)


def spoken_to(case: Case) -> Iterator[Finding]:
    """A program is started before it is spoken to, and by the name that it was given."""
    begun: set[str] = set()
    yield from _spoken_to(case, ("steps",), case.scenario.steps, begun)
    yield from _spoken_to(case, ("finally",), case.scenario.finally_, begun)


def _spoken_to(case: Case, path: StepPath, steps: tuple[Step, ...], begun: set[str]) -> Iterator[Finding]:
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
    starts = [(line, line.action) for line in lines if isinstance(line.action, Start)]
    main = {line.actor for line, start in starts if start.as_ is None}
    return main | {f"{line.host}.{started_as(start)}" for line, start in starts}


def _too_early(line: Line, begun: set[str]) -> bool:
    waits = isinstance(line.action, Wait) and (line.action.wait.exited or line.action.wait.asleep_in)
    return line.actor not in begun and (bool(waits) or isinstance(line.action, _SPEAKING))


def _not_begun(scenario: Scenario, path: StepPath, line: Line) -> Finding:
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
    return Finding("not-started", (*path, "actor"), what, fix)


class _Stage(Struct):
    """What may still be running: host and name to program, and the name of each host's main program."""

    running: dict[tuple[str, str], str] = field(default_factory=dict)
    main: dict[str, str] = field(default_factory=dict)

    def in_the_way(self, host: str, start: Start) -> str | None:
        """The name of a program that may still run where another is to be started."""
        name = started_as(start)
        main = self.main.get(host) if start.as_ is None else None
        return name if (host, name) in self.running else main

    def name(self, line: Line) -> str:
        """The name of the program that an actor stands for."""
        return line.program or self.main.get(line.host, "")

    def play(self, line: Line) -> None:
        """Take note of a line: a program enters, or may leave."""
        name = self.name(line)
        if isinstance(line.action, Start):
            self.running[line.host, started_as(line.action)] = line.action.start
            if line.action.as_ is None:
                self.main[line.host] = started_as(line.action)
        elif _may_end(line):
            self.running.pop((line.host, name), None)
            if self.main.get(line.host) == name:
                del self.main[line.host]


def _may_end(line: Line) -> bool:
    """Whether a program may have ended by this line; the script alone does not tell of any other end."""
    match line.action:
        case Expect(expect=pattern):
            return pattern.end is not None
        case Wait(wait=condition):
            return condition.exited is not None
        case Key(key=key):
            return key in _ENDING_KEYS
    return isinstance(line.action, SendSignal | Close)


def one_at_a_time(case: Case) -> Iterator[Finding]:
    """Programs that run on a host at once have different names."""
    stage = _Stage()
    for path, line in _in_order(case.scenario):
        other = stage.in_the_way(line.host, line.action) if isinstance(line.action, Start) else None
        if other:
            at = step_words(path)
            what = f'{at} starts a program on host "{line.host}" while "{other}" may still run there'
            fix = "wait for its end (`wait: {exited: true}`), or give the second one a name with `as:`"
            yield Finding("started-twice", (*path, "action", "start"), what, fix)
        stage.play(line)


def on_a_terminal(case: Case) -> Iterator[Finding]:
    """Keys are pressed on terminals only."""
    stage = _Stage()
    for path, line in _in_order(case.scenario):
        program = case.scenario.programs.get(stage.running.get((line.host, stage.name(line)), ""))
        if isinstance(line.action, Key) and program is not None and not program.tty:
            what = (
                f'{step_words(path)} presses a key, but "{stage.name(line)}" has no terminal (`tty: false`)'
            )
            fix = "send a signal (`signal: SIGINT`), or give the program a terminal"
            yield Finding("no-terminal", (*path, "action", "key"), what, fix)
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
