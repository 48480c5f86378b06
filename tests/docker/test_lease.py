"""A sidecar and a host to which nobody ever speaks, as where the engine dies while a lab goes up, end by themselves."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from msgspec.structs import replace

from lab.core.assets import HOST_IMAGE
from lab.deploy.host import stay
from lab.engine import Engine
from lab.engine import containers as box
from lab.engine.containers import ContainerSpec
from lab.engine.images import SIDECAR
from lab.engine.labels import Labels, Owner
from lab.scenario.cast import Limits

LEASE = 3
PATIENCE = 60
"""Seconds within which they have ended: the machine may be busy."""


@pytest.fixture
def both(engine: Engine, own_images: dict[str, str]) -> Iterator[dict[str, str]]:
    """A sidecar and a host with a short lease, made as a lab makes them; their containers by role."""
    made: dict[str, str] = {}
    expires = int(time.time()) + LEASE
    run_id, owner = f"lease-{secrets.token_hex(4)}", Owner.this_process()
    labels = Labels(run_id, "lease", "", "", "", "sidecar", owner, expires)
    made["sidecar"] = box.create_sidecar(engine, own_images[SIDECAR], labels)
    # What has expired is removed by the next run on this machine: that must not be what ends them.
    stays = replace(labels, role="host", host="a", expires=expires + 600)
    spec = ContainerSpec(
        own_images[HOST_IMAGE], stay(LEASE), stays, "a", Limits(), 1879048193, made["sidecar"]
    )
    made["host"] = box.create_caged(engine, spec)
    yield made
    box.remove(engine, list(made.values()))


@pytest.mark.parametrize("heard", [True, False], ids=["connected", "never connected"])
def test_they_end_by_themselves(engine: Engine, both: dict[str, str], heard: bool) -> None:
    def ended(container: str) -> tuple[int, float]:
        # Not "not-running", which it is before it has started.
        told = engine.client.wait(container, timeout=PATIENCE, condition="next-exit")
        return int(told["StatusCode"]), time.monotonic()

    began: dict[str, float] = {}
    ends: dict[str, Future[tuple[int, float]]] = {}
    with ThreadPoolExecutor() as pool, ExitStack() as connections:
        for role, container in both.items():
            if heard:
                stream = box.attach(engine, container)
                connections.callback(stream.socket.close)  # only at the end: that would end them, too
            ends[role] = pool.submit(ended, container)
            began[role] = time.monotonic()
            box.start(engine, container)
        for role, end in ends.items():
            status, at = end.result()
            assert status == 0, f"the {role} was ended by somebody else"
            assert at - began[role] > LEASE - 1, f"the {role} ended at once"
