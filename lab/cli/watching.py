"""``lab watch``: the ladder of a lab that is up, drawn while people use it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lab.cli.capture_streams import CaptureStreams
from lab.cli.connected import connected
from lab.cli.screen import Screen
from lab.core.errors import EvidenceError, ExitCode
from lab.run.interruption import Interruption

if TYPE_CHECKING:
    from lab.deploy.labs import Lab
    from lab.deploy.visit import Visit
    from lab.output.ladder.drawing import Drawing
    from lab.output.style import Style

_LOOK_SECONDS = 0.1
"""For how long packets are gathered before what they mean is drawn."""

_MOST = 1 << 22
"""Bytes that are gathered at most."""


def watch(word: str, screen: Screen) -> ExitCode:
    """Draw what is sent from now on, until ^C, until the reader goes away, or until the lab does."""
    from lab.cli.hosts import chosen
    from lab.deploy.labs import all_labs, listed
    from lab.deploy.plan import HEADERS
    from lab.deploy.visit import Visit

    with Interruption() as interruption, connected(screen) as engine:
        lab = chosen(all_labs(engine, time.time()), word, screen)
        visit = Visit(engine, lab)
        loopbacks = visit.loopbacks()
        captures = [visit.capture(snaplen=HEADERS)]
        captures += [visit.capture(host, interface="lo", snaplen=HEADERS) for host in loopbacks]
        streams = CaptureStreams(visit, captures)
        try:
            ahead = visit.clock_offset()
            drawing = _drawing(lab, visit, loopbacks, time.time_ns() + ahead, screen.style)
            streams.begin()
            screen.say(f"watching {listed([lab])}; ^C ends the watching, not the lab")
            with interruption.noted():  # what was captured before it is drawn
                _Watch(streams, drawing, ahead, screen).until(interruption)
            visit.require_gone()
            screen.say("the lab has gone")
        except (KeyboardInterrupt, BrokenPipeError):
            streams.end()
    return ExitCode.PASSED


def _drawing(lab: Lab, visit: Visit, loopbacks: Sequence[str], origin: int, style: Style) -> Drawing:
    from lab.output.ladder.drawing import Drawing
    from lab.wire.tcp import CapturePoint

    cables = visit.cables()
    switch = CapturePoint(visit.names(cables), {cable.port: cable.host for cable in cables})
    columns = [(one.labels.host, one.labels.addresses.partition(" ")[0]) for one in lab.hosts]
    return Drawing(columns, [switch, *(CapturePoint(alone=host) for host in loopbacks)], origin, style)


class _Watch:
    """Draws what captures bring; the clock of what captures is ``ahead`` of ours (ns)."""

    def __init__(self, streams: CaptureStreams, drawing: Drawing, ahead: int, screen: Screen) -> None:
        self._streams = streams
        self._drawing = drawing
        self._ahead = ahead
        self._screen = screen

    def until(self, interruption: Interruption) -> None:
        """Go on until a signal, or the end of the captures. BrokenPipeError if nobody reads it any more."""
        while not (self._streams.ended or interruption.came):
            self._look()
        self._take(self._streams.end())
        self._screen.show(self._drawing.rest(self._now()))
        if missing := self._streams.dropped:
            self._screen.warn(f"{missing} packets are missing in it: more was sent than could be captured")

    def _look(self) -> None:
        until, size, now = time.monotonic() + _LOOK_SECONDS, 0, 0
        gathered: dict[int, list[bytes]] = {}
        while (left := until - time.monotonic()) > 0 and size < _MOST and not self._streams.ended:
            heard = self._streams.receive(left)
            now = 0 if heard else self._now()
            for place, piece in heard:
                gathered.setdefault(place, []).append(piece)
                size += len(piece)
        self._take((place, b"".join(pieces)) for place, pieces in gathered.items())
        self._screen.show(self._drawing.lines(now or self._drawing.newest))
        if self._screen.unread:
            raise BrokenPipeError

    def _take(self, pieces: Iterable[tuple[int, bytes]]) -> None:
        for place, piece in pieces:
            self._drawing.feed(place, piece)
        if self._drawing.damaged:
            raise EvidenceError("no-capture", "the capture of the lab's sidecar came through damaged")

    def _now(self) -> int:
        return time.time_ns() + self._ahead
