"""What a program of a scenario is made of and how it is started: from its model to a recipe."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from lab.core.archive import Tree
from lab.scenario import Scenario
from lab.scenario.cast import Program
from lab.scenario.choice import build_of_tree, run_of_tree
from lab.scenario.languages import argv_of_files, build_of_files, language_of
from lab.scenario.shell import run_words

_MISSING_HEADER = re.compile(r"fatal error: (\S{1,255}): No such file or directory")


class Recipe(Struct, frozen=True):
    """What lies in a program's folder, how it is built (a shell command) and how it is started.

    ``argv`` is empty for an image's own command, and None where only the build shows what can be run. For a
    tree ``because`` says why it is built and run so. ``language`` names the image that it needs, if it is not
    the usual one, ``built_as`` the program whose build it also is.
    """

    name: str
    tree: Tree
    build: str | None
    argv: tuple[str, ...] | None
    because: tuple[str, str] = ("", "")
    language: str = ""
    built_as: str = ""

    @property
    def folder(self) -> str:
        """What the folder is called in which it is built."""
        return self.built_as or self.name

    @property
    def told(self) -> str:
        """How it is built and run, for a tree; else nothing: the scenario says that."""
        built, run = self.because
        words = [f"built by `{self.build}` ({built})"] if built else []
        if run and self.argv is not None:
            words.append(f"run by `{shlex.join(self.argv)}` ({run})")
        return f"{self.name} is {', '.join(words)}" if words else ""

    def when_built(self, made: Iterable[str]) -> Recipe:
        """The recipe with how it is started, by what its build made. UnclearError if that does not tell."""
        argv, why = run_of_tree(self.name, self.tree, made)
        return replace(self, argv=argv, because=(self.because[0], why))

    @property
    def has_carriage_returns(self) -> bool:
        """Whether its script has CR LF line ends where they are read: a shell's, or the first line (#!)."""
        name = self.tree.main or (self.argv or ("",))[-1].removeprefix("./")
        content = dict(self.tree.files).get(name, b"")
        first = content.partition(b"\n")[0]
        runs_in_shell = Path(name).suffix.lower() == ".sh" or (first.startswith(b"#!") and b"sh" in first)
        return b"\r\n" in content if runs_in_shell else first.startswith(b"#!") and first.endswith(b"\r")

    def digest(self, image: str) -> str:
        """What tells one build from another: the tree, the command and the image it is made in."""
        state = hashlib.sha256(f"{image}\0{self.folder}\0{self.build}\0".encode())
        for name, content in self.tree.files:
            state.update(f"{name}\0{len(content)}\0".encode(errors="surrogateescape") + content)
        for path in (*self.tree.folders, *(part for link in self.tree.links for part in link)):
            state.update(f"{path}\0".encode(errors="surrogateescape"))
        return state.hexdigest()


def recipe_of(name: str, scenario: Scenario, trees: Mapping[str, Tree]) -> Recipe:
    """The recipe of one of a scenario's programs. UnclearError if nothing says how to run it."""
    program = scenario.programs[name]
    if program.build_of is None:
        return recipe(name, program, trees.get(name, Tree()))
    built = recipe(program.build_of, scenario.programs[program.build_of], trees[program.build_of])
    return _another(name, program, built)


def _another(name: str, program: Program, built: Recipe) -> Recipe:
    """The recipe of a program from what is built for another one."""
    argv, why = (run_words(program.run), "`run:`") if program.run else (None, "")
    if argv is None and built.build is None:
        argv, why = run_of_tree(name, built.tree)
    because = built.because[0] or f"as {built.name} is"
    return replace(built, name=name, argv=argv, because=(because, why), built_as=built.name)


def recipe(name: str, program: Program, tree: Tree) -> Recipe:
    """The recipe of a program, from what was read of its sources. UnclearError if nothing says how to run."""
    if not program.paths:
        return Recipe(name, tree, None, tuple(shlex.split(program.command or "")))
    own = run_words(program.run) if program.run else None
    language = language_of(tree)
    if tree.main:
        names = [file for file, _ in tree.files]
        build = program.build or build_of_files(names)
        return Recipe(name, tree, build, own or argv_of_files(tree.files), language=language)
    build, why_build = (program.build, "`build:`") if program.build else build_of_tree(name, tree)
    if own:
        return Recipe(name, tree, build, own, (why_build, "`run:`"), language)
    if build is not None:
        return Recipe(name, tree, build, None, (why_build, ""), language)
    argv, why_run = run_of_tree(name, tree)
    return Recipe(name, tree, None, argv, ("", why_run), language)


def header_cure(program: Program, folder: Path, said: str) -> str:
    """How to mend a build whose compiler misses a header that lies beside a source; nothing if none does."""
    for header in _MISSING_HEADER.findall(said):
        for source in program.paths:
            path = PurePosixPath(source).parent / header
            if ".." not in path.parts and (folder / path).is_file():
                alone = f', and include it as "{path.name}": all lie in one folder' if "/" in header else ""
                return f"{header} lies beside {source}, but is no source: add {path} to `sources:`{alone}"
    return ""
