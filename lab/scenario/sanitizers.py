"""Builds of C and C++ that tell mistakes of memory and of arithmetic while the program runs.

AddressSanitizer and UndefinedBehaviorSanitizer write it on the program's standard error (gcc's options
-fsanitize=address and -fsanitize=undefined).
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from lab.core.archive import Tree
from lab.scenario import Scenario
from lab.scenario.languages import C_ENDINGS, ending
from lab.scenario.programs import Recipe

_OPTIONS = "-fsanitize=address,undefined -fno-omit-frame-pointer -g"
_COMPILERS = "gcc g++ cc c++"
_AS_SHELL = (
    'own=${{PWD%/*}}/.compilers; mkdir -p "$own" && for one in {compilers}; do '
    'real=$(command -v "$one") || continue; '
    'printf \'#!/bin/sh\\nexec %s {options} "$@"\\n\' "$real" > "$own/$one"; '
    'chmod +x "$own/$one"; done; PATH=$own:$PATH; export PATH; {build}'
)
"""Each compiler is found as a script that adds the options: so it is with a Makefile and with CMake, too."""

_ENVIRONMENT = {
    # LeakSanitizer traces its process, which no program in a host may do.
    "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=8:exitcode=99:color=never",
    "UBSAN_OPTIONS": "halt_on_error=0:color=never",
}


def can_be_sanitized(tree: Tree) -> bool:
    """Whether there is C or C++ in it."""
    return any(ending(path) in C_ENDINGS for path, _ in tree.files)


def with_sanitizers(recipe: Recipe) -> Recipe:
    """The same program, built so that it tells its mistakes; unchanged where nothing of C or C++ is built."""
    if recipe.build is None or not can_be_sanitized(recipe.tree):
        return recipe
    build = _AS_SHELL.format(compilers=_COMPILERS, options=_OPTIONS, build=recipe.build)
    return replace(recipe, build=build)


def prepared_for_sanitizers(scenario: Scenario, names: Collection[str]) -> Scenario:
    """The scenario with what the sanitizers read in the environment of these programs."""
    programs = {
        name: program.model_copy(update={"env": {**_ENVIRONMENT, **program.env}})
        if name in names
        else program
        for name, program in scenario.programs.items()
    }
    return scenario.model_copy(update={"programs": programs})
