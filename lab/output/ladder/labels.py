"""Rows in words, for both forms of a ladder."""

from __future__ import annotations

from codecs import getincrementaldecoder
from itertools import accumulate

from lab.core.escape import one_line
from lab.output.ladder.rows import Accepted, Entered, Opened, Packet, Queued, Said
from lab.output.style import columns
from lab.wire.icmp import IcmpMessage
from lab.wire.packets import ACK, FIN, PSH, RST, SYN, URG

_NAMES = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (URG, "URG"))
_KINDS = {"typed": "> ", "started": "$ ", "ended": "= "}
_BLANK = "\t\n\r\0"
"""What a text may have besides characters that can be printed."""

_WHOLE = 999
"""Columns that all bytes that are kept have room in."""

_MORE = "..."

ICMP = "ICMP"
"""What the label of an ICMP message begins with."""

_SLOW = 1_000_000
"""ns on the way from which on the time is told."""


def short(packet: Packet) -> str:
    """Each number beside its flag: ``SYN 0 ACK 1``; ``PSH 17+6 ACK 25`` brings 6 bytes from 17 on."""
    if packet.datagram:
        return _with_fate(packet.datagram, packet)
    words = [name for bit, name in _NAMES if packet.flags & bit]
    if words or packet.length or not packet.flags & ACK:
        words.append(f"{packet.seq}+{packet.length}" if packet.length else str(packet.seq))
    if packet.flags & ACK:
        words.append(f"ACK {packet.ack}")
    return _with_fate(" ".join(words), packet)


def long(packet: Packet) -> str:
    """As Wireshark writes it: ``PSH,ACK seq=17 ack=25 len=6``."""
    if packet.datagram:
        return _with_fate(packet.datagram, packet)
    names = [name for bit, name in (*_NAMES, (ACK, "ACK")) if packet.flags & bit]
    text = f"{','.join(names) or 'no flags'} seq={packet.seq}"
    if packet.flags & ACK:
        text += f" ack={packet.ack}"
    if packet.length:
        text += f" len={packet.length}"
    return _with_fate(text, packet)


def datagram_label(port: int, size: int) -> str:
    """``UDP :53 len=4``."""
    return f"UDP :{port} len={size}"


def beginning(packet: Packet, room: int = _WHOLE) -> str:
    """The first bytes that a packet brings, in at most so many columns; nothing if none fits."""
    return first_bytes(packet.payload, packet.length, room)


def first_bytes(payload: bytes, size: int, room: int = _WHOLE) -> str:
    """The first bytes of a payload of that size: ``"who?"``, or ``05 00 01`` if they are no text.

    What a terminal would obey is shown, as everywhere. Three dots stand for what there is more.
    """
    text = _as_text(payload, whole=len(payload) == size)
    quote, blank = ('"', "") if text else ("", " ")
    parts = [one_line(one) for one in text] if text else [f"{byte:02x}" for byte in payload]
    widths = list(accumulate(columns(part) + len(blank) for part in parts))
    for count in range(len(parts), 0, -1):
        more = "" if count == len(parts) and len(payload) == size else _MORE
        if widths[count - 1] - len(blank) + 2 * len(quote) + len(more) <= room:
            return f"{quote}{blank.join(parts[:count])}{quote}{more}"
    return ""


def _as_text(payload: bytes, *, whole: bool) -> str:
    """The bytes as text, if they are UTF-8 that can be printed; the ``whole`` ends with a character."""
    try:
        text = getincrementaldecoder("utf-8")().decode(payload, final=whole)
    except UnicodeDecodeError:
        return ""
    printable = all(one.isprintable() or one in _BLANK for one in text)
    return text if printable and not text.startswith("\0") else ""


def icmp_label(one: IcmpMessage) -> str:
    """``ICMP echo-request id 7 seq 1``; of an error also what it speaks of: ``about :53``."""
    text = f"{ICMP} {one.name}"
    if one.numbered:
        text += f" id {one.ident} seq {one.seq}"
    elif one.about and one.about.flow.target_port:
        text += f" about :{one.about.flow.target_port}"
    elif one.about and one.about.protocol == one.protocol:
        text += f" about id {one.about.ident} seq {one.about.seq}"
    return f"{text}, wrong checksum" if one.wrong else text


def _with_fate(text: str, packet: Packet) -> str:
    """The text with what happened to the packet."""
    if packet.mark:
        text = f"{packet.mark}: {text}"
    if packet.held:
        return f"{text} {packet.held}"
    if packet.fate != "arrived":
        text += " lost" if packet.fate == "lost" else " not seen to arrive"
    if packet.delay >= _SLOW:
        text += f" +{packet.delay / 1e6:.0f}ms"
    return text


def event(row: Said | Entered | Queued | Accepted, *, numbered: bool = False) -> str:
    """What happened at a host; if it is ``numbered`` with the connection that was in its accept queue."""
    match row:
        case Said():
            return _spoken(row)
        case Entered():
            return row.state if row.number else f"{row.state} :{row.port}"
        case Queued() | Accepted():
            told = "accepted" if isinstance(row, Accepted) else "queued, not accepted"
            return f"connection {row.number}: {told}" if numbered else told


def _spoken(row: Said) -> str:
    """``"printed"``, ``> typed``, ``$ started``, ``= ended``; after the program where several ran."""
    text = f'"{row.text}"' if row.kind == "printed" else f"{_KINDS[row.kind]}{row.text}"
    return f"{row.program}: {text}" if row.program else text


def opened(row: Opened, towards: str) -> str:
    """A connection's number and ends."""
    return f"connection {row.number}: {row.client} {towards} {row.server}"
