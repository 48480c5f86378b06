"""What is known of a connection: facts, each with the frame that shows it. Times are ns since the epoch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

from msgspec import Struct

from lab.core.words import TcpState
from lab.wire.packets.options import SynOptions

Handshake = Literal["complete", "simultaneous", "refused", "no_reply", "half_open", "unknown"]
"""``half_open``: the SYN-ACK was never acknowledged. ``unknown``: the SYN is not in the capture,
or what answered it is not, though something did."""

CloseKind = Literal["orderly", "half_close", "simultaneous", "reset", "still_open"]

ResetCause = Literal[
    "no_listener", "late_data", "abort", "gave_up", "keepalive_timeout", "after_close", "unknown"
]
"""``no_listener``: it answers the SYN. ``late_data``: its side had sent FIN and something came after.
``abort``: closed with data unread, or with linger 0. ``gave_up``: nothing answered what its side had sent
again and again. ``keepalive_timeout``: nothing answered its keep-alives. ``after_close``: both FINs were
acknowledged before."""


class Moment(NamedTuple):
    """A frame and when it was seen."""

    frame: int
    time: int


moment: Callable[[tuple[int, int]], Moment] = partial(tuple.__new__, Moment)
"""A moment of the first two fields of a segment: what ``Moment._make`` does, at a quarter of its cost."""


class Outcome(NamedTuple):
    """How a connection began and ended, where nothing else is told of it."""

    handshake: Handshake
    close: CloseKind


class Sighting(Struct, frozen=True):
    """A segment where its sender's own port saw it and where the receiver's did; None where it did not.

    Each is the first sighting there: if the segment was retransmitted they may be of different copies.
    """

    sent: Moment | None = None
    received: Moment | None = None

    @property
    def first(self) -> Moment | None:
        """The sender's sighting if there is one, else the receiver's."""
        return self.sent or self.received


class Fin(Sighting, frozen=True):
    """The end of a side's data. ``acked`` is when its acknowledgement arrived back."""

    acked: Moment | None = None


class Reset(Sighting, frozen=True):
    """The first RST of a side, and whether it had sent its FIN before and received the peer's."""

    cause: ResetCause = "unknown"
    after_own_fin: bool = False
    after_peer_fin: bool = False


class StateChange(NamedTuple):
    """From this moment on an end was in this state."""

    state: TcpState
    at: Moment


state_change: Callable[[tuple[TcpState, Moment]], StateChange] = partial(tuple.__new__, StateChange)
"""As with ``moment``: there are ten for each connection."""


class Retransmissions(NamedTuple):
    """Segments sent again, as the sender's port saw them; keep-alives are none."""

    syn: int = 0
    data: int = 0
    fin: int = 0


class Resent(NamedTuple):
    """A segment that was sent again, and what was in it."""

    what: Literal["syn", "data", "fin"]
    at: Moment


class RoundTrips(Struct, frozen=True):
    """How long it took from segments to their acknowledgements, seen at the place of the capture (ns)."""

    count: int
    shortest: int
    mean: int
    longest: int


class Measured(Struct, frozen=True):
    """What was counted of the segments of a side.

    ``options`` are those of its SYN, None if that was not captured. ``missing`` are the sequence numbers of
    its bytes that no segment of the capture has: later ones, or acknowledgements, prove them. The others are
    Wireshark's ``tcp.analysis``: ``zero_windows`` are segments that leave the peer no room, ``full_windows``
    those whose data fills the peer's window to its edge, ``duplicate_acks`` those that repeat an
    acknowledgement and nothing else. ``round_trips`` are those from this side's data to its acknowledgement.
    """

    segments: int
    options: SynOptions | None
    missing: int
    zero_windows: int
    zero_window_probes: int
    full_windows: int
    keep_alives: int
    duplicate_acks: int
    round_trips: RoundTrips | None


class Measures(Struct, frozen=True):
    """How a connection went, where one place has seen both directions.

    ``ended`` is the time of its last segment. ``handshake`` is how long it took from the (last) SYN to the
    client's first ACK, or to the RST that refused it: Wireshark's initial round trip time. None if that was
    not captured.
    """

    ended: int
    handshake: int | None
    client: Measured
    server: Measured


