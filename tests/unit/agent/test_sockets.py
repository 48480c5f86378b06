"""The kernel's socket table as the agent reads it, in the namespace that the tests run in."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from lab.agent import protocol
from lab.agent.counters import Counters
from lab.agent.diag import ALL_STATES, LISTEN, TIME_WAIT, Found, SocketTable
from lab.agent.losses import Losses
from lab.agent.packet_filter import Heard
from lab.agent.protocol import Counts, Loss, SocketsChanged
from lab.agent.sampler import Sampler
from lab.core.words import TcpState
from lab.evidence.sockets import SocketRow


@pytest.fixture
def table() -> Iterator[SocketTable]:
    found = SocketTable()
    yield found
    found.close()


def test_the_states_are_those_of_the_lab() -> None:
    assert {*ALL_STATES} == {*TcpState}


def rows_at(table: SocketTable, port: int) -> list[SocketRow]:
    rows = [SocketRow(TcpState(row[0]), *row[1:]) for row in table.rows()]
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
    rows: tuple[protocol.SocketRow, ...] = table.rows()
    assert list(rows) == sorted(rows)


def test_listeners_alone(table: SocketTable) -> None:
    for _ in range(2):  # what is said again is not read again
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                rows = [row for row in table.listeners() if row[2] == port]
                assert [(row[0], row[5]) for row in rows] == [(LISTEN, 1)]
        assert port not in {row[2] for row in table.listeners()}


def test_more_than_are_listed_are_not_listed_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ExitStack() as opened:
        few = opened.enter_context(closing(SocketTable(most=2)))
        servers = [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ends = (*servers[0].getsockname(), "0.0.0.0", 0)  # noqa: S104 - what a listener is connected to
        for ask, why in (
            (few.sockets, "are"),
            (few.listeners, "were"),
            (few.rows, "were"),
            (few.bound, "were"),
        ):
            with pytest.raises(OSError, match=f"there {why} more than 2"):
                ask()
        found = few.find(ends)
        assert found is not None, "one may be asked for all the same"
        assert found.row[1:5] == ends
        monkeypatch.setattr("lab.agent.diag.time.monotonic", lambda now=time.monotonic: now() + 10)
        with pytest.raises(OSError, match="there are more than 2"):
            few.listeners()


def test_twenty_thousand_listeners_are_taken_at_once(
    sampled: tuple[Sampler, list[SocketsChanged]],
) -> None:
    host = sampled[0]._hosts["a"]  # noqa: SLF001
    many: list[protocol.SocketRow] = [
        (LISTEN, "10.0.0.1", port, "10.0.0.2", 0, 0, 1, port) for port in range(20_000)
    ]
    began = time.thread_time()
    host._take_listeners(tuple(many))  # noqa: SLF001
    assert time.thread_time() - began < 2
    assert sum(row in many for row in islice(host.rows, 10)) == 10


def test_what_is_left_of_time_wait(table: SocketTable) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        server, _ = listener.accept()
        ends = (*client.getsockname(), *client.getpeername())
        found = table.find(ends)
        assert found is not None
        assert found.left == 0
        client.close()
        server.close()
    found = table.find(ends)
    assert found is not None
    assert found.row[0] == TIME_WAIT
    assert 0 < found.left <= 60


def test_what_the_kernel_counts() -> None:
    """Of the namespace that the tests run in, where others may be at work, too."""
    with closing(Counters(os.getpid())) as counters:
        count(counters)


def count(counters: Counters) -> None:
    before = counters.read()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(b"never read")
        assert server.recv(1, socket.MSG_PEEK), "it is there"
        server.close()
        client.close()
    closed = counters.read()
    assert closed.unread_closes > before.unread_closes
    assert closed.resets > before.resets
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert counters.read().data_aborts > closed.data_aborts


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two files that the counters are read from."""
    (tmp_path / "netstat").write_text("TcpExt: TW ListenDrops\nTcpExt: 5 7\nIpExt: A\nIpExt: 1\n")
    (tmp_path / "snmp").write_text("Ip: A OutRsts\nIp: 1 9\nTcp: A OutRsts B\nTcp: -1 3 8\n")
    monkeypatch.setattr("lab.agent.counters._NET", str(tmp_path / "{file}"))
    return tmp_path


