"""The commands that draw a record: ``lab flow`` and ``lab wireshark``. Neither needs an engine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cli.reports import replaced
from lab.cli.screen import Screen
from lab.core.errors import ExitCode, UsageError
from lab.run.interruption import Interruption

if TYPE_CHECKING:
    from lab.evidence.evidence import Evidence

EXPORT = "lab.pcapng"
"""What the capture of a whole run is called, in its record."""


class Form(StrEnum):
    """How a ladder is written."""

    TEXT = "text"
    MERMAID = "mermaid"


def flow(record: Path, form: Form, connection: int, whole: bool, screen: Screen) -> ExitCode:
    """Draw the conversation of a record; ``connection`` 0 is all of them, ``whole`` folds nothing."""
    from lab.checks.judging import judge
    from lab.evidence.record import read
    from lab.output.ladder import as_mermaid, as_text, folded, segments_of, story

    evidence = read(record)
    _require(connection, evidence)
    segments = {capture.path: segments_of(record, capture) for capture in evidence.info.captures}
    rows = story(evidence, segments, judge(evidence), connection)
    rows = rows if whole else folded(rows)
    drawn = as_mermaid(rows, evidence) if form is Form.MERMAID else as_text(rows, evidence, screen.style)
    screen.show(drawn)
    for unsound in evidence.unsound:
        screen.warn(f"{unsound.capture}: {unsound.what}")
    return ExitCode.PASSED


def _require(connection: int, evidence: Evidence) -> None:
    count = len(evidence.connections)
    if not 0 <= connection <= count:
        known = f"they are numbered 1 to {count}" if count else "there are none"
        what = f"the run has no connection {connection}: {known}"
        raise UsageError("no-connection", what, fix="`lab flow RECORD` shows their numbers")


def wireshark(record: Path, output: Path | None, screen: Screen) -> ExitCode:
    """Write all captures of a record to one pcapng."""
    from lab.evidence.record import read
    from lab.output.pcapng import export

    evidence = read(record)
    target = output or record / EXPORT
    with Interruption(), replaced(target, "capture", "-o") as stream:
        exported = export(record, evidence, stream)
    for sentence in exported.unsound:
        screen.warn(sentence)
    screen.show([f"{exported.frames} frames  {target}", f"next  wireshark {target}"])
    screen.answer({"file": str(target), "frames": exported.frames, "unsound": list(exported.unsound)})
    return ExitCode.PASSED
