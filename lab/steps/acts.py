"""What the actors can do: one function for each verb."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from msgspec.structs import replace

from lab.core.archive import FOLDER
from lab.core.quote import quoted
from lab.core.words import TcpState, describe_status, kernel_numbers
from lab.deploy.deployment import Deployment
from lab.evidence.situation import Unread
from lab.evidence.transcript import Input
from lab.scenario import Scenario
from lab.scenario.base import Model
from lab.scenario.checks import ExitCheck
from lab.scenario.steps import (
    RUN,
    Action,
    Close,
    Expect,
    Hold,
    Key,
    Line,
    Pattern,
    Quiet,
    Release,
    Run,
    Send,
    SendBytes,
    SendSignal,
    Start,
    Type,
    Wait,
)
from lab.scenario.variables import VariableError, substitute
from lab.steps.failure import StepFailure
from lab.steps.matcher import Matcher
from lab.steps.program import KILLED, Program, Starter
from lab.steps.screen import Match, describe
from lab.steps.scribe import Scribe

LONGEST_LINE = 4095
"""Bytes of a line that a terminal takes (N_TTY); it loses the rest without a word."""

UNREAD_KEPT = 2000
"""Characters of a program's output that nobody has consumed that a record holds."""

_KEYS = {"enter": b"\r", "tab": b"\t", "escape": b"\x1b"}
_SHOWN = 200
"""Characters of output that a failed `quiet` quotes."""

_LAST_WORDS_SECONDS = 1.0
_SETTLED_SECONDS = 0.01
_SETTLING_SECONDS = 1.0

Variables = MutableMapping[str, str]


