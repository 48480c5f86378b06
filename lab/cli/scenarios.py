"""The commands that need files only: ``lab validate`` and ``lab init``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli.screen import Screen, error_as_data
from lab.core.errors import ExitCode, LabError, UsageError

if TYPE_CHECKING:
    from lab.scenario.loader import Loaded


def validate(files: Sequence[Path], programs: Sequence[str], show: bool, screen: Screen) -> ExitCode:
    """Say for each file that it can be played, or everything that is wrong with it."""
    from lab.scenario.loader.replacing import parsed

    elsewhere = parsed(programs)
    reports = [_validated(file, elsewhere, show, screen) for file in files]
    screen.answer({"files": reports})
    return ExitCode.PASSED if all(report["valid"] for report in reports) else ExitCode.USAGE


def _validated(file: Path, elsewhere: Mapping[str, Path], show: bool, screen: Screen) -> dict[str, Any]:
    from lab.scenario.loader import load
    from lab.scenario.programs import recipe_of

    report: dict[str, Any] = {"file": str(file), "valid": True}
    try:
        loaded = load(file, elsewhere)
    except LabError as error:
        screen.problem(error)
        return report | {"valid": False, "error": error_as_data(error)}
    if show:
        return report | {"scenario": _printed(loaded, screen)}
    scenario = loaded.scenario
    counts = {"host": len(scenario.hosts), "step": len(loaded.lines), "check": len(scenario.checks)}
    told = ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for word, number in counts.items())
    chosen = [text for name in scenario.programs if (text := recipe_of(name, scenario, loaded.trees).told)]
    screen.show([f"{file}: {told}", *(f"  {text}" for text in chosen)])
    return {**report, "chosen": chosen} if chosen else report


def _printed(loaded: Loaded, screen: Screen) -> Any:
    """The normal form: shown as YAML, given as data."""
    from lab.scenario.base import plain
    from lab.scenario.loader import dump

    screen.show([dump(loaded.scenario).rstrip("\n")])
    return plain(loaded.scenario)


def init(folder: Path, screen: Screen) -> ExitCode:
    """Lay the starter scenario and the schema it names down in a folder; nothing that is there is touched."""
    from lab.core.assets import SCHEMA, STARTER

    sources = sorted(path for path in STARTER.rglob("*") if path.is_file())
    made = {source: folder / source.relative_to(STARTER) for source in sources}
    made[SCHEMA] = folder / SCHEMA.name
    _refuse_to_overwrite(list(made.values()))
    try:
        for source, target in made.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    except OSError as error:
        what = f"cannot write there: {error.strerror}"
        raise UsageError("init", what, where=str(error.filename)) from error
    scenario = next(str(target) for target in made.values() if target.suffix == ".yaml")
    screen.show([*(f"made {target}" for target in made.values()), "", f"next: lab up {scenario}"])
    screen.answer({"files": [str(target) for target in made.values()], "scenario": scenario})
    return ExitCode.PASSED


def _refuse_to_overwrite(targets: Sequence[Path]) -> None:
    there = [str(target) for target in targets if target.exists() or target.is_symlink()]
    if there:
        raise UsageError(
            "already-there",
            f"{', '.join(there)} exists already" if len(there) == 1 else f"{', '.join(there)} exist already",
            fix="choose another folder: lab init FOLDER",
        )
