"""A YAML document as a tree of which every piece knows its place.

Only what the scenario language needs is let through: one document, no anchors, aliases or tags, and no
deeper nesting than a scenario can use. YAML's own composer would follow aliases and recurse without bound.
"""

from __future__ import annotations

from collections.abc import Iterable

import yaml
from msgspec import Struct

from lab.core.errors import Problem, ScenarioError, SourceRef

MAX_DEPTH = 48
"""Collections within collections; a line within three nested blocks has 14."""


class Scalar(Struct, frozen=True):
    """Text; ``plain`` if it stands without quotes, so that YAML may read it as something else."""

    text: str
    plain: bool
    at: SourceRef


class Sequence(Struct, frozen=True):
    """A list."""

    items: tuple[Node, ...]
    at: SourceRef


class Mapping(Struct, frozen=True):
    """Keys with their values, in the order of the file, duplicates included."""

    pairs: tuple[tuple[Scalar, Node], ...]
    at: SourceRef

    @property
    def names(self) -> tuple[str, ...]:
        """The keys as text."""
        return tuple(key.text for key, _ in self.pairs)

    def get(self, key: str) -> Node | None:
        """The value of a key, or None."""
        return next((value for name, value in self.pairs if name.text == key), None)


Node = Scalar | Sequence | Mapping


def is_nothing(node: Node) -> bool:
    """Whether nothing is written there, not even quotes."""
    return isinstance(node, Scalar) and node.plain and node.text == ""


_Message = tuple[str, str, str]
"""A code, what is wrong, and how to mend it."""


def compose(events: Iterable[yaml.Event], file: str) -> Node | None:
    """The tree of the one document among the events, or None; ScenarioError for what the language lacks."""
    return _Composer(file).compose(events)


class _Composer:
    """Builds the tree with a stack of its own: the depth of a file is no depth of calls."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[tuple[SourceRef, bool, list[Node]]] = []
        self._documents = 0
        self._root: Node | None = None

    def compose(self, events: Iterable[yaml.Event]) -> Node | None:
        """Every event in turn; the first one that is refused ends it."""
        for event in events:
            fault = self._fault(event)
            if fault:
                code, what, fix = fault
                raise ScenarioError([Problem(code, what, _place(event, self._file), fix)])
            self._take(event)
        return self._root

    def _fault(self, event: yaml.Event) -> _Message | None:
        if isinstance(event, yaml.DocumentStartEvent) and self._documents:
            return "several-documents", "a second YAML document begins here", "take away the line `---`"
        if not isinstance(event, yaml.NodeEvent):
            return None
        if self._key_is_next() and isinstance(event, yaml.CollectionStartEvent):
            return "yaml-key", "a list or a mapping stands where a key is meant", "put text in quotes"
        if len(self._open) == MAX_DEPTH and isinstance(event, yaml.CollectionStartEvent):
            return "too-deep", f"lists and mappings are nested more than {MAX_DEPTH} deep", "nest less"
        return _extra_fault(event)

    def _key_is_next(self) -> bool:
        if not self._open:
            return False
        _, is_mapping, parts = self._open[-1]
        return is_mapping and len(parts) % 2 == 0

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
            case yaml.ScalarEvent():
                self._add(Scalar(event.value, event.implicit[0], _place(event, self._file)))
            case yaml.CollectionStartEvent():
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self._open.append((_place(event, self._file), is_mapping, []))
            case yaml.CollectionEndEvent():
                self._add(_closed(*self._open.pop()))

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1][2].append(node)
        else:
            self._root = node


def _extra_fault(event: yaml.NodeEvent) -> _Message | None:
    """YAML's own machinery, which a scenario has no use for."""
    if isinstance(event, yaml.AliasEvent):
        return (
            "yaml-alias",
            f"`*{event.anchor}` is a YAML alias",
            "write it out, or in quotes if text is meant",
        )
    if event.anchor is not None:
        return "yaml-anchor", f"`&{event.anchor}` is a YAML anchor", "take it away, or put text in quotes"
    tag = getattr(event, "tag", None)
    if tag is not None:
        tag = tag.replace("tag:yaml.org,2002:", "!!")
        return "yaml-tag", f"`{tag}` is a YAML tag", "take it away: the language gives every value its type"
    return None


def _closed(at: SourceRef, is_mapping: bool, parts: list[Node]) -> Node:
    if not is_mapping:
        return Sequence(tuple(parts), at)
    keys = (part for part in parts[::2] if isinstance(part, Scalar))
    return Mapping(tuple(zip(keys, parts[1::2], strict=True)), at)


def _place(event: yaml.Event, file: str) -> SourceRef:
    mark = event.start_mark
    return SourceRef(file, mark.line + 1, mark.column + 1) if mark else SourceRef(file, 1, 1)
