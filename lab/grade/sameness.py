"""Whether two submissions are the same but for comments, white space and names of files."""

from __future__ import annotations

import hashlib
import re

from lab.core.archive import Tree
from lab.scenario.languages import ending

_WITH_SLASHES = frozenset({".c", ".h", ".cpp", ".cc", ".cxx", ".hh", ".hpp", ".hxx", ".java", ".go", ".rs"})
_WITH_HASHES = frozenset({".py", ".sh"})
_TO_LINE_END = re.compile(rb"//[^\n]*")
_HASHES = re.compile(rb"(?m)(?:^|(?<=\s))#[^\n]*")
_BLANK = re.compile(rb"\s+")


def sameness(tree: Tree) -> str:
    """A hash of what matters in the sources; empty without any."""
    rests = (_rest(path, content) for path, content in tree.files)
    files = sorted(hashlib.sha256(rest).digest() for rest in rests if rest)
    return hashlib.sha256(b"".join(files)).hexdigest() if files else ""


def _rest(path: str, content: bytes) -> bytes:
    """A source without comments and white space, in a time that grows with its length alone."""
    kind = ending(path)
    if kind in _WITH_SLASHES:
        return _BLANK.sub(b"", _TO_LINE_END.sub(b"", _without_blocks(content)))
    return _BLANK.sub(b"", _HASHES.sub(b"", content)) if kind in _WITH_HASHES else b""


def _without_blocks(content: bytes) -> bytes:
    """Without ``/* ... */``."""
    kept, place = [], 0
    while (start := content.find(b"/*", place)) >= 0 and (end := content.find(b"*/", start + 2)) >= 0:
        kept.append(content[place:start])
        place = end + 2
    return b"".join((*kept, content[place:]))
