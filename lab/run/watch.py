"""Watching a lab: the conversation drawn while it goes on, and what people do in the lab afterwards.

::

    async with watching(deployment, plan, style, draw) as watch:
        ...                                # watch.hear is told what the script does
        await watch.until_interrupted()    # ^C ends the watching, not the lab

It looks through captures of its own beside those of the record, which end with the script.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from ipaddress import ip_address

from msgspec import Struct

from lab.agent import protocol
from lab.core.errors import EngineError
from lab.core.words import TcpState
from lab.deploy.deployment import Deployment
from lab.deploy.plan import HEADERS, Plan
from lab.evidence.capture import link_local
from lab.evidence.transcript import TranscriptEvent
from lab.output.ladder.drawing import Drawing
from lab.output.style import Style
from lab.run.observe import held_segment, socket_sample
from lab.wire.tcp import CapturePoint

Draw = Callable[[Iterable[str]], None]

CAPTURE_LIMIT = 64 * 1024**2
"""Bytes of a watched capture, after which no more packets of it are shown."""

_PAUSE_SECONDS = 0.1
"""Between two looks at what the captures have become."""

_PIECES = 16
"""Pieces of a capture that are fetched in one look, before what they hold is drawn."""


class _Source(Struct):
    """A capture that is watched, of a loopback if ``host`` is not empty; ``offset`` bytes of it are read."""

    name: str
    host: str
    offset: int = 0
    ended: bool = False


class Watch:
    """Fetches what is new and draws it when it has waited long enough for what belongs to it."""

    def __init__(self, deployment: Deployment, plan: Plan, style: Style, draw: Draw) -> None:
        loopbacks = [host.name for host in plan.hosts if host.loopback]
        self._deployment = deployment
        self._draw = draw
        self._sources = [_Source(f"watch-{host}" if host else "watch", host) for host in ("", *loopbacks)]
        columns = [(host.name, next(iter(sum(host.addresses.values(), ())), "")) for host in plan.hosts]
        vantages = [_switch(deployment, plan), *(CapturePoint(alone=host) for host in loopbacks)]
        self._drawing = Drawing(columns, vantages, deployment.now(), style)
        self._listeners: dict[str, dict[protocol.Ends, int]] = {}
        """The listeners of each host by their ends, and the port of each."""
        self._looking: asyncio.Task[None] | None = None

    def hear(self, event: TranscriptEvent) -> None:
        """Something was typed, printed, started or ended."""
        self._drawing.live.hear(event)

    async def until_interrupted(self) -> None:
        """Look on until ^C, or until the lab is gone; the sampling for the record has ended."""
        if self._looking is None:
            return
        try:
            with contextlib.suppress(EngineError):  # it is gone already
                await self._deployment.sample()
            await self._looking
        except asyncio.CancelledError:
            # It ends the watching and nothing else: what comes after it is to be done in full.
            if task := asyncio.current_task():
                task.uncancel()

    def notice(self, event: protocol.Event | protocol.Misheard) -> None:
        """The agent tells something: listeners, accept queues and segments that are kept back are drawn."""
        match event:
            case protocol.SegmentHeld():
                self._drawing.live.keep(held_segment(event))
            case protocol.SocketsChanged():
                self._note_listeners(event)
                self._drawing.live.look(socket_sample(event), event.before_until)

    def _note_listeners(self, event: protocol.SocketsChanged) -> None:
        """A host's sockets have changed: on which ports it listens now."""
        listeners = self._listeners.setdefault(event.host, {})
        if event.whole:
            listeners.clear()
        for ends in event.gone:
            listeners.pop(ends, None)
        for row in event.rows:
            if row[0] == TcpState.LISTEN:
                listeners[row[1:5]] = row[2]
        self._drawing.live.listen(event.at, event.host, set(listeners.values()))

    async def begin(self, group: asyncio.TaskGroup) -> None:
        """Start the captures, and to look at them in this group."""
        self._deployment.agent.tell(self.notice)
        for source in self._sources:
            pid = self._deployment.hosts[source.host].pid if source.host else None
            capture = protocol.BeginCapture(
                capture=source.name, limit=CAPTURE_LIMIT, snaplen=HEADERS, pid=pid
            )
            await self._deployment.agent.ask(capture)
        self._looking = group.create_task(self._look_on())

    async def end(self) -> None:
        """Draw what is still held back and end the captures."""
        if self._looking is not None:
            self._looking.cancel()
        self._draw(self._drawing.rest(self._deployment.now()))
        with contextlib.suppress(EngineError):  # with the lab the captures are gone too
            for source in self._sources:
                await self._deployment.agent.ask(protocol.EndCapture(capture=source.name))
            await self._deployment.agent.ask(protocol.EndSampling())

    async def _look_on(self) -> None:
        try:
            while True:
                now = self._deployment.now()
                caught_up = all([await self._read(place) for place in range(len(self._sources))])
                self._draw(self._drawing.lines(now if caught_up else self._drawing.newest))
                await asyncio.sleep(_PAUSE_SECONDS if caught_up else 0)
        except EngineError as gone:
            self._deployment.kept = False
            self._draw([f"the lab has gone: {gone.what}"])

    async def _read(self, place: int) -> bool:
        """Take in what is new in a capture; whether that was all there is."""
        source = self._sources[place]
        for _ in range(_PIECES):
            read = protocol.ReadCapture(capture=source.name, offset=source.offset)
            told = await self._deployment.agent.ask(read)
            if not told:
                self._tell_end(source)
                return True
            piece = base64.b64decode(told)
            source.offset += len(piece)
            self._drawing.feed(place, piece)
        return False

    def _tell_end(self, source: _Source) -> None:
        if source.offset >= CAPTURE_LIMIT and not source.ended:
            source.ended = True
            where = f"the loopback of {source.host}" if source.host else "the switch"
            self._draw(
                [f"no more packets of {where} are shown: there were {CAPTURE_LIMIT >> 20} MiB of them"]
            )


@contextlib.asynccontextmanager
async def watching(deployment: Deployment, plan: Plan, style: Style, draw: Draw) -> AsyncIterator[Watch]:
    """A watch over a lab that is up. EngineError."""
    watch = Watch(deployment, plan, style, draw)
    async with asyncio.TaskGroup() as group:
        await watch.begin(group)
        yield watch
        await watch.end()


def _switch(deployment: Deployment, plan: Plan) -> CapturePoint:
    hosts = {
        str(ip_address(address)): host.name
        for host in plan.hosts
        for addresses in host.addresses.values()
        for address in addresses
    }
    hosts |= link_local(deployment.interfaces)
    return CapturePoint(hosts, {one.index: one.host for one in deployment.interfaces if one.host})
