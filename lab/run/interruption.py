"""The signals that end the process: the first lets it take down what is up, a second one ends it at once."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_INTERRUPTED = 130
"""ExitCode.INTERRUPTED of lab.core.errors, which need not have been imported when a signal comes."""

_STDERR = 2
_TOGETHER_SECONDS = 0.3
"""A signal that follows the first so soon is one with it: timeout(1), for one, sends each twice."""

Handler = Callable[[int, FrameType | None], object]


def handle(handler: Handler) -> dict[int, Any]:
    """Have the signals handled so from now on; by what they were handled before.

    SIGHUP is left alone where it is ignored (nohup(1)).
    """
    numbers = [number for number in SIGNALS if not _is_ignored(number)]
    return {number: signal.signal(number, handler) for number in numbers}


def _is_ignored(number: int) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


def leave(*_: object) -> None:
    """End the process at once. What is up then has no owner any more, and the next run removes it."""
    with contextlib.suppress(OSError):
        terminal = select.poll()
        terminal.register(_STDERR, select.POLLOUT)
        if terminal.poll(0):  # one that is stopped would keep us
            os.write(_STDERR, b"interrupted\n")
    os._exit(_INTERRUPTED)


def _raise() -> None:
    raise KeyboardInterrupt


class Interruption:
    """The first of the signals interrupts, as KeyboardInterrupt, unless it comes too late; a second one ends.

    What it raises in a finalizer is lost, and the engine's library has many: the answers to its requests are
    files, and CPython clears whatever the finalizer of a file raises. So :meth:`check` asks once more. What
    it raises while a class is made, as one is imported, may come out as another error: that counts as it.
    """

    def __init__(self) -> None:
        self.came = False
        self._came_at = 0.0
        self._act: Callable[[], object] = _raise
        self._before: dict[int, Any] = {}
        self._told_before = sys.unraisablehook

    def __enter__(self) -> Self:
        self._told_before, sys.unraisablehook = sys.unraisablehook, self._tell_unraisable
        self._before = handle(self._heard)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._told_before
        if self.came and isinstance(error, Exception) and not _is_told(error):
            raise KeyboardInterrupt from error

    def _heard(self, number: int, _: FrameType | None) -> None:
        if not self.came:
            self.came, self._came_at = True, time.monotonic()
            self._act()
        elif number != signal.SIGHUP and time.monotonic() - self._came_at > _TOGETHER_SECONDS:
            leave()

    def _tell_unraisable(self, told: UnraisableHookArgs) -> None:
        """What is raised where nothing can be: a traceback, unless it is our own doing."""
        if not issubclass(told.exc_type, KeyboardInterrupt):
            self._told_before(told)

    def check(self) -> None:
        """KeyboardInterrupt if a signal has come."""
        if self.came:
            raise KeyboardInterrupt

    def too_late(self) -> None:
        """From now on no signal interrupts."""
        self._act = lambda: None

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """A signal that comes meanwhile interrupts at the end.

        Where work is given to threads it could leave a lock taken, or work that nobody knows of.
        """
        act = self._act
        self.too_late()
        try:
            yield
        finally:
            self._act = act
        self.check()

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """A signal interrupts at once what is done meanwhile on the loop, and waits for nothing.

        asyncio.CancelledError, which :meth:`run` expects.
        """
        import asyncio

        act, self._act = self._act, _raise
        try:
            self.check()
            yield
        except KeyboardInterrupt:
            raise asyncio.CancelledError from None
        finally:
            self._act = act

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work on a loop; a signal cancels it. KeyboardInterrupt if one did."""
        import asyncio

        self.too_late()  # until the work is there to be cancelled
        return asyncio.run(self._cancellable(work))

    async def _cancellable(self, work: Coroutine[Any, Any, T]) -> T:
        import asyncio

        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        self._act = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            if self.came:
                task.cancel()
            return await task
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        except Exception as error:
            if self.came:  # what fails while all is cancelled fails for that
                raise KeyboardInterrupt from error
            if isinstance(error, BaseExceptionGroup):
                raise _first(error) from error
            raise
        finally:
            self.too_late()


def _is_told(error: Exception) -> bool:
    """Whether it is one that a person is told: what could not be taken down, for one."""
    from lab.core.errors import LabError

    return isinstance(error, LabError)


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended several things done at once."""
    first = several.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