@pytest.mark.usefixtures("files")
def test_a_counter_that_a_kernel_has_not_is_0() -> None:
    with closing(Counters(1)) as counters:
        assert counters.read() == Counts(drops=7, resets=3)


def test_counters_are_found_by_their_names_at_every_look(files: Path) -> None:
    """A kernel adds lines, as for the first ICMP message of a host; no line and no column stays in its place."""
    with closing(Counters(1)) as counters:
        assert counters.read().resets == 3
        (files / "snmp").write_text(
            "Ip: A\nIp: 1\nIcmpMsg: OutType3\nIcmpMsg: 1\nTcp: OutRsts A B\nTcp: 4 -1 8\n"
        )
        assert counters.read() == Counts(drops=7, resets=4)
        more = "Udp: InDatagrams RcvbufErrors\nUdp: 9 6\nUdpLite: RcvbufErrors\nUdpLite: 1\n"
        (files / "snmp").write_text("Tcp: OutRsts\nTcp: 4\n" + more)
        assert counters.read() == Counts(drops=7, resets=4, buffer_losses=6)
    (files / "snmp6").write_text("Udp6InDatagrams   \t5\nUdp6RcvbufErrors  \t3\n")
    with closing(Counters(1)) as counters:
        assert counters.read() == Counts(drops=7, resets=4, buffer_losses=9)


@pytest.mark.parametrize("text", ["", "Ip: A\nIp: 1\n", "Tcp: A OutRsts\nTcp: 1\n", "Tcp: OutRsts\n"])
def test_counters_that_are_not_told_are_trouble(files: Path, text: str) -> None:
    (files / "snmp").write_text(text)
    with closing(Counters(1)) as counters, pytest.raises(OSError, match="Tcp counters"):
        counters.read()


class Quiet:
    """A filter at which nothing is heard but what a test says."""

    def __init__(self, _: int) -> None:
        self.ends = os.pipe()
        self.heard = Heard({}, reset=False, lost=False)

    def fileno(self) -> int:
        return self.ends[0]

    def say(self, heard: Heard) -> None:
        """This is what is heard next."""
        self.heard = heard
        os.write(self.ends[1], b".")

    def drain(self) -> Heard:
        if select.select([self.ends[0]], [], [], 0)[0]:
            os.read(self.ends[0], 99)
        heard, self.heard = self.heard, Heard({}, reset=False, lost=False)
        return heard


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sampler, list[SocketsChanged]]]:
    """A sampler of the namespace that the tests run in, and what it tells."""
    monkeypatch.setattr("lab.agent.socket_monitor.PacketFilter", Quiet)
    monkeypatch.setattr("lab.agent.namespaces.inside", lambda _: nullcontext())
    told: list[SocketsChanged] = []
    sampler = Sampler(
        lambda event: told.append(event) if isinstance(event, SocketsChanged) else None, Losses()
    )
    sampler.start({"a": os.getpid()}, 0.005)
    yield sampler, told
    for host in sampler._hosts.values():  # noqa: SLF001 - the agent keeps them open for as long as it lives
        host._table.close()  # noqa: SLF001
        host.datagrams.close()
        host.destroyed.close()
        host._counters.close()  # noqa: SLF001
        for end in host.filter.ends:  # type: ignore[attr-defined]
            os.close(end)
    sampler._sources.close()  # noqa: SLF001


def listeners(event: SocketsChanged) -> set[int]:
    return {row[2] for row in event.rows if row[0] == LISTEN}