class Side(Struct, frozen=True):
    """One end of a connection. ``seen`` tells whether any frame was seen at its own port.

    ``syn`` is its SYN or SYN-ACK, ``ack`` its first segment without SYN that acknowledges. ``bytes`` is
    the payload it sent, each byte once; ``exact`` says that its SYN and FIN frame that number (sequence
    numbers then prove it, whatever the capture lacks); otherwise only ``at_least`` so many are proven.
    ``heard`` is the last segment with data that reached it. ``late`` is its first new data after the
    peer's FIN had been acknowledged by it, and ``late_acked`` whether the peer acknowledged that.
    ``resent`` are the first few of the ``retransmissions``; of those with data, ``refilled`` were not
    seen before, so that the capture may lack the first. ``reordered`` counts segments that came shortly
    after what was sent after them. ``isn`` is its SYN's sequence number, if that was seen. ``history``
    replays its states from its own port's frames. ``gaps`` counts the places where those frames prove
    that others are missing: something later was sent, or what is not there was acknowledged.
    """

    host: str
    address: str
    port: int
    seen: bool
    bytes: int
    exact: bool
    at_least: int
    syn: Sighting | None
    ack: Sighting | None
    fin: Fin | None
    reset: Reset | None
    heard: Moment | None
    late: Moment | None
    late_acked: bool
    retransmissions: Retransmissions
    resent: tuple[Resent, ...]
    refilled: int
    history: tuple[StateChange, ...]
    gaps: int
    reordered: int
    isn: int | None

    @property
    def silent(self) -> bool:
        """Whether nothing that it sent was seen."""
        return not (self.syn or self.ack or self.fin or self.reset)

    @property
    def state(self) -> TcpState:
        """The last state, CLOSED if there was none."""
        return self.history[-1].state if self.history else TcpState.CLOSED

    def entered(self, state: TcpState) -> Moment | None:
        """When the side came into a state, if it ever did."""
        return next((change.at for change in self.history if change.state == state), None)

    def left(self, state: TcpState) -> StateChange | None:
        """What the state was left for and when, if it was."""
        changes = iter(self.history)
        return next(changes, None) if any(change.state == state for change in changes) else None


class Lost(Struct, frozen=True):
    """A frame that entered the switch and was not seen to leave it; ``overtaken``: one sent later was.

    Its segment began at ``seq``.
    """

    at: Moment
    overtaken: bool
    seq: int


class Forged(Struct, frozen=True):
    """Frames that the ``host`` has sent in the name of one of the ends, the first of them, and how many."""

    host: str
    address: str
    first: Moment
    frames: int


class Connection(Struct, frozen=True):
    """A TCP connection, or an attempt at one.

    ``client`` sent the first SYN (where none was captured: has the larger port). ``capture`` is the file
    it was seen in. ``began`` is its first frame. ``first_closer`` is the side whose FIN
    the other's FIN acknowledges ("client" or "server"; "" for none). ``unpaired`` are frames that were
    seen where they entered or left the switch but not at the other end of their way; of these ``lost`` were
    sent and, if the capture is complete, never arrived. ``forged`` are frames that another host sent in the
    name of an end; ``pretended`` tells that it began with one of them, and that the client sent no SYN.
    ``measures`` are None where each end was judged from its own port.
    """

    capture: str
    client: Side
    server: Side
    began: Moment
    handshake: Handshake
    close: CloseKind
    first_closer: Literal["", "client", "server"]
    unpaired: tuple[int, ...]
    lost: tuple[Lost, ...]
    forged: tuple[Forged, ...] = ()
    pretended: bool = False
    measures: Measures | None = None

    @property
    def sides(self) -> tuple[Side, Side]:
        """The client and the server."""
        return self.client, self.server

    @property
    def active(self) -> Side | None:
        """The side that closed first, if one did."""
        if self.first_closer == "client":
            return self.client
        return self.server if self.first_closer == "server" else None

    @property
    def passive(self) -> Side | None:
        """The other one."""
        return self.peer_of(self.active) if self.active else None

    def peer_of(self, side: Side) -> Side:
        """The other end."""
        return self.server if side is self.client else self.client
