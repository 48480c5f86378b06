"""The commands that read records: ``lab check`` and ``lab logs``. A record that is named needs no engine."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from lab.cli.connected import connected
from lab.cli.judgement import select, table_of, worst
from lab.cli.reports import reported
from lab.cli.screen import Screen, error_as_data
from lab.core.errors import ExitCode, LabError, UsageError
from lab.output.document import verdict_as_data
from lab.output.reports import Result


def check(
    records: Sequence[Path], only: Sequence[str], reports: Mapping[str, Path], screen: Screen
) -> ExitCode:
    """Judge each record again, with a report for other programs if wanted; the worst of their codes."""
    checked = []
    with reported(reports) as report:
        for record in records:
            checked.append(_check(record, only, screen))
            report(checked[-1].result)
    code = worst([one.code for one in checked])
    screen.answer({"records": [one.data for one in checked], "exit": int(code)})
    return code


class _Checked(Struct, frozen=True):
    """What became of one record."""

    code: ExitCode
    result: Result
    data: dict[str, Any]


def _check(folder: Path, only: Sequence[str], screen: Screen) -> _Checked:
    from lab.checks.judging import judge
    from lab.evidence.record import is_recorded, read
    from lab.evidence.record.layout import VERDICT

    try:
        evidence = read(folder)
    except LabError as error:
        screen.problem(error)
        told = {"record": str(folder), "error": error_as_data(error)}
        return _Checked(error.exit_code, Result(str(folder), trouble=error.what), told)
    verdict = judge(evidence)
    same = is_recorded(folder, verdict_as_data(verdict))
    judgement = select(evidence, verdict, only, screen)
    screen.show([*table_of(evidence, judgement.verdict, screen.style), ""])
    if not same:
        screen.warn(f"{folder / VERDICT} is not this verdict: another version of the lab wrote it, or nobody")
    data = {"record": str(folder), "as_recorded": same, **judgement.data}
    return _Checked(judgement.code, Result(str(folder), judgement.verdict), data)


def logs(record: Path | None, word: str, records: Path, screen: Screen) -> ExitCode:
    """The conversation of a record; of the lab that is up where none is named."""
    from lab.evidence.record import read_transcript
    from lab.evidence.record.writing import events_as_data
    from lab.output.transcript import conversation

    transcript = read_transcript(record or _of_lab(word, records, screen))
    if screen.json:
        for event in events_as_data(transcript.events):
            screen.document([json.dumps(event)])
    else:
        screen.show(conversation(transcript, screen.style))
    return ExitCode.PASSED


def _of_lab(word: str, records: Path, screen: Screen) -> Path:
    """Where the record of the lab that is up lies."""
    from lab.deploy.labs import Standing, all_labs, choose

    with connected(screen) as engine:
        lab = choose(all_labs(engine, time.time()), word)
    if lab.standing is Standing.BUSY:
        fix = "its record is written at its end"
        raise UsageError("lab-busy", f"run {lab.run_id} still goes on", fix=fix)
    made = Path(next((one.labels.record for one in lab.containers), ""))
    found = next((place for place in (made, records / made.name) if made.name and place.is_dir()), None)
    if found is None:
        what = f"the record of run {lab.run_id} is neither at {made} nor in {records}"
        raise UsageError("no-record", what, fix="lab logs RECORD, or say where records lie: --records DIR")
    return found
