"""The commands that read records: ``lab check`` and ``lab logs``. Neither needs an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from lab.cli.documents import Checked, ErrorDocument, RecordDocument, event_line, sum_of
from lab.cli.judgement import select, table_of, worst
from lab.cli.reports import reported
from lab.cli.saved import saved
from lab.cli.screen import Screen
from lab.core.errors import ExitCode, LabError
from lab.output.document import Points, verdict_as_data, verdict_document
from lab.output.reports import Result


def check(
    words: Sequence[str], records: Path, only: Sequence[str], reports: Mapping[str, Path], screen: Screen
) -> ExitCode:
    """Judge each saved run again, with a report for other programs if wanted; the worst of their codes."""
    checked = []
    with reported(reports) as report:
        for word in words:
            checked.append(_check(word, records, only, screen))
            report(checked[-1].result)
    code = worst([one.code for one in checked])
    points = sum_of([one.data.points for one in checked])
    screen.answer(Checked(records=[one.data for one in checked], points=points, exit=code))
    return code


class _Checked(Struct, frozen=True):
    """What became of one record."""

    code: ExitCode
    result: Result
    data: RecordDocument


def _check(word: str, records: Path, only: Sequence[str], screen: Screen) -> _Checked:
    from lab.checks.judging import judge
    from lab.evidence.record import is_recorded, read
    from lab.evidence.record.layout import VERDICT

    try:
        folder = saved(word, records)
        evidence = read(folder)
    except LabError as error:
        screen.problem(error)
        told = RecordDocument(
            record=word, error=ErrorDocument.of(error), points=Points(0, None), exit=error.exit_code
        )
        return _Checked(error.exit_code, Result(word, trouble=error.what), told)
    verdict = judge(evidence)
    same = is_recorded(folder, verdict_as_data(verdict))
    judgement = select(evidence, verdict, only, screen)
    screen.show([*table_of(evidence, judgement.verdict, screen.style), ""])
    if not same:
        screen.warn(f"{folder / VERDICT} is not this verdict: another version of the lab wrote it, or nobody")
    data = RecordDocument(
        record=str(folder),
        as_recorded=same,
        verdict=verdict_document(judgement.verdict),
        points=judgement.points,
        exit=judgement.code,
    )
    return _Checked(judgement.code, Result(str(folder), judgement.verdict), data)


def logs(record: Path, screen: Screen) -> ExitCode:
    """The conversation of a saved run."""
    from lab.evidence.record import read_transcript
    from lab.evidence.record.writing import events_as_data
    from lab.output.sentences.steps import tell
    from lab.output.transcript import conversation

    transcript = read_transcript(record)
    if screen.json:
        for event in events_as_data(transcript.events, tell):
            screen.document([event_line(event)])
    else:
        screen.show(conversation(transcript, screen.style))
    return ExitCode.PASSED
