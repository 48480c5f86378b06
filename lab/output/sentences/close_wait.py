"""CLOSE_WAIT: how long it lasted, what ended it, and why it lasted."""

from __future__ import annotations

from lab.output.describe import Teller

_BLAME = {
    "not_accepted": "no program ever accepted the connection",
    "unread_data": "data was never read, nor the end after it",
    "eof_not_read": "its program has not read the end of the input (recv giving 0)",
    "not_closed": "its program has read the whole input and not closed",
    "": "nobody is to blame",
}


def _blame(_: Teller, blame: str, unread: int) -> str:
    return f"{unread} bytes were never read, nor the end after them" if unread else _BLAME[blame]


WORDS = {
    "blame": _BLAME,
    "end-read": {
        "read": "recv gave 0",
        "unread": "the end was not read",
        "unknown": "nothing was left to be read",
    },
}

SENTENCES = {
    "each-close-wait-known": "each CLOSE_WAIT of {host} is known",
    "through-close-wait": "{host} goes through CLOSE_WAIT[ after the FIN of {peer}]",
    "not-in-close-wait": "{host} never is in CLOSE_WAIT[ after the FIN of {peer}]",
    "never-in-close-wait": "{host} never was in CLOSE_WAIT[ after the FIN of {peer}]",
    "close-wait-stay": "{host} (peer {peer}) {how}[: {blame}][; {holders}]",
    "never-left-close-wait": "never left CLOSE_WAIT, {dwell:span} when the run ended",
    "not-seen-to-leave-close-wait": "was not seen to leave CLOSE_WAIT, {dwell:span} when the run ended",
    "never-closed-in-close-wait": "never closed: CLOSE_WAIT lasted {dwell:span}, until {end}",
    "was-in-close-wait": "was in CLOSE_WAIT for {dwell:span}, until {end}",
    "own-fin": "its own FIN[, sent {ended}]",
    "an-rst": "an RST[, sent {ended}]",
    "what-ended-close-wait": "what ended CLOSE_WAIT",
    "close-wait-begins": "FIN from {peer} reaches {host}: CLOSE_WAIT begins",
    "close-wait-ends-by-fin": "FIN from {host}: CLOSE_WAIT ends",
    "close-wait-ends-by-rst": "RST: CLOSE_WAIT of {host} ends",
    "kernel-shows-close-wait": (
        "the kernel of {host} shows CLOSE_WAIT at looks from {time:when} to {last:when}"
    ),
    "close-wait-lasts": "CLOSE_WAIT lasts {bounds}",
    "run-ended-too-soon": "the run ended too soon to tell",
    "program-ended-too-soon": "its program ended too soon to tell",
    "fin-ends-close-wait": "the FIN of {host} ends CLOSE_WAIT",
    "stays-in-close-wait": "{host} stays in CLOSE_WAIT",
    "blame": _blame,
    "with-blame": "{stay}: {blame:blame}",
    "close-wait-lasts-for": "CLOSE_WAIT lasts because {blame:blame}",
    "reads-end": "{host} reads the end of the input",
    "never-reads-end": "{host} never reads the end of the input",
    "end-read": "{read:end-read}; {stay}",
    "end-taken-along": (
        "the end may have been taken along with the data right before it "
        "(a step `quiet: 100ms` between the last data and the close would tell)"
    ),
    "close-wait-too-short": "CLOSE_WAIT was too short to be sampled",
    "end-not-sampled": "what was read at the very end was not sampled",
}
