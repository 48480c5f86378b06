"""Programs of a scenario whose sources are given from elsewhere: ``--program NAME=PATH``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.core.archive import Tree
from lab.core.errors import UsageError
from lab.scenario import Scenario
from lab.scenario.loader.rules import Mistake, RuleContext
from lab.scenario.loader.rules.programs import files
from lab.scenario.loader.wording import did_you_mean, shown

Given = Path | Tree
"""Where the sources of a program lie, or what was read there."""


def option(name: str, given: str | Given) -> str:
    """How it stands on the command line."""
    return shown(f"--program {name}={written(given)}")


def written(given: str | Given) -> str:
    """The path that stands for it in a scenario."""
    return SUBMITTED if isinstance(given, Tree) else str(given)


SUBMITTED = "submission/files"
"""What stands in a scenario for sources that were read already."""


def parsed(words: Iterable[str]) -> dict[str, Path]:
    """Paths by the names of programs, from ``NAME=PATH``. UsageError."""
    found: dict[str, Path] = {}
    for word in words:
        name, sign, path = word.partition("=")
        if not (name and sign and path):
            fix = "write the program's name and where its sources lie: --program server=submissions/ann"
            raise UsageError("program-option", f'"{shown(word)}" is no NAME=PATH', where="--program", fix=fix)
        if name in found:
            what = f'program "{shown(name)}" is given twice'
            raise UsageError("program-option", what, where=option(name, path), fix="give one path")
        found[name] = Path(path)
    return found


def replaced(scenario: Scenario, elsewhere: Mapping[str, Given]) -> Scenario:
    """The scenario with these sources in the place of its programs' own. UsageError for no program of it."""
    programs = dict(scenario.programs)
    for name, path in elsewhere.items():
        if name not in programs:
            what = f'the scenario has no program "{shown(name)}"'
            fix = did_you_mean(name, programs, "programs")
            raise UsageError("unknown-program", what, where=option(name, path), fix=fix)
        own = {"source": (written(path),), "sources": (), "build_of": None, "command": None}
        programs[name] = programs[name].model_copy(update=own)
    return scenario.model_copy(update={"programs": programs})


def require(context: RuleContext, elsewhere: Mapping[str, Given]) -> None:
    """UsageError unless all sources that are given from elsewhere can be used."""
    mistake = next((one for one in files(context) if _program(one) in elsewhere), None)
    if mistake is not None:
        name = _program(mistake)
        where = option(name, elsewhere[name])
        raise UsageError(mistake.code, shown(mistake.what), where=where, fix=shown(mistake.fix))


def _program(mistake: Mistake) -> str:
    return str(mistake.path[1])
