"""The transcript of a run: what the script did and what the programs printed, in one order.

Times are whole nanoseconds since the epoch on the clock of the machine that captures. Text that programs
printed is decoded from UTF-8 with ``surrogateescape``, so that every byte can be had back.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from lab.core.words import Outcome
from lab.evidence.facts import StepFact


class Started(Struct, frozen=True):
    """A program was started; ``pid`` is its process id as the engine's machine counts, 0 if unknown."""

    at: int
    host: str
    program: str
    step: str
    command: str
    pid: int


class Opened(Struct, frozen=True):
    """The script opened a socket from a host without a program: ``how`` is connect, accept or listen.

    ``to`` is the other end, or the port that it listens on; ``ports`` are its own, of several connections
    each.
    """

    at: int
    host: str
    program: str
    step: str
    how: str
    to: str
    ports: tuple[int, ...]


class Output(Struct, frozen=True):
    """A program printed this."""

    at: int
    host: str
    program: str
    text: str


class Dropped(Struct, frozen=True):
    """From here on a program's output was counted but not kept: it passed the limit."""

    at: int
    host: str
    program: str
    limit: int


class Input(Struct, frozen=True):
    """The script typed text (``kind`` text), sent bytes, pressed a key, sent a signal or ended the input."""

    at: int
    host: str
    program: str
    step: str
    kind: str
    text: str


class InputEnded(Struct, frozen=True):
    """Nothing more comes on a connection of the script: ``how`` is closed, reset, too-much, or the error."""

    at: int
    host: str
    program: str
    how: str


class Exited(Struct, frozen=True):
    """A program ended. ``status`` is as a shell counts: 128 and more is a signal's number plus 128."""

    at: int
    host: str
    program: str
    status: int


class StepEnded(Struct, frozen=True):
    """A step of the script was played; ``began`` and ``at`` are its times.

    ``step`` is its number in the script ("4", "7.2.1" inside blocks, "finally.1"); ``where`` its place
    in the scenario file; ``host`` its actor (``host`` or ``host.program``); ``what`` the step in words. On a
    failure ``expected`` and ``observed`` say why and ``rest`` is the output that was there and not consumed.
    """

    at: int
    began: int
    step: str
    where: str
    host: str
    what: str
    outcome: Outcome
    expected: StepFact | None = None
    observed: StepFact | None = None
    rest: str = ""


TranscriptEvent = Started | Opened | Output | Dropped | Input | InputEnded | Exited | StepEnded


class ProgramRun(Struct, frozen=True):
    """One start of a program; ``exited`` is None if it had not ended when the script was over."""

    started: Started
    exited: Exited | None = None


class Transcript(Struct, frozen=True):
    """Everything that was done and printed, in one order.

    ``unplayed`` names the first step that was not reached, or is empty.
    """

    events: tuple[TranscriptEvent, ...]
    unplayed: str = ""

    @property
    def failed(self) -> StepEnded | None:
        """The step at which the script broke off: the first that failed."""
        steps = (event for event in self.events if isinstance(event, StepEnded))
        return next((step for step in steps if step.outcome is Outcome.FAIL), None)

    def runs(self) -> list[ProgramRun]:
        """Each start with its end: that of the first run of the program on its host still under way."""
        runs: list[ProgramRun] = []
        under_way: dict[tuple[str, str], deque[int]] = {}
        for event in self.events:
            if isinstance(event, Started):
                under_way.setdefault((event.host, event.program), deque()).append(len(runs))
                runs.append(ProgramRun(event))
            elif isinstance(event, Exited) and (numbers := under_way.get((event.host, event.program))):
                number = numbers.popleft()
                runs[number] = ProgramRun(runs[number].started, event)
        return runs