class Acts:
    """The programs that run, and what can be done with them."""

    def __init__(
        self,
        scenario: Scenario,
        deployment: Deployment,
        starters: Mapping[tuple[str, str], Starter],
        scribe: Scribe,
    ) -> None:
        self._scenario = scenario
        self._deployment = deployment
        self._starters = starters
        self._scribe = scribe
        self._matcher = Matcher()
        self._running: dict[tuple[str, str], Program] = {}
        self._main: dict[str, Program] = {}
        self._told_to_end: set[Program] = set()
        self._every: list[Program] = []
        self._by_step: dict[str, Program] = {}

    async def act(  # noqa: C901 - one line for each verb is as simple as it gets
        self, line: Line, action: Action, step: str, variables: Variables
    ) -> None:
        """Do it. StepFailure if it does not come out as the script says."""
        match action:
            case Start():
                await self._start(line, action, step)
            case Expect():
                await self._expect(line, action.expect, variables)
            case Quiet():
                await self._quiet(line, action)
            case Send() | Type() | SendBytes():
                await self._give(line, action, step)
            case Key():
                await self._press(line, action, step)
            case SendSignal():
                await self._signal(line, action, step)
            case Close():
                await self._close_input(line, step)
            case Wait():
                await self._wait(line, action)
            case Run():
                await self._run(line, action, step, variables)
            case Hold():
                ask, peers = self._deployment.agent.ask, self._addresses(action.to)
                await ask("hold", host=line.host, segment=action.hold, peers=peers, step=step)
            case Release():
                await self._release(line, action)

    def filled_in(self, action: Action, variables: Mapping[str, str]) -> Action:
        """The action with every ``${...}`` in its texts replaced. StepFailure for one without a value."""
        try:
            filled: Action = _filled_in(action, variables)
        except VariableError as error:
            raise StepFailure("every variable has a value", error.what) from None
        return filled

    def too_late(self, line: Line, step: str, what: str, limit: str) -> StepFailure:
        """The failure of an act that took too long: what its program printed instead, and whether it runs.

        Its program is the one that the step has started, a command too, or else the one it speaks with.
        """
        program = self._by_step.get(step) or self._find(line)
        asked_of_the_kernel = isinstance(line.action, Wait) and not line.action.wait.exited
        if program is None or asked_of_the_kernel:
            return StepFailure(what, f"not {limit}")
        rest = program.screen.rest
        if program.matching:
            tried = f"the expression was still being matched with {len(rest)} characters: it backtracks"
            return StepFailure(what, f"not {limit}: {tried}", rest)
        printed = "it printed something else" if rest.strip() else "it printed nothing more"
        return StepFailure(what, f"not {limit}: {printed}, {program.life()}", rest)

    async def vouch(self, since: float) -> None:
        """EngineError unless the engine and the agent did their work since then (the loop's clock)."""
        await self._deployment.health.vouch(since)

    async def end(self, *, whole: bool) -> None:
        """The script is over: hear the last words of programs that are about to end.

        Those are the ones that were told to, and after a ``whole`` script those whose end is judged.
        """
        ending = self._told_to_end | {one for one in self._every if whole and self._is_to_have_ended(one)}
        for program in self._every:
            await program.confirmed()
        await self.vouch(asyncio.get_running_loop().time())
        for host in self._deployment.hosts.values():
            if host.plan.lane:
                await self._deployment.agent.ask("release", host=host.plan.name, segment="")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await asyncio.gather(*(program.until_exit() for program in ending))
        # A FIN may wait 40 ms for its ACK: connections that are just closing are seen to their end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLING_SECONDS):
                await self._deployment.agent.ask("settle", quiet=_SETTLED_SECONDS)
        await self._look_at_processes()

    def unread(self) -> list[Unread]:
        """The end of what each program has printed and no step has consumed; of each name the last start."""
        last = {(program.host.plan.name, program.name): program for program in self._every}
        now = self._scribe.now()
        return [
            Unread(now, host, name, program.screen.rest[-UNREAD_KEPT:])
            for (host, name), program in last.items()
            if program.screen.rest.strip()
        ]

    @property
    def killed(self) -> bool:
        """Whether a program was ended by a SIGKILL that no step has sent."""
        return any(program.status == KILLED for program in self._every if program not in self._told_to_end)

    @property
    def told_to_end(self) -> set[int]:
        """The process ids of the programs that a step has told to end."""
        return {program.pid for program in self._told_to_end}

    def _is_to_have_ended(self, program: Program) -> bool:
        """Whether a check says how the program must have ended."""
        judged = (check.exit for check in self._scenario.checks if isinstance(check, ExitCheck))
        return program.name != RUN and any(
            one.host == program.host.plan.name and one.program in {None, program.name} and not one.running
            for one in judged
        )

    def let_go(self) -> None:
        """Stop listening to all programs."""
        self._matcher.close()
        for program in self._every:
            program.let_go()

    # --- one for each verb ---------------------------------------------------------------------

    async def _start(self, line: Line, action: Start, step: str) -> None:
        name = action.as_ or action.start
        before = self._running.get((line.host, name)) if action.as_ else self._main.get(line.host)
        if before is not None and before.status is None:
            raise StepFailure(f"{before.name} has ended before {name} is started", "it is still running")
        starter = self._starters[line.host, action.start]
        own = self._scenario.programs[action.start]
        program = self._program(line.host, name, step, tty=own.tty)
        starter = replace(starter, argv=(*starter.argv, *action.args), env={**starter.env, **action.env})
        await program.start(self._deployment, starter, step)
        self._running[line.host, name] = program
        if action.as_ is None:
            self._main[line.host] = program
        if own.listens:
            await self._until_ready(program, own.listens)

    async def _until_ready(self, program: Program, ports: tuple[int, ...]) -> None:
        """Wait until processes of this start listen on its ports; one that left others behind is not over."""
        numbers = " and ".join(map(str, ports))
        expected = f"{program.name} listens on port{'s' if len(ports) > 1 else ''} {numbers}"
        host, ask = program.host.plan.name, self._deployment.agent.ask
        ready = asyncio.ensure_future(ask("wait_ready", host=host, mark=program.mark, ports=ports))
        over = asyncio.ensure_future(self._until_over(program))
        try:
            await asyncio.wait({ready, over}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                over.result()
                raise StepFailure(expected, program.life(), program.screen.rest)
            ready.result()
        finally:
            ready.cancel()
            over.cancel()

    async def _until_over(self, program: Program) -> None:
        """Wait until a program has ended, and all that came from it."""
        await program.until_exit()
        await self._deployment.agent.ask("wait_left", host=program.host.plan.name, mark=program.mark)

    async def _expect(self, line: Line, pattern: Pattern, variables: Variables) -> None:
        program = self._found(line)
        match = await program.expect(pattern)
        if match is None:
            raise StepFailure(describe(pattern), _unprinted(program), program.screen.rest)
        _capture(match, variables)

    async def _quiet(self, line: Line, action: Quiet) -> None:
        program = self._found(line)
        before, began = program.screen.unread, asyncio.get_running_loop().time()
        expected = f"nothing is printed for {action.quiet:g} s"
        if before:
            observed = f"it had printed {quoted(_cut(before))} before, and no step has expected that"
            raise StepFailure(expected, observed, program.screen.rest)
        try:
            async with asyncio.timeout(action.quiet):
                printed = await program.until_unread()
        except TimeoutError:
            await self.vouch(began)  # else what it printed may just not have arrived
            return
        raise StepFailure(expected, f"it printed {quoted(_cut(printed))}", program.screen.rest)

    async def _give(self, line: Line, action: Send | Type | SendBytes, step: str) -> None:
        program = self._found(line)
        data, kind, text = _input(action)
        longest = max((len(part) for part in data.split(b"\n")), default=0)
        if program.tty and longest > LONGEST_LINE:
            expected = f"a line of at most {LONGEST_LINE} bytes, which is what a terminal takes"
            raise StepFailure(expected, f"{longest} bytes; a program with `tty: false` takes any number")
        await self._deployment.agent.ask("glance", host=line.host)  # what it is told may end it
        self._write(program, data, step, kind, text)

    async def _press(self, line: Line, action: Key, step: str) -> None:
        program = self._found(line)
        await self._look_at_processes()
        key = _KEYS.get(action.key) or bytes([ord(action.key[-1].upper()) & 0x1F])
        self._write(program, key, step, "key", action.key)
        self._told_to_end.add(program)

    async def _signal(self, line: Line, action: SendSignal, step: str) -> None:
        program = self._found(line)
        await self._look_at_processes()
        at = self._scribe.now()
        if not await self._deployment.agent.ask("signal", pid=program.pid, name=action.signal):
            await program.until_exit()
            raise StepFailure("the program is running", program.life(), program.screen.rest)
        self._told_to_end.add(program)
        self._scribe.note(Input(at, line.host, program.name, step, "signal", action.signal))

    async def _close_input(self, line: Line, step: str) -> None:
        program = self._found(line)
        await self._look_at_processes()
        self._note_input(program, step, "end", "")
        program.close_input()
        self._told_to_end.add(program)

    def _write(self, program: Program, data: bytes, step: str, kind: str, text: str) -> None:
        self._note_input(program, step, kind, text)
        program.write(data)

    def _note_input(self, program: Program, step: str, kind: str, text: str) -> None:
        """Write down that a program is about to be given input. StepFailure if it takes none."""
        if not program.takes_input:
            raise StepFailure("the program takes input", program.life(), program.screen.rest)
        self._scribe.note(Input(self._scribe.now(), program.host.plan.name, program.name, step, kind, text))

    async def _wait(self, line: Line, action: Wait) -> None:
        condition = action.wait
        if condition.exited:
            await self._found(line).until_exit()
        elif condition.listening is not None:
            await self._until_socket(line.host, (TcpState.LISTEN,), condition.listening)
        elif condition.state is not None:
            await self._until_socket(line.host, (condition.state,), condition.port or 0, condition.peer)
        elif condition.asleep_in is not None:
            pid = self._found(line).pid
            ask = self._deployment.agent.ask
            await ask("wait_asleep", host=line.host, pid=pid, call=condition.asleep_in)

    async def _run(self, line: Line, action: Run, step: str, variables: Variables) -> None:
        program = self._program(line.host, RUN, step, tty=False, has_input=False)
        await program.start(self._deployment, Starter(("sh", "-c", action.run), FOLDER, {}), step)
        status = await program.until_exit()
        rest = program.screen.rest
        if status != action.status:
            raise StepFailure(f"exit status {action.status}", describe_status(status), rest)
        if action.expect is not None:
            match = await program.find(action.expect)
            if match is None:
                raise StepFailure(describe(action.expect), "it is not in the command's output", rest)
            _capture(match, variables)

    async def _release(self, line: Line, action: Release) -> None:
        ask = self._deployment.agent.ask
        if not await ask("release", host=line.host, segment=action.release):
            raise StepFailure(f"a {action.release} of {line.host} was kept back", "there was none")

    def _addresses(self, host: str | None) -> list[str]:
        """Every address of a host; none for no host."""
        addresses = self._deployment.hosts[host].plan.addresses if host else {}
        given = [address for several in addresses.values() for address in several]
        own = [one.link_local for one in self._deployment.interfaces if one.host == host and one.link_local]
        return [*given, *own]

    async def _look_at_processes(self) -> None:
        """Have the processes of all hosts looked at: what follows may end some."""
        await self._deployment.agent.ask("look")

    # --- what they share -----------------------------------------------------------------------

    def _program(self, host: str, name: str, step: str, *, tty: bool, has_input: bool = True) -> Program:
        """A program that a step is about to start."""
        there = self._deployment.hosts[host]
        program = Program(there, name, self._scribe, self._matcher, tty=tty, has_input=has_input)
        self._every.append(program)
        self._by_step[step] = program
        return program

    def _find(self, line: Line) -> Program | None:
        return self._running.get((line.host, line.program)) if line.program else self._main.get(line.host)

    def _found(self, line: Line) -> Program:
        program = self._find(line)
        if program is None:
            raise StepFailure(f"a program runs on {line.actor}", "none was started there")
        return program

    async def _until_socket(
        self, host: str, states: tuple[TcpState, ...], port: int = 0, peer: str | None = None
    ) -> None:
        await self._deployment.agent.ask(
            "wait_socket",
            host=host,
            states=[number for state in states for number in kernel_numbers(state)],
            port=port,
            peers=self._addresses(peer),
        )


def _filled_in(value: Any, variables: Mapping[str, str]) -> Any:
    """A part of an action with the variables in all its texts replaced."""
    if type(value) is str:  # not a word of an enumeration
        return substitute(value, variables)
    if isinstance(value, tuple):
        return tuple(_filled_in(item, variables) for item in value)
    if isinstance(value, dict):
        return {key: _filled_in(item, variables) for key, item in value.items()}
    if isinstance(value, Pattern):
        variables = _quoted(value, variables)
    if isinstance(value, Model):
        parts = {name: _filled_in(getattr(value, name), variables) for name in value.model_fields_set}
        return value.model_copy(update=parts)
    return value


def _quoted(pattern: Pattern, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables as a pattern of this kind has them stand for themselves."""
    if pattern.regex is not None:
        return {name: re.escape(value) for name, value in variables.items()}
    if pattern.glob is not None:
        return {name: glob.escape(value) for name, value in variables.items()}
    return variables


def _cut(text: str) -> str:
    """The beginning of what was printed."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _unprinted(program: Program) -> str:
    """Why a program can print no more, in words."""
    if program.status is None:
        return "its output ended, and it is still running"
    return f"the program ended before it printed that: {describe_status(program.status)}"


def _capture(match: Match, variables: Variables) -> None:
    variables.update(match.groups)


def _input(action: Send | Type | SendBytes) -> tuple[bytes, str, str]:
    """The bytes, the transcript's word for the kind of input, and its text there."""
    if isinstance(action, SendBytes):
        return action.bytes, "bytes", action.bytes.hex(" ")
    text = action.type if isinstance(action, Type) else f"{action.send}\n"
    return text.encode("utf-8", "surrogateescape"), "text", text
