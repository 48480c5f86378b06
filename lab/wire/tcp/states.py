"""The states of one end (RFC 9293, section 3.3.2), and which one follows on a FIN or its acknowledgement."""

from __future__ import annotations

from lab.core.words import TcpState

# To look a word up in its class costs as much as everything else that is done with it.
CLOSED, SYN_SENT, SYN_RECEIVED = TcpState.CLOSED, TcpState.SYN_SENT, TcpState.SYN_RECEIVED
ESTABLISHED, CLOSE_WAIT, LAST_ACK = TcpState.ESTABLISHED, TcpState.CLOSE_WAIT, TcpState.LAST_ACK
FIN_WAIT_1, FIN_WAIT_2 = TcpState.FIN_WAIT_1, TcpState.FIN_WAIT_2
CLOSING, TIME_WAIT = TcpState.CLOSING, TcpState.TIME_WAIT

AFTER_OWN_FIN = {
    ESTABLISHED: FIN_WAIT_1,
    SYN_RECEIVED: FIN_WAIT_1,
    CLOSE_WAIT: LAST_ACK,
}
AFTER_PEER_FIN = {
    ESTABLISHED: CLOSE_WAIT,
    SYN_RECEIVED: CLOSE_WAIT,
    FIN_WAIT_1: CLOSING,
    FIN_WAIT_2: TIME_WAIT,
}
AFTER_FIN_ACKED = {
    FIN_WAIT_1: FIN_WAIT_2,
    CLOSING: TIME_WAIT,
    LAST_ACK: CLOSED,
}
