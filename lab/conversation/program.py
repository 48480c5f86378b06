"""A running program as the script sees it: what it prints, what it is given, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import cast

from lab.conversation.failure import StepFailure
from lab.conversation.screen import Match, Screen
from lab.conversation.scribe import Scribe
from lab.deploy import Deployment, RunningHost
from lab.engine import containers as box
from lab.engine.containers import BUSYBOX, Exec, ExecState
from lab.engine.frames import Frames
from lab.errors import EngineError
from lab.scenario.steps import Pattern
from lab.words import describe_status

_DRAIN_SECONDS = 1.0
"""How long the last words of a program that has ended may take to arrive, if a child holds its output."""

_KILLED = 137
_STATE_SECONDS = 30.0
"""How long the engine may take to say that a program has started, or how it ended."""

_SETTLE_SECONDS = 0.03
"""A regular expression that reaches to the end of the output is taken when nothing came for so long."""

TERMINAL = "stty -echo -onlcr cols 120 rows 40 2>/dev/null"
"""No echo, or expect would find what was typed; no CR before LF, so that lines are what the program wrote."""

BECOME = (
    "case $1 in */*) ;; *) IFS=:; for d in $PATH; do p=$d/$1; "
    'test -f "$p" -a -x "$p" && shift && exec "$p" "$@"; done;; esac; exec "$@"'
)
"""The host's own program of that name first: left to itself, busybox would prefer what it can do itself."""


