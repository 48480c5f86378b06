"""A step that failed, with what programs were doing at that moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from lab.checks.causes import causes_of
from lab.checks.causes.failure import Failure
from lab.checks.causes.kinds import (
    Cause,
)
from lab.checks.programs import Scene, Wait
from lab.core.words import Outcome, TcpState
from lab.evidence.facts import Described
from lab.evidence.processes import ProcessRow, ProcessSample, Sleep
from lab.evidence.situation import Doing, Situation, SituationEvent
from lab.evidence.sockets import DatagramSocket, SocketRow
from lab.evidence.transcript import Started, StepEnded, TranscriptEvent
from tests.judged import script
from tests.unit.staged import Stage, at, row

SERVER, CLIENT = "192.168.153.128", "192.168.153.129"
LISTEN, ESTABLISHED, CLOSE_WAIT = TcpState.LISTEN, TcpState.ESTABLISHED, TcpState.CLOSE_WAIT
START = {"start": "server"}
WINDOW = 80_000_000
PIDS = {"server": 100, "client_a": 200, "client_b": 300}


def doing(
    host: str, *calls: tuple[str, int], sockets: tuple[int, ...] = (), child: int = 0, **more: Any
) -> Doing:
    """A process of a host's program, asleep in these calls on these sockets."""
    pid = PIDS[host]
    held = tuple({*sockets, *(inode for _, inode in calls if inode)})
    asleep = tuple(Sleep(*call) for call in calls)
    process = ProcessRow(pid + child, pid if child else 1, pid, 9 + child, "srv", False, 4, held, asleep)
    return Doing(process, **more)


def seen(
    host: str,
    *processes: Doing,
    tcp: Sequence[SocketRow] = (),
    bound: Sequence[SocketRow] = (),
    udp: Sequence[DatagramSocket] = (),
) -> Situation:
    return Situation(at(1000), host, WINDOW, processes, tuple(tcp), tuple(bound), tuple(udp))


LISTENER = row(LISTEN, "0.0.0.0:5000", inode=7)
FROM_A = row(ESTABLISHED, f"{SERVER}:5000", f"{CLIENT}:40000", inode=8)
AT_A = row(ESTABLISHED, f"{CLIENT}:40000", f"{SERVER}:5000", inode=21)
SERVES_A = seen("server", doing("server", ("recv", 8), sockets=(7, 8)), tcp=[LISTENER, FROM_A])
CLOSED_BY_A = replace(FROM_A, state=CLOSE_WAIT)
A_IN_RECV = seen("client_a", doing("client_a", ("recv", 21)), tcp=[AT_A])
A_IN_POLL = seen("client_a", doing("client_a", ("poll", 0), sockets=(21,)), tcp=[AT_A])


@dataclass
class Failed:
    """A step of ``client_a`` that failed a second after both programs were started."""

    folder: Path
    situation: Sequence[SituationEvent] = (SERVES_A, A_IN_POLL)
    events: Sequence[TranscriptEvent] = ()
    action: Mapping[str, Any] = field(default_factory=lambda: {"expect": {"text": "x"}})
    actor: str = "client_a"
    talk: str = ""
    carriage_returns: tuple[str, ...] = ()
    checks: Sequence[Mapping[str, Any]] = ()
    listens: Sequence[int] = (5000,)
    processes: Sequence[ProcessSample] = ()
    took: int = 500
    rest: str = ""

    def stage(self) -> Stage:
        starts = ({"actor": host, "action": {"start": name}} for host, name in
                  (("server", "server"), ("client_a", "client")))  # fmt: skip
        started = [
            Started(at(0), host, name, number, name, PIDS[host])
            for number, host, name in (("1", "server", "server"), ("2", "client_a", "client"))
        ]
        step = StepEnded(
            at(1000),
            at(1000 - self.took),
            "3",
            "f:1:1",
            self.actor,
            "expect 'x'",
            Outcome.FAIL,
            Described("the text 'x'"),
            Described("not"),
            self.rest,
        )
        return Stage(
            self.folder, self.talk, events=(*started, *self.events, step), situation=self.situation,
            processes=self.processes,
            carriage_returns=self.carriage_returns, programs={
                "server": {"command": "s", "listens": list(self.listens)},
                "client": {"command": "c", "tty": False},
            },
            steps=(*starts, {"actor": self.actor, "action": self.action}),
        )  # fmt: skip

    def causes(self) -> tuple[Cause, ...]:
        evidence = self.stage().evidence(*self.checks)
        step = next(event for event in evidence.transcript.events if isinstance(event, StepEnded))
        return causes_of(Failure(Scene(evidence, step.at), step))

    def why(self) -> str:
        return "\n".join(script(self.stage().evidence(*self.checks)).causes)

    def programs(self) -> tuple[str, ...]:
        return script(self.stage().evidence(*self.checks)).programs


def on_tcp(call: str, port: int, peer: str, peer_port: int, *, serves: bool = False) -> Wait:
    return Wait(call, "tcp", ESTABLISHED, port, peer, peer_port, serves)
