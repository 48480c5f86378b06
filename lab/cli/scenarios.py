"""The commands that need files only: ``lab validate``, ``lab examples`` and ``lab init``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from lab.cli.documents import Created, ErrorDocument, ExampleDocument, Examples, FileDocument, Validated
from lab.cli.screen import Screen
from lab.core.assets import ASSIGNMENT_SCHEMA, ASSIGNMENT_STARTER, ASSIGNMENTS, EXAMPLES, SCHEMA, STARTER
from lab.core.errors import ExitCode, LabError, UsageError

if TYPE_CHECKING:
    from lab.scenario.loader import Loaded

_ASSIGNMENT = "assignment.yaml"


def validate(files: Sequence[Path], programs: Sequence[str], show: bool, screen: Screen) -> ExitCode:
    """Say for each file that it can be played, or everything that is wrong with it."""
    from lab.scenario.loader.replacing import parsed

    elsewhere = parsed(programs)
    reports = [_validated(file, elsewhere, show, screen) for file in files]
    code = ExitCode.PASSED if all(report.valid for report in reports) else ExitCode.USAGE
    screen.answer(Validated(files=reports, exit=code))
    return code


def _validated(file: Path, elsewhere: Mapping[str, Path], show: bool, screen: Screen) -> FileDocument:
    from lab.grade.reading import is_assignment
    from lab.scenario.loader import load
    from lab.scenario.programs import recipe_of

    report = FileDocument(file=str(file), valid=True)
    try:
        if is_assignment(file):
            return _assignment(report, file, show, screen)
        loaded = load(file, elsewhere)
    except LabError as error:
        screen.problem(error)
        return replace(report, valid=False, error=ErrorDocument.of(error))
    if show:
        return replace(report, scenario=_printed(loaded, screen))
    scenario = loaded.scenario
    counts = {"host": len(scenario.hosts), "step": len(loaded.lines), "check": len(scenario.checks)}
    told = ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for word, number in counts.items())
    chosen = [text for name in scenario.programs if (text := recipe_of(name, scenario, loaded.trees).told)]
    screen.show([f"{file}: {told}", *(f"  {text}" for text in chosen)])
    return replace(report, chosen=chosen) if chosen else report


def _assignment(report: FileDocument, file: Path, show: bool, screen: Screen) -> FileDocument:
    """An assignment that can be graded."""
    from lab.grade.points import worded
    from lab.grade.reading import read
    from lab.scenario.base import plain
    from lab.scenario.loader import dump

    assigned = read(file)
    if show:
        screen.show([dump(assigned.assignment).rstrip("\n")])
        return replace(report, assignment=plain(assigned.assignment))
    number = len(assigned.played)
    told = f"{number} scenario{'' if number == 1 else 's'}, {worded(assigned.maximum)}"
    screen.show([f"{file}: {told}"])
    return replace(report, scenarios=number, points=float(assigned.maximum))


def _printed(loaded: Loaded, screen: Screen) -> Any:
    """The normal form: shown as YAML, given as data."""
    from lab.scenario.base import plain
    from lab.scenario.loader import dump

    screen.show([dump(loaded.scenario).rstrip("\n")])
    return plain(loaded.scenario)


def examples(screen: Screen) -> ExitCode:
    """List the scenarios and the assignments that come with the lab, and what each shows."""
    found = [(path.stem, _head(path)) for path in sorted(EXAMPLES.glob("*.yaml"))]
    whole = [(name, _head(folder / _ASSIGNMENT)) for name, folder in _assignments().items()]
    for heading, rows in (("NAME", found), ("ASSIGNMENT", whole)):
        screen.show(screen.style.table([(name, head["title"]) for name, head in rows], (heading, "TITLE")))
        screen.show([""])
    screen.show(["next  lab init --from NAME FOLDER"])
    screen.answer(
        Examples(
            examples=[ExampleDocument(name=name, **head) for name, head in found],
            assignments=[ExampleDocument(name=name, **head) for name, head in whole],
            exit=ExitCode.PASSED,
        )
    )
    return ExitCode.PASSED


def _assignments() -> dict[str, Path]:
    """The folders of the assignments that come with the lab, by name."""
    return {file.parent.name: file.parent for file in sorted(ASSIGNMENTS.glob(f"*/{_ASSIGNMENT}"))}


def _head(path: Path) -> dict[str, str]:
    """The title and the description of a scenario that comes with the lab."""
    import yaml

    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {key: " ".join(data.get(key, "").split()) for key in ("title", "description")}


def init(folder: Path, example: str, assignment: bool, screen: Screen) -> ExitCode:
    """Copy an example with its programs and the schemas into a folder; nothing that is there is touched."""
    known = {**_assignments(), **({"": ASSIGNMENT_STARTER} if assignment else {})}
    whole = example in known
    if whole:
        first, files = _of_assignment(known[example])
    else:
        first, files = _of_example(example, [*_assignments()], assignment) if example else _starter()
    targets = {folder / path: content for path, content in files.items()}
    _refuse_to_overwrite(list(targets))
    try:
        for target, content in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as error:
        what = f"cannot write there: {error.strerror}"
        raise UsageError("init", what, where=str(error.filename)) from error
    begin = str(folder / first)
    words = shlex.join(
        ["lab", "grade", begin, str(folder / "submissions")] if whole else ["lab", "up", begin]
    )
    screen.show([*(f"made {target}" for target in targets), "", f"next  {words}"])
    kind = "assignment" if whole else "scenario"
    screen.answer(Created(files=[str(target) for target in targets], exit=ExitCode.PASSED, **{kind: begin}))
    return ExitCode.PASSED


def _of_assignment(folder: Path) -> tuple[str, dict[str, bytes]]:
    """The name of an assignment's file, and everything that it needs."""
    own = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(own)}
    return _ASSIGNMENT, {**files, ASSIGNMENT_SCHEMA.name: ASSIGNMENT_SCHEMA.read_bytes(), **_schema()}


def _starter() -> tuple[str, dict[str, bytes]]:
    """The name of the starter scenario, and everything that it needs."""
    names = sorted(path.name for path in STARTER.iterdir() if path.is_file())
    files = {name: (STARTER / name).read_bytes() for name in names}
    return next(name for name in names if name.endswith(".yaml")), files | _schema()


def _of_example(name: str, assignments: list[str], only: bool) -> tuple[str, dict[str, bytes]]:
    """Likewise of a scenario that comes with the lab. UsageError for an unknown one."""
    from lab.scenario.loader import load
    from lab.scenario.loader.wording import did_you_mean

    known = [] if only else sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
    if name not in known:
        kind = "assignment" if only else "example"
        fix = did_you_mean(name, [*known, *assignments], f"{kind}s")
        raise UsageError("no-example", f"no {kind} is called {name!r}", where="--from", fix=fix)
    path = EXAMPLES / f"{name}.yaml"
    return path.name, {path.name: path.read_bytes(), **load(path).sources, **_schema()}


def _schema() -> dict[str, bytes]:
    return {SCHEMA.name: SCHEMA.read_bytes()}


def _refuse_to_overwrite(targets: Sequence[Path]) -> None:
    there = [str(target) for target in targets if target.exists() or target.is_symlink()]
    if there:
        raise UsageError(
            "already-there",
            f"{', '.join(there)} exists already" if len(there) == 1 else f"{', '.join(there)} exist already",
            fix="choose another folder: lab init FOLDER",
        )
