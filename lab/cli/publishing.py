"""``lab publish`` and ``lab bundle``: what students, and what Gradescope may have of an assignment."""

from __future__ import annotations

import shlex
from pathlib import Path

from lab.cli.documents import Bundled, HiddenDocument, LeftOut, Published
from lab.cli.screen import Screen
from lab.core.errors import ExitCode
from lab.core.escape import one_line


def publish(file: Path, folder: Path, screen: Screen) -> ExitCode:
    """Write the folder, and say what is in it and what is not."""
    from lab.grade.handout import lay
    from lab.grade.publishing import published
    from lab.grade.reading import read

    publication = published(read(file))
    lay(publication, folder)
    names = list(publication.scenarios)
    screen.show([f"made {folder}: {len(publication.tree.files)} files", f"scenarios  {', '.join(names)}"])
    if publication.hidden or publication.checks:
        hidden = [f"scenarios {', '.join(publication.hidden)}"] if publication.hidden else []
        hidden += [f"checks of other scenarios: {publication.checks}"] if publication.checks else []
        screen.show([f"hidden     {'; '.join(hidden)}"])
    screen.show(f"left out   {one.name}: {one_line(one.why)}" for one in publication.left_out)
    begin = folder / "assignment.yaml"
    screen.show(["", f"next  {shlex.join(['lab', 'selfcheck', 'FOLDER', '--assignment', str(begin)])}"])
    screen.answer(
        Published(
            folder=str(folder),
            files=[path for path, _ in publication.tree.files],
            scenarios=names,
            hidden=HiddenDocument(scenarios=publication.hidden, checks=publication.checks),
            left_out=[LeftOut(name=one.name, why=one.why) for one in publication.left_out],
            exit=ExitCode.PASSED,
        )
    )
    return ExitCode.PASSED


def bundle(file: Path, target: Path, runner: str, screen: Screen) -> ExitCode:
    """Write the zip, and say what is in it."""
    from lab.grade.bundle import write
    from lab.grade.reading import read

    names = write(read(file), runner, target)
    screen.show([f"made {target}: {len(names)} files", "next  add the key: docs/gradescope.md"])
    screen.answer(Bundled(file=str(target), files=names, exit=0))
    return ExitCode.PASSED
