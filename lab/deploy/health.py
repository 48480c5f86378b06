"""Who is to blame when a step takes too long: the program, or the engine and the sidecar.

Whether the engine and the agent are at work is asked once a second. What they delay, lose or break is told
here, and it ends the run with an EngineError: nothing of that is a program's fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar

from msgspec import Struct

from lab.core.errors import EngineError

BEAT_SECONDS = 1.0
"""Between two questions whether they are at work."""

SLOW_SECONDS = 1.0
"""An answer to such a question that took longer: a program's time cannot be judged meanwhile."""

SILENCE_SECONDS = 10.0
"""Without an answer for so long, the run ends."""

CALL_SECONDS = 20.0
"""What a step gives one call of the engine, or one request to the agent, beside the program's own time."""

_FIX = "see whether the engine's machine is overloaded or stopped (`docker info`), then run it again"

Ask = Callable[[], Awaitable[object]]


class _StepTime(Struct):
    """The time of a step that is being played."""

    limit: asyncio.Timeout
    latest: float
    """When the script's time is over, whatever takes it (the loop's clock)."""
    calls: int = 0
    left: float = 0.0
    over: bool = False
    unanswered: str = ""


_STEP: ContextVar[_StepTime | None] = ContextVar("_STEP", default=None)


class Health:
    """What is known of the engine and the agent while a lab is up."""

    def __init__(self) -> None:
        self.error: EngineError | None = None
        """What ended the run; None while nothing has."""
        self._failed = asyncio.Event()
        self._asked: dict[str, Ask] = {}
        self._slow: list[tuple[str, float, float]] = []

    def ask(self, who: str, question: Ask) -> None:
        """From now on ask them, too. ``question`` returns when they have answered, or raises EngineError."""
        self._asked[who] = question

    def fail(self, error: EngineError) -> None:
        """Something of theirs has broken: what needs them ends."""
        self.error = self.error or error
        self._failed.set()

    def check(self) -> None:
        """EngineError if something of theirs has broken."""
        if self.error is not None:
            raise self.error

    @contextlib.asynccontextmanager
    async def needed(self) -> AsyncIterator[None]:
        """What is done inside ends with an EngineError, in a group, when they fail or fall silent."""
        async with asyncio.TaskGroup() as group:
            watches = [group.create_task(self._until_failed()), group.create_task(self._beat())]
            yield
            for watch in watches:
                watch.cancel()

    async def vouch(self, since: float) -> None:
        """EngineError unless they are at work now, and were at work since then (the loop's clock)."""
        self.check()
        await self._ask_all()
        self.check()
        slow = next(((who, began, ended) for who, began, ended in self._slow if ended >= since), None)
        if slow is not None:
            who, began, ended = slow
            what = f"{who} took {ended - began:.1f} s to answer: what programs did meanwhile cannot be judged"
            raise EngineError("engine-slow", what, fix=_FIX)

    async def _until_failed(self) -> None:
        await self._failed.wait()
        self.check()

    async def _beat(self) -> None:
        while True:
            await self._ask_all()
            await asyncio.sleep(BEAT_SECONDS)

    async def _ask_all(self) -> None:
        await asyncio.gather(*(self._ask(who, question) for who, question in self._asked.items()))

    async def _ask(self, who: str, question: Ask) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                await question()
        except TimeoutError:
            what = f"{who} has not answered for {SILENCE_SECONDS:g} s"
            raise EngineError("engine-silent", what, fix=_FIX) from None
        ended = time.monotonic()
        if ended - began > SLOW_SECONDS:
            self._slow.append((who, began, ended))


@contextlib.asynccontextmanager
async def step_time(seconds: float, latest: float) -> AsyncIterator[None]:
    """The time that a step gives its program; the script's is over at ``latest`` (the loop's clock).

    A call of the engine that is made meanwhile is not counted: it has :data:`CALL_SECONDS` for itself.

    Raises:
        TimeoutError: the program took too long.
        EngineError: a call of the engine did.
    """
    limit = asyncio.timeout_at(min(asyncio.get_running_loop().time() + seconds, latest))
    step = _StepTime(limit, latest)
    token = _STEP.set(step)
    try:
        async with limit:
            yield
    except TimeoutError:
        if step.unanswered:
            what = f"{step.unanswered} takes too long: that is no program's fault"
            raise EngineError("engine-slow", what, fix=_FIX) from None
        raise
    finally:
        step.over = True
        _STEP.reset(token)


@contextlib.contextmanager
def not_counted(what: str) -> Iterator[None]:
    """What is done inside is done by the engine or the agent: its time is not the step's."""
    step = _STEP.get()
    if step is None or step.over or step.limit.expired():
        yield
        return
    _begin_call(step)
    try:
        yield
    except asyncio.CancelledError:
        if step.limit.expired():
            step.unanswered = what
        raise
    finally:
        _end_call(step)


def _begin_call(step: _StepTime) -> None:
    now = asyncio.get_running_loop().time()
    if step.calls == 0:
        step.left = (step.limit.when() or now) - now
    step.calls += 1
    step.limit.reschedule(min(now + max(step.left, CALL_SECONDS), step.latest))


def _end_call(step: _StepTime) -> None:
    step.calls -= 1
    if step.calls == 0 and not step.over and not step.limit.expired():
        step.limit.reschedule(min(asyncio.get_running_loop().time() + step.left, step.latest))
