"""Connections of the script: the agent holds their sockets in the host's network."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

from lab.agent import protocol
from lab.deploy.deployment import Deployment
from lab.evidence.facts import (
    BytesAreSent,
    CannotSend,
    ClosedByScript,
    ConnectionIs,
    NothingMoreComes,
    SomeHaveNot,
)
from lab.evidence.transcript import InputEnded
from lab.scenario.steps import Pattern
from lab.steps.failure import StepFailure
from lab.steps.matcher import Matcher
from lab.steps.recorder import Recorder
from lab.steps.screen import Match, Screen
from lab.steps.speaker import OneSpeaker, Speaker


class Peer(OneSpeaker):
    """One connection, or a UDP socket, that the script speaks on from a host."""

    noun = "connection"
    verb = "received"

    def __init__(
        self, host: str, name: str, recorder: Recorder, matcher: Matcher, deployment: Deployment
    ) -> None:
        super().__init__(name, matcher)
        self.host = host
        self.ended = ""
        """How it ended: ``closed`` by the other end, ``reset``, or what broke it; empty while it goes on."""
        self.closed = ""
        """How the script has ended it; empty if it has not."""
        self._recorder = recorder
        self._deployment = deployment

    def take(self, event: protocol.PeerHeard | protocol.PeerEnded) -> None:
        """Something came on it, or nothing more will come."""
        data = base64.b64decode(event.data) if isinstance(event, protocol.PeerHeard) else b""
        if text := self.screen.feed(data, last=isinstance(event, protocol.PeerEnded)):
            self._recorder.printed(self.host, self.name, text)
        if isinstance(event, protocol.PeerEnded):
            self.ended = event.how
            self._recorder.note(InputEnded(self._recorder.now(), self.host, self.name, event.how))
        self.hear()

    @property
    def takes_input(self) -> bool:
        return not self.closed and self.ended in {"", "closed"}

    async def say(self, data: bytes) -> None:
        await _say(self._deployment, self.host, [self.name], data)

    def life(self) -> ClosedByScript | ConnectionIs:
        return ClosedByScript(self.closed) if self.closed else ConnectionIs(self.ended)

    def unsaid(self) -> NothingMoreComes:
        return NothingMoreComes(self.life())


class Crowd(Speaker):
    """Several connections with one name: what is done is done with each."""

    noun = "connection"
    verb = "received"

    def __init__(self, name: str, peers: Sequence[Peer], deployment: Deployment) -> None:
        self.name = name
        self.peers = peers
        self._deployment = deployment
        self._waiting: list[Peer] = []
        """Those of which the last step still expects something."""

    @property
    def screen(self) -> Screen:  # type: ignore[override]  # of whom is waited for first
        return (self._waiting or self.peers)[0].screen

    @property
    def takes_input(self) -> bool:
        return all(peer.takes_input for peer in self.peers)

    async def say(self, data: bytes) -> None:
        await _say(self._deployment, self.peers[0].host, [peer.name for peer in self.peers], data)

    async def expect(self, pattern: Pattern) -> Match | None:
        self._waiting = list(self.peers)

        async def met(peer: Peer) -> Match | None:
            match = await peer.expect(pattern)
            if match is not None:
                self._waiting.remove(peer)
            return match

        matches = await asyncio.gather(*map(met, self.peers))
        return None if None in matches else matches[0]

    async def until_unread(self) -> str:
        said = [asyncio.ensure_future(peer.until_unread()) for peer in self.peers]
        try:
            done, _ = await asyncio.wait(said, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for each in said:
                each.cancel()

    def life(self) -> SomeHaveNot:
        waiting = self._waiting or list(self.peers)
        return SomeHaveNot(len(waiting), len(self.peers), waiting[0].name, waiting[0].life())

    def unsaid(self) -> SomeHaveNot:
        return self.life()


def peers_of(speaker: Speaker) -> Sequence[Peer]:
    """The connections that an actor stands for."""
    if isinstance(speaker, Crowd):
        return speaker.peers
    return [speaker] if isinstance(speaker, Peer) else []


async def _say(deployment: Deployment, host: str, names: list[str], data: bytes) -> None:
    text = base64.b64encode(data).decode()
    unsent = await deployment.agent.ask(protocol.SayPeers(host=host, names=names, data=text))
    if unsent is not None:
        raise StepFailure(BytesAreSent(len(data)), CannotSend(unsent.peer, unsent.most_waiting, unsent.error))
