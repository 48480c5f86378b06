"""The line that is being typed on a terminal, as Linux edits it (termios(3), N_TTY)."""

from __future__ import annotations

import re

_ENDS = frozenset(b"\n\r\x04")
"""LF, CR (ICRNL makes it LF), and ^D, which hands over what was typed so far."""

_FLUSHES = frozenset(b"\x03\x1c\x1a\x15")
"""^C, ^\\ and ^Z throw the line away with their signals; ^U erases it."""

_NOT_TYPED = frozenset(b"\x11\x13\x12")
"""^Q, ^S and ^R are for the terminal alone."""

_ERASE, _ERASE_WORD, _NEXT = 0x7F, 0x17, 0x16
_LAST_WORD = re.compile(rb"[0-9A-Za-z_\x80-\xff]*[^0-9A-Za-z_\x80-\xff]*\Z")
END_OF_INPUT = b"\x04"


class TypedLine:
    """Knows whether a line has been begun, unless the program has changed its terminal's settings."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._literal = False

    def type(self, data: bytes) -> None:
        """Take what was typed."""
        for byte in data:
            self._type(byte)

    def end_of_input(self) -> bytes:
        """What ends the input: behind half a line the first ^D only hands that over."""
        return END_OF_INPUT * (2 if self._line else 1)

    def _type(self, byte: int) -> None:
        if self._literal:
            self._literal = False
            self._line.append(byte)
        elif byte == _NEXT:
            self._literal = True
        elif byte in _ENDS or byte in _FLUSHES:
            self._line.clear()
        elif byte == _ERASE:
            del self._line[-1:]
        elif byte == _ERASE_WORD:
            self._line[:] = _LAST_WORD.sub(b"", self._line)
        elif byte not in _NOT_TYPED:
            self._line.append(byte)
