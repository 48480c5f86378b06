"""How a connection began, what it went through, and how it ended."""

from __future__ import annotations

_UNREAD = "its program closed with data unread"

WORDS = {
    "reset-cause": {
        "no_listener": "nothing listened on that port then",
        "late_data": "something arrived after it had closed",
        "unread_data": f"{_UNREAD}, says its kernel; read until recv gives 0 before closing",
        "linger0": "its program closed with linger 0 (SO_LINGER), says its kernel, for all was read",
        "listener_closed": "its listener was closed before any program had accepted the connection",
        "after_close": "both sides had already closed",
        "keepalive_timeout": "nothing answered its keep-alive probes (ETIMEDOUT), says its kernel",
        "user_timeout": "its data was not acknowledged within TCP_USER_TIMEOUT (ETIMEDOUT), says its kernel",
        "gave_up": "its data was never acknowledged, however often it was sent again (ETIMEDOUT)",
        "memory": "its kernel had no memory left for the connection",
        "other": "none of the causes that its kernel counts: its socket was aborted (as by ss -K)",
        "abort": f"{_UNREAD}, or with linger 0, or its listener before anybody had accepted the connection",
        "unanswered_probes": "nothing had answered its keep-alive probes",
        "unanswered_data": "nothing had answered what it had sent again and again",
    },
}

SENTENCES = {
    # which one
    "a-connection": "a connection from {host} to {to}",
    "so-many": "{number} connections from {host} to {to}",
    "only-so-many": "there {number:was|were} only {number}",
    "no-syn-captured": "no SYN from {host} to {to} was captured",
    "never-sent-syn": "{host} never sent a SYN to {to}",
    "syn-to": "SYN from {host} to {to}",
    # its handshake
    "handshake": "handshake {kind}",
    "handshake-completed": "the handshake was completed",
    "both-sent-syn": "both sides sent SYN at once",
    "refused": "{host} refused: RST answers the SYN to port {port}",
    "no-answer": "nothing answered the SYN[, which was sent {times} times][; {full}]",
    "no-answer-captured": "no answer to the SYN was captured[, which was sent {times} times][; {full}]",
    "accept-queue-full": (
        "the queue of {host} was full, {waiting} {waiting:connection|connections} waited to be accepted"
        " (limit {limit}): its program does not call accept"
    ),
    "syn-ack-never-acknowledged": "{server} answered SYN-ACK, and {client} never acknowledged it",
    "last-ack-not-captured": "{server} answered SYN-ACK, and no ACK from {client} was captured",
    "partly-captured": "a part of it was not captured",
    "under-way-at-start": "it was under way when the capture began",
    "refused-by-icmp": "{host} did not pass it on: {meaning} (ICMP, frame {frame})",
    "syn-from": "SYN from {host}",
    "syn-ack-from": "SYN-ACK from {host}",
    "ack-from": "ACK from {host}",
    "listened-then": "at that time it listened on {where}[{local} only, where other hosts cannot reach it]",
    "listened-afterwards": "it was seen to listen on {where} only afterwards, at {at:when}",
    "listened-before": "it was last seen to listen on {where} before that, at {at:when}",
    # its end
    "close": "close {kinds:or}",
    "closes-first": "{host} closes first",
    "closed-first": "{host} closed first",
    "fin-came-first": "the FIN of {host} came first",
    "closed-at-once": "both closed at once: neither FIN acknowledges the other",
    "data-after-fin": "{sender} sent new data after the FIN of {host}",
    "fin-then-fin": "FIN from {first}, then from {second}, each acknowledged",
    "fins-acknowledged": "FIN from {hosts}, each acknowledged",
    "no-fin": "no FIN",
    "no-fin-sent": lambda _, hosts: "nobody sent FIN" if len(hosts) > 1 else f"{hosts[0]} never sent FIN",
    "no-fin-captured": "no FIN from {hosts} was captured",
    "fin-never-acknowledged": "the FIN of {hosts} was never acknowledged",
    "no-ack-of-fin-captured": "no ACK of the FIN of {hosts} was captured",
    "script-has-not-closed": "the script has not closed the connection of {host}",
    "never-accepted": "no program of {host} ever accepted the connection",
    "holds-unread": "{holders} with {unread} bytes unread",
    "some-process-holds": (
        "a process of {host} still holds the socket[ with {unread} bytes unread]: FIN is sent when its last"
        " holder closes it (a parent may hold the copy that its child closed)"
    ),
    "fin-from": "FIN from {host}[, {ended}]",
    "fin-acknowledged": "the FIN of {host} is acknowledged",
    "late-data": "new data from {host} after the peer's FIN",
    "never-closed": "{host} never closed: {sent} came only as {end}",
    # RST
    "no-rst": "no RST",
    "rst-from": "RST from {host}[, {ended}][: {cause:reset-cause}]",
    "cause-of-rst": "the cause of the RST from {host} is {cause}",
    "cause-not-known": "neither wire nor kernel tells which of the causes it was",
    "counter-went": "{counter} of {host} went from {first} to {last} between {since:when} and {time:when}",
    "counter-stayed": "{counter} of {host} stayed {value} between {since:when} and {time:when}",
    "listens-no-more": "the kernel of {host} shows LISTEN on port {port} no more at {time:when}",
    # ends of programs
    "end-by-itself": "{who} ended: {status:status}",
    "end-by-script": "{signal}[the key {key}] (step {step}) ended {who}: {status:status}",
    "as-end": "as {end}",
    "before-end": "{earlier:span} before {end}",
    "perhaps-at-an-end": "perhaps as a process ended",
    "was-sent": "{what} was sent {when}",
    "close-not-known": "whether {host} closed is not known: {why}",
    "victim-not-heard": (
        "the memory of {host} was used up then, and which process was killed for that was not heard"
    ),
    # its states
    "goes-through": "{host} goes through {states:states}",
    "went-through": "{host} went through {states:states}[: {parted}]",
    "never-left": "it never left {state}",
    "not-seen-to-leave": "it was not seen to leave {state}",
    "after-came": "after {after} came {came}[, not {expected}]",
    "no-frame-at-port": "no frame was seen at the port of {host}",
    "is-in": "{host} is in {state}",
    "kernel-shows-others": "the kernel of {host} shows {states:states}: wire and kernel disagree",
    "time-wait-afterwards": "{host} is in TIME_WAIT afterwards",
    "was-in-time-wait": "{host} was in TIME_WAIT",
    "acknowledges-last-fin": "{host} acknowledges the last FIN",
    "not-in-samples": "the samples of its kernel do not show it",
    "acknowledged-last-fin": "{host} acknowledged the last FIN, which leads to TIME_WAIT",
    "time-wait-elsewhere": "{host} closed first, so TIME_WAIT is there",
    "ended-by-rst": "an RST ended the connection, and nobody is in TIME_WAIT: {host} was in {state}",
    "came-as-far-as": "{host} came only as far as {state}",
    # what was sent
    "bytes-from": "{bytes} {bytes:byte|bytes} from {host}",
    "resent": "{number} {number:segment|segments} with {what} sent again[: {by}]",
    "so-many-by": "{number} by {host}",
    "sent-again": "{host} sends {what} again",
    "never-arrived": "a segment that never arrived: {why}",
    "kept-back": "step {step} kept it back",
    "lost-on-its-way": "lost on its way",
}
