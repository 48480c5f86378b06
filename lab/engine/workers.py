"""Threads for calls that may never come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """A few threads that do what they are given, as concurrent.futures.ThreadPoolExecutor does.

    But nobody waits for them when the process ends: a call to an engine that hangs does not keep it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = 0
        self._busy = 0
        self._lock = threading.Lock()

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function called; what it returns or raises."""
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whoever waits has to hear of it
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            self._busy += 1
            if self._threads < min(self._most, self._busy):
                self._threads += 1
                threading.Thread(target=self._serve, daemon=True).start()
        self._waiting.put(work)
        return future

    def shutdown(self) -> None:
        """Let each thread end when it has nothing more to do."""
        for _ in range(self._threads):
            self._waiting.put(None)

    def _serve(self) -> None:
        while work := self._waiting.get():
            work()
            with self._lock:
                self._busy -= 1


def all_of(results: list[Future[Any]]) -> None:
    """Wait for several; raise what the first of them raised, when all are done."""
    for future in results:
        future.exception()
    for future in results:
        future.result()
