"""What others do to the containers of a run, as the engine tells it while it happens."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from msgspec import Struct

from lab.core.errors import EngineError
from lab.core.words import signal_by_number
from lab.engine import Engine
from lab.engine.labels import PREFIX

_ACTS = {
    "kill": "sent",
    "stop": "stopped",
    "pause": "paused",
    "restart": "restarted",
    "update": "given other limits",
}
"""What the engine calls it, and what was done. To remove a container that runs begins with a signal."""


_ROLES = ("host", "sidecar")
"""A build is ended by the lab itself."""


class Act(Struct, frozen=True):
    """Something that was done to a container by way of the engine; ``host`` is "" for the sidecar."""

    host: str
    done: str
    container: str


class Events:
    """Hears of them in a thread, until it is told to stop.

    ``tell`` and ``lose`` are called there: for each act, and once when the engine tells no more.
    """

    def __init__(
        self,
        engine: Engine,
        run_id: str,
        since: int,
        tell: Callable[[Act], None],
        lose: Callable[[EngineError], None],
    ) -> None:
        self._engine = engine
        self._filters = {"type": "container", "label": f"{PREFIX}run={run_id}", "event": list(_ACTS)}
        self._since = since
        self._tell = tell
        self._lose = lose
        self._stopped = False
        self._stream: Any = None
        self.subscribed: Future[None] = Future()
        """Done when the engine has begun to tell."""

    def start(self) -> None:
        """Begin to hear; what was done since the time that was given is told, too."""
        threading.Thread(target=self._hear, daemon=True).start()

    def stop(self) -> None:
        """Hear no more: what follows is done by the lab itself."""
        self._stopped = True
        if self._stream is not None:
            with contextlib.suppress(Exception):  # it may just have ended by itself
                self._stream.close()

    def _hear(self) -> None:
        try:
            with self._engine.doing("hear what is done to containers"):
                self._stream = self._engine.client.events(
                    since=self._since, filters=self._filters, decode=True
                )
                self.subscribed.set_result(None)
                for event in self._stream:
                    if self._stopped:
                        return
                    if event["Actor"]["Attributes"][f"{PREFIX}role"] in _ROLES:
                        self._tell(_act(event))
            what = "cannot hear what is done to containers: the connection broke half-way"
            trouble = EngineError("engine-lost", what, where=self._engine.address)
        except EngineError as error:
            trouble = error
        finally:
            if self._stream is not None:
                self._stream._response.close()  # noqa: SLF001 - the library shuts its socket and leaves it open
        if not self._stopped:
            self._lose(trouble)


def _act(event: dict[str, Any]) -> Act:
    attributes = event["Actor"]["Attributes"]
    done, number = _ACTS[event["Action"]], attributes.get("signal")
    if number:
        done = f"{done} {signal_by_number(int(number))}"
    return Act(attributes[f"{PREFIX}host"], done, attributes["name"])
