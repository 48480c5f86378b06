"""``lab up`` and ``lab run``: play scenarios and show what became of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from lab.cli.connected import connected
from lab.cli.documents import ErrorDocument, RunDocument, Runs, sum_of
from lab.cli.reports import reported
from lab.cli.screen import Screen
from lab.core.errors import ExitCode, LabError, UsageError
from lab.output.document import Points, verdict_document
from lab.output.reports import Result
from lab.output.style import Ink, Style

if TYPE_CHECKING:
    from lab.cli.judgement import Judgement
    from lab.run.options import Options
    from lab.run.pipeline import Finished
    from lab.scenario.loader import Loaded

_LABEL = 8
_WORDS = 28


class PlayOptions(Struct, frozen=True):
    """How the person wants it played, and which checks shown.

    ``lease`` is text such as ``8h``, each of ``programs`` is ``NAME=PATH``.
    """

    only: tuple[str, ...]
    records: Path
    seed: str
    ca_bundle: Path | None
    lease: str = "8h"
    keep: bool = False
    watch: bool = False
    reports: Mapping[str, Path] = field(default_factory=dict)
    programs: tuple[str, ...] = ()
    beside: bool = False

    def options(self, style: Style) -> Options:
        """What the pipeline needs of it, to draw in ``style``. UsageError for a lease that is no duration."""
        from lab.run.options import Options

        return Options(
            records=self.records,
            keep=self.keep,
            lease=_seconds(self.lease),
            seed=self.seed,
            ca_bundle=self.ca_bundle,
            watch=style if self.watch else None,
        )


def _seconds(lease: str) -> float:
    from lab.core.durations import parse_duration

    try:
        seconds = parse_duration(lease)
    except ValueError as error:
        raise UsageError("lease", str(error), where=f"--lease {lease}") from error
    if seconds < 1:
        raise UsageError("lease", "a lab stays a second at least", where=f"--lease {lease}")
    return seconds


def play_all(files: Sequence[Path], asked: PlayOptions, screen: Screen) -> ExitCode:
    """Play each file in turn; the worst of their codes.

    All files are read before anything is started. One that cannot be judged does not keep the next from it.
    """
    from lab.cli.judgement import require_known, worst
    from lab.scenario.loader import load
    from lab.scenario.loader.replacing import parsed

    options, elsewhere = asked.options(screen.style), parsed(asked.programs)
    scenarios = [load(file, elsewhere) for file in files]
    require_known(asked.only, [loaded.scenario for loaded in scenarios])
    if not asked.keep:
        _require_scripts(scenarios)
    with reported(asked.reports) as report:
        runs = []
        for run in _runs(scenarios, options, asked, screen):
            runs.append(run)
            report(run.result)
    code = worst([run.code for run in runs])
    if len(runs) > 1:
        rows = [(run.file, run.verdict, run.record) for run in runs]
        screen.show(["", *screen.style.table(rows, ("SCENARIO", "VERDICT", "RECORD"))])
    points = sum_of([run.data.points for run in runs])
    screen.answer(Runs(runs=[run.data for run in runs], points=points, exit=code))
    return code


def _require_scripts(scenarios: Sequence[Loaded]) -> None:
    """UsageError for a lab to play with: there is nothing to play and to check."""
    for loaded in scenarios:
        if not loaded.scenario.steps:
            what, fix = "it has no steps: there is nothing to play", "keep its hosts running: lab up FILE"
            raise UsageError("no-steps", what, where=str(loaded.file), fix=fix)


def _runs(
    scenarios: Sequence[Loaded], options: Options, asked: PlayOptions, screen: Screen
) -> Iterator[_Run]:
    """Play each."""
    engine = connected(screen)
    from lab.cli.progress import Progress
    from lab.run.interruption import Interruption
    from lab.run.pipeline import played

    interruption = Interruption()
    if asked.keep and not asked.beside:
        from lab.cli.hosts import replace_earlier

        for loaded in scenarios:
            replace_earlier(engine, loaded.file, screen)
    for loaded in scenarios:
        interruption.check()  # one that came when it could not end the run before
        run: _Run | None = None
        with Interruption() as interruption:
            try:
                with played(engine, loaded, options, Progress(screen), interruption) as finished:
                    run = _shown(finished, loaded.file, asked.only, screen)
            except LabError as error:
                run = (
                    _not_cleaned_up(run, error, screen) if run else _failed(loaded, asked.only, error, screen)
                )
        yield run


class _Run(Struct, frozen=True):
    """What became of one file."""

    file: str
    code: ExitCode
    verdict: str
    record: str
    result: Result
    data: RunDocument


def _shown(finished: Finished, file: Path, only: Sequence[str], screen: Screen) -> _Run:
    """A run that came to a verdict, which is shown."""
    from lab.cli.judgement import select

    judgement = select(finished.evidence, finished.verdict, only, screen)
    screen.gap()
    screen.show(_told(finished, judgement, screen))
    name, record = str(file), str(finished.record)
    data = RunDocument(
        file=name,
        run=finished.run_id,
        record=record,
        up=finished.kept,
        verdict=verdict_document(judgement.verdict),
        points=judgement.points,
        exit=judgement.code,
    )
    result = Result(name, judgement.verdict)
    return _Run(name, judgement.code, judgement.verdict.outcome.value, record, result, data)


def _not_cleaned_up(run: _Run, error: LabError, screen: Screen) -> _Run:
    """A run that came to a verdict, which stands, and whose lab could not be taken down."""
    screen.warn(f"{error.what}; {error.fix}" if error.fix else error.what)
    return replace(run, data=replace(run.data, cleanup=ErrorDocument.of(error)))


def _failed(loaded: Loaded, only: Sequence[str], error: LabError, screen: Screen) -> _Run:
    """A run that came to no verdict: nothing was earned of what its checks are worth."""
    from lab.checks import worth

    screen.problem(error)
    file, points = str(loaded.file), Points(0, worth(loaded.scenario, only))
    data = RunDocument(file=file, error=ErrorDocument.of(error), points=points, exit=error.exit_code)
    return _Run(file, error.exit_code, "none", "", Result(file, trouble=error.what), data)


def _told(finished: Finished, judgement: Judgement, screen: Screen) -> Iterator[str]:
    """The result table, where the record lies, and what one may do next."""
    from lab.cli.judgement import table_of

    yield from table_of(finished.evidence, judgement.verdict, screen.style)
    yield ""
    place = str(finished.record)
    yield from screen.style.paragraph(place, indent=_LABEL, label="record", label_ink=Ink.FAINT)
    for number, (words, meaning) in enumerate(_next(finished, judgement)):
        told, label = f"{words.ljust(_WORDS)}  {meaning}", "" if number else "next"
        yield from screen.style.paragraph(told, indent=_LABEL, label=label, label_ink=Ink.FAINT)


def _next(finished: Finished, judgement: Judgement) -> Iterator[tuple[str, str]]:
    """Commands to go on with, and what each shows; after a failure the one that shows its place first."""
    record = shlex.quote(str(finished.record))
    number = judgement.connection
    if number:
        yield f"lab flow {record} --connection {number}", "the connection of the check that did not pass"
    elif finished.evidence.scenario.steps:
        yield f"lab flow {record}", "who sent what to whom, and when"
    if finished.evidence.scenario.steps:
        yield f"lab logs {record}", "what was typed and printed"
    if not finished.kept:
        return
    host = next(iter(finished.evidence.scenario.hosts))
    yield f"lab shell {host}", "look around in a host"
    yield f"lab exec {host} ss -tan", "run one command there"
    yield "lab watch", "draw what is sent from now on"
    yield "lab down", "take the hosts down"
