"""Events of a transcript in one line, except for text and steps."""

from __future__ import annotations

from lab.agent.protocol import MOST_HEARD
from lab.core.words import describe_status
from lab.evidence.transcript import Dropped, Exited, InputEnded, Opened, Started

TOO_MUCH = {"too-much": f"more than {MOST_HEARD} bytes came"}
_ENDS = {"closed": "the other end closed", "reset": "the other end sent RST", **TOO_MUCH}


def told(event: Started | Opened | Dropped | InputEnded | Exited) -> str:
    """What was started or opened, or what has ended."""
    match event:
        case Started():
            return event.command
        case Opened() if event.how == "listen":
            return f"listen on port {event.to}"
        case Opened():
            own = f"port {event.ports[0]}" if len(event.ports) == 1 else f"{len(event.ports)} ports"
            return f"{event.how} {event.to} ({own})"
        case Dropped():
            return f"output beyond {event.limit} bytes is not kept"
        case InputEnded():
            return _ENDS.get(event.how, event.how)
        case Exited():
            return describe_status(event.status)
