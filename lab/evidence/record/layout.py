"""The files of a record, and what the events in them are called."""

from __future__ import annotations

from typing import Any, get_args

from lab.evidence.situation import SituationEvent
from lab.evidence.transcript import TranscriptEvent

SCENARIO = "scenario.json"
TRANSCRIPT = "transcript.jsonl"
SOCKETS = "sockets.jsonl"
DATAGRAMS = "datagrams.jsonl"
PROCESSES = "processes.jsonl"
SITUATION = "situation.jsonl"
FILES = "files.jsonl"
RUN = "run.json"
VERDICT = "verdict.json"
BY_HAND = "by-hand.pcap"
"""What was sent in a lab that stayed up, after the script: no evidence, and not always there."""

END = "end"
"""The key of a closing line: how many lines are before it."""

_WORDS = {"StepEnded": "step_ended", "OutOfMemory": "out_of_memory"}


def _named(kinds: object) -> dict[str, Any]:
    return {_WORDS.get(kind.__name__, kind.__name__.lower()): kind for kind in get_args(kinds)}


EVENTS: dict[str, type[TranscriptEvent]] = _named(TranscriptEvent)
"""The kinds of events of a transcript by the name they have in a record."""
SITUATION_EVENTS: dict[str, type[SituationEvent]] = _named(SituationEvent)
"""Those of what surrounded a failure."""
EVENT_NAMES: dict[type, str] = {kind: name for name, kind in {**EVENTS, **SITUATION_EVENTS}.items()}

ENTRIES = ("rows", "gone")
"""The keys of a sample under which there may be very many entries; alone in a line, they go on."""


def weight_of(entry: Any) -> int:
    """How many entries one counts for (lab.core.limits.ROWS): itself, and what it has several of."""
    values = entry.values() if type(entry) is dict else ()
    return 1 + sum(len(value) for value in values if isinstance(value, list | tuple))
