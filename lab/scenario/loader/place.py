"""From a place in the normal form to its place in the file, and to words."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from lab.scenario.loader.tree import Mapping, Node, Scalar, Sequence

Path = tuple[str | int, ...]
"""Keys and positions from the top of the normal form: ``("steps", 3, "action", "expect", "text")``."""


class Found(Struct, frozen=True):
    """The deepest node on a path, the key it stands under and how much of the path led there."""

    node: Node
    key: Scalar | None
    path: Path


def find(tree: Node, path: Iterable[str | int]) -> Found:
    """Follow a path as far as it goes, past names that are no keys, such as the forms of a union."""
    found = Found(tree, None, ())
    for part in path:
        found = _below(found, part) or found
    return found


def _below(found: Found, part: str | int) -> Found | None:
    node, path = found.node, (*found.path, part)
    if isinstance(node, Mapping):
        return next((Found(value, key, path) for key, value in node.pairs if key.text == part), None)
    if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
        return Found(node.items[part], None, path)
    return None


def step_number(path: Path) -> str:
    """The number of the step on a path, as the transcript counts: "4", "4.2.1", "5.1", "finally.1"."""
    blocks = path[: path.index("action")] if "action" in path else path
    number = ["finally"] if path[0] == "finally" else []
    return ".".join(number + [str(part + 1) for part in blocks if isinstance(part, int)])


def step_words(path: Path) -> str:
    """``step 4``, for a path to or through a step."""
    return f"step {step_number(path)}"
