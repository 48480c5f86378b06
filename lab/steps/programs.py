"""The programs of a script, and what its actions share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, MutableMapping, Sequence

from lab.agent.protocol import Event, Look, Measure, Misheard, PeerEnded, PeerHeard, Release, Settle
from lab.core.archive import FOLDER
from lab.core.words import MEMORY_ENDS
from lab.deploy.deployment import Deployment
from lab.evidence.facts import ClosedBeforeOpened, Late, LateMatch, LateOutput, StepFact
from lab.evidence.situation import Unread
from lab.scenario import Scenario
from lab.scenario.steps import RUN, Entrance, Line
from lab.steps.failure import StepFailure
from lab.steps.matcher import Matcher
from lab.steps.peer import Crowd, Peer, peers_of
from lab.steps.program import DRAIN_SECONDS, Program, Starter
from lab.steps.recorder import Recorder
from lab.steps.speaker import Speaker

UNREAD_KEPT = 2000
"""Characters of a program's output that nobody has consumed that a record holds."""

_ANY = "0.0.0.0"  # noqa: S104 - within a host of the lab
_LAST_WORDS_SECONDS = 1.0
_SETTLED_SECONDS = 0.01
_SETTLING_SECONDS = 1.0

Variables = MutableMapping[str, str]


class Programs:
    """The programs that run, or have run, and the lab that they run in."""

    def __init__(
        self,
        scenario: Scenario,
        deployment: Deployment,
        starters: Mapping[tuple[str, str], Starter],
        recorder: Recorder,
    ) -> None:
        self.scenario = scenario
        self.deployment = deployment
        self.recorder = recorder
        self.told_to_end: set[Program] = set()
        """Programs that a step has told to end."""
        self._starters = starters
        self._matcher = Matcher()
        self._running: dict[tuple[str, str], Speaker] = {}
        self._peers: list[Peer] = []
        self._measuring: set[asyncio.Future[None]] = set()
        deployment.agent.tell(self._hear)
        self._main: dict[str, Program] = {}
        self._every: list[Program] = []
        self._by_step: dict[str, Program] = {}

    def starter(self, host: str, program: str) -> Starter:
        """How a host starts a program of the file."""
        return self._starters[host, program]

    def command(self, text: str) -> Starter:
        """How a host runs a shell command."""
        return Starter(("sh", "-c", text), FOLDER, {})

    def new(self, host: str, name: str, step: str, *, tty: bool, has_input: bool = True) -> Program:
        """A program that a step is about to start."""
        there = self.deployment.hosts[host]
        program = Program(there, name, self.recorder, self._matcher, tty=tty, has_input=has_input)
        self._every.append(program)
        self._by_step[step] = program
        return program

    def enter(self, host: str, entrance: Entrance, program: Program) -> None:
        """A program has been started: from now on its name stands for it."""
        self._running[host, entrance.name] = program
        if entrance.main:
            self._main[host] = program

    def connect(self, host: str, entrance: Entrance) -> Sequence[Peer]:
        """Connections that are about to be opened under a name, and are heard of from now on.

        StepFailure if the name stands for one that is still open.
        """
        self._require_free(host, entrance)
        names = [f"{entrance.name}.{number}" for number in range(1, entrance.count + 1)] or [entrance.name]
        peers = [Peer(host, name, self.recorder, self._matcher, self.deployment) for name in names]
        self._peers += peers
        self._running |= {(host, peer.name): peer for peer in peers}
        if entrance.count:
            self._running[host, entrance.name] = Crowd(entrance.name, peers, self.deployment)
        return peers

    def _require_free(self, host: str, entrance: Entrance) -> None:
        before = self._running.get((host, entrance.name))
        if before is not None and any(not peer.closed and not peer.ended for peer in peers_of(before)):
            raise StepFailure(ClosedBeforeOpened(entrance.name), before.life())

    def _hear(self, event: Event | Misheard) -> None:
        """Take what came on a connection of the script."""
        if isinstance(event, PeerHeard | PeerEnded):
            peer = self._running.get((event.host, event.peer))
            if isinstance(peer, Peer):
                peer.take(event)

    def in_the_way(self, host: str, entrance: Entrance) -> Program | None:
        """The program that must have ended before this one is started."""
        before = self._main.get(host) if entrance.main else self._running.get((host, entrance.name))
        return before if isinstance(before, Program) else None

    def find(self, line: Line) -> Speaker | None:
        """Whom an actor stands for, or None if nobody was brought on."""
        return self._running.get((line.host, line.program)) if line.program else self._main.get(line.host)

    def too_late(self, line: Line, step: str, what: StepFact, late: Late) -> StepFailure:
        """The failure of an action that took too long: what its program printed instead, and whether it runs.

        Its program is the one that the step has started, a command too, or else the one it speaks with.
        """
        speaker = self._by_step.get(step) or (self.find(line) if line.action.needs_program() else None)
        if speaker is None:
            return StepFailure(what, late)
        rest = speaker.screen.rest
        if speaker.matching:
            return StepFailure(what, LateMatch(late, len(rest)), rest)
        return StepFailure(what, LateOutput(late, speaker.verb, bool(rest.strip()), speaker.life()), rest)

    def measure(self) -> None:
        """Have it noted how much processors were used and waited for until now."""
        asked = asyncio.ensure_future(self.deployment.agent.ask(Measure()))
        self._measuring.add(asked)
        asked.add_done_callback(self._measuring.discard)
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def vouch(self, since: float) -> None:
        """EngineError unless the engine and the agent did their work since then (the loop's clock)."""
        await self.deployment.health.vouch(since)

    async def end(self, *, whole: bool) -> None:
        """The script is over: hear the last words of programs that are about to end.

        Those are the ones that were told to, and after a ``whole`` script those whose end is judged.
        """
        ending = self.told_to_end | {one for one in self._every if whole and self._is_to_have_ended(one)}
        for program in self._every:
            await program.confirmed()
        await self.vouch(asyncio.get_running_loop().time())
        for host in self.deployment.hosts.values():
            if host.plan.proxied:
                await self.deployment.agent.ask(Release(host=host.plan.name, segment=""))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await asyncio.gather(*(program.until_exit() for program in ending))
        # A FIN may wait 40 ms for its ACK: connections that are just closing are seen to their end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLING_SECONDS):
                await self.deployment.agent.ask(Settle(quiet=_SETTLED_SECONDS))
        # By now the agent has told of every program that ended before. One whose last words are still awaited
        # does not run any more.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS + _LAST_WORDS_SECONDS):
                await asyncio.gather(*(one.until_exit() for one in self._every if one.has_ended))
        await self.look()

    def unread(self) -> list[Unread]:
        """The end of what each program has printed and no step has consumed; of each name the last start."""
        last: dict[tuple[str, str], Speaker] = {
            (program.host.plan.name, program.name): program for program in self._every
        }
        last |= {(peer.host, peer.name): peer for peer in self._peers}
        now = self.recorder.now()
        return [
            Unread(now, host, name, speaker.screen.rest[-UNREAD_KEPT:])
            for (host, name), speaker in last.items()
            if speaker.screen.rest.strip()
        ]

    @property
    def killed(self) -> bool:
        """Whether a program was ended by a SIGKILL or SIGHUP that no step has sent."""
        return any(
            program.status in MEMORY_ENDS for program in self._every if program not in self.told_to_end
        )

    def _is_to_have_ended(self, program: Program) -> bool:
        """Whether a check says how the program must have ended."""
        host = program.host.plan.name
        return program.name != RUN and any(
            check.awaits_end(host, program.name) for check in self.scenario.checks
        )

    def let_go(self) -> None:
        """Stop listening to all programs."""
        self._matcher.close()
        for program in self._every:
            program.let_go(lives_on=self.deployment.kept)

    def addresses(self, host: str | None) -> list[str]:
        """Every address of a host; none for no host."""
        addresses = self.deployment.hosts[host].plan.addresses if host else {}
        given = [address for several in addresses.values() for address in several]
        own = [one.link_local for one in self.deployment.interfaces if one.host == host and one.link_local]
        return [*given, *own]

    def any_address(self, host: str) -> str:
        """What to listen on so that all can reach it."""
        addresses = self.deployment.hosts[host].plan.addresses.values()
        return "::" if any(":" in address for several in addresses for address in several) else _ANY

    async def look(self) -> None:
        """Have the processes of all hosts looked at: what follows may end some."""
        await self.deployment.agent.ask(Look())
