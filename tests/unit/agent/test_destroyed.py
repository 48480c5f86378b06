"""What the kernel tells of sockets that it frees, in the namespace that the tests run in."""

from __future__ import annotations

import os
import select
import socket
from contextlib import closing

import pytest

from lab.agent.destroyed import Destroyed


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_listener_that_is_closed_is_heard_of(address: str) -> None:
    """Nothing of it is on the wire."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 0), family=family)
    with closing(Destroyed(os.getpid())) as destroyed:
        destroyed.drain()
        listener.close()
        assert select.select([destroyed], [], [], 60)[0]
        assert destroyed.drain()


def test_more_than_there_is_room_for() -> None:
    with closing(Destroyed(os.getpid())) as destroyed:
        for _ in range(2000):
            socket.create_server(("127.0.0.1", 0)).close()
        assert destroyed.drain()
