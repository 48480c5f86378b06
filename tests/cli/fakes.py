"""An engine that is a list of containers, and what a command said."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from msgspec.structs import replace

from lab.engine.containers import Container
from lab.engine.labels import Labels, Owner

GOLDEN = Path(__file__).parent.parent / "golden" / "runs"

LIVING = Owner.this_process()
DEAD = replace(LIVING, started=LIVING.started + 1)
"""Our process id as another process had it."""
ELSEWHERE = Owner(1, 1, "another machine")


def container(
    run_id: str, host: str, owner: Owner = DEAD, *, stays: int = 3600, role: str = "", folder: str = "/other"
) -> Container:
    """A running container of a lab; it is the sidecar where no host is named."""
    labels = Labels(
        run_id=run_id,
        scenario=f"play_{run_id}",
        file=f"play_{run_id}.yaml",
        host=host,
        addresses="10.0.0.1" if host else "",
        role=role or ("host" if host else "sidecar"),
        owner=owner,
        expires=int(time.time()) + stays,
        keep=True,
        record=f"/on/another/machine/20260101-000000-play_{run_id}-{run_id}",
        folder=folder,
    )
    return Container(f"id-{run_id}-{host}", f"name-{run_id}-{host}", "running", labels, created=1)


def lab_of(run_id: str, owner: Owner = DEAD, *, stays: int = 3600, folder: str = "/other") -> list[Container]:
    """The containers of a lab with two hosts."""
    return [container(run_id, host, owner, stays=stays, folder=folder) for host in ("", "client", "server")]


@dataclass
class FakeEngine:
    """Stands where :class:`lab.engine.Engine` does: holds containers, and can remove them."""

    containers: list[Container] = field(default_factory=list)
    address: str = "fake"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def remove(self, ids: Iterable[str]) -> None:
        gone = set(ids)
        self.containers = [one for one in self.containers if one.id not in gone]

    @property
    def runs(self) -> set[str]:
        """The runs that are there."""
        return {one.labels.run_id for one in self.containers}


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


Lab = Callable[..., Said]
