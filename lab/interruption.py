"""SIGINT and SIGTERM while there is something that has to be taken down."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Self, TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _raise() -> None:
    raise KeyboardInterrupt


class Interruption:
    """The first of these signals interrupts, as KeyboardInterrupt; no later one does, nor one too late.

    What it raises in a finalizer is lost, and the engine's library has many: the answers to its requests are
    files, and CPython clears whatever the finalizer of a file raises. So :meth:`check` asks once more.
    """

    def __init__(self) -> None:
        self.came = False
        self._act: Callable[[], object] = _raise
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._heard) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, *_: object) -> None:
        if not self.came:
            self.came = True
            self._act()

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

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work on a loop; a signal cancels it. KeyboardInterrupt if one did."""
        self.too_late()  # until the work is there to be cancelled
        return asyncio.run(self._cancellable(work))

    async def _cancellable(self, work: Coroutine[Any, Any, T]) -> T:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        self._act = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            if self.came:
                task.cancel()
            return await task
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        except BaseExceptionGroup as several:
            raise _first(several) from several
        finally:
            self.too_late()


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended several things done at once."""
    first = several.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
