"""What sanitizers tell of a student's program: the first line of each report and its place in the source.

A program may print such lines itself. They are advice: no points depend on them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from lab.core.escape import one_line
from lab.evidence.transcript import Output, Transcript
from lab.grade.result import Advice

MOST = 5
"""Reports of one run that are told; a program may make very many."""

_LONGEST = 300
_ADDRESS = re.compile(r"ERROR: AddressSanitizer: (?P<what>[^\n]{1,400})")
_FRAME = re.compile(
    r"^\s*#\d+ 0x[0-9a-f]+ in (?P<function>[^\n]{1,200}?) (?P<place>[^\s:]{1,200}:\d+)", re.MULTILINE
)
_UNDEFINED = re.compile(
    r"^(?P<place>[^\s:]{1,200}:\d+):\d+: runtime error: (?P<what>[^\n]{1,400})", re.MULTILINE
)
_WHERE = re.compile(r"(?: on (?:unknown )?address .*| \(pc .*)$")
_IN_MEMORY = re.compile(r"address 0x[0-9a-f]+")
"""Addresses in memory differ in each run, and help nobody."""


def advice_of(transcript: Transcript, programs: Collection[str]) -> tuple[Advice, ...]:
    """The first reports in what these programs printed, each once."""
    printed: dict[tuple[str, str], list[str]] = {}
    for event in transcript.events:
        if isinstance(event, Output) and event.program.partition("#")[0] in programs:
            printed.setdefault((event.host, event.program), []).append(event.text)
    found = (one for texts in printed.values() for one in _reports("".join(texts)))
    return tuple(dict.fromkeys(found))[:MOST]


def _reports(text: str) -> Iterator[Advice]:
    text = text.replace("\r\n", "\n")
    for match in _UNDEFINED.finditer(text):
        yield Advice(_cut(_IN_MEMORY.sub("an address", match["what"])), _place(match["place"]))
    for match in _ADDRESS.finditer(text):
        frames = _FRAME.finditer(text, match.end())
        own = next((frame for frame in frames if not _is_of_library(frame["place"])), None)
        place = f"{_place(own['place'])} in {own['function']}" if own else ""
        yield Advice(_cut(_WHERE.sub("", match["what"])), _cut(place))


def _is_of_library(place: str) -> bool:
    """Whether a frame lies in the sanitizer or in a library of the system."""
    return place.startswith(("../", "/usr/", "/build/"))


def _place(place: str) -> str:
    """The file as the student calls it: without the folder in which it was built."""
    return _cut(re.sub(r"^/work/[^/]+/|^\./", "", place))


def _cut(text: str) -> str:
    return one_line(text.strip())[:_LONGEST]
