"""Reading files that anybody may have made: bounded, regular, and nothing but JSON's own types."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from lab.core import files, limits
from lab.core.errors import EvidenceError
from lab.evidence.record.layout import END

_MOST_DIGITS, _LARGEST = 20, 2**63

_FIX = "take the record as the run wrote it, or run the scenario again"


def damaged(path: Path, what: str, line: int = 0) -> EvidenceError:
    """The error for a file of a record that cannot be used."""
    where = f"{path}:{line}" if line else str(path)
    return EvidenceError("damaged-record", what, where=where, fix=_FIX)


def opened(path: Path, largest: int) -> BinaryIO:
    """A regular file of at most ``largest`` bytes, open for reading. EvidenceError for anything else."""
    try:
        file = files.opened(path, follow=False)
    except files.IrregularError as error:
        raise damaged(path, "it is no regular file") from error
    except OSError as error:
        raise damaged(path, f"the record lacks this file: {error.strerror}") from error
    if os.fstat(file.fileno()).st_size > largest:
        file.close()
        raise damaged(path, f"it is larger than {largest // limits.MIB} MiB")
    return file


def document(path: Path) -> Any:
    """The one JSON document in a file. EvidenceError if there is none."""
    with opened(path, limits.DOCUMENT) as file:
        return _parsed(file.read(limits.DOCUMENT), path)


class Lines:
    """The JSON objects in the lines of a file, each with its line number; read once.

    Afterwards ``closing`` is the closing line. EvidenceError where a line cannot be read, and at the end if
    the closing line is missing or tells another number.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closing: dict[str, Any] = {}

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        number = 0
        with opened(self.path, limits.LINES) as file:
            while text := file.readline(limits.LINE):
                number += 1
                data = self._object(text, number)
                if END in data:
                    self.closing = data
                else:
                    yield number, data
        if self.closing.get(END) != number - 1:
            raise damaged(self.path, "the file is cut short: its closing line is not there", number)

    def _object(self, text: bytes, number: int) -> dict[str, Any]:
        if not text.endswith(b"\n"):
            raise damaged(self.path, "the line is not complete", number)
        data = _parsed(text, self.path, number)
        if not isinstance(data, dict) or self.closing:
            raise damaged(self.path, "this line does not belong here", number)
        return data


def _parsed(text: bytes, path: Path, line: int = 0) -> Any:
    try:
        found = json.loads(
            text.decode("utf-8"), parse_constant=_refuse, parse_int=_whole, object_pairs_hook=_object
        )
        if b"\\ud" in text.lower():
            json.dumps(found, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise damaged(path, "this is no JSON: a lone surrogate in a text", line) from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"this is no JSON: {str(error) or 'too deep'}", line) from error
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; json.loads would take the last of two values for one key, other readers the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _whole(digits: str) -> int:
    """A whole number. No time or count of a record needs more bits, and some readers take no more."""
    if len(digits) > _MOST_DIGITS or not -_LARGEST < int(digits) < _LARGEST:
        raise ValueError("a whole number has more than 63 bits")
    return int(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
