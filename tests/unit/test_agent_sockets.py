"""The kernel's socket table as the agent reads it, in the namespace that the tests run in."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lab.agent.diag import Row, SocketTable
from lab.agent.sampler import Sampler
from lab.sockets import SocketRow
from lab.words import TcpState, kernel_state


@pytest.fixture
def table() -> Iterator[SocketTable]:
    found = SocketTable()
    yield found
    found.close()


def rows_at(table: SocketTable, port: int) -> list[SocketRow]:
    rows = [SocketRow(kernel_state(row[0]), *row[1:]) for row in table.rows()]
    return [row for row in rows if port in (row.local_port, row.remote_port)]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_listener_and_its_queue(table: SocketTable, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family, backlog=3) as listener:
        port = listener.getsockname()[1]
        (row,) = rows_at(table, port)
        assert (row.state, row.local, row.local_port) == (TcpState.LISTEN, address, port)
        assert (row.recv_queue, row.send_queue) == (0, 3)
        assert row.inode
        with socket.create_connection((address, port)):
            waiting = next(row for row in rows_at(table, port) if row.state is TcpState.LISTEN)
            assert waiting.recv_queue == 1, "finished, and not yet accepted"


def test_ipv4_on_an_ipv6_socket_is_told_as_ipv4(table: SocketTable) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            local = {row.local for row in rows_at(table, port) if row.state is TcpState.ESTABLISHED}
    assert local == {"127.0.0.1"}


def test_both_ends_and_an_unread_end(table: SocketTable) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        server, _ = listener.accept()
        client.sendall(b"hello")
        states = {(row.local_port == port, row.state) for row in rows_at(table, port)} - {
            (True, TcpState.LISTEN)
        }
        assert states == {(True, TcpState.ESTABLISHED), (False, TcpState.ESTABLISHED)}
        client.close()
        left = {row.state: row for row in rows_at(table, port)}
        assert left[TcpState.CLOSE_WAIT].recv_queue == len("hello") + 1, "an unread FIN counts as one"
        closed = left.get(TcpState.FIN_WAIT_1) or left[TcpState.FIN_WAIT_2]
        assert closed.inode == 0, "no process holds it"
        server.recv(9)
        server.close()
        assert TcpState.TIME_WAIT in {row.state for row in rows_at(table, port)}


def test_a_socket_that_is_only_bound_is_none_yet(table: SocketTable) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert rows_at(table, bound.getsockname()[1]) == []


def test_rows_come_sorted(table: SocketTable) -> None:
    rows: tuple[Row, ...] = table.rows()
    assert list(rows) == sorted(rows)


def test_a_sampler_without_hosts_has_nothing_to_do() -> None:
    sampler = Sampler(print)
    assert sampler.due == float("inf")
    assert sampler.settled()
