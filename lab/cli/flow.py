"""The commands that draw a record: ``lab flow`` and ``lab wireshark``. Neither needs an engine."""

from __future__ import annotations

import shlex
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cli.reports import replaced
from lab.cli.screen import Screen
from lab.core.errors import EngineError, ExitCode, UsageError
from lab.run.interruption import Interruption

if TYPE_CHECKING:
    from lab.evidence.evidence import Evidence

EXPORT = "lab.pcapng"
"""What the capture of a whole run is called, in its record."""


class Form(StrEnum):
    """How a ladder is written."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"


def flow(record: Path, form: Form, connection: int, whole: bool, screen: Screen) -> ExitCode:
    """Draw the conversation of a saved run; ``connection`` 0 is all of them, ``whole`` folds nothing."""
    from lab.checks.judging import judge
    from lab.evidence.record import read
    from lab.output.describe import Teller
    from lab.output.ladder import as_json, as_mermaid, as_svg, as_text, folded, segments_of, story

    evidence = read(record)
    _require(connection, evidence)
    segments = {capture.path: segments_of(record, capture) for capture in evidence.info.captures}
    rows = story(evidence, segments, judge(evidence), connection)
    if screen.json:
        screen.document(as_json(rows, evidence, str(record)))
    else:
        rows = rows if whole else folded(rows)
        drawn = {
            Form.TEXT: lambda: as_text(rows, evidence, screen.style),
            Form.MERMAID: lambda: as_mermaid(rows, evidence),
            Form.SVG: lambda: as_svg(rows, evidence),
        }
        screen.show(drawn[form]())
    teller = Teller()
    for unsound in evidence.unsound:
        screen.warn(teller.text(unsound.message))
    return ExitCode.PASSED


def _require(connection: int, evidence: Evidence) -> None:
    count = len(evidence.connections)
    if not 0 <= connection <= count:
        known = f"they are numbered 1 to {count}" if count else "there are none"
        what = f"the run has no connection {connection}: {known}"
        raise UsageError("no-connection", what, fix="`lab flow` shows their numbers")


def wireshark(record: Path, output: Path | None, both: bool, at: str, screen: Screen) -> ExitCode:
    """Write all captures of a saved run to one pcapng: each frame once, at both ends, or at one host."""
    from lab.cli.documents import Exported
    from lab.evidence.record import read
    from lab.output.pcapng import View, export
    from lab.scenario.loader.wording import did_you_mean

    if both and at:
        what = "--both writes what all hosts saw, and --at what one saw"
        raise UsageError("usage", what, fix="leave one of them out")
    evidence = read(record)
    if at and at not in evidence.scenario.hosts:
        fix = did_you_mean(at, evidence.scenario.hosts, "hosts")
        raise UsageError("no-host", f"the run has no host {at!r}", where="--at", fix=fix)
    _fetch_by_hand(evidence.info.run_id, screen)
    target = output or record / EXPORT
    with Interruption(), replaced(target, "capture", "-o") as stream:
        exported = export(record, evidence, stream, View(both, at))
    for sentence in exported.unsound:
        screen.warn(sentence)
    screen.show([f"{exported.frames} frames  {target}", f"next  wireshark {shlex.quote(str(target))}"])
    screen.answer(
        Exported(file=str(target), frames=exported.frames, unsound=exported.unsound, exit=ExitCode.PASSED)
    )
    return ExitCode.PASSED


def _fetch_by_hand(run_id: str, screen: Screen) -> None:
    """If the lab of this run is still up, bring what was sent there by hand into the record."""
    from lab.cli.connected import connected
    from lab.cli.hosts import save_by_hand
    from lab.deploy.labs import all_labs

    try:
        with connected(screen) as engine:
            for lab in all_labs(engine, time.time()):
                if lab.run_id == run_id:
                    save_by_hand(engine, lab, screen)
    except EngineError:  # without an engine no lab is up here
        return
