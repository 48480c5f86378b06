"""A running program as the script sees it: what it prints, what it is given, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shlex
import socket
import time
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Mapping
from typing import cast

from msgspec import Struct

from lab.agent import protocol
from lab.core.errors import EngineError
from lab.deploy.deployment import Deployment
from lab.deploy.health import not_counted
from lab.deploy.host import RunningHost
from lab.engine import containers as box
from lab.engine.containers import BUSYBOX, TOOLS, Exec, ExecState
from lab.engine.frames import Frames
from lab.evidence.facts import AllKilled, EndedUnprinted, HadEnded, HostIsUp, OutputEnded, ProgramRuns
from lab.evidence.transcript import Exited, Started
from lab.steps.failure import StepFailure
from lab.steps.line import TypedLine
from lab.steps.matcher import Matcher
from lab.steps.output import OutputWatch, lost_output
from lab.steps.recorder import Recorder
from lab.steps.speaker import OneSpeaker

DRAIN_SECONDS = 1.0
"""How long the last words of a program that has ended may take to arrive, if a child holds its output."""

KILLED = 137
"""The status of what SIGKILL has ended."""

_STATE_SECONDS = 30.0
"""How long the engine may take to say that a program has started, or how it ended."""

_PARTING_SECONDS = 1.0
"""How long the engine may take to leave a connection whose input has ended."""

_TERMINAL_SET = b"\x06"
"""What is written to a terminal once it is set, before the program runs. ASCII calls it "acknowledge"."""

TERMINAL = f"{BUSYBOX} stty -echo -onlcr cols 120 rows 40 2>/dev/null && printf '\\006'"
"""No echo, or expect would find what was typed; no CR before LF, so that lines are what the program wrote."""

BECOME = (
    "case $1 in */*) ;; *) IFS=:; for _d in $PATH; do _p=$_d/$1; "
    'test -f "$_p" -a -x "$_p" && shift && exec "$_p" "$@"; done;; esac; exec "$@"'
)
"""The host's own program of that name first: left to itself, busybox would prefer what it can do itself."""

FIRST_MARK, WRAPPER = 1 << 50, 1 << 51
"""Bytes, a petabyte and two."""

_MARKS = itertools.count(1)

_INIT = f"{TOOLS}/init"
"""It makes what it runs the terminal's job."""

_OTHERS = (
    "others() { for f in /proc/[0-9]*/stat; do read -r l <$f && set -- ${l##*) } && "
    '[ "$4" = $$ ] && [ "$1" != Z ] && [ "${l%% *}" != $$ ] && return 0; done; return 1; }'
)
"""Whether its session has other processes. Behind the name stand state, parent, group, session (proc(5))."""

_BACKGROUND_ROUNDS = 30


class Starter(Struct, frozen=True):
    """How a program is started: its words, its folder, its environment, its user (none: the host's).

    ``stdin`` and ``stdout`` are files in its folder, or empty where it is connected to the script.
    """

    argv: tuple[str, ...]
    workdir: str
    env: Mapping[str, str]
    user: str = ""
    stdin: str = ""
    stdout: str = ""

    @property
    def redirections(self) -> str:
        """What a shell does to read and write these files."""
        signs = (("<", self.stdin), (">", self.stdout))
        words = [f"{sign}{shlex.quote(f'./{file}')}" for sign, file in signs if file]
        return f"exec {' '.join(words)}; " if words else ""

    @property
    def told(self) -> str:
        """The command as a person would type it."""
        ends = (("<", self.stdin), (">", self.stdout))
        return " ".join([*self.argv, *(f"{sign} {file}" for sign, file in ends if file)])


def locks_of(mark: int) -> int:
    """The limit of file locks that proves a mark: it goes down where the mark goes up."""
    return FIRST_MARK - ((mark - FIRST_MARK) >> 10)


def command_line(starter: Starter, mark: int, *, tty: bool, has_input: bool) -> tuple[str, ...]:
    """What is executed in the host: a shell that sets everything and becomes the program.

    The ``mark`` (bytes) is a limit that Linux keeps, does not enforce and hands on to every process that
    comes from this one, also to those that init adopts: by it the agent knows which start one came from.
    What proves that it was not changed is set before it.
    """
    marks = f"{{ ulimit -x {locks_of(mark)}; ulimit -m {mark >> 10}; }} 2>/dev/null; "
    become = marks + ("" if has_input else "exec </dev/null; ") + starter.redirections
    argv = starter.argv
    if tty:
        inner = (BUSYBOX, "sh", "-c", f"{become}{TERMINAL}; exec 2>&3 3>&-; {BECOME}", "sh", *argv)
        return (BUSYBOX, "sh", "-c", _ON_TERMINAL, "sh", _INIT, "--", *inner)
    return (BUSYBOX, "sh", "-c", become + BECOME, "sh", *argv)


