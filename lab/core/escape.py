"""Text from programs, made harmless: what a terminal or a CI runner would obey is shown instead.

Runners read commands in what a job prints: ``::error`` and the like at the start of a line, also behind white
space (GitHub), ``##[`` and ``##vso[`` (Azure Pipelines, GitHub) and ``##teamcity[`` anywhere. Every line that
a command prints passes :func:`inert`, or :func:`inert_json` where a program reads it.
"""

from __future__ import annotations

import re
import unicodedata

_KEPT = "\n\t"
_HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Categories (Unicode, 4.5) that a terminal obeys or that show nothing: controls, formats, separators."""


_IN_LINE = re.compile(r"##(?=\w*\[)")
_AT_START = re.compile(r"^((?:[^\S\n]|\x1b\[[0-9;]*m)*):(?=:)", re.MULTILINE)
"""A colour before the command is no text to those who take colours away first."""


def inert(lines: str) -> str:
    r"""Lines as they are printed, without a command for a CI runner: ``\x3a:error``, ``#\x23[error]``."""
    if "::" in lines:
        lines = _AT_START.sub(r"\1\\x3a", lines)
    return _IN_LINE.sub(r"#\\x23", lines) if "##" in lines else lines


def inert_json(document: str) -> str:
    r"""A JSON document of the same value without a command for a CI runner: ``#\u0023[error]``.

    No line of a document begins with a colon, and ``##`` stands only within its texts.
    """
    return _IN_LINE.sub(r"#\\u0023", document) if "##" in document else document


def unicode_json(document: str) -> str:
    r"""A JSON document in ASCII, as Python writes it, with lone surrogates shown as ``\xff`` or ``\ud800``.

    Many readers refuse such a surrogate or take something else for it. Python has one in a text for each byte
    that is no UTF-8 (surrogateescape).
    """
    return _ESCAPE.sub(_without_surrogate, document) if "\\ud" in document else document


_ESCAPE = re.compile(r"\\(?:u(d[89ab]..)\\u(d[c-f]..)|u(d[89a-f])(..)|.)")
"""An escape in JSON: a pair of surrogates, a lone one, or any other."""


def _without_surrogate(found: re.Match[str]) -> str:
    if found[3] is None:
        return found[0]
    byte = found[3] == "dc" and found[4] >= "80"
    return f"\\\\x{found[4]}" if byte else f"\\{found[0]}"


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
