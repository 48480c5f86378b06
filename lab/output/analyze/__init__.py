"""Any capture, told: its connections, what both ends went through, and what is odd about it.

Nothing is known of where it was made. Each direction is judged where it was first seen, and both ends by what
passed there: a state's time is that of the frame that led to it, not of its arrival at the end.
"""

from __future__ import annotations

from itertools import chain
from operator import gt, itemgetter
from typing import BinaryIO

from lab.output.analyze.document import as_data, as_json
from lab.output.analyze.told import Analysis, Choice, IcmpTally, Tally, Told, end_of
from lab.output.sentences.captures import DAMAGE, damage
from lab.wire.packets import Reader
from lab.wire.packets.segment import TIME
from lab.wire.tcp import MOST_CONNECTIONS, CapturePoint, Flows
from lab.wire.udp.flows import UdpFlows

__all__ = ["Analysis", "Choice", "Tally", "Told", "analyze", "as_data", "as_json", "end_of"]


_time = itemgetter(TIME)


def analyze(stream: BinaryIO, most: int = MOST_CONNECTIONS) -> Analysis:
    """Read a capture to its end. Nothing in it raises; memory does not grow beyond ``most`` connections."""
    others = Tally()
    flows = Flows(CapturePoint(), most=most, retire=others.add)
    icmp, datagrams = IcmpTally(), UdpFlows()
    reader = Reader(stream, hear_icmp=icmp.hear, hear_size=datagrams.hear, deep=True)
    segments = backwards = began = now = 0
    for batch in reader.batches():
        times = list(map(_time, batch))
        began = began or times[0]
        if times[0] < now or sorted(times) != times:
            backwards += sum(map(gt, chain((now,), times), times))
        now = times[-1]
        segments += len(batch)
        flows.take(batch)
    flows.forget()
    return Analysis(
        reader.frames,
        segments,
        began,
        now,
        backwards,
        flows,
        others,
        datagrams,
        reader.others,
        reader.tunnels,
        icmp.counts,
        tuple(map(damage, (*reader.unsound, *reader.unsound_datagrams, *reader.unsound_icmp))),
        DAMAGE[reader.refusal] if reader.refusal else "",
    )
