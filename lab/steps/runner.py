"""Plays a script: who does what, in the order of the file, with a time-out on everything."""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, MutableMapping

from msgspec import Struct
from msgspec.structs import replace

from lab.core.errors import SourceRef
from lab.core.words import Outcome
from lab.deploy.health import step_time
from lab.evidence.facts import Described, Late
from lab.evidence.transcript import StepEnded
from lab.scenario import Scenario
from lab.scenario.script import numbered
from lab.scenario.steps import Action, Line, Repeat, Step, Together
from lab.steps.context import Context
from lab.steps.executable import Executable
from lab.steps.failure import StepFailure
from lab.steps.filling import filled_in
from lab.steps.programs import Programs
from lab.steps.recorder import Recorder

_REST_SHOWN = 2000
"""Characters of unconsumed output that a failed step shows."""

Variables = MutableMapping[str, str]


class _Place(Struct, frozen=True):
    """Where the script is: the step's number as the file counts, and the rounds of the blocks around it."""

    number: str
    rounds: tuple[int, ...] = ()

    def step(self, position: int) -> _Place:
        return _Place(f"{self.number}.{position}" if self.number else str(position), self.rounds)

    def round(self, count: int) -> _Place:
        return _Place(self.number, (*self.rounds, count))

    def __str__(self) -> str:
        return self.number + "".join(f"@{count}" for count in self.rounds)


class ScriptRunner:
    """One play of one script. Failed steps are in the transcript; only what is no result is raised."""

    def __init__(
        self,
        scenario: Scenario,
        lines: Mapping[str, SourceRef],
        programs: Programs,
        recorder: Recorder,
        variables: Variables,
    ) -> None:
        self._scenario = scenario
        self._lines = lines
        self._programs = programs
        self._recorder = recorder
        self._variables = variables
        self._played: set[str] = set()
        self._deadline = 0.0

    async def play(self, look_around: Callable[[], Awaitable[None]]) -> None:
        """The steps until one fails, then ``finally``, whatever happened.

        ``look_around`` is called once if one has failed, before anything else is done.
        """
        whole = await self._section(self._scenario.steps, _Place(""))
        if not whole:
            await look_around()
        await self._section(self._scenario.finally_, _Place("finally"))
        await self._programs.end(whole=whole)
        if not whole:
            self._recorder.unplayed = self._first_unplayed()

    async def _section(self, steps: tuple[Step, ...], place: _Place) -> bool:
        self._deadline = asyncio.get_running_loop().time() + self._scenario.timeouts.scenario
        try:
            await self._steps(steps, place, self._variables)
        except StepFailure:
            return False
        return True

    async def _steps(self, steps: tuple[Step, ...], place: _Place, variables: Variables) -> None:
        for position, step in enumerate(steps, 1):
            await self._step(step, place.step(position), variables)

    async def _step(self, step: Step, place: _Place, variables: Variables) -> None:
        match step:
            case Line():
                await self._line(step, place, variables)
            case Together():
                await _all(
                    self._steps(branch, place.step(number), variables)
                    for number, branch in enumerate(step.together, 1)
                )
            case Repeat():
                for count in range(1, step.repeat.times + 1):
                    counted = ChainMap({"i": str(count)}, variables)
                    await self._steps(step.repeat.steps, place.round(count), counted)

    async def _line(self, line: Line, place: _Place, variables: Variables) -> None:
        began = self._recorder.now()
        where = str(self._lines.get(place.number, ""))

        def ended(what: str, failure: StepFailure | None) -> StepEnded:
            outcome = Outcome.PASS if failure is None else Outcome.FAIL
            step = StepEnded(self._recorder.now(), began, str(place), where, line.actor, what, outcome)
            if failure is None:
                return step
            rest = failure.rest[-_REST_SHOWN:]
            return replace(step, expected=failure.expected, observed=failure.observed, rest=rest)

        self._played.add(place.number)
        what = line.action.describe()
        try:
            action = filled_in(line.action, variables)
            what = action.describe()
            await self._within(line, place, action, what)
        except StepFailure as failure:
            self._recorder.note(ended(what, failure))
            raise
        self._recorder.note(ended(what, None))

    async def _within(self, line: Line, place: _Place, action: Action, what: str) -> None:
        """An action in its time; what it waited for and what was there, if that was not enough."""
        assert isinstance(action, Executable)  # noqa: S101 - all of the family are
        began = asyncio.get_running_loop().time()
        seconds = (action.within or self._scenario.timeouts.step) + (action.lasts() or 0)
        # What is captured outlives the round of a block: only ${i} is the round's own.
        context = Context(self._programs, line, str(place), self._variables)
        # If it takes so long, it may come to be asked whether the machine had a processor for it.
        halfway = asyncio.get_running_loop().call_later(seconds / 2, self._programs.measure)
        try:
            async with step_time(seconds, self._deadline):
                await action.execute(context)
        except TimeoutError:
            await self._programs.vouch(began)
            late = Late(seconds, of_script=False)
            if self._deadline < began + seconds:
                late = Late(self._scenario.timeouts.scenario, of_script=True)
            raise self._programs.too_late(line, str(place), Described(what), late) from None
        finally:
            halfway.cancel()

    def _first_unplayed(self) -> str:
        numbers = (number for number, step in self._numbers() if isinstance(step, Line))
        return next((number for number in numbers if number not in self._played), "")

    def _numbers(self) -> list[tuple[str, Step]]:
        return [
            (".".join(str(part + 1) for part in path if isinstance(part, int)), step)
            for path, step in numbered(self._scenario)
            if path[0] == "steps"
        ]


async def _all(branches: Iterable[Coroutine[None, None, None]]) -> None:
    """Branches at once; the first that fails ends the others and is what is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for branch in branches:
                group.create_task(branch)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
