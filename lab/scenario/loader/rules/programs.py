"""Programs: that each is of one kind, can be had, and fits the host that runs it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from lab.core.archive import Tree
from lab.core.words import LOOPBACK
from lab.scenario.cast import MAX_SOURCE_BYTES, LaidFile, Program
from lab.scenario.choice import UnclearError
from lab.scenario.languages import KNOWN_ENDINGS, is_known, language_of
from lab.scenario.loader import place
from lab.scenario.loader.plain import quoted
from lab.scenario.loader.rules.context import RuleContext
from lab.scenario.loader.wording import did_you_mean, listed
from lab.scenario.mistake import Mistake
from lab.scenario.programs import recipe_of
from lab.scenario.script import numbered_lines
from lab.scenario.steps import BLOCKS, Action

_Fault = tuple[str, str, str]
"""A code, what is wrong, and how to mend it."""


def host_names(context: RuleContext) -> Iterator[Mistake]:
    """No host is called as each host calls itself, nor as a word of the script: a line begins with either."""
    taken = (*Action.family, *BLOCKS, "finally")
    for name in context.scenario.hosts:
        if any(name in names for names in LOOPBACK.values()):
            what = f'a host cannot be named "{name}": that is what each host calls itself'
            yield Mistake("reserved-name", ("hosts", name), what, "give it another name", on_key=True)
        if name in taken:
            what = f'a host cannot be named "{name}": that is a word of the script'
            fix = f"words that are taken: {listed(taken)}"
            yield Mistake("reserved-name", ("hosts", name), what, fix, on_key=True)


def one_kind(context: RuleContext) -> Iterator[Mistake]:
    """A program is made from one of source, sources, command and image, with the keys that go with it."""
    for name, program in context.scenario.programs.items():
        path, holder = ("programs", name), f'program "{name}"'
        kinds = [kind for kind in ("source", "sources", "build_of", "command") if getattr(program, kind)]
        if len(kinds) > 1:
            what = f'{holder} has both "{kinds[0]}" and "{kinds[1]}"'
            yield Mistake("two-in-one", (*path, kinds[1]), what, _which(kinds), on_key=True)
        elif not kinds and program.image is None:
            fix = "add `source:`, `sources:`, `build_of:`, `command:` or `image:`"
            yield Mistake("no-program", path, f"{holder} does not say what to run", fix, on_key=True)
        for key in ("build", "run"):
            made = program.paths or (program.build_of and key == "run")
            if getattr(program, key) is not None and not made:
                what = f'{holder} has "{key}", but no source'
                fix = "add `source:`; a command that the image already has is `command:`"
                if program.build_of is not None:
                    fix = f'it is built as "{program.build_of}" is: say `{key}:` there'
                yield Mistake("needs-source", (*path, key), what, fix, on_key=True)


def same_build(context: RuleContext) -> Iterator[Mistake]:
    """``build_of`` names a program that is made of sources."""
    programs = context.scenario.programs
    for name, program in programs.items():
        path, holder, other = ("programs", name, "build_of"), f'program "{name}"', program.build_of
        if other is None:
            continue
        if other not in programs:
            what = f'{holder} is a build of "{other}", which is not defined'
            yield Mistake("unknown-program", path, what, did_you_mean(other, programs, "programs"))
        elif not programs[other].paths:
            fix = f"name one with `source:`{_with_sources(programs)}"
            yield Mistake("needs-source", path, f'{holder} is a build of "{other}", which has no source', fix)
        if program.image is not None:
            what = f'{holder} has an image, but is a build of "{other}"'
            fix = f'give the image to "{other}", or to the host'
            yield Mistake("two-in-one", ("programs", name, "image"), what, fix, on_key=True)


def _with_sources(programs: Mapping[str, Program]) -> str:
    names = [name for name, program in programs.items() if program.paths]
    return f": {listed(names)}" if names else ""


def _which(kinds: list[str]) -> str:
    if "command" in kinds:
        return "how to run what was built is `run:`; `command:` is for what the image already has"
    if "build_of" in kinds:
        return "`build_of:` takes the sources and the build of another program: leave out one of the two"
    return "put all files under `sources:`, the main one first"


def command_lines(context: RuleContext) -> Iterator[Mistake]:
    """``command`` and ``run`` can be split into words."""
    for name, program in context.scenario.programs.items():
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


def files(context: RuleContext) -> Iterator[Mistake]:
    """Every source is there, of sensible size and within the scenario's folder, and can be built and run."""
    for name, program in context.scenario.programs.items():
        faults = list(_faults(context, name))
        if not faults and name in context.trees:
            faults = list(_unknown(context, name, context.trees[name]))
        if program.build_of in context.trees:
            faults = list(_unclear(context, name, ("programs", name, "build_of")))
        for path, (code, what, fix) in faults:
            yield Mistake(code, path, f'program "{name}": {what}', fix)


