"""How a tree of sources is built and run where the scenario does not say it: chosen by what is in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from msgspec import Struct

from lab.core.archive import Tree
from lab.scenario import languages
from lab.scenario.languages import C_ENDINGS, CXX_ENDINGS, MAIN, SCRIPTS, argument, class_of, ending

_CLASSES = "classes"
_JAVAC = (
    "find . -name '*.java' -not -path './src/test/*' -exec javac -encoding UTF-8 -cp {path} -d classes {{}} +"
)
_CMAKE = "cmake --fresh -S . -B build -DCMAKE_BUILD_RPATH_USE_ORIGIN=ON && cmake --build build"
_JAVA = "*.java"
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_BY_FILE = {
    **dict.fromkeys(_MAKEFILES, "make"),
    "go.mod": "go build -o bin/ ./...",
    "Cargo.toml": "cargo build --offline",
    _JAVA: "",
    "CMakeLists.txt": _CMAKE,
}
"""What builds a tree, by the file that is there, in this order."""

_SHOWN = 10
_BY_PRODUCTS = frozenset({"CMakeFiles", "deps", "build-script-build", "incremental", "node_modules", ".git"})
"""Folders in which builds leave executables that are not the program."""

_EXECUTABLE, _CLASS, _SCRIPT = range(3)


class UnclearError(Exception):
    """Nothing says how a tree is built or run, or several things do."""

    def __init__(self, what: str, fix: str, *, nothing: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.nothing = nothing
        """Whether there is nothing at all to run."""


class Runnable(Struct, frozen=True):
    """Something in a tree that can be run: the words for it, and the name by which it is known."""

    rank: int
    name: str
    words: tuple[str, ...]
    told: str


_TARGET = re.compile(rb"^(\w[\w./-]{0,80})[ \t]*:(?![:=])", re.MULTILINE)
"""The target of a rule in a Makefile."""


def makes_no_program(build: str | None, tree: Tree) -> str:
    """What to do where the default target of a Makefile makes nothing that can be run; empty for others."""
    makefile = next((content for path, content in tree.files if path in _MAKEFILES), None)
    first = _TARGET.search(makefile) if build == "make" and makefile is not None else None
    if first is None:
        return ""
    name = first[1].decode()
    return (
        f"the first target of its Makefile, `{name}`, makes no program: let the first target make it, or say"
        " `build: make TARGET` in the scenario"
    )


def build_of_tree(name: str, tree: Tree) -> tuple[str | None, str]:
    """The command that builds a tree, and why; None if there is nothing to build. UnclearError."""
    paths = {path for path, _ in tree.files}
    java = any(ending(path) == ".java" for path in paths)
    for file, command in _BY_FILE.items():
        if file == _JAVA and java:
            return _JAVAC.format(path=shlex.quote(_class_path(tree))), "there are Java sources"
        if file in paths:
            return command, f"there is a {file}"
    for compiler in (_by_c_compiler, _by_go, _by_rustc):
        if command := compiler(name, tree):
            return command, "by the ending of its sources"
    return None, ""


def _class_path(tree: Tree) -> str:
    """Where javac and java look: what was compiled, and the libraries that are in the tree."""
    jars = {str(PurePosixPath(path).parent) for path, _ in tree.files if ending(path) == ".jar"}
    return ":".join((_CLASSES, *(f"{folder}/*" for folder in sorted(jars))))


def _by_c_compiler(name: str, tree: Tree) -> str:
    sources = _one_program(name, tree, C_ENDINGS)
    if not sources:
        return ""
    mixed = any(ending(path) in CXX_ENDINGS for path in sources)
    command = languages.CXX if mixed else languages.C
    files = (argument(path, always=mixed and ending(path) == ".c") for path in sources)
    return command.format(stem=shlex.quote(_free(name, tree)), files=" ".join(files))


def _by_go(name: str, tree: Tree) -> str:
    sources = [path for path in _one_program(name, tree, {".go"}) if not path.endswith("_test.go")]
    words = {"stem": shlex.quote(_free(name, tree)), "files": " ".join(map(shlex.quote, sources))}
    return languages.GO.format(**words) if sources else ""


def _by_rustc(name: str, tree: Tree) -> str:
    sources = _one_program(name, tree, {".rs"})
    mains = [path for path in sources if _has_main(path, tree)]
    words = {"stem": shlex.quote(_free(name, tree)), "main": shlex.quote(mains[0] if mains else "")}
    return languages.RUST.format(**words) if mains else ""


def _one_program(name: str, tree: Tree, endings: Iterable[str]) -> list[str]:
    """The sources of one program: of several files with a main function only that with the program's name."""
    sources = [path for path, _ in tree.files if ending(path) in endings]
    mains = [path for path in sources if _has_main(path, tree)]
    if len(mains) < 2:
        return sources
    own = [path for path in mains if _same_name(PurePosixPath(path).stem, name)]
    if len(own) != 1:
        what = f"{len(mains)} files have a main function: {_some(mains)}"
        raise UnclearError(what, f"call one {name}{ending(mains[0])}, add a Makefile, or say `build:`")
    return [path for path in sources if path not in mains or path in own]


