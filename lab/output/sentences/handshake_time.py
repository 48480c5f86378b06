"""How long a handshake took."""

from __future__ import annotations

SENTENCES = {
    "handshake-within": "a handshake within {max:duration}",
    "not-captured-where-sent": "a segment of the handshake was not captured where {host} sent it",
    "opening-syn": "SYN",
    "completing-ack": "ACK that completes the handshake",
}