class Program(asyncio.Protocol):
    """One start of one program, and the protocol of its connection: output arrives by the loop's selector."""

    def __init__(self, host: RunningHost, name: str, tty: bool, scribe: Scribe) -> None:
        self.host = host
        self.name = name
        self.tty = tty
        self.screen = Screen()
        self.status: int | None = None
        """How it ended, as a shell counts; None while it runs."""
        self.pid = 0
        self._scribe = scribe
        self._frames = None if tty else Frames()
        self._transport: asyncio.Transport | None = None
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._early: bytes | None = b""
        """What it has printed before its start was written down; None from then on."""
        self._ending: asyncio.Task[None] | None = None

    # --- starting and ending -------------------------------------------------------------------

    async def start(
        self, deployment: Deployment, argv: tuple[str, ...], env: dict[str, str], workdir: str, step: str
    ) -> None:
        """Start it in its host. EngineError if the engine cannot."""
        setting = f"{BUSYBOX} {TERMINAL}; " if self.tty else ""
        command = (BUSYBOX, "sh", "-c", setting + BECOME, "sh", *argv)
        terminal = {"TERM": "xterm"} if self.tty else {}
        try:
            started = await deployment.call(
                box.exec_start, deployment.engine, self.host.container, command,
                tty=self.tty, workdir=workdir, env=terminal | env,
            )  # fmt: skip
        except EngineError as error:
            if error.code != "no-container":
                raise
            raise StepFailure(f"host {self.host.plan.name} is up", "all in it was killed") from None
        await asyncio.get_running_loop().create_connection(lambda: self, sock=started.stream.socket)
        self.pid = await self._process_id(deployment, started)
        self._scribe.started(self.host.plan.name, self.name, step, " ".join(argv), self.pid)
        self._listen(started.stream.early)
        self._ending = asyncio.create_task(self._wait_end(deployment, started))
        # Whoever waits for the end hears of an error; if nobody does, asyncio need not complain.
        self._ending.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _process_id(self, deployment: Deployment, started: Exec) -> int:
        """The engine answers the start before it has made the process: ask until it has."""
        return (await self._asked(deployment, started, lambda state: bool(state.pid) or _over(state))).pid

    async def _wait_end(self, deployment: Deployment, started: Exec) -> None:
        """Hear of its end from the agent, then let its last words arrive, then ask for its status."""
        if self.pid:
            ended = await deployment.agent.ask("wait_exit", pid=self.pid) or deployment.now()
        else:
            ended = deployment.now()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drained.wait(), _DRAIN_SECONDS)
        self.status = await self._exit_status(deployment, started)
        self._scribe.exited(ended, self.host.plan.name, self.name, self.status)
        self._end_output()

    async def _exit_status(self, deployment: Deployment, started: Exec) -> int:
        try:
            return (await self._asked(deployment, started, _over)).status or 0
        except EngineError as error:
            if error.code != "no-container":
                raise
            return _KILLED  # whoever killed its host's first process killed it, too

    async def _asked(
        self, deployment: Deployment, started: Exec, told: Callable[[ExecState], bool]
    ) -> ExecState:
        """What the engine says of the program, once it says enough; EngineError if it does not in time."""
        try:
            async with asyncio.timeout(_STATE_SECONDS):
                while True:
                    state = await deployment.call(box.exec_status, deployment.engine, started.id)
                    if told(state):
                        return state
                    await asyncio.sleep(0.004)
        except TimeoutError:
            what = f"the container engine does not say what became of {self.name} on {self.host.plan.name}"
            raise EngineError("no-status", what, fix="lab doctor") from None

    def let_go(self) -> None:
        """Stop listening to it."""
        if self._ending is not None:
            self._ending.cancel()
        if self._transport is not None:
            # Now, not when the loop comes round: to remove a container whose output nobody takes costs the
            # engine 20 s.
            with contextlib.suppress(OSError):
                self._transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            self._transport.abort()

    # --- its output ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called once, with the connection. What it prints waits until its start is written down."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.pause_reading()

    def _listen(self, early: bytes) -> None:
        """Take what it has printed so far, and from now on whatever comes."""
        early, self._early = early + (self._early or b""), None
        if early:
            self.data_received(early)
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Take what it printed; on pipes, both of them in the order the engine gives them."""
        if self._early is not None:  # early releases of Python 3.11 read on although they were told to pause
            self._early += data
            return
        pieces = [data] if self._frames is None else [piece for _, piece in self._frames.feed(data)]
        for piece in pieces:
            self._printed(self.screen.feed(piece))

    def eof_received(self) -> bool:
        """Its output has ended; keep the connection, its input may go on."""
        self._drained.set()
        return True

    def connection_lost(self, _: Exception | None) -> None:
        """The engine closed the connection."""
        self._drained.set()

    def _end_output(self) -> None:
        self._printed(self.screen.feed(b"", last=True))
        self._changed.set()

    def _printed(self, text: str) -> None:
        if text:
            self._scribe.printed(self.host.plan.name, self.name, text)
            self._changed.set()

    # --- waiting -------------------------------------------------------------------------------

    async def expect(self, pattern: Pattern) -> Match | None:
        """Wait for output and consume it; None if the output ended without it. Endless without a time-out."""
        while True:
            self._changed.clear()
            match = self.screen.find(pattern)
            if match is not None and not (match.open and await self._more()):
                self.screen.consume(match)
                return match
            if match is None:
                if self.screen.ended:
                    return None
                await self._changed.wait()

    async def _more(self) -> bool:
        """Whether more output comes within the settling time."""
        try:
            await asyncio.wait_for(self._changed.wait(), _SETTLE_SECONDS)
        except TimeoutError:
            return False
        return True

    async def until_output(self) -> None:
        """Wait until it prints something more, or its output ends."""
        self._changed.clear()
        await self._changed.wait()

    async def until_exit(self) -> int:
        """Wait until it has ended; its status. EngineError if that cannot be known any more."""
        if self._ending is not None:
            await asyncio.shield(self._ending)
        return self.status if self.status is not None else 0

    # --- its input -----------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        """Give it input; False if it has ended."""
        if self.status is not None or self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(data)
        return True

    def close_input(self) -> bool:
        """End its input: ^D on a terminal, half-close of its pipe; False if it has ended."""
        if self.tty:
            return self.write(b"\x04")
        if self.status is not None or self._transport is None or self._transport.is_closing():
            return False
        self._transport.write_eof()
        return True

    def life(self) -> str:
        """Whether it runs, in words."""
        return (
            "it is still running" if self.status is None else f"it had ended: {describe_status(self.status)}"
        )


def _over(state: ExecState) -> bool:
    return not state.running and state.status is not None
