"""A table (CSV, RFC 4180) in which some cells are filled in and all else stays as it is, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from lab.core.errors import UsageError
from lab.core.files import opened

_LARGEST = 16 * 1024**2
"""Bytes of a table."""

_DELIMITERS = ",;\t"
_BOM = "\ufeff"


class Table(Struct, frozen=True):
    """The cells of a table as they are written, quotes and all, with the end of each line."""

    file: Path
    bom: str
    delimiter: str
    lines: tuple[tuple[str, ...], ...]
    ends: tuple[str, ...]

    def column(self, name: str) -> int | None:
        """The place of a column, by what stands in the first line."""
        return next((place for place, head in enumerate(self.heads) if head == name), None)

    @property
    def heads(self) -> list[str]:
        """What the columns are called."""
        return [value(cell).strip() for cell in self.lines[0]]

    def cell(self, line: int, column: int | None) -> str:
        """What a cell says; nothing where the line has no such cell."""
        cells = self.lines[line]
        return value(cells[column]) if column is not None and column < len(cells) else ""

    def filled(self, cells: Mapping[tuple[int, int], str]) -> str:
        """The whole text with other cells at some places (line, column). They hold nothing to quote."""
        return self.bom + "".join(
            self.delimiter.join(cells.get((number, place), cell) for place, cell in enumerate(line)) + end
            for number, (line, end) in enumerate(zip(self.lines, self.ends, strict=True))
        )


def value(cell: str) -> str:
    """What a cell says, without its quotes."""
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def read_table(file: Path, option: str, needed: Sequence[str]) -> Table:
    """The table in a file, which must have these columns. UsageError."""
    try:
        with opened(file) as stream:
            data = stream.read(_LARGEST + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise refusal(file, option, f"it cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise refusal(file, option, "it is not UTF-8") from error
    if len(data) > _LARGEST:
        raise refusal(file, option, f"it is larger than {_LARGEST // 1024**2} MiB")
    bom, text = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    refusals = []
    for delimiter in _DELIMITERS:
        try:
            return _table(file, option, (bom, delimiter, text), needed)
        except UsageError as error:
            refusals.append(error)
    raise refusals[0]


def _table(file: Path, option: str, parts: tuple[str, str, str], needed: Sequence[str]) -> Table:
    """The table in a text, by one delimiter. UsageError."""
    bom, delimiter, text = parts
    lines = list(_lines(text, delimiter, file, option))
    table = Table(file, bom, delimiter, tuple(one for one, _ in lines), tuple(end for _, end in lines))
    missing = [name for name in needed if not lines or table.column(name) is None]
    if missing:
        raise refusal(file, option, f"it has no column {' and no column '.join(missing)}")
    return table


def refusal(file: Path, option: str, why: str) -> UsageError:
    """Why a table cannot be filled in."""
    fix = "give the file as it was downloaded, with the page in English"
    return UsageError("sheet", f"the sheet cannot be filled in: {why}", where=f"{option} {file}", fix=fix)


def _lines(text: str, delimiter: str, file: Path, option: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The cells of each line, and how it ends."""
    piece = re.compile(rf'("(?:[^"]|"")*"|(?!")[^{delimiter}\r\n]*)({delimiter}|\r\n|\n|\r|\Z)')
    cells: list[str] = []
    place = number = 0
    while place < len(text) or cells:
        found = piece.match(text, place)
        if found is None:
            raise refusal(file, option, f"line {number + 1}: a quoted cell does not end where it should")
        cells.append(found[1])
        place = found.end()
        if found[2] != delimiter:
            yield tuple(cells), found[2]
            number, cells = number + 1, []
