"""The labs on this machine, put together from the labels of their containers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from lab.core.errors import UsageError
from lab.engine.labels import Labels, Owner

if TYPE_CHECKING:
    from lab.engine import Engine
    from lab.engine.containers import Container


_ALIVE = frozenset({"running", "paused"})
"""States of a container, in Docker's words, in which its processes are there."""


class LabStatus(StrEnum):
    """Whose a lab is now."""

    BUSY = "busy"
    """The process that made it still runs."""
    UP = "up"
    """`lab up` left it up: its process has ended, and its sidecar runs."""
    LEFT = "left"
    """Its process has ended and nobody is to use it: it was killed, or the lab's sidecar was."""
    EXPIRED = "expired"
    """Its time is over."""
    ELSEWHERE = "elsewhere"
    """It was made on another machine, so nobody here knows."""


class Lab(Struct, frozen=True):
    """The containers of one run: its hosts, and the rest (sidecar, builds).

    ``folder`` is where it was started, ``record`` the folder of its record there, ``created`` (seconds since
    1970) when its first container was made.
    """

    run_id: str
    scenario: str
    file: str
    folder: str
    record: str
    created: int
    expires: int
    standing: LabStatus
    owner: Owner
    hosts: tuple[Container, ...]
    others: tuple[Container, ...]

    @property
    def containers(self) -> tuple[Container, ...]:
        """All of them, hosts first."""
        return self.hosts + self.others

    @property
    def path(self) -> str:
        """The absolute path of its scenario's file."""
        return os.path.normpath(os.path.join(self.folder, self.file))  # noqa: PTH118 - a Path keeps ".."

    @property
    def abandoned(self) -> bool:
        """True if nobody is at work with it, so that it may be removed."""
        return self.standing is LabStatus.UP or self.useless

    @property
    def useless(self) -> bool:
        """True if nobody will use it any more either: it may be removed unasked."""
        return self.standing in (LabStatus.LEFT, LabStatus.EXPIRED)

    def host(self, name: str) -> Container:
        """The container of a host. UsageError, with the names there are, for an unknown one."""
        found = next((host for host in self.hosts if host.labels.host == name), None)
        if found is None:
            names = ", ".join(host.labels.host for host in self.hosts) or "none"
            raise UsageError("no-host", f"lab {self.run_id} has no host {name!r}", fix=f"its hosts: {names}")
        return found


def all_labs(engine: Engine, now: float) -> tuple[Lab, ...]:
    """Every lab there is. ``now`` is in seconds since the epoch."""
    from lab.engine.containers import ours

    return group(ours(engine), now)


def sweep(engine: Engine, removed: Callable[[], None]) -> None:
    """Remove what dead owners left; ``removed`` is called after each container. EngineError."""
    from lab.engine.containers import remove_listed

    useless = [lab for lab in all_labs(engine, time.time()) if lab.useless]
    if useless:
        remove_listed(engine, [one for lab in useless for one in lab.containers], removed)


def group(containers: Iterable[Container], now: float) -> tuple[Lab, ...]:
    """Containers by their run, oldest run first."""
    runs: dict[str, list[Container]] = {}
    for container in sorted(containers, key=lambda one: (one.created, one.labels.host)):
        runs.setdefault(container.labels.run_id, []).append(container)
    return tuple(_lab(members, now) for members in runs.values())


def _lab(members: Sequence[Container], now: float) -> Lab:
    # The sidecar is made before it is known how long the scenario may take.
    labels = replace(members[0].labels, expires=max(one.labels.expires for one in members))
    return Lab(
        labels.run_id,
        labels.scenario,
        labels.file,
        labels.folder,
        labels.record,
        members[0].created,
        labels.expires,
        _standing(labels, members, now),
        labels.owner,
        hosts=tuple(one for one in members if one.labels.role == "host"),
        others=tuple(one for one in members if one.labels.role != "host"),
    )


def _standing(labels: Labels, members: Iterable[Container], now: float) -> LabStatus:
    """Whose the lab is now. The time of a lab whose process runs is for that process to keep."""
    gone = labels.owner.gone()
    if not gone and labels.owner.machine == Owner.this_process().machine:
        return LabStatus.BUSY
    if labels.expires <= now:
        return LabStatus.EXPIRED
    if not gone:
        return LabStatus.ELSEWHERE
    runs = any(one.labels.role == "sidecar" and one.state in _ALIVE for one in members)
    return LabStatus.UP if labels.keep and runs else LabStatus.LEFT


def choose(labs: Sequence[Lab], word: str, folder: str = "") -> Lab:
    """The one lab that is meant by ``word``: the start of a run id, or a scenario.

    Without a word it is the newest one that was started from ``folder``, one left up before one at work,
    else the newest left up from anywhere.

    Raises:
        UsageError: none is meant or several are; the error lists them.
    """
    if not word:
        return _newest(labs, folder)
    meant = [lab for lab in labs if lab.run_id.startswith(word) or lab.scenario == word]
    if len(meant) == 1:
        return meant[0]
    if not labs:
        raise UsageError("no-lab", "no lab is up", fix="start one: lab up FILE")
    if not meant:
        raise UsageError("no-lab", f"no lab is called {word!r}", fix=f"there is: {listed(labs)}")
    fix = f"say which by its run id: {listed(meant)}"
    raise UsageError("which-lab", f"{len(meant)} labs are up", fix=fix)


def _newest(labs: Sequence[Lab], folder: str) -> Lab:
    here = [lab for lab in labs if lab.folder == folder and not lab.useless]
    meant = _up(here) or here or _up(labs)
    if not meant:
        raise UsageError("no-lab", "no lab is up", fix="start one: lab up FILE")
    return meant[-1]


def _up(labs: Iterable[Lab]) -> list[Lab]:
    return [lab for lab in labs if lab.standing is LabStatus.UP]


def listed(labs: Iterable[Lab]) -> str:
    """Labs by run id and scenario, for a message."""
    return ", ".join(f"{lab.run_id} ({lab.scenario})" for lab in labs)
