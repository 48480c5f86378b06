"""Lint, types, and the direction of dependencies: what a machine can hold us to."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from lab.core import assets
from lab.evidence.facts import StepFact

ROOMS = (
    "core", "scenario", "wire", "evidence", "engine", "agent", "deploy", "steps", "checks", "output", "run", "grade",
    "cli",
)  # fmt: skip
"""The rooms of the package in the order the data walks: each may know only those before it."""

MODULES = sorted(path for path in assets.PACKAGE.rglob("*.py") if path.parent != assets.PACKAGE / "agent")


def _run(checkout: Path, *words: str) -> None:
    done = subprocess.run([sys.executable, *words], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_lint(checkout: Path) -> None:
    _run(checkout, "-m", "ruff", "check")


def test_layout(checkout: Path) -> None:
    _run(checkout, "-m", "ruff", "format", "--check")


def test_types(checkout: Path) -> None:
    _run(checkout, "-m", "mypy")


def test_dependencies_point_one_way() -> None:
    rooms = {path: _room(path) for path in MODULES}
    backwards = [
        f"{path.relative_to(assets.PACKAGE)} may not import lab.{known}"
        for path, room in rooms.items()
        if room not in ("__init__", "__main__")
        for known in _rooms_imported(path)
        if known != room and ROOMS.index(known) >= ROOMS.index(room)
    ]
    assert backwards == []


def test_examples_in_docstrings() -> None:
    shown = [path for path in MODULES if ">>> " in path.read_text()]
    assert shown
    for path in shown:
        name = ".".join(path.relative_to(assets.PACKAGE.parent).with_suffix("").parts)
        assert doctest.testmod(importlib.import_module(name)).failed == 0, name


def test_what_is_found_is_said_as_data() -> None:
    """Sentences of a verdict are made in ``lab.output``: in these rooms no text has several words.

    The language has some: descriptions, headings, mistakes, titles of checks. So have errors, names of
    protocols, and what programs print.
    """
    sentences = [
        f"{path.name}: {text!r}"
        for room in ("checks", "wire", "evidence")
        for path in sorted((assets.PACKAGE / room).rglob("*.py"))
        if path.parent.name != "record" and path.name not in _NAMES_OF_PROTOCOLS
        for text in _texts(ast.parse(path.read_text()))
        if " " in text.strip() and text not in {*_PRINTED_BY_PROGRAMS, "VLAN in VLAN"}
    ]
    assert sentences == []


def test_steps_say_why_they_fail_as_data() -> None:
    """A fact is made of names, numbers and what the file or a program says; no sentence is in it."""
    facts = {kind.__name__ for kind in get_args(StepFact)} | {"StepFailure"}
    sentences = [
        f"{path.name}: {text!r}"
        for path in sorted((assets.PACKAGE / "steps").rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in facts
        for text in _texts(call)
        if " " in text
    ]
    assert sentences == []


_NAMES_OF_PROTOCOLS = {"kinds.py", "tunnels.py"}

_PRINTED_BY_PROGRAMS = {
    "Address already in use", "Operation not permitted", "Traceback (most recent call last)", 'Exception in thread "', "terminate called",
}  # fmt: skip


def _texts(tree: ast.AST) -> Iterator[str]:
    """The texts in a piece of code that are part of a verdict, or may be."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Expr(ast.Constant()):  # a docstring
                continue
            case ast.Call(ast.Name("Field" | "Mistake" | "EvidenceError")):
                continue
            case ast.AnnAssign(ast.Name("heading" | "words")):
                continue
            case (
                ast.FunctionDef(name="title")
                | ast.FunctionDef(returns=ast.Subscript(slice=ast.Name("Mistake")))
            ):
                continue
            case ast.Constant(str(text)):
                yield text
            case _:
                yield from _texts(node)


def test_the_agent_needs_nothing_but_the_standard_library() -> None:
    for path in (assets.PACKAGE / "agent").glob("*.py"):
        for name in _imported(path):
            assert name.startswith(".") or name.partition(".")[0] in sys.stdlib_module_names, (
                path.name,
                name,
            )


@pytest.mark.parametrize(
    ("deed", "heavy"),
    [
        ("import lab.cli", {"docker", "typer", "click", "pydantic", "yaml", "rich", "asyncio"}),
        (
            "import sys, lab.cli; sys.argv = ['lab', '--version']; lab.cli.main()",
            {"docker", "typer", "pydantic"},
        ),
        (
            "from lab.cli.exit_code import run; run(['--help'])",
            {"docker", "pydantic", "yaml", "rich", "requests"},
        ),
    ],
)
def test_heavy_modules_are_imported_late(checkout: Path, deed: str, heavy: set[str]) -> None:
    _run(
        checkout,
        "-c",
        f"{deed}\nimport sys; loaded = {heavy!r} & set(sys.modules); assert not loaded, loaded",
    )


def _room(path: Path) -> str:
    return path.relative_to(assets.PACKAGE).parts[0].removesuffix(".py")


def _rooms_imported(path: Path) -> set[str]:
    """The rooms that a module imports from; the package's version belongs to none."""
    names = (name.split(".") for name in _imported(path))
    return {parts[1] for parts in names if parts[0] == "lab" and len(parts) > 1 and parts[1] != "__version__"}


def _imported(path: Path) -> Iterator[str]:
    """What a module imports; ``from lab import x`` is ``lab.x``, relative names keep their dots."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ([f"lab.{alias.name}" for alias in node.names] if module == "lab" else [module])
