"""What lies in the folders of programs when a script begins: whether it is there, and finds room."""

from __future__ import annotations

from collections.abc import Iterator

from lab.scenario.choice import UnclearError
from lab.scenario.loader.place import step_words
from lab.scenario.loader.plain import quoted
from lab.scenario.loader.rules.context import RuleContext
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake
from lab.scenario.programs import recipe_of
from lab.scenario.script import numbered_lines

_HEADER = _BLOCK = 512
"""Bytes of a tar that stand before each file, and of which each file fills a whole number."""


def standard_input(context: RuleContext) -> Iterator[Mistake]:
    """A file that a program is to read is there, if nothing could write it before.

    A build that is not a compiler's may make any file, and so may a `run` step and an earlier start.
    """
    lines = [(path, line, line.action.enters()) for path, line in numbered_lines(context.scenario)]
    written_to = {line.host for _, line, entrance in lines if entrance and entrance.kind == "command"}
    started: set[tuple[str, str]] = set()
    for path, line, entrance in lines:
        if entrance is None or entrance.program is None:
            continue
        name, file = entrance.program, entrance.reads
        first = (line.host, name) not in started
        started.add((line.host, name))
        if not file or not first or line.host in written_to or "${" in file:
            continue
        known = _lies_there(context, name)
        if known is not None and file not in known:
            what = f'{step_words(path)} has "{name}" read {quoted(file)}, which is not in its folder'
            there = did_you_mean(file, sorted(known), "files there") if known else "its folder is empty"
            fix = f"lay it there by `files:`; {there}"
            yield Mistake("missing-file", (*path, "action", "stdin"), what, fix)


def _lies_there(context: RuleContext, name: str) -> frozenset[str] | None:
    """The files in a program's folder when it is started first; None if that is not known."""
    program = context.scenario.programs.get(name)
    if program is None or (program.paths and name not in context.trees) or program.build:
        return None
    if program.build_of is not None:
        return None
    try:
        recipe = recipe_of(name, context.scenario, context.trees)
    except UnclearError:
        return None
    if recipe.because[0].startswith("there is a "):  # what make, cargo or cmake leave is not known
        return None
    return frozenset((*program.files, *(path for path, _ in recipe.tree.files)))


def room(context: RuleContext) -> Iterator[Mistake]:
    """The ``files`` of a host's programs find room there: they are there twice while they are laid.

    What is handed in may be too large, too; but that is no mistake of the scenario's.
    """
    scenario = context.scenario
    for host, given in scenario.hosts.items():
        lines = (line.action.enters() for _, line in numbered_lines(scenario) if line.host == host)
        programs = dict.fromkeys(one.program for one in lines if one is not None and one.program)
        sizes = [_size(context, name) for name in programs if name in scenario.programs]
        needed = sum(sizes) + max(sizes, default=0)
        if needed > given.limits.work:
            what = (
                f'host "{host}": the files of its programs need {_mebibytes(needed)} MiB while they are laid,'
                f" and limits.work is {_mebibytes(given.limits.work)} MiB"
            )
            fix = "raise `limits: {work: ...}`, or lay smaller files"
            yield Mistake("too-big", ("hosts", host), what, fix, on_key=True)


def _size(context: RuleContext, name: str) -> int:
    """Bytes that a program's ``files`` take, packed as they are brought to a host."""
    files = context.scenario.programs[name].files.values()
    sizes = [len(content) for (whose, _), content in context.laid.items() if whose == name]
    sizes += [file.random or 0 for file in files]
    sizes += [len(file.text) for file in files if file.text and "${" not in file.text]
    return sum(_HEADER + -(-size // _BLOCK) * _BLOCK for size in sizes)


def _mebibytes(size: int) -> str:
    return f"{size / 1024**2:.1f}".removesuffix(".0")
