"""``wait``: until the kernel says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from lab.agent.protocol import WaitAsleep, WaitBound, WaitSocket
from lab.core.words import SleepingCall, TcpState
from lab.scenario import Scenario
from lab.scenario.base import HostName, LocalPortNumber, Model, Port
from lab.scenario.mistake import Mistake
from lab.scenario.steps import Line
from lab.steps.executable import Executable

if TYPE_CHECKING:
    from lab.steps.context import Context


class Condition(Model):
    """Something the kernel can be asked about the host."""

    heading: ClassVar[str] = "A condition"

    listening: Annotated[Port | None, Field(description="A socket is in LISTEN on this port")] = None
    state: Annotated[TcpState | None, Field(description="A TCP socket is in this state")] = None
    peer: Annotated[HostName | None, Field(description="With state: whose other end is on this host")] = None
    port: Annotated[Port | None, Field(description="With state: whose local or remote port is this")] = None
    bound: Annotated[
        LocalPortNumber | None, Field(description="A UDP socket is bound to this port: udp:53")
    ] = None
    exited: Annotated[Literal[True] | None, Field(description="The program has ended")] = None
    asleep_in: Annotated[
        SleepingCall | None, Field(description="The program, or a child of it, is asleep in this call")
    ] = None

    def describe(self) -> str:
        """What is waited for."""
        if self.exited:
            return "the program has ended"
        if self.listening is not None:
            return f"a socket is in LISTEN on port {self.listening}"
        if self.bound is not None:
            return f"a socket is bound to UDP port {self.bound.number}"
        if self.asleep_in is not None:
            return f"the program is asleep in {self.asleep_in}"
        port = f" at port {self.port}" if self.port else ""
        peer = f" with {self.peer}" if self.peer else ""
        return f"a socket is in {self.state}{port}{peer}"


_KINDS = ("listening", "bound", "state", "exited", "asleep_in")


class Wait(Executable):
    """Wait until the kernel says so."""

    verb: ClassVar[str] = "wait"

    wait: Annotated[Condition, Field(description="What to wait for")]

    def describe(self) -> str:
        return f"wait until {self.wait.describe()}"

    def needs_program(self) -> bool:
        return bool(self.wait.exited or self.wait.asleep_in)

    def may_end_program(self) -> bool:
        return self.wait.exited is not None

    def ports_awaited(self, scenario: Scenario) -> tuple[int, ...]:
        return () if self.wait.listening is None else (self.wait.listening,)

    def mistakes(self, line: Line, scenario: Scenario) -> Iterator[Mistake]:
        fault = _fault(self.wait)
        if fault:
            key, what, fix = fault
            yield Mistake("bad-condition", ("wait", key) if key else ("wait",), what, fix)

    async def execute(self, context: Context) -> None:
        about = self.wait
        if about.exited:
            await context.program().until_exit()
        elif about.listening is not None:
            await _until_socket(context, TcpState.LISTEN, about.listening, [])
        elif about.bound is not None:
            await context.ask(WaitBound(host=context.line.host, port=about.bound.number))
        elif about.state is not None:
            peers = context.programs.addresses(about.peer)
            await _until_socket(context, about.state, about.port or 0, peers)
        elif about.asleep_in is not None:
            pid = context.program().pid
            await context.ask(WaitAsleep(host=context.line.host, pid=pid, call=about.asleep_in))


async def _until_socket(context: Context, state: TcpState, port: int, peers: list[str]) -> None:
    await context.ask(WaitSocket(host=context.line.host, states=[state], port=port, peers=peers))


def _fault(about: Condition) -> tuple[str, str, str] | None:
    """The key that makes no sense (none for the whole), what is wrong with it, and how to mend it."""
    asked = [kind for kind in _KINDS if getattr(about, kind) is not None]
    extra = [key for key in ("peer", "port") if getattr(about, key) is not None]
    if not asked:
        return "", "does not say what to wait for", f"write one of: {', '.join(_KINDS)}"
    if len(asked) > 1:
        return asked[1], f'waits for both "{asked[0]}" and "{asked[1]}"', "write two steps"
    if extra and about.state is None:
        what = f'has "{extra[0]}", but no "state" that it goes with'
        return extra[0], what, "name a state, or take it away"
    if about.state is TcpState.LISTEN and about.peer is not None:
        return "peer", "waits for a listener with a peer, and a listener has none", "take `peer:` away"
    return _cannot_be(about)


def _cannot_be(about: Condition) -> tuple[str, str, str] | None:
    """A condition that is none, or too weak a one."""
    if about.bound is not None and about.bound.transport == "tcp":
        fix = f"write `listening: {about.bound}`, or of UDP `bound: udp:{about.bound}`"
        return "bound", f"waits until TCP port {about.bound} is bound, which is not enough to be ready", fix
    if about.state is TcpState.CLOSED:
        what = "waits for CLOSED, which is no state of a socket, but its absence"
        return "state", what, "name another state"
    return None
