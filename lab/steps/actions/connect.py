"""``connect``, ``listen`` and ``accept``: connections of the script, without a program."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from lab.agent import protocol
from lab.core.endpoint import endpoint
from lab.evidence.facts import Connects, Described, ListensOnAll
from lab.scenario import Scenario
from lab.scenario.addresses import address_from, readable
from lab.scenario.base import AddressAndPort, Destination, LocalPortNumber, Model, Name, Port, Service, Size
from lab.scenario.loader.wording import listed
from lab.scenario.mistake import Mistake
from lab.scenario.steps import RUN, ActsOn, Entrance, Line
from lab.steps.executable import Executable
from lab.steps.failure import StepFailure

if TYPE_CHECKING:
    from lab.steps.context import Context

_OWN = ip_address("127.0.0.1")
"""An address of every host, whatever family its own addresses have."""

_BUFFER = Field(
    description="SO_RCVBUF: with a small one the peer's sends are partial and its window fills up; "
    "the kernel's choice unless given"
)


class Target(Model):
    """Where to connect, and how often."""

    heading: ClassVar[str] = "Where to connect"

    short: ClassVar[str] = "to"

    to: Annotated[
        Destination,
        Field(description="The host, or one of its addresses, and a port; of TCP, or with udp: before it"),
    ]
    count: Annotated[
        int | None,
        Field(ge=1, le=1000, description="So many at once: host.name is all of them, host.name.1 the first"),
    ] = None
    receive_buffer: Annotated[Size | None, _BUFFER] = None
    own_port: Annotated[
        Port | None, Field(description="The port that it comes from; the kernel's choice unless given")
    ] = None
    follow: Annotated[
        bool,
        Field(
            description="Of UDP: hear from any port of that address, and speak with the port that spoke last"
        ),
    ] = False


def _unreachable(scenario: Scenario, host: str, to: Service | AddressAndPort) -> tuple[str, str, str] | None:
    """Why a host cannot reach an endpoint: a code, what is wrong, and how to mend it."""
    own = {address.version for address in readable(scenario, host)}
    if isinstance(to, Service):
        there, whom = readable(scenario, to.host), f'host "{to.host}"'
    else:
        there, whom = (ip_address(to.address),), to.address
        owned = [(address, name) for name in scenario.hosts for address in readable(scenario, name)]
        if not there[0].is_loopback and there[0] not in dict(owned):
            every = listed(f"{address} ({name})" for address, name in owned)
            return (
                "unknown-address",
                f"names {to.address}, and no host has this address",
                f"addresses: {every}",
            )
    reached = {address.version for address in there}
    if not own or not reached or own & reached or there[0] == _OWN:
        return None
    what = f'connects to {whom} by IPv{min(reached)}, and host "{host}" has no IPv{min(reached)} address'
    return "wrong-family", what, "give both of them addresses of one family"


class _Opening(Executable):
    """Something that brings on a socket of the script."""

    def mistakes(self, line: Line, scenario: Scenario) -> Iterator[Mistake]:
        entrance = self.enters()
        if entrance is not None and entrance.name == RUN:
            what = f'calls a connection "{RUN}", which is what commands of `run` are called'
            yield Mistake("reserved-name", (self.verb,), what, "give it another name with `as:`")


class Connect(_Opening):
    """Open a connection from the host, without a program: the script itself speaks on it."""

    verb: ClassVar[str] = "connect"

    connect: Annotated[Target, Field(description="Where to")]
    as_: Annotated[Name, Field(alias="as", description="Its name: spoken to as host.name")]

    def describe(self) -> str:
        often = f" {self.connect.count} times" if self.connect.count else ""
        return f"connect to {self.connect.to}{often} as {self.as_}"

    def enters(self) -> Entrance:
        return Entrance(self.as_, None, kind="connection", count=self.connect.count or 0)

    def mistakes(self, line: Line, scenario: Scenario) -> Iterator[Mistake]:
        yield from super().mistakes(line, scenario)
        if self.connect.follow and self.connect.to.transport == "tcp":
            what = 'has "follow", and a TCP connection has one port at its other end'
            yield Mistake("contradiction", ("connect", "follow"), what, "write udp: before the host")
        if self.connect.own_port and (self.connect.count or 1) > 1:
            what = "opens several connections from one port"
            yield Mistake("contradiction", ("connect", "own_port"), what, "take `own_port:` or `count:` away")
        if unreachable := _unreachable(scenario, line.host, self.connect.to):
            code, what, fix = unreachable
            yield Mistake(code, ("connect", "to"), what, fix)

    async def execute(self, context: Context) -> None:
        host, to = context.line.host, self.connect.to
        peers, at = context.programs.connect(host, self.enters()), context.programs.recorder.now()
        asked = protocol.ConnectPeers(
            host=host,
            names=[peer.name for peer in peers],
            transport=to.transport,
            address=to.address
            if isinstance(to, AddressAndPort)
            else address_from(context.programs.scenario, host, to.host),
            port=to.port,
            receive_buffer=self.connect.receive_buffer or 0,
            own_port=self.connect.own_port or 0,
            follows=self.connect.follow,
        )
        opened = await context.ask(asked)
        if opened.error:
            for peer in peers:
                peer.ended = opened.error
            raise StepFailure(Connects(host, str(to)), Described(opened.error))
        context.note_opened(at, self, str(to), opened.ports)


class Listen(_Opening):
    """Listen on a port of the host, without a program. Of UDP: `type` answers the last datagram."""

    verb: ClassVar[str] = "listen"

    listen: Annotated[LocalPortNumber, Field(description="The port: 8000, or udp:53")]
    as_: Annotated[Name, Field(alias="as", description="Its name: spoken to as host.name")]
    receive_buffer: Annotated[Size | None, _BUFFER] = None

    def describe(self) -> str:
        return f"listen on port {self.listen} as {self.as_}"

    def enters(self) -> Entrance:
        return Entrance(self.as_, None, kind="listener" if self.listen.transport == "tcp" else "connection")

    async def execute(self, context: Context) -> None:
        host, at = context.line.host, context.programs.recorder.now()
        if self.listen.transport == "udp":
            context.programs.connect(host, self.enters())
        asked = protocol.ListenPeer(
            host=host,
            names=[self.as_],
            transport=self.listen.transport,
            address=context.programs.any_address(host),
            port=self.listen.number,
            receive_buffer=self.receive_buffer or 0,
        )
        opened = await context.ask(asked)
        if opened.error:
            raise StepFailure(ListensOnAll(host, (str(self.listen),)), Described(opened.error))
        context.note_opened(at, self, str(self.listen), opened.ports)


class Accepting(Model):
    """What an accepted connection is called."""

    heading: ClassVar[str] = "An accepted connection"

    short: ClassVar[str] = "as"

    as_: Annotated[Name, Field(alias="as", description="Its name: spoken to as host.name")]


class Accept(_Opening):
    """Wait for a connection to a port that the script listens on, and accept it."""

    verb: ClassVar[str] = "accept"
    acts_on: ClassVar[ActsOn] = "listener"

    accept: Annotated[Accepting, Field(description="Its name")]

    def describe(self) -> str:
        return f"accept {self.accept.as_}"

    def enters(self) -> Entrance:
        return Entrance(self.accept.as_, None, kind="connection")

    async def execute(self, context: Context) -> None:
        host, listener = context.line.host, context.line.program or ""
        context.programs.connect(host, self.enters())
        asked = protocol.AcceptPeer(host=host, listener=listener, name=self.accept.as_)
        accepted = await context.ask(asked)
        at, peer = context.programs.recorder.now(), endpoint(accepted.address, accepted.peer_port)
        context.note_opened(at, self, peer, [accepted.port])