def _faults(context: RuleContext, name: str) -> Iterator[tuple[place.Path, _Fault]]:
    names: set[str] = set()
    for path, text in _sources(name, context.scenario.programs[name]):
        file = PurePosixPath(text).name
        if fault := context.faults.get((name, text)):
            yield path, (fault.code, fault.what, fault.fix)
        elif file in names and "sources" in path:
            yield path, ("same-name", f'two files are named "{file}"', "rename one: all lie in one folder")
        names.add(file)


def _unknown(context: RuleContext, name: str, tree: Tree) -> Iterator[tuple[place.Path, _Fault]]:
    """Why it is not known how to build and run a program."""
    program = context.scenario.programs[name]
    path, text = next(_sources(name, program))
    if tree.main:
        if not (program.build or program.run or is_known([file for file, _ in tree.files])):
            what = f'how to run "{text}" is not known from its ending'
            fix = (
                f"known endings: {listed(KNOWN_ENDINGS)}; with others say `run:`, and `build:` if it is built"
            )
            yield path, ("unknown-ending", what, fix)
        return
    yield from _unclear(context, name, path[:3])


def _unclear(context: RuleContext, name: str, path: place.Path) -> Iterator[tuple[place.Path, _Fault]]:
    try:
        recipe_of(name, context.scenario, context.trees)
    except UnclearError as error:
        yield path, ("unclear-program", error.what, error.fix)


def _sources(name: str, program: Program) -> Iterator[tuple[place.Path, str]]:
    key = "sources" if program.sources else "source"
    for position, text in enumerate(program.paths):
        yield ("programs", name, key, position), text


def laid(context: RuleContext) -> Iterator[Mistake]:
    """Each of ``files:`` is of one kind, can be read, and lies where no other is in its way."""
    for name, program in context.scenario.programs.items():
        holder = f'program "{name}"'
        if program.files and not (program.paths or program.build_of or program.command):
            fix = "say what to run by `source:` or `command:`: such a program has a folder of its own"
            what = f"{holder} is an image's own command, and runs in the image's own folder"
            yield Mistake("needs-source", ("programs", name, "files"), what, fix, on_key=True)
        for path, file in program.files.items():
            here = ("programs", name, "files", path)
            for code, what, fix, below in _laid_faults(context, name, path, file):
                yield Mistake(code, (*here, *below), f'{holder}: file "{path}" {what}', fix, bool(below))
        size = sum((file.random or 0) + len(file.text or "") for file in program.files.values())
        size += sum(len(content) for (whose, _), content in context.laid.items() if whose == name)
        if size > MAX_SOURCE_BYTES:
            what = f"{holder}: its files are larger than {MAX_SOURCE_BYTES // 1024**2} MiB together"
            yield Mistake("too-big", ("programs", name, "files"), what, "make them smaller", on_key=True)


def _laid_faults(
    context: RuleContext, name: str, path: str, file: LaidFile
) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """What is wrong with one of ``files:``, as a code, words, a cure and the key that is wrong, if one is."""
    if len(file.kinds) != 1:
        what = f"has both {' and '.join(map(quoted, file.kinds))}" if file.kinds else "says nothing"
        yield "two-in-one" if file.kinds else "no-content", what, "write one of: text, from, random", ()
    elif file.seed is not None and file.random is None:
        yield "contradiction", 'has a seed, but is not "random"', "leave out `seed:`", ("seed",)
    elif fault := context.laid_faults.get((name, path)):
        yield fault.code, f"cannot be laid: {fault.what}", fault.fix, ("from",)
    folders = {str(folder) for folder in PurePosixPath(path).parents}
    for other in context.scenario.programs[name].files:
        if other in folders:
            yield "same-name", f'lies in "{other}", which is a file', "rename one of the two", ()


def one_image(context: RuleContext) -> Iterator[Mistake]:
    """The programs of a host do not ask for different images: a host is one container."""
    scenario = context.scenario
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


def one_language(context: RuleContext) -> Iterator[Mistake]:
    """The programs of a host whose image is not chosen do not need those of different languages."""
    scenario = context.scenario
    images = {name for name, host in scenario.hosts.items() if host.image}
    first: dict[str, tuple[str, str]] = {}
    for path, line in numbered_lines(scenario):
        started = line.action.enters()
        program = scenario.programs.get(started.program or "") if started else None
        if started is None or started.program is None or program is None:
            continue
        if program.image is not None:
            images.add(line.host)
        origin = program.build_of or started.program
        language = language_of(context.trees[origin]) if origin in context.trees else ""
        if not language:
            continue
        other, owner = first.setdefault(line.host, (language, started.program))
        if other != language and line.host not in images:
            what = (
                f'{place.step_words(path)} needs the image of {language} on host "{line.host}", but program '
                f'"{owner}" needs that of {other}'
            )
            fix = "use another host, or give the host an image of your own that has both"
            yield Mistake("two-images", (*path, "action", line.action.verb), what, fix)