_ON_TERMINAL = (
    f"ulimit -m {WRAPPER >> 10} 2>/dev/null; {_OTHERS}; exec 3>&2 2>/dev/null; "
    f'"$@"; s=$?; i=0; while [ $s = 0 ] && [ $i -lt {_BACKGROUND_ROUNDS} ] && others; '
    f"do {BUSYBOX} usleep 10000; i=$((i+1)); done; exit $s"
)
"""A shell stays between the terminal and the program, which is its job, as where people work.

A program that goes into the background leaves its child behind and ends. The child then makes a session of
its own (daemon(3)). If the program were the first process of the terminal, its end would hang that up,
and the kernel would send SIGHUP to a child that has not come so far. So the shell waits a moment for what a
program leaves behind when it ends with status 0. The agent shows the program instead.
"""


class Program(OneSpeaker, asyncio.Protocol):
    """One start of one program, and the protocol of its connection: output arrives by the loop's selector."""

    def __init__(
        self,
        host: RunningHost,
        name: str,
        recorder: Recorder,
        matcher: Matcher,
        *,
        tty: bool,
        has_input: bool = True,
    ) -> None:
        super().__init__(name, matcher)
        self.host = host
        self.tty = tty
        self.status: int | None = None
        """How it ended, as a shell counts; None while it runs."""
        self.pid = 0
        self.mark = FIRST_MARK + (next(_MARKS) << 10)
        self._recorder = recorder
        self._has_input = has_input
        self._line = TypedLine()
        self._frames = None if tty else Frames()
        self._transport: asyncio.Transport | None = None
        self._set = asyncio.Event()
        """Its terminal is set, there is none, or its output has ended."""
        self._drained = asyncio.Event()
        self._early: bytes | None = b""
        """What it has printed before its start was written down; None from then on."""
        self._began = 0
        self._gone = asyncio.Event()
        """The agent has told that it has ended, or cannot tell."""
        self._ending: asyncio.Task[None] | None = None
        self._deployment: Deployment | None = None
        self._output: OutputWatch | None = None
        self._let_go = False

    # --- starting and ending -------------------------------------------------------------------

    async def start(self, deployment: Deployment, starter: Starter, step: str) -> None:
        """Start it in its host; it can be given input when this returns. EngineError if the engine cannot."""
        command = command_line(starter, self.mark, tty=self.tty, has_input=self._has_input)
        command = (*(box.RAW if self.host.plan.raw else ()), *command)
        terminal = {"TERM": "xterm"} if self.tty else {}
        asked = self._recorder.now()
        try:
            started = await deployment.call(
                box.exec_start, deployment.engine, self.host.container, command,
                tty=self.tty, workdir=starter.workdir, env={**terminal, **starter.env}, user=starter.user,
            )  # fmt: skip
        except EngineError as error:
            if error.code != "no-container":
                raise
            raise StepFailure(HostIsUp(self.host.plan.name), AllKilled()) from None
        await asyncio.get_running_loop().create_connection(lambda: self, sock=started.stream.socket)
        self.data_received(started.stream.early)
        self.pid = await self._process_id(deployment, started)
        # A program that only has pipes takes the loss of its connection for the end of its input.
        keep = self._has_input and not self.tty and not starter.stdin
        origin = await deployment.agent.ask(protocol.Started(pid=self.pid, keep_input=keep))
        self._deployment = deployment
        self._output = OutputWatch(deployment, self.host, self.name, self.pid, origin.output)
        if self._drained.is_set():
            self._output.ended()
        with not_counted("the engine's bringing what is printed"):
            await self._set.wait()
        # The kernel counts in ticks of 10 ms: its time may be before that at which the engine was asked.
        self._began = max(asked, origin.made or 0)
        host = self.host.plan.name
        self._recorder.note(Started(self._began, host, self.name, step, starter.told, self.pid))
        self._listen()
        self._ending = asyncio.create_task(self._wait_end(deployment, started))
        # Whoever waits for the end hears of an error; if nobody does, asyncio need not complain.
        self._ending.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _process_id(self, deployment: Deployment, started: Exec) -> int:
        """The engine answers the start before it has made the process: ask until it has.

        EngineError if the connection had ended before that.
        """
        # Looked at before the engine is asked: later it may be the program's own end.
        ended = started.stream.has_ended()

        def made(state: ExecState) -> bool:
            nonlocal ended
            is_made = bool(state.pid) or _over(state)
            if ended and not is_made:
                raise lost_output(self.name, self.host.plan.name)
            ended = started.stream.has_ended()
            return is_made

        return (await self._asked(deployment, started, made)).pid

    async def _wait_end(self, deployment: Deployment, started: Exec) -> None:
        """Hear of its end from the agent, then let its last words arrive.

        How it ended the engine hears from the shell above it, which it may have stopped: it is asked only if
        the agent does not know.
        """
        try:
            told = await deployment.agent.ask(protocol.WaitExit(pid=self.pid)) if self.pid else None
        finally:
            self._gone.set()
        ended, status = (told.at, told.status) if told else (deployment.now(), None)
        await self._drain()
        self.status = status if status is not None else await self._exit_status(deployment, started)
        self._recorder.note(Exited(max(ended, self._began), self.host.plan.name, self.name, self.status))
        self._end_output()

    async def _drain(self) -> None:
        """Let the last words arrive: all are there when the output ends, unless a child still holds it."""
        try:
            await asyncio.wait_for(self._drained.wait(), DRAIN_SECONDS)
        except TimeoutError:
            if self._output is not None:
                await self._output.until_ended(self._drained)

    async def _exit_status(self, deployment: Deployment, started: Exec) -> int:
        try:
            return (await self._asked(deployment, started, _over)).status or 0
        except EngineError as error:
            if error.code != "no-container":
                raise
            return KILLED  # whoever killed its host's first process killed it, too

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

    async def confirmed(self) -> None:
        """Wait until it is known who has ended its output, if anybody has."""
        if self._output is not None:
            await self._output.confirmed()

    def let_go(self, *, lives_on: bool) -> None:
        """Stop listening to it. A terminal whose program is to live on is left with care."""
        self._let_go = True
        if self._ending is not None:
            self._ending.cancel()
        if self._transport is not None:
            # Now, not when the loop comes round: to remove a container whose output nobody takes costs the
            # engine 20 s.
            with contextlib.suppress(OSError):
                connection = self._transport.get_extra_info("socket")
                if lives_on and self.tty:
                    _end_input(connection)
                connection.shutdown(socket.SHUT_RDWR)
            self._transport.abort()

    # --- its output ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called once, with the connection. What it prints waits until its start is written down."""
        self._transport = cast("asyncio.Transport", transport)
        if not self.tty:
            self._begin()

    def _begin(self) -> None:
        """It is the program itself that prints now."""
        self._set.set()
        if self._transport is not None:
            self._transport.pause_reading()

    def _listen(self) -> None:
        """Take what it has printed so far, and from now on whatever comes."""
        early, self._early = self._early or b"", None
        self.data_received(early.replace(_TERMINAL_SET, b"", 1) if self.tty else early)
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Take what it printed; on pipes, both of them in the order the engine gives them."""
        if self._early is not None:  # early releases of Python 3.11 read on although they were told to pause
            self._early += data
            if not self._set.is_set() and _TERMINAL_SET in self._early:
                self._begin()
            return
        pieces = [data] if self._frames is None else [piece for _, piece in self._frames.feed(data)]
        for piece in pieces:
            self._printed(self.screen.feed(piece))

    def eof_received(self) -> bool:
        """Its output has ended; keep the connection, its input may go on."""
        self._end_stream()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """The engine closed the connection, or it broke; or what hears of the output has a mistake."""
        if error is not None and not isinstance(error, OSError):
            self._let_go = True
        self._end_stream()

    def _end_stream(self) -> None:
        """The program has ended its output, or the engine has lost it."""
        self._drained.set()
        self._set.set()
        if self._output is not None and not self._let_go:
            self._output.ended()

    def _end_output(self) -> None:
        self._printed(self.screen.feed(b"", last=True))
        self.hear()

    def _printed(self, text: str) -> None:
        if text:
            self._recorder.printed(self.host.plan.name, self.name, text)
            self.hear()

    # --- waiting -------------------------------------------------------------------------------

    @property
    def has_ended(self) -> bool:
        """Whether it is known that it has ended; its last words, and how it ended, may come later."""
        return self._gone.is_set()

    async def until_exit(self) -> int:
        """Wait until it has ended; its status. EngineError if that cannot be known any more."""
        if self._ending is not None:
            await self._gone.wait()
            with not_counted("the engine's bringing the last words of a program"):
                await asyncio.shield(self._ending)
        return self.status if self.status is not None else 0

    # --- its input -----------------------------------------------------------------------------

    @property
    def takes_input(self) -> bool:
        """Whether it can be given any."""
        is_open = self._transport is not None and not self._transport.is_closing()
        return self._has_input and self.status is None and is_open

    async def say(self, data: bytes) -> None:
        """Give it input."""
        self.write(data)

    def write(self, data: bytes) -> None:
        """Give it input at once."""
        self._line.type(data)
        if self._transport is not None:
            self._transport.write(data)

    async def close_input(self) -> None:
        """End its input: ^D on a terminal, half-close of its pipe."""
        if self.tty:
            self.write(self._line.end_of_input())
        elif self._transport is not None and self._deployment is not None:
            self._transport.write_eof()
            await self._deployment.agent.ask(protocol.EndInput(pid=self.pid))

    def unsaid(self) -> OutputEnded | EndedUnprinted:
        """Why it can print no more."""
        return OutputEnded() if self.status is None else EndedUnprinted(self.status)

    def life(self) -> ProgramRuns | HadEnded:
        """Whether it runs."""
        return ProgramRuns() if self.status is None else HadEnded(self.status)


def _end_input(connection: TransportSocket) -> None:
    """End the input of a terminal's connection, and wait a moment until the engine has left it. OSError.

    The engine then hands on no more output. Were it to hand on some to a connection that is gone, that would
    be an error, for which it hangs the terminal up.
    """
    deadline = time.monotonic() + _PARTING_SECONDS
    with contextlib.closing(connection.dup()) as own:
        own.shutdown(socket.SHUT_WR)
        own.settimeout(_PARTING_SECONDS)
        while own.recv(1 << 16) and time.monotonic() < deadline:
            pass


def _over(state: ExecState) -> bool:
    return not state.running and state.status is not None
