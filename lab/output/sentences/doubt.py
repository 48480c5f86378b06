"""What the evidence may lack."""

from __future__ import annotations

from lab.output.describe import Teller, counted

_LOST = {
    "sockets": "the sockets{whose} could not be looked at {times}",
    "datagrams": "the UDP sockets{whose} could not be looked at {times}",
    "counters": "the TCP counters{whose} could not be read {times}",
    "processes": "the processes{whose} could not be looked at {times}",
    "ends": "ends of processes{whose} were missed {times}",
    "capture": "the size of the captures could not be watched {times}",
    "hold": "segments{whose} could not be passed on {times}",
    "peers": "what came for the script{whose} was not heard {times}",
    "events": "the sidecar told {times} of what is not known here",
}


_REASONS = {
    "too-many-ends": "signals ended more than {limit} of them",
    "too-many-dying": "more than {limit} processes were ending at once",
    "ends-unheard": "processes ended faster than that was heard",
    "too-many-processes": "there are more than {limit}",
    "too-many-at-once": "there were more than {limit} processes at once",
    "too-many-descriptors": "they hold more than {limit} descriptors",
    "too-many-held": "there were more than {limit}",
    "too-many-samples": "the samples held too many {instrument}",
}
"""Why an instrument failed, except for errors, which are told as they are."""


def _lost(_: Teller, instrument: str, host: str, count: int, why: str, limit: int) -> str:
    lost = _LOST[instrument].format(whose=f" of {host}" if host else "", times=counted(count, "time"))
    reason = _REASONS[why].format(limit=limit, instrument=instrument) if why in _REASONS else why
    return f"{lost}: {reason}"


def _forged(_: Teller, host: str, frames: int, owner: str, address: str, first: int) -> str:
    which = f", frame {first} the first" if frames > 1 else f" (frame {first})"
    return f"{host} forged {counted(frames, 'frame')} in the name of {owner or 'nobody'} ({address}){which}"


def _some_open(_: Teller, open: int, of: int, first: int, last: int) -> str:  # noqa: A002 - as it is said
    which = f"number {first}" if open == 1 else f"between number {first} and {last}"
    were = "was" if open == 1 else "were"
    return f"while {open} of the {counted(of, 'connection')} {were} open ({which})"


def _wire_and_kernel(teller: Teller, host: str, shown: str | None, at: int, state: str) -> str:
    kernel = f"the kernel of {host} shows {shown or 'no such socket'} at {teller.when(at)}"
    return f"{kernel}, the frames say {state}: wire and kernel disagree"


SENTENCES = {
    # of a capture
    "capture-full": "the capture ended when its file had reached the largest size",
    "no-closing-counts": "tcpdump gave no closing counts",
    "frames-dropped": "the kernel dropped {frames} frames before tcpdump read them",
    "no-closing-frame": "the closing sentinel frame is not in the capture",
    "loopback-not-captured": "the loopback of {host} was not captured (capture: lo)",
    "no-capture": "there is no capture",
    "frames-lost": "{why}[, {meanwhile}]",
    "none-open": "while none of the connections was open",
    "some-open": _some_open,
    # of a connection
    "was-under-way": "the connection was under way when the capture began",
    "frame-at-one-port": "frame {frame} was seen at one port of the switch only[ (and {others} more)]",
    "gaps": "the capture lacks segments of the connection in {places} {places:place|places}",
    "forged": _forged,
    "counts-for-nobody": "{what}: it counts for nobody else",
    # of looks
    "never-sampled": "the sockets of {host} were never sampled",
    "not-looked-at": "for {gap:span} the sockets were not looked at",
    "lost": _lost,
    # wire and kernel
    "wire-and-kernel": _wire_and_kernel,
    "disagreement": "{end} (peer {peer}): {what}",
}