def _has_main(path: str, tree: Tree) -> bool:
    return bool(MAIN[ending(path)].search(dict(tree.files)[path]))


def _free(name: str, tree: Tree) -> str:
    """The program's name, or one like it if something in the tree has it."""
    taken = {path.partition("/")[0] for path in (*(path for path, _ in tree.files), *tree.folders)}
    return f"{name}.out" if name in taken else name


def run_of_tree(name: str, tree: Tree, made: Iterable[str] = ()) -> tuple[tuple[str, ...], str]:
    """How a tree is started, and why; ``made`` are the paths of executables and classes that its build made.

    What has the program's name comes first; else the one executable, the one class with a main method, or the
    one script. UnclearError if that is none or several.
    """
    found = [*_executables(tree, tuple(made)), *_classes(tree, tuple(made)), *_scripts(tree)]
    named = [one for one in found if _same_name(one.name, name)]
    ranks = ([one for one in found if one.rank == rank] for rank in (_EXECUTABLE, _CLASS, _SCRIPT))
    first = _uppermost(named) or next((group for group in ranks if group), [])
    if len(first) == 1:
        kind = ("executable", "class with a main method", "script")[first[0].rank]
        return first[0].words, f"the {kind} with its name" if named else f"the one {kind} there"
    if not first:
        fix = "say how to start it: `run: ./NAME`; and how to build it: `build:`"
        raise UnclearError("there is nothing that can be run", fix, nothing=True)
    what = f"several things can be run: {_some(one.told for one in first)}"
    raise UnclearError(what, f"say which: `run: {shlex.join(first[0].words)}`")


def _uppermost(found: list[Runnable]) -> list[Runnable]:
    """Those in the fewest folders."""
    fewest = min((one.words[-1].count("/") for one in found), default=0)
    return [one for one in found if one.words[-1].count("/") == fewest]


def _executables(tree: Tree, made: tuple[str, ...]) -> Iterator[Runnable]:
    own = [path for path, content in tree.files if "." not in path and content.startswith(b"#!")]
    for path in (*made, *own):
        place = PurePosixPath(path)
        if ending(path) != ".class" and ".so" not in place.suffixes and _BY_PRODUCTS.isdisjoint(place.parts):
            yield Runnable(_EXECUTABLE, place.name, (f"./{path}",), f"./{path}")


def _classes(tree: Tree, made: tuple[str, ...]) -> Iterator[Runnable]:
    """Classes with a main method, as their sources say, and where the build has put them."""
    for path, content in tree.files:
        if ending(path) != ".java" or not MAIN[".java"].search(content):
            continue
        stem = PurePosixPath(path).stem
        whole = class_of(stem, content)
        file = whole.replace(".", "/") + ".class"
        place = next((one for one in made if one == file or one.endswith(f"/{file}")), None)
        if place is not None:
            folder = place[: -len(file)].rstrip("/") or "."
            classes = ":".join((folder, *_class_path(tree).split(":")[1:]))
            yield Runnable(_CLASS, stem, ("java", "-cp", classes, whole), whole)


def _scripts(tree: Tree) -> Iterator[Runnable]:
    for path, _ in tree.files:
        command = SCRIPTS.get(ending(path))
        if command and "node_modules" not in PurePosixPath(path).parts:
            words = tuple(shlex.split(command.format(main=shlex.quote(path))))
            yield Runnable(_SCRIPT, PurePosixPath(path).stem, words, path)


def _same_name(one: str, other: str) -> bool:
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    return re.sub(r"[-_]", "", name).lower()


def _some(paths: Iterable[str]) -> str:
    every = list(paths)
    return ", ".join(every[:_SHOWN]) + (", …" if len(every) > _SHOWN else "")
