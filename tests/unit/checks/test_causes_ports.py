"""Where programs listen and connect instead, and what is in the way of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from lab.checks.causes.kinds import (
    AddressInUse,
    Cause,
    Died,
    HeldByAnother,
    LoopbackOnly,
    NotListening,
    NotPassedOn,
    NotRaw,
    OtherPort,
    ServesUdp,
    SwappedPort,
)
from lab.checks.causes.ports import swapped
from lab.core.words import TcpState
from lab.evidence.message import message
from lab.evidence.situation import Doing
from lab.evidence.sockets import DatagramSocket, SocketRow, SocketSample
from lab.evidence.transcript import Exited, Input, Output, Started
from tests.judged import script
from tests.unit.failed import (
    A_IN_POLL,
    CLIENT,
    LISTEN,
    LISTENER,
    SERVER,
    START,
    Failed,
    doing,
    seen,
)
from tests.unit.staged import at, row


def test_an_address_that_no_host_has(failed: Failed) -> None:
    """The kernel alone has seen the attempt: no frame left the host, and the program is gone long since."""
    failed.actor, failed.events = "server", (Input(at(400), "client_a", "client", "3", "text", "x"),)
    waits = doing("server", ("accept", 7))
    failed.situation = (seen("server", waits, tcp=[LISTENER]),)
    stage = failed.stage()
    stage.samples = [staged_sample(row(TcpState.SYN_SENT, f"{CLIENT}:40000", "192.168.153.77:5000"))]
    told = script(stage.evidence()).causes
    assert told == ("client_a tried to connect to 192.168.153.77:5000: no host has that address",)
    stage.samples = [staged_sample(row(TcpState.SYN_SENT, f"{CLIENT}:40000", f"{SERVER}:5000"))]
    assert not script(stage.evidence()).causes
    stage.samples = [staged_sample(row(TcpState.SYN_SENT, "127.0.0.1:40000", "127.0.0.2:5000"))]
    assert not script(stage.evidence()).causes, "that is the host itself"


def test_swapped_bytes() -> None:
    assert swapped(5000) == 34835
    assert swapped(swapped(5000)) == 5000


@pytest.mark.parametrize(
    ("sockets", "unlisted", "expected"),
    [
        ({"tcp": [row(LISTEN, "0.0.0.0:34835", inode=7)]}, 0, SwappedPort("server", 5000, 34835)),
        ({"tcp": [row(LISTEN, "0.0.0.0:5001", inode=7)]}, 0, OtherPort("server", 5000, (5001,))),
        ({"bound": [row(TcpState.CLOSED, "0.0.0.0:5000", inode=7)]}, 0, NotListening("server", 5000)),
        ({}, 1, NotListening("server", 0)),
        ({"udp": [DatagramSocket("::", 5000, "::", 0, 0, 7)]}, 0, ServesUdp("server", 5000)),
    ],
)
def test_where_a_program_listens_instead(
    failed: Failed, sockets: Mapping[str, Any], unlisted: int, expected: Cause
) -> None:
    server = doing("server", ("sleep", 0), sockets=(7,), unlisted=unlisted)
    failed.actor, failed.action = "server", START
    failed.situation = (seen("server", server, **sockets),)
    assert failed.causes() == (expected,)
    assert str(5000) in failed.why() or unlisted


def test_a_port_that_another_program_holds(failed: Failed) -> None:
    other = Started(at(0), "server", "other", "1", "o", 150)
    process = replace(doing("server").row, pid=150, session=150, sockets=(9,))
    failed.events, failed.actor, failed.action = (other,), "server", START
    listens = row(LISTEN, "0.0.0.0:5000", inode=9)
    failed.situation = (seen("server", doing("server"), Doing(process), tcp=[listens]),)
    assert failed.causes() == (HeldByAnother("server.server", 5000, "server.other"),)


def staged_sample(*rows: SocketRow) -> SocketSample:
    return SocketSample(at(300), "client_a", rows)


REFUSED = "0 client_a:40000 > server:{0} S\n0.1 server:{0} > client_a:40000 R."


def test_a_client_that_swaps_the_bytes(failed: Failed) -> None:
    failed.talk = REFUSED.format(34835)
    failed.situation = (seen("server", doing("server", ("accept", 7)), tcp=[LISTENER]), A_IN_POLL)
    assert failed.causes() == (SwappedPort("client_a", 5000, 34835, connects=True),)


def test_a_client_that_swaps_the_bytes_of_a_port_of_the_script(failed: Failed) -> None:
    failed.talk = REFUSED.format(34835)
    failed.situation = (seen("server", tcp=[LISTENER]), A_IN_POLL)  # no program holds it
    assert failed.causes() == (SwappedPort("client_a", 5000, 34835, connects=True),)


def test_a_server_on_loopback_alone(failed: Failed) -> None:
    failed.talk = REFUSED.format(5000)
    local = row(LISTEN, "127.0.0.1:5000", inode=7)
    failed.situation = (seen("server", doing("server", ("accept", 7)), tcp=[local]), A_IN_POLL)
    assert failed.causes() == (LoopbackOnly("server", "127.0.0.1", 5000),)


def test_a_raw_socket_that_the_host_has_not(failed: Failed) -> None:
    failed.actor, failed.action = "server", START
    said = (
        "  own = socket.socket(2, socket.SOCK_RAW, 1)\nPermissionError: [Errno 1] Operation not permitted\n"
    )
    failed.events = (Output(at(10), "server", "server", said), Exited(at(20), "server", "server", 1))
    assert failed.causes()[0] == NotRaw("server", "server")
    assert "`raw: true` at the host allows them" in failed.why()
    failed.events = (
        Output(at(10), "server", "server", "kill: Operation not permitted\n"),
        Exited(at(20), "server", "server", 1),
    )
    assert isinstance(failed.causes()[0], Died)


def test_an_address_in_use(failed: Failed) -> None:
    failed.actor, failed.action = "server", START
    failed.events = (
        Output(at(10), "server", "server", "OSError: [Errno 98] Address already in use\n"),
        Exited(at(20), "server", "server", 1),
    )
    before = row(TcpState.TIME_WAIT, f"{SERVER}:5000", f"{CLIENT}:40000", inode=0)
    failed.situation = (seen("server", tcp=[before]),)
    assert failed.causes()[0] == AddressInUse("server", 5000)
    assert "SO_REUSEADDR" in failed.why()
    other = Started(at(0), "server", "other", "1", "o", 150)
    process = replace(doing("server").row, pid=150, session=150, sockets=(9,))
    failed.events = (other, *failed.events)
    listens = row(LISTEN, "0.0.0.0:5000", inode=9)
    failed.situation = (seen("server", Doing(process), tcp=[listens, before]),)
    assert failed.causes()[0] == HeldByAnother("server.server", 5000, "server.other")
    failed.situation = (seen("server"),)
    assert isinstance(failed.causes()[0], Died), "who was in the way is not known"


def test_a_port_that_only_a_check_names(failed: Failed) -> None:
    """Without ``listens`` the port that was refused is compared with those that checks speak of."""
    failed.talk = REFUSED.format(5000)
    failed.listens = ()
    listens = row(LISTEN, "0.0.0.0:34835", inode=7)
    failed.situation = (seen("server", doing("server", ("accept", 7)), tcp=[listens]), A_IN_POLL)
    assert not failed.causes(), "nobody says which port is meant"
    for check in (
        {"listener": {"host": "server", "port": 5000}},
        {"connection": {"from": "client_a", "to": "server:5000"}, "handshake": "complete"},
    ):
        failed.checks = [check]
        assert failed.causes() == (SwappedPort("server", 5000, 34835),)


def test_a_port_that_the_kernel_chose(failed: Failed) -> None:
    failed.actor, failed.action = "server", START
    listens = row(LISTEN, "0.0.0.0:46399", inode=7)
    failed.situation = (seen("server", doing("server", ("accept", 7)), tcp=[listens]),)
    assert "without bind, or with port 0, the kernel chooses such a port" in failed.why()


def test_what_a_router_says_of_a_connection_that_was_never_made(failed: Failed) -> None:
    failed.talk = "0 client_a > server:5000 S entered icmp=client_b:3.1\n"
    said = "destination unreachable: no answer from that host"
    means = message("icmp-means", what="host-unreachable", mtu=0)
    assert NotPassedOn("client_a", "server", "client_b", means) in failed.causes()
    assert f"client_b did not pass on what client_a sent to server: {said} (ICMP)" in failed.why()
    failed.talk = "0 client_a > server:5000 S entered\n 999.5 client_a > server:5000 S again entered icmp=client_b:3.1\n"
    assert not [cause for cause in failed.causes() if isinstance(cause, NotPassedOn)], "it is said later"
