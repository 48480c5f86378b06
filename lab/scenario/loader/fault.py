"""One thing that the models refuse, with all that a message about it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lab.core.errors import SourceRef
from lab.scenario.base import Model
from lab.scenario.loader.place import Found, Path, find
from lab.scenario.loader.plain import kind_of, quoted
from lab.scenario.loader.shape import shape_at
from lab.scenario.loader.tree import Mapping, Node, Scalar, Sequence
from lab.scenario.loader.wording import label, subject_in, whose

Message = tuple[str, str, str]
"""A code, what is wrong, and how to mend it."""

_LONGEST_SHOWN = 60


class Fault(Struct, frozen=True):
    """Pydantic's account of a fault (its kind, its place, its context), and where that is in the file.

    ``shape`` is the type that is wanted there; for a missing or unknown key, of the mapping it belongs to.
    """

    kind: str
    loc: Path
    context: dict[str, Any]
    tree: Node
    found: Found
    shape: Any
    root: type[Model]

    @property
    def about_key(self) -> bool:
        """Whether the key is at fault, not what stands under it."""
        return self.kind == "extra_forbidden" or self.loc[-1:] == ("[key]",)

    @property
    def at(self) -> SourceRef:
        """Its place in the file."""
        return self.found.key.at if self.about_key and self.found.key else self.found.node.at

    @property
    def path(self) -> Path:
        """Its place in the normal form, as far as the file has it."""
        return self.found.path

    @property
    def key(self) -> str:
        """The key that is missing, unknown or badly named."""
        return str(self.loc[-2] if self.loc[-1] == "[key]" else self.loc[-1])

    @property
    def text(self) -> str:
        """The text that stands there, or nothing."""
        return self.found.node.text if isinstance(self.found.node, Scalar) else ""

    @property
    def beside(self) -> Node:
        """The mapping or list that it stands in."""
        return find(self.tree, self.path[:-1]).node

    @property
    def whose(self) -> str:
        """The part of the file it belongs to: ``step 4``."""
        path = self.path[:-1] if self.about_key else self.path
        return whose(path, subject_in(self.tree, self.path), f"the {self.root.called}")

    @property
    def subject(self) -> str:
        """That part and the key within it: ``step 4: "within"``."""
        name = label(self.path)
        return f"{self.whose}: {name}" if len(self.path) > 1 and name != self.whose else name

    @property
    def written(self) -> str:
        """What stands there."""
        if isinstance(self.found.node, Scalar):
            shown = self.text if len(self.text) <= _LONGEST_SHOWN else self.text[:_LONGEST_SHOWN] + "…"
            return quoted(shown) if kind_of(self.found.node) == "str" else shown
        return "a list" if isinstance(self.found.node, Sequence) else "a mapping"


def faults_of(error: ValidationError, tree: Node, root: type[Model]) -> Iterator[Fault]:
    """Every fault of a refused file, save those that only repeat others; ``root`` is the model of it."""
    for details in error.errors(include_url=False, include_input=False):
        fault = _fault(details, tree, root)
        if not _repeats(fault):
            yield fault


def _fault(details: ErrorDetails, tree: Node, root: type[Model]) -> Fault:
    kind, loc = details["type"], details["loc"]
    above = kind in ("missing", "extra_forbidden") or loc[-1:] == ("[key]",)
    shape = shape_at(loc[:-1] if above else loc, root)
    return Fault(kind, loc, details.get("ctx", {}), tree, find(tree, loc), shape, root)


def _repeats(fault: Fault) -> bool:
    """A list whose items are all refused is empty to the models."""
    node = fault.found.node
    return (
        fault.kind == "too_short"
        and isinstance(node, Sequence)
        and len(node.items) >= fault.context.get("min_length", 0)
    )


def actor_of(line: Node) -> str:
    """Who acts in a line of the script, or nothing."""
    actor = line.get("actor") if isinstance(line, Mapping) else None
    return actor.text if isinstance(actor, Scalar) else ""
