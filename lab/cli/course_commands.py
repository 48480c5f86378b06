"""The commands for a class, as typer reads them; with them the command line is whole."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.commands import RUNS, Json, RecordsIn, Verbose, app, argument, option
from lab.cli.invocation import Invocation

__all__ = ["app"]

_GRADES = Path("grades")
_MATRIX = Path("matrix")

Assignment = Annotated[Path, argument(help="The assignment file.")]
Jobs = Annotated[
    int,
    option("--jobs", metavar="N", min=0, max=256, help="Play so many labs at once; as the machine bears."),
]
Submissions = Annotated[Path, argument(help="A folder, zip or tar with the submissions.")]

Scheduler = Annotated[
    str,
    option(
        "--scheduler",
        metavar="ADDRESS",
        help="Grade on the workers of this Dask scheduler (needs the extra cluster).",
    ),
]


class Rerun(StrEnum):
    """Which submissions are graded again."""

    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ALL = "all"


class Format(StrEnum):
    """Who else reads the results."""

    GRADESCOPE = "gradescope"


@app.command()
def grade(
    *,
    assignment: Assignment,
    submissions: Submissions,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for all results.")] = _GRADES,
    jobs: Jobs = 0,
    scheduler: Scheduler = "",
    only: Annotated[
        list[str] | None,
        option("--only", metavar="NAME", help="Grade this student or file (or glob); can be repeated."),
    ] = None,
    rerun: Annotated[
        Rerun | None, option("--rerun", help="Grade these again though they have a result.")
    ] = None,
    times: Annotated[
        Path | None,
        option("--times", metavar="FILE", help="The hand-in times: CSV with columns student and time."),
    ] = None,
    dry_run: Annotated[
        bool, option("--dry-run", help="Show what would be graded, and grade nothing.")
    ] = False,
    moodle_sheet: Annotated[
        Path | None,
        option("--moodle-sheet", metavar="FILE", help="Fill in a copy of Moodle's grading worksheet (CSV)."),
    ] = None,
    canvas_sheet: Annotated[
        Path | None,
        option("--canvas-sheet", metavar="FILE", help="Fill in a copy of Canvas's gradebook (CSV)."),
    ] = None,
    canvas_column: Annotated[
        str,
        option("--canvas-column", metavar="NAME", help="The column of Canvas's gradebook: its title or id."),
    ] = "",
    format_: Annotated[
        Format | None,
        option("--format", help="Also write its results.json for each submission."),
    ] = None,
    json: Json = False,
    verbose: Verbose = False,
) -> Invocation:
    """Grade a class of submissions."""
    from lab.cli import grading

    again = rerun.value if rerun else ""
    wanted = grading.Wanted(
        out, tuple(only or ()), again, jobs, times, dry_run, moodle_sheet, canvas_sheet, canvas_column,
        format_ is Format.GRADESCOPE, scheduler,
    )  # fmt: skip
    return Invocation(partial(grading.grade, assignment, submissions, wanted), json, verbose)


@app.command()
def bundle(
    *,
    assignment: Assignment,
    target: Annotated[Path, argument(metavar="OUT.zip", help="The file to write; it must not be there yet.")],
    runner: Annotated[
        str, typer.Option("--runner", metavar="USER@HOST", help="The machine that plays, as ssh reaches it.")
    ],
    json: Json = False,
) -> Invocation:
    """Write an autograder for Gradescope."""
    from lab.cli import publishing

    return Invocation(partial(publishing.bundle, assignment, target, runner), json)


@app.command()
def publish(
    *,
    assignment: Assignment,
    folder: Annotated[Path, argument(help="A folder that is empty or not there yet.")],
    json: Json = False,
) -> Invocation:
    """Write what students may have of an assignment to a folder."""
    from lab.cli import publishing

    return Invocation(partial(publishing.publish, assignment, folder), json)


@app.command()
def selfcheck(
    *,
    work: Annotated[
        Path, argument(metavar="[WORK]", help="What you would hand in: a folder, an archive or a file.")
    ] = Path(),
    assignment: Annotated[
        Path | None,
        option(
            "--assignment",
            metavar="FILE",
            help="The published assignment.yaml; looked for in WORK, in its folders, and above.",
        ),
    ] = None,
    records: RecordsIn = RUNS,
    json: Json = False,
    verbose: Verbose = False,
) -> Invocation:
    """Check your own work by a published assignment."""
    from lab.cli import selfcheck as checking

    return Invocation(partial(checking.selfcheck, work, assignment, records), json, verbose)


@app.command()
def matrix(
    *,
    assignment: Assignment,
    submissions: Submissions,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder for the table and all records.")
    ] = _MATRIX,
    jobs: Jobs = 0,
    scheduler: Scheduler = "",
    csv: Annotated[bool, option("--csv", help="Print the cells as CSV.")] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> Invocation:
    """Let every client play with every server of a class."""
    from lab.cli import matrix as playing

    wanted = partial(playing.matrix, assignment, submissions, out, jobs=jobs, csv=csv, scheduler=scheduler)
    return Invocation(wanted, json, verbose)
