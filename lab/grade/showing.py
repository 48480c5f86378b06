"""What a student may have of a run: a record without what is hidden, its verdict, and a drawing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.checks.judging import judge
from lab.core.errors import EvidenceError, is_full, unless_full
from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.files import FileEvidence
from lab.evidence.record import read as read_record
from lab.evidence.record import write_verdict
from lab.evidence.record.layout import FILES, SCENARIO, VERDICT
from lab.evidence.record.writing import write_files, write_scenario
from lab.evidence.verdict import Verdict
from lab.grade.visible import visible_part
from lab.output.document import verdict_as_data
from lab.output.ladder import as_text, folded, segments_of, story
from lab.output.style import Style
from lab.run.pipeline import Finished
from lab.scenario import Scenario
from lab.scenario.checks import Place

LADDER = "ladder.txt"
"""The drawing of the conversation that failed, in the record that students may have."""

_MOST_LINES = 150
"""Lines of a ladder."""


def show(finished: Finished) -> tuple[str, Verdict]:
    """The folder of the record that students may have and its verdict; no folder if all is hidden.

    EvidenceError if it cannot be written, with the reason as its cause.
    """
    try:
        name, verdict = _shown(finished)
        if name and verdict.outcome is not Outcome.PASS:
            _draw(finished.record.with_name(name), finished.evidence, verdict)
    except OSError as error:
        what = f"the record for the student cannot be written: {error.strerror}"
        refusal = EvidenceError("record-unwritable", what, where=str(finished.record))
        raise unless_full(error, refusal) from error
    return name, verdict


def _shown(finished: Finished) -> tuple[str, Verdict]:
    record, theirs = finished.record, visible_part(finished.evidence.scenario)
    if theirs is None:
        return "", finished.verdict
    if theirs is finished.evidence.scenario:
        return record.name, finished.verdict
    target = record.with_name(f"{record.name}-shown")
    target.mkdir()
    stored = {file.seen.stored for file in finished.evidence.files}
    for file in sorted(record.iterdir()):
        if file.name not in {SCENARIO, VERDICT, FILES, *stored}:
            linked(file, target / file.name)
    write_scenario(target, theirs)
    write_files(target, _files_of(theirs, finished.evidence))
    verdict = judge(read_record(target))
    write_verdict(target, verdict_as_data(verdict))
    return target.name, verdict


def _files_of(scenario: Scenario, evidence: Evidence) -> list[FileEvidence]:
    """The files at which the scenario's checks look."""
    wanted = {place for check in scenario.checks for place, _ in check.files(scenario)}
    return [one for one in evidence.files if Place(one.seen.host, one.seen.program, one.seen.path) in wanted]


def _draw(folder: Path, evidence: Evidence, verdict: Verdict) -> None:
    """The ladder of the connection that the first failed check speaks of, or of all, beside the record."""
    failed = (result for result in verdict.results if result.outcome is Outcome.FAIL)
    numbers = (proof.connection for result in failed for proof in result.evidence if proof.connection)
    segments = {capture.path: segments_of(folder, capture) for capture in evidence.info.captures}
    rows = story(evidence, segments, verdict, next(numbers, 0))
    lines = list(as_text(folded(rows), evidence, Style(width=100)))
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"... {len(lines) - _MOST_LINES} more lines: lab flow RECORD"]
    (folder / LADDER).write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")


def linked(source: Path, target: Path) -> None:
    """The same file in another place; a copy where a file system has no links."""
    try:
        os.link(source, target)
    except OSError as error:
        if is_full(error):
            raise
        shutil.copyfile(source, target)
