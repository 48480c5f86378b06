"""The sentences of everything that is said of a run: one file a subject, found by themselves.

Each module has ``SENTENCES``: a template for each key of a ``Message``, or where a template is not enough a
function that is given a ``Teller`` and the parameters. ``WORDS`` are tables that turn a value into words.
``lab.output.describe`` explains templates.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

Sentence = str | Callable[..., str]


@cache
def sentences() -> Mapping[str, Sentence]:
    """The sentences of all files, by their keys."""
    return {key: sentence for module in modules() for key, sentence in module.SENTENCES.items()}


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """The tables of all files, by their names."""
    return {name: table for module in modules() for name, table in getattr(module, "WORDS", {}).items()}


@cache
def modules() -> tuple[Any, ...]:
    """The files of sentences."""
    return tuple(import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
