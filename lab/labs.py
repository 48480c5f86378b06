"""The labs on this machine, put together from the labels of their containers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.errors import UsageError
from lab.labels import Labels, Owner

if TYPE_CHECKING:
    from lab.engine import Engine
    from lab.engine.containers import Container


class Standing(StrEnum):
    """Whose a lab is now."""

    BUSY = "busy"
    """The process that made it still runs."""
    UP = "up"
    """Its process has ended and left it up: `lab up` did, or something went wrong."""
    EXPIRED = "expired"
    """Its time is over."""
    ELSEWHERE = "elsewhere"
    """It was made on another machine, so nobody here knows."""


@dataclass(frozen=True, slots=True)
class Lab:
    """The containers of one run: its hosts, and the rest (sidecar, builds)."""

    run_id: str
    scenario: str
    file: str
    expires: int
    standing: Standing
    hosts: tuple[Container, ...]
    others: tuple[Container, ...]

    @property
    def containers(self) -> tuple[Container, ...]:
        """All of them, hosts first."""
        return self.hosts + self.others

    @property
    def abandoned(self) -> bool:
        """True if nobody is at work with it, so that it may be removed."""
        return self.standing in (Standing.UP, Standing.EXPIRED)

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
        labels.expires,
        standing(labels, now),
        hosts=tuple(one for one in members if one.labels.role == "host"),
        others=tuple(one for one in members if one.labels.role != "host"),
    )


def standing(labels: Labels, now: float) -> Standing:
    """Whose the container is now. The time of a lab whose process runs is for that process to keep."""
    if labels.owner.gone():
        return Standing.EXPIRED if labels.expires <= now else Standing.UP
    if labels.owner.machine == Owner.this_process().machine:
        return Standing.BUSY
    return Standing.EXPIRED if labels.expires <= now else Standing.ELSEWHERE


def choose(labs: Sequence[Lab], word: str) -> Lab:
    """The one lab that is meant: by ``word`` (start of a run id, or scenario), else the only one left up.

    Raises:
        UsageError: none is meant or several are; the error lists them.
    """
    if word:
        meant = [lab for lab in labs if lab.run_id.startswith(word) or lab.scenario == word]
    else:
        meant = [lab for lab in labs if lab.standing is Standing.UP] or list(labs)
    if len(meant) == 1:
        return meant[0]
    if not labs:
        raise UsageError("no-lab", "no lab is up", fix="start one: lab up FILE")
    if not meant:
        raise UsageError("no-lab", f"no lab is called {word!r}", fix=f"there is: {listed(labs)}")
    fix = f"say which with --lab RUN: {listed(meant)}"
    raise UsageError("which-lab", f"{len(meant)} labs are up", fix=fix)


def listed(labs: Iterable[Lab]) -> str:
    """Labs by run id and scenario, for a message."""
    return ", ".join(f"{lab.run_id} ({lab.scenario})" for lab in labs)
