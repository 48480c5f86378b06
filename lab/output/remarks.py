"""What became of UDP datagrams and ICMP messages: a remark for each frame of them."""

from __future__ import annotations

from lab.evidence.evidence import Evidence
from lab.output.ladder.labels import datagram_label, first_bytes, icmp_label
from lab.output.ladder.rows import FIRST_BYTES
from lab.wire.icmp import IcmpMessage, answers
from lab.wire.udp import Datagram

_Packet = Datagram | IcmpMessage


class Remarks:
    """Remarks by capture and frame: they are made when a frame asks for its own."""

    def __init__(self, evidence: Evidence) -> None:
        replies = answers(evidence.icmp)
        self._answers = {frame: one for frame, one in replies.items() if one.sent}
        self._packets: dict[tuple[str, int], _Packet] = {}
        messages = (one for one in evidence.icmp if not one.upkeep)
        packets: list[_Packet] = [*evidence.datagrams, *messages]
        for one in packets:
            for frame in frames_of(one):
                self._packets[one.capture, frame] = one

    def of(self, capture: str, frame: int) -> str:
        """What is told of a frame; empty for most."""
        one = self._packets.get((capture, frame))
        if one is None:
            return ""
        if isinstance(one, Datagram):
            start = first_bytes(one.payload[:FIRST_BYTES], one.size)
            what = f"{datagram_label(one.flow.target_port, one.size)} {start}".rstrip()
            source, target = one.source or one.flow.source, one.target or one.flow.target
        else:
            what, (source, target) = icmp_label(one), (one.who, one.target or one.addresses[1])
        return f"{what} from {source} to {target}{self._fate(one, frame)}"

    def _fate(self, one: _Packet, frame: int) -> str:
        if one.sent is None:
            return ": it is not seen to be sent"
        if frame != one.sent.frame:
            return f": sent as frame {one.sent.frame} of {one.capture}"
        others = [str(arrival.at.frame) for arrival in one.arrivals if arrival.at.frame != frame]
        if not one.arrivals:
            return ": it is not seen to arrive"
        text = f": it arrives as frame {', '.join(others)} of {one.capture}" if others else ""
        reply = self._answers.get((one.capture, frame))
        return text + (f", answered by frame {reply.at.frame}" if reply else "")


def frames_of(one: _Packet) -> list[int]:
    """The frames that show a packet."""
    return [*([one.sent.frame] if one.sent else []), *(arrival.at.frame for arrival in one.arrivals)]
