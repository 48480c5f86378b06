"""Taking down what carries a run's labels, in bounded time, and what others left whose process was killed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, wait
from typing import Any

from lab.core.errors import EngineError
from lab.deploy.labs import sweep
from lab.engine import ANSWER_TIMEOUT, Engine
from lab.engine import containers as box
from lab.engine.workers import Workers

DOWN_SECONDS = 90.0
"""How long it may take to take a lab down."""

HURRIED_SECONDS = 1.5
"""How long somebody who interrupts waits for that. What is left by then goes at the next run."""

_PING_SECONDS = 5.0
_UNDER_WAY_SECONDS = 30.0
"""How long a call of the engine that was under way may take until the lab goes down without it.

A container that is created later than that stays until the next run.
"""

_LOOK_AGAIN_SECONDS = 0.1
_SWEEP_SECONDS = 2.0
"""How long a run waits at its end while no container of another run goes."""


class Removal:
    """The removal of a run's containers. It may begin before the end, beside whatever else is done."""

    def __init__(self, engine: Engine, run_id: str, hurried: Callable[[], bool]) -> None:
        self._engine = engine
        self._run_id = run_id
        self._hurried = hurried
        """Whether somebody has interrupted: nothing is waited for any longer."""
        self._workers = Workers(2)
        """To take down and to sweep: neither must wait until others are done."""
        self._begun: set[Future[bool]] = set()
        self._left: tuple[str, ...] = ()
        """The names of the containers that are being removed."""
        self._sweeping: Future[None] | None = None
        """The removal of what other runs left behind, once it has begun."""
        self._swept_at = 0.0
        """When the last container of another run was removed (time.monotonic)."""

    def begin(self, removing: Future[bool]) -> None:
        """Somebody has called :meth:`remove_all`: the end waits for it."""
        self._begun.add(removing)

    def remove_all(self) -> bool:
        """Remove all containers of the run that there are now; whether there were any."""
        left = box.ours(self._engine, self._run_id)
        self._left = tuple(container.name for container in left)
        if left:
            box.remove_listed(self._engine, left)
            self._left = ()
        return bool(left)

    def begin_sweep(self) -> None:
        """Take away what others left whose process was killed, once, beside whatever else is done."""
        if self._sweeping is None:
            self._sweeping = self._workers.submit(self._sweep)

    def finish(self, under_way: AbstractSet[Future[Any]], *, kept: bool) -> None:
        """Wait until all is removed, or what has begun if the lab is kept.

        ``under_way`` are the calls of the engine that may still make a container.

        Raises:
            EngineError: something could not be removed, or not in time; it is named.
        """
        try:
            if kept:
                self._await(self._workers.submit(wait, self._begun))
            else:
                self._await(self._workers.submit(self._take_down, under_way))
            self._await_sweep()
        finally:
            self._workers.shutdown()

    def _await(self, removal: Future[Any]) -> None:
        """Wait until all is removed, in bounds. EngineError if it is not."""
        latest = time.monotonic() + DOWN_SECONDS
        while not wait([removal], timeout=_LOOK_AGAIN_SECONDS / 2).done:
            if self._hurried():
                latest = min(latest, time.monotonic() + HURRIED_SECONDS)
            if time.monotonic() > latest:
                left = ", ".join(self._left) or f"what there is of run {self._run_id}"
                what = f"not removed yet: {left}"
                raise EngineError("lab-stays", what, fix="it goes at the next run, or by `lab wipe`")
        removal.result()

    def _take_down(self, under_way: AbstractSet[Future[Any]]) -> None:
        if self._hurried():
            # The connection may have been interrupted with a lock of its library's taken.
            self._engine = self._engine.hurried(ANSWER_TIMEOUT)
        self._engine.ping(_PING_SECONDS)
        # What is under way may still make a container, and wait for what is done in it.
        latest = time.monotonic() + _UNDER_WAY_SECONDS
        while wait(under_way - self._begun, timeout=_LOOK_AGAIN_SECONDS).not_done:
            self.remove_all()
            if time.monotonic() > latest:
                break
        wait(self._begun)
        # A host that was just being started may be there again after it was removed.
        latest = time.monotonic() + _UNDER_WAY_SECONDS
        while self.remove_all() and time.monotonic() < latest:
            pass

    def _sweep(self) -> None:
        def removed() -> None:
            self._swept_at = time.monotonic()

        with contextlib.suppress(EngineError):  # it is not what this run is about: the next one tries again
            sweep(self._engine, removed)

    def _await_sweep(self) -> None:
        """Wait while containers of other runs go; a container that the engine cannot remove keeps no run."""
        if self._sweeping is None:
            return
        self._swept_at = time.monotonic()
        while not wait([self._sweeping], timeout=_LOOK_AGAIN_SECONDS / 2).done:
            if self._hurried() or time.monotonic() > self._swept_at + _SWEEP_SECONDS:
                return
