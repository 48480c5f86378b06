"""Walking a script: every step with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.scenario import Scenario
from lab.scenario.steps import Line, Repeat, Step, Together

StepPath = tuple[str | int, ...]
"""Where a step stands in the normal form: ``("steps", 3)``, ``("steps", 3, "together", 1, 0)``."""


def numbered(scenario: Scenario) -> Iterator[tuple[StepPath, Step]]:
    """All steps, blocks before what they hold, ``finally`` last."""
    yield from walk(("steps",), scenario.steps)
    yield from walk(("finally",), scenario.finally_)


def numbered_lines(scenario: Scenario) -> Iterator[tuple[StepPath, Line]]:
    """The steps that are no blocks."""
    return ((path, step) for path, step in numbered(scenario) if isinstance(step, Line))


def line_of(scenario: Scenario, number: str) -> Line | None:
    """The step with a number: ``4``, ``7.2.1`` inside blocks, ``finally.1``; rounds are not told apart."""
    wanted = number.partition("@")[0]
    return next((line for path, line in numbered_lines(scenario) if _number(path) == wanted), None)


def ports_awaited(scenario: Scenario, line: Line | None) -> tuple[int, ...]:
    """The ports that a step waits for until somebody listens there."""
    return line.action.ports_awaited(scenario) if line else ()


def _number(path: StepPath) -> str:
    places = [str(part + 1) for part in path if isinstance(part, int)]
    return ".".join(["finally", *places] if path[0] == "finally" else places)


def walk(path: StepPath, steps: Iterable[Step]) -> Iterator[tuple[StepPath, Step]]:
    """Steps that stand under a path, and all they hold."""
    for position, step in enumerate(steps):
        yield (*path, position), step
        for below, held in blocks((*path, position), step):
            yield from walk(below, held)


def blocks(path: StepPath, step: Step) -> Iterator[tuple[StepPath, tuple[Step, ...]]]:
    """The lists of steps that a step holds: each branch of ``together``, what ``repeat`` repeats, or none."""
    if isinstance(step, Together):
        for number, branch in enumerate(step.together):
            yield (*path, "together", number), branch
    elif isinstance(step, Repeat):
        yield (*path, "repeat", "steps"), step.repeat.steps
