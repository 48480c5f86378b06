"""Pieces of sentences that the messages share."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from lab.core.escape import one_line
from lab.scenario.checks import CheckBase
from lab.scenario.loader.place import Path, find, step_number
from lab.scenario.loader.plain import quoted
from lab.scenario.loader.tree import Mapping, Node

_SHOWN = 20
CAST = {"hosts": "host", "networks": "network", "programs": "program"}


_LONGEST = 500


def shown(text: str) -> str:
    """A text for a terminal: cut if it is very long, and with what would steer the terminal made visible."""
    return one_line(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def listed(words: Iterable[object]) -> str:
    """``a, b, c``, cut short when there are very many."""
    texts = [str(word) for word in words]
    return ", ".join(texts[:_SHOWN] + (["…"] if len(texts) > _SHOWN else []))


def did_you_mean(word: str, options: Iterable[object], label: str) -> str:
    """The nearest option, if one is near, and what there is to choose from."""
    texts = [str(option) for option in options]
    if not texts:
        return f"there are no {label}"
    near = get_close_matches(word[:80], texts, 1)
    choice = f"{label}: {listed(texts)}"
    return f"did you mean {quoted(near[0])}? ({choice})" if near else choice


def whose(path: Path, subject: str = "", whole: str = "the scenario") -> str:
    """What a path leads to or through, as a person calls it: ``host "a"``, ``step 4``, ``check 2 (exit)``."""
    match path:
        case ("hosts" | "networks" | "programs" as cast, str(name), *_):
            return f"{CAST[cast]} {quoted(name)}"
        case ("steps" | "finally", int(), *_):
            return f"step {step_number(path)}"
        case ("checks", int(position), *_):
            return f"check {position + 1} ({subject})" if subject else f"check {position + 1}"
        case ("scenarios", int(position), *_):
            return f"scenario {position + 1}"
        case (str(section), *_):
            return f'"{section}"'
    return whole


def subject_in(tree: Node, path: Path) -> str:
    """The subject of the check that a path leads to or through, or nothing."""
    found = find(tree, path[:2]).node if path[:1] == ("checks",) else None
    return (
        next((key for key in found.names if key in CheckBase.family), "")
        if isinstance(found, Mapping)
        else ""
    )


def label(path: Path) -> str:
    """The last key of a path in quotes: what a person wrote before the colon."""
    keys = [part for part in path if isinstance(part, str)]
    return quoted(keys[-1]) if keys else "the file"
