"""The files of a record and how large each may be."""

from __future__ import annotations

from typing import get_args

from lab.transcript import TranscriptEvent

SCENARIO = "scenario.json"
TRANSCRIPT = "transcript.jsonl"
SOCKETS = "sockets.jsonl"
PROCESSES = "processes.jsonl"
RUN = "run.json"
VERDICT = "verdict.json"

MIB = 1024 * 1024
LARGEST_DOCUMENT = 8 * MIB
LARGEST_LINES = 256 * MIB
LARGEST_LINE = 4 * MIB
LARGEST_CAPTURE = 2048 * MIB

END = "end"
"""The key of a closing line: how many lines are before it."""

_WORDS = {"StepEnded": "step_ended"}
EVENTS: dict[str, type[TranscriptEvent]] = {
    _WORDS.get(kind.__name__, kind.__name__.lower()): kind for kind in get_args(TranscriptEvent)
}
"""The kinds of events by the name they have in a record."""
EVENT_NAMES = {kind: name for name, kind in EVENTS.items()}
