"""Programs: that each is of one kind, can be had, and fits the host that runs it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from lab.core.words import LOOPBACK
from lab.scenario.cast import Program
from lab.scenario.loader import place
from lab.scenario.loader.rules.case import Case
from lab.scenario.loader.sources import Unusable
from lab.scenario.loader.wording import listed
from lab.scenario.mistake import Mistake
from lab.scenario.programs import KNOWN_ENDINGS, is_known
from lab.scenario.script import numbered_lines
from lab.scenario.steps import BLOCKS, Action

_Fault = tuple[str, str, str]
"""A code, what is wrong, and how to mend it."""


def host_names(case: Case) -> Iterator[Mistake]:
    """No host is called as each host calls itself, nor as a word of the script: a line begins with either."""
    taken = (*Action.family, *BLOCKS, "finally")
    for name in case.scenario.hosts:
        if any(name in names for names in LOOPBACK.values()):
            what = f'a host cannot be named "{name}": that is what each host calls itself'
            yield Mistake("reserved-name", ("hosts", name), what, "give it another name", on_key=True)
        if name in taken:
            what = f'a host cannot be named "{name}": that is a word of the script'
            fix = f"words that are taken: {listed(taken)}"
            yield Mistake("reserved-name", ("hosts", name), what, fix, on_key=True)


def one_kind(case: Case) -> Iterator[Mistake]:
    """A program is made from one of source, sources, command and image, with the keys that go with it."""
    for name, program in case.scenario.programs.items():
        path, holder = ("programs", name), f'program "{name}"'
        kinds = [kind for kind in ("source", "sources", "command") if getattr(program, kind)]
        if len(kinds) > 1:
            what = f'{holder} has both "{kinds[0]}" and "{kinds[1]}"'
            yield Mistake("two-in-one", (*path, kinds[1]), what, _which(kinds), on_key=True)
        elif not kinds and program.image is None:
            fix = "add `source:`, `sources:`, `command:` or `image:`"
            yield Mistake("no-program", path, f"{holder} does not say what to run", fix, on_key=True)
        for key in ("build", "run"):
            if getattr(program, key) is not None and not (program.source or program.sources):
                what = f'{holder} has "{key}", but no source'
                fix = "add `source:`; a command that the image already has is `command:`"
                yield Mistake("needs-source", (*path, key), what, fix, on_key=True)


def _which(kinds: list[str]) -> str:
    if "command" in kinds:
        return "how to run what was built is `run:`; `command:` is for what the image already has"
    return "put all files under `sources:`, the main one first"


def command_lines(case: Case) -> Iterator[Mistake]:
    """``command`` and ``run`` can be split into words."""
    for name, program in case.scenario.programs.items():
        for key, text in (("command", program.command), ("run", program.run)):
            if text is not None and not _splits(text):
                what = f'program "{name}": "{key}" cannot be split into words'
                fix = "write a program and its arguments, and close every quote"
                yield Mistake("bad-command", ("programs", name, key), what, fix)


def _splits(text: str) -> bool:
    try:
        return bool(shlex.split(text))
    except ValueError:
        return False


def files(case: Case) -> Iterator[Mistake]:
    """Every source is a readable file of sensible size within the scenario's folder, and can be run."""
    for name, program in case.scenario.programs.items():
        names: set[str] = set()
        for path, text in _sources(name, program):
            fault = _file_fault(case.faults, text) or _name_fault(text, names)
            if fault is None and not names and not is_known(program):
                fault = _unknown_ending(text)
            if fault:
                code, what, fix = fault
                yield Mistake(code, path, f'program "{name}": {what}', fix)
            names.add(PurePosixPath(text).name)


def _sources(name: str, program: Program) -> Iterator[tuple[place.Path, str]]:
    if program.source is not None:
        yield ("programs", name, "source"), program.source
    for position, text in enumerate(program.sources):
        yield ("programs", name, "sources", position), text


def _name_fault(text: str, names: set[str]) -> _Fault | None:
    name = PurePosixPath(text).name
    return (
        ("same-name", f'two files are named "{name}"', "rename one: all lie in one folder")
        if name in names
        else None
    )


def _unknown_ending(text: str) -> _Fault:
    what = f'how to run "{text}" is not known from its ending'
    fix = f"known endings: {listed(KNOWN_ENDINGS)}; with others say `run:`, and `build:` if it is built"
    return "unknown-ending", what, fix


def _file_fault(faults: Mapping[str, Unusable], text: str) -> _Fault | None:
    fault = faults.get(text)
    return (fault.code, fault.what, fault.fix) if fault else None


def one_image(case: Case) -> Iterator[Mistake]:
    """The programs of a host do not ask for different images: a host is one container."""
    scenario = case.scenario
    chosen = {name: (host.image, "the host") for name, host in scenario.hosts.items() if host.image}
    for path, line in numbered_lines(scenario):
        started = line.action.enters()
        program = scenario.programs.get(started.program or "") if started else None
        if started is None or program is None or program.image is None:
            continue
        image, owner = chosen.setdefault(line.host, (program.image, f'program "{started.program}"'))
        if image != program.image:
            at = place.step_words(path)
            what = f'{at} needs image "{program.image}" on host "{line.host}", but {owner} has "{image}"'
            fix = "a host has one image: use another host"
            yield Mistake("two-images", (*path, "action", line.action.verb), what, fix)
