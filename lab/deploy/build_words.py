"""What compilers and linkers say of a build, with the names that a program's files have.

gcc hands the linker objects with names of its own below ``/tmp``, and debug information has whole paths.
"""

from __future__ import annotations

import re

_OBJECT = r"/tmp/cc\w{6}\.o"  # noqa: S108 - a name that is read
_IN_FUNCTION = r"(?: in function [^\n]{0,2000}\n(?:[\w./-]{0,40}ld: )?)?"
_NAMED = re.compile(rf"(?P<object>{_OBJECT}):{_IN_FUNCTION}(?P<source>[^\s:()]+):")
"""An object, and the source that the linker names with it, in the same line or the next."""

_WITH_SOURCE = re.compile(rf"{_OBJECT}:(?=[^\s:()]+:\d)")
_ALONE = re.compile(_OBJECT)
_UNKNOWN = "an object file"


def with_own_names(said: str, folder: str) -> str:
    """The text without the names that files have only while they are built in ``folder``."""
    said = said.replace(f"{folder}/", "")
    sources = {found["object"]: found["source"] for found in _NAMED.finditer(said)}
    said = _WITH_SOURCE.sub("", said)
    return _ALONE.sub(lambda found: sources.get(found[0], _UNKNOWN), said)
