"""Text from programs, made harmless: what a terminal would obey is shown instead."""

from __future__ import annotations

import unicodedata

_KEPT = "\n\t"
_HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Categories (Unicode, 4.5) that a terminal obeys or that show nothing: controls, formats, separators."""


def escape(text: str) -> str:
    r"""The text with every character visible that a terminal would act on; newline and tab stay.

    C0 controls become their pictures (U+001B is ``␛``), other controls, directional marks and unassigned
    characters ``\u202e``, and bytes that were no UTF-8 ``\xff``.
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def one_line(text: str) -> str:
    """As :func:`escape`, with newlines and tabs shown too."""
    return escape(text).replace("\n", "␊").replace("\t", "␉")


def _shown(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if code < 0xA0 or 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code & 0xFF:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
