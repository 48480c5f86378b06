"""``lab analyze``: any capture, from anywhere."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lab.cli.screen import Screen
from lab.core.errors import EvidenceError, ExitCode, UsageError
from lab.core.quote import quoted
from lab.output.describe import counted

if TYPE_CHECKING:
    from lab.output.analyze import Analysis, Choice

_STANDARD_INPUT = "-"


def analyze(file: Path, choice: Choice, screen: Screen) -> ExitCode:
    """Tell the connections of a capture; what of it cannot be read is a warning."""
    from lab.output.analyze import analyze as analysis_of
    from lab.output.analyze import as_json
    from lab.output.analyze.text import lines

    # What is read makes no circles: looking for some among millions of objects takes half of the time.
    gc.disable()
    try:
        with _opened(file) as stream:
            analysis = analysis_of(stream)
        if analysis.refusal:
            fix = "give a file that Wireshark, tcpdump or dumpcap has written"
            raise EvidenceError("no-capture", analysis.refusal, where=str(file), fix=fix)
        _require(choice, analysis, file)
        screen.show(lines(analysis, choice, screen.style))
        if screen.json:  # on one line: there may be thousands of connections
            screen.document(as_json(analysis, choice, file=str(file)))
        unsound = analysis.unsound
        del analysis
    finally:
        gc.enable()
    for sentence in unsound:
        screen.warn(sentence)
    return ExitCode.PASSED


def _require(choice: Choice, analysis: Analysis, file: Path) -> None:
    """UsageError: there is no connection of that number."""
    count = analysis.flows.count
    if choice.number > count:
        what = f"there is no connection {choice.number}: the capture has {counted(count, 'connection')}"
        raise UsageError("no-connection", what, where=str(file), fix="see the numbers without --conn")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """The file, or standard input for "-". UsageError: there is none. EvidenceError: it cannot be read."""
    from lab.wire.packets import opened

    if str(file) == _STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    if not os.path.lexists(file):
        raise UsageError("no-file", "there is no such file", where=str(file))
    with opened(file) as stream:
        yield stream


def choice_of(numbers: int | None, hosts: Sequence[str], ports: Sequence[int]) -> Choice:
    """What is to be shown. UsageError: a host is no address."""
    from lab.output.analyze import Choice

    networks = []
    for host in hosts:
        try:
            networks.append(ip_network(host, strict=False))
        except ValueError:
            what = f"{quoted(host)} is neither an IP address nor a network"
            raise UsageError(
                "no-address", what, where="--host", fix="give one such as 10.0.0.1 or 10.0.0.0/8"
            ) from None
    return Choice(numbers or 0, tuple(networks), tuple(ports))
