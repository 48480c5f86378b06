"""The streams of the process: answers on standard output, everything else on standard error."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO
from urllib.parse import unquote

from lab.core.errors import LabError
from lab.core.escape import escape, inert, inert_json, one_line, unicode_json
from lab.output.style import Ink, Style, cut

if TYPE_CHECKING:
    from lab.cli.documents import Document

_ID = re.compile(r"\b[0-9a-f]{64}\b")


class Screen:
    """Where a command speaks: ``style`` is how its answer looks, ``aside`` how all else does.

    ``live`` says that somebody watches what goes on. A reader of standard output that goes away
    (``| head``) is no error: the rest is not written, and the command ends with its own exit code.
    """

    def __init__(self, out: TextIO, err: TextIO, *, json: bool, verbose: bool, width: int) -> None:
        self.json = json
        self.verbose = verbose
        self.style = _style(out, width)
        self.aside = _style(err, width)
        self._out: TextIO | None = out
        self._err = err
        self.live = verbose or err.isatty()

    @classmethod
    def of_this_process(cls, *, json: bool = False, verbose: bool = False) -> Self:
        """The screen on this process's streams; characters they cannot write are shown by number."""
        width = shutil.get_terminal_size().columns
        return cls(_tolerant(sys.stdout), _tolerant(sys.stderr), json=json, verbose=verbose, width=width)

    @property
    def unread(self) -> bool:
        """Whether nobody reads standard output any more."""
        return self._out is None

    def show(self, lines: Iterable[str]) -> None:
        """Lines of the answer for people; nothing where a program reads."""
        if not self.json:
            for line in lines:
                self._write(inert(line))

    def answer(self, document: Document) -> None:
        """The answer for programs: one JSON document; nothing where a person reads."""
        if self.json:
            from lab.cli.documents import as_text

            self.document([as_text(document)])

    def document(self, parts: Iterable[str]) -> None:
        """A JSON document of the answer, whoever reads. No part ends within a text."""
        for part in parts:
            self._write(inert_json(unicode_json(part)), end="")
        self._write("")

    def say(self, text: str) -> None:
        """Progress in words."""
        line = one_line(text.rstrip())
        if not self.verbose:
            line = cut(line, self.aside.width)
        self.tell(self.aside.paint(line, Ink.FAINT))

    def gap(self) -> None:
        """A blank line between what went on and the answer, where somebody watches."""
        if self.live and not self.json:
            self.tell("")

    def trace(self, text: str) -> None:
        """A call of the engine; for ``-v``. Ids are shortened as the engine's own tools do."""
        short = _ID.sub(lambda found: found[0][:12], unquote(text))
        self.tell(self.aside.paint(f"engine: {one_line(short)}", Ink.FAINT))

    def warn(self, text: str) -> None:
        """Something a person should know that changes nothing."""
        for line in self.aside.paragraph(text, indent=9, label="warning:", label_ink=Ink.UNSURE):
            self.tell(line)

    def problem(self, error: LabError) -> None:
        """What is wrong, in words."""
        for text in escape(str(error)).split("\n"):
            self.tell(self.aside.paint(text, Ink.BAD) if text.startswith("error[") else text)

    def complain(self, error: LabError) -> None:
        """What ended the command, in words, and for programs as JSON too."""
        self.problem(error)
        if not self.json:
            return
        from lab.cli.documents import ErrorDocument, Failure

        with suppress(LabError):  # that the answer cannot be written is the lesser trouble
            self.answer(Failure(error=ErrorDocument.of(error), exit=error.exit_code))

    def tell(self, text: str) -> None:
        """A line that is no part of the answer."""
        try:
            print(inert(text), file=self._err, flush=True)
        except OSError:  # nobody can be told that nobody can be told
            return

    def _write(self, text: str, end: str = "\n") -> None:
        if self._out is None:
            return
        try:
            print(text, file=self._out, end=end, flush=bool(end))
        except OSError as error:
            self._out = None
            # What the stream still holds would raise again when the interpreter closes it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):
                raise LabError("output", f"cannot write the answer: {error.strerror}") from error


def _tolerant(stream: TextIO | None) -> TextIO:
    """A stream that writes whatever it is given; one that was closed before we came swallows it."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream if stream is not None else Path(os.devnull).open("w", encoding="utf-8")


def _style(stream: TextIO, width: int) -> Style:
    """What a stream can show. NO_COLOR (no-color.org) and TERM=dumb are respected."""
    colour = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = (stream.encoding or "").lower().replace("-", "")
    return Style(width=max(width, 20), colour=colour, unicode=encoding.startswith("utf"))
