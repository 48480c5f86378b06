"""``connect``, ``listen`` and ``accept``: connections of the script, without a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from lab.agent import protocol
from lab.core.endpoint import endpoint
from lab.scenario import Scenario
from lab.scenario.base import LocalPortNumber, Model, Name, ServiceName, Size
from lab.scenario.mistake import Mistake
from lab.scenario.steps import RUN, ActsOn, Entrance, Line
from lab.steps.executable import Executable
from lab.steps.failure import StepFailure

if TYPE_CHECKING:
    from lab.steps.context import Context

_BUFFER = Field(
    description="SO_RCVBUF: with a small one the peer's sends are partial and its window fills up; "
    "the kernel's choice unless given"
)


class Target(Model):
    """Where to connect, and how often."""

    heading: ClassVar[str] = "Where to connect"

    short: ClassVar[str] = "to"

    to: Annotated[ServiceName, Field(description="The host and its port; of TCP, or with udp: before it")]
    count: Annotated[
        int | None,
        Field(ge=1, le=1000, description="So many at once: host.name is all of them, host.name.1 the first"),
    ] = None
    receive_buffer: Annotated[Size | None, _BUFFER] = None


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

    async def execute(self, context: Context) -> None:
        host, to = context.line.host, self.connect.to
        peers, at = context.programs.connect(host, self.enters()), context.programs.scribe.now()
        asked = protocol.ConnectPeers(
            host=host,
            names=[peer.name for peer in peers],
            transport=to.transport,
            address=context.programs.address_from(host, to.host),
            port=to.port,
            receive_buffer=self.connect.receive_buffer or 0,
        )
        opened = await context.ask(asked)
        if opened.trouble:
            for peer in peers:
                peer.ended = opened.trouble
            raise StepFailure(f"a connection from {host} to {to}", opened.trouble)
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
        host, at = context.line.host, context.programs.scribe.now()
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
        if opened.trouble:
            raise StepFailure(f"{host} listens on port {self.listen}", opened.trouble)
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
        at, peer = context.programs.scribe.now(), endpoint(accepted.address, accepted.peer_port)
        context.note_opened(at, self, peer, [accepted.port])
