"""``lab capture``: what goes over the wires of a running lab, for Wireshark to show while it happens."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from lab.cli.capture_streams import CaptureStreams
from lab.cli.connected import connected
from lab.cli.screen import Screen
from lab.core.errors import ExitCode, UsageError
from lab.run.interruption import Interruption

if TYPE_CHECKING:
    from lab.deploy.labs import Lab
    from lab.deploy.visit import Visit
    from lab.output.live_pcapng import LiveCapture

_OUTPUT = 1
_PATIENCE_SECONDS = 1.0


def capture(host: str, word: str, screen: Screen) -> ExitCode:
    """Write a capture to standard output, until ^C, until its reader goes away, or until the lab does."""
    from lab.cli.hosts import chosen
    from lab.deploy.labs import all_labs
    from lab.deploy.visit import Visit

    if sys.stdout.isatty():
        fix = "give it a reader: lab capture | wireshark -k -i -"
        raise UsageError("terminal", "a capture is no text for a terminal", where="standard output", fix=fix)
    with Interruption(), connected(screen) as engine:
        lab = chosen(all_labs(engine, time.time()), word, screen)
        if host:
            lab.host(host)
        visit = Visit(engine, lab)
        live = _live(lab, visit, host)
        streams = CaptureStreams(visit, [visit.capture(host)])
        try:
            streams.begin()
            _write(live.head)
            screen.say("capturing; ^C ends it")
            while not streams.ended:
                for _, piece in streams.receive(_PATIENCE_SECONDS):
                    _write(live.feed(piece))
            visit.require_gone()
            screen.say("the lab has gone")
        except (KeyboardInterrupt, BrokenPipeError):
            streams.end()
        if streams.dropped:
            screen.warn(f"{streams.dropped} packets are missing in it: more was sent than could be captured")
    return ExitCode.PASSED


def _live(lab: Lab, visit: Visit, host: str) -> LiveCapture:
    """What makes pcapng of it: seen from the switch, or at one host."""
    from lab.output.live_pcapng import LOOPBACK, LiveCapture

    title, cables = f"{lab.scenario}\nrun {lab.run_id}", visit.cables()
    names = visit.names(cables)
    if not host:
        return LiveCapture(title, {one.port: f"{one.host} {one.device}" for one in cables}, names)
    places = {one.own: f"{host} {one.device}" for one in cables if one.host == host}
    return LiveCapture(title, places | {LOOPBACK: f"{host} lo"}, names, at_host=True)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(_OUTPUT, data) :]
