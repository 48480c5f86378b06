"""Text that programs printed, in quotes."""

from __future__ import annotations

import re

_BYTE = re.compile(r"\\(?:udc([89a-f][0-9a-f])|.)", re.DOTALL)


def quoted(text: str) -> str:
    r"""A text in quotes, as Python writes it, and a byte that is no UTF-8 as ``\xff``."""
    return _BYTE.sub(lambda found: f"\\x{found[1]}" if found[1] else found[0], repr(text))