def test_a_look_says_until_when_the_one_before_was_true(
    sampled: tuple[Sampler, list[SocketsChanged]],
) -> None:
    sampler, told = sampled
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        sampler.look("a")
        assert port in listeners(told[-1])
        sampler.look("a")
        looked = time.time_ns()
        shown = told[-1]
    sampler.look("a")
    last = told[-1]
    assert port not in listeners(last)
    assert shown.at <= last.before_until <= looked <= last.at
    assert last.took > 0
    assert last.before_took > 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_one_connection_is_asked_for(table: SocketTable, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((address, port)) as client:
            ends = (address, client.getsockname()[1], address, port)
            found = table.find(ends)
            assert found is not None
            assert found in table.sockets()
            assert found.row[0] == TcpState.ESTABLISHED
        assert table.find((address, 1, address, port)) is None
        assert table.find((address, port, address, 1)) is None, "the listener there is another socket"


@pytest.mark.skipif(os.geteuid() != 0, reason="older kernels let only root bind to an interface")
def test_a_connection_that_is_bound_to_an_interface(table: SocketTable) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        client.connect(listener.getsockname())
        ends = (*client.getsockname(), *client.getpeername())
        assert table.find(ends) is None
        found = table.find(ends, socket.if_nametoindex("lo"))
        assert found in table.sockets()
        assert found is not None
        assert found.interface == socket.if_nametoindex("lo")
        server = (*client.getpeername(), *client.getsockname())
        assert table.find(server, 12345) == table.find(server)


def test_an_ipv4_mapped_connection_is_asked_for_as_ipv4(table: SocketTable) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            found = table.find(("127.0.0.1", port, "127.0.0.1", client.getsockname()[1]))
    assert found is not None
    assert found.row[1] == "127.0.0.1"


def test_what_was_heard_of_is_looked_at_and_what_is_known(
    sampled: tuple[Sampler, list[SocketsChanged]],
) -> None:
    """A connection that nobody heard of is seen by a look at the whole table only."""
    sampler, _ = sampled
    tap: Any = sampler._hosts["a"].filter  # noqa: SLF001
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        server, _ = listener.accept()
        theirs = (client.getsockname()[1], port)

        def states() -> dict[tuple[int, int], str]:
            rows = sampler.look("a", whole=False)
            return {(row[2], row[4]): row[0] for row in rows if port in (row[2], row[4])}

        assert states() == {(port, 0): LISTEN}, "listeners are always looked at"
        tap.say(Heard({("127.0.0.1", theirs[0], "127.0.0.1", port): 1}, reset=False, lost=False))
        assert states()[theirs] == "ESTABLISHED"
        client.close()
        assert states()[theirs] in {"FIN_WAIT_1", "FIN_WAIT_2"}, "it is known, and asked for again"
        server.close()
        assert states()[theirs] == TIME_WAIT
        assert theirs[::-1] not in states()
        tap.say(Heard({}, reset=True, lost=True))
        assert states()[theirs] == TIME_WAIT


def test_the_last_look_is_told_though_nothing_changed(sampled: tuple[Sampler, list[SocketsChanged]]) -> None:
    sampler, told = sampled
    before = time.time_ns()
    sampling = sampler.stop()
    assert before <= told[-1].at <= sampling.ended
    assert told[-1].counts.opens >= 0


def test_looks_take_a_share_of_a_processor_and_no_more(sampled: tuple[Sampler, list[SocketsChanged]]) -> None:
    sampler, _ = sampled
    for _ in range(100):
        sampler._spend(0.0001)  # noqa: SLF001 - what looks cost is the machine's affair
    assert sampler.attentive, "some may be spent at once"
    sampler._spend(0.05)  # noqa: SLF001
    began = time.monotonic()
    assert not sampler.attentive
    assert began < sampler.due <= began + 0.1, "not longer, whatever was spent"
    assert sampler.look("a"), "whoever asks is answered all the same"
    time.sleep(sampler.due - began)
    assert sampler.attentive


def test_what_happened_while_nobody_may_look_is_not_lost(
    sampled: tuple[Sampler, list[SocketsChanged]],
) -> None:
    sampler, told = sampled
    tap: Any = sampler._hosts["a"].filter  # noqa: SLF001
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ends = (*client.getsockname(), *listener.getsockname())
        sampler._spend(1.0)  # noqa: SLF001
        sampler._due = time.monotonic() + 60  # noqa: SLF001 - no other look is due
        tap.say(Heard({ends: 1}, reset=False, lost=False))
        assert not sampler.attentive
        time.sleep(max(0.0, sampler.due - time.monotonic()))
        assert sampler.attentive, "it comes back as soon as it may"
        assert select.select([sampler], [], [], 0)[0]
        sampler.wake()
        time.sleep(max(0.0, sampler._hosts["a"].due - time.monotonic()))  # noqa: SLF001 - it rests after a list
        sampler.look_where_due()
        client.close()
    assert ends in [row[1:5] for row in told[-1].rows]


def test_a_look_that_fails_costs_what_it_would_have_shown_and_no_more(
    sampled: tuple[Sampler, list[SocketsChanged]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was heard of meanwhile is shown by the next look that comes to an end."""
    sampler, told = sampled
    host: Any = sampler._hosts["a"]  # noqa: SLF001

    def fails(*_: object) -> None:
        raise struct.error("a message that nobody thought of")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ends = (*client.getsockname(), *listener.getsockname())
        host.filter.say(Heard({ends: 1}, reset=True, lost=False))
        with monkeypatch.context() as now:
            now.setattr(host._table, "find", fails)  # noqa: SLF001
            now.setattr(host._table, "sockets", fails)  # noqa: SLF001
            assert sampler.look("a", whole=False) == ()
        sampler.look("a", whole=False)
        client.close()
    assert ends in [row[1:5] for row in told[-1].rows]
    why = "error: a message that nobody thought of"
    lost = sampler._losses.told()  # noqa: SLF001
    assert lost == [Loss(instrument="sockets", host="a", count=1, why=why, limit=0)]


def test_counters_that_cannot_be_read_cost_no_sockets(
    sampled: tuple[Sampler, list[SocketsChanged]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler, told = sampled
    host: Any = sampler._hosts["a"]  # noqa: SLF001

    def fails(_: object) -> None:
        raise ValueError("no number")

    monkeypatch.setattr("lab.agent.counters.Counters.read", fails)
    host.filter.say(Heard({}, reset=True, lost=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sampler.look("a")
        assert listener.getsockname()[1] in listeners(told[-1])
    assert {one.instrument for one in sampler._losses.told()} == {"counters"}  # noqa: SLF001


def test_a_host_that_cannot_be_watched_is_lost_and_the_others_are_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def watched(name: str, *_: object) -> None:
        raise PermissionError(name)

    monkeypatch.setattr("lab.agent.sampler.SocketMonitor", watched)
    losses = Losses()
    sampler = Sampler(print, losses)
    sampler.start({"a": 1, "b": 2}, 0.005)
    assert [one.host for one in losses.told()] == ["a", "b"]
    assert sampler.settled()
    sampler._sources.close()  # noqa: SLF001


def test_a_sampler_without_hosts_has_nothing_to_do() -> None:
    sampler = Sampler(print, Losses())
    assert sampler.due == float("inf")
    assert sampler.settled()


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each list of sockets that the kernel is asked for, whether it is of all of them."""
    asked: list[bool] = []
    listed = SocketTable.sockets

    def sockets(table: SocketTable, *states: frozenset[str]) -> list[Found]:
        asked.append(not states)
        return listed(table, *states)

    monkeypatch.setattr(SocketTable, "sockets", sockets)
    return asked


def test_where_all_cost_much_they_are_listed_seldom_for_what_was_missed(
    sampled: tuple[Sampler, list[SocketsChanged]], lists: list[bool]
) -> None:
    sampler, _ = sampled
    host = sampler._hosts["a"]  # noqa: SLF001
    tap: Any = host.filter
    host._missed_due = time.monotonic() + 60  # noqa: SLF001 - as after a list that cost much
    tap.say(Heard({}, reset=False, lost=True))
    sampler.look("a", whole=False)
    sampler.look("a", whole=False)
    assert lists == [False, False]
    host._missed_due = 0.0  # noqa: SLF001
    sampler.look("a", whole=False)
    sampler.look("a", whole=False)
    assert lists == [False, False, True]


def test_connections_are_asked_for_one_by_one_where_many_more_wait(
    sampled: tuple[Sampler, list[SocketsChanged]], lists: list[bool]
) -> None:
    sampler, _ = sampled
    host = sampler._hosts["a"]  # noqa: SLF001
    tap: Any = host.filter
    heard = {("10.9.9.9", port, "10.9.9.8", 80): 1 for port in range(1000, 1100)}
    tap.say(Heard(heard, reset=False, lost=False))
    sampler.look("a", whole=False)
    assert lists[-1], "nothing waits: to list all costs less"
    found = Found((TIME_WAIT, "10.9.9.9", 1, "10.9.9.8", 80, 0, 0, 0), 1, 60.0)
    later = time.monotonic() + 60
    host._waiting = {("10.9.9.9", port, "10.9.9.8", 81): (found, later) for port in range(500)}  # noqa: SLF001
    lists.clear()
    tap.say(Heard(heard, reset=False, lost=False))
    sampler.look("a", whole=False)
    assert lists == [False]
