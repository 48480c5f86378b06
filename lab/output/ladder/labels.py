"""Rows in words, for both forms of a ladder."""

from __future__ import annotations

from lab.output.ladder.rows import Entered, Opened, Packet, Said
from lab.wire.packets import ACK, FIN, PSH, RST, SYN, URG

_NAMES = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (URG, "URG"))
_KINDS = {"typed": "> ", "started": "$ ", "ended": "= "}
_FIRST_BYTES = 8
"""Bytes of a datagram that are shown."""

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


def datagram_label(port: int, size: int, payload: bytes) -> str:
    """``UDP :53 "who?"``, or as hexadecimal digits; of a long payload the beginning and the size."""
    start = payload[:_FIRST_BYTES]
    text = start.decode("ascii", "replace")
    shown = f'"{text}"' if text.isprintable() and text.isascii() else start.hex(" ")
    more = f"… {size} bytes" if size > len(start) else ""
    return f"UDP :{port} {shown}{more}" if size else f"UDP :{port} empty"


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


def spoken(row: Said) -> str:
    """``"printed"``, ``> typed``, ``$ started``, ``= ended``; after the program where several ran."""
    text = f'"{row.text}"' if row.kind == "printed" else f"{_KINDS[row.kind]}{row.text}"
    return f"{row.program}: {text}" if row.program else text


def entered(row: Entered) -> str:
    """A state; a listener's with its port."""
    return row.state if row.number else f"{row.state} :{row.port}"


def opened(row: Opened, towards: str) -> str:
    """A connection's number and ends."""
    return f"connection {row.number}: {row.client} {towards} {row.server}"
