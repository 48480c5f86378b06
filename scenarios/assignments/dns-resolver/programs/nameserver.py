"""A name server for the records that it is given: nameserver.py RECORD...

"NAME NS SERVER ADDRESS" refers to another server, "NAME A NONCE" has an address that is made of the nonce. A third
word changes how a question is answered: lose leaves the first one unanswered, forge sends an answer with a wrong
number before the right one.
"""

import socket
import struct
import sys

A, NS, IN = 1, 2, 1
ANSWER, REFERRAL, FORMAT_ERROR, NO_SUCH_NAME = 0x8400, 0x8000, 0x8001, 0x8403
ASKED = b"\xc0\x0c"  # a pointer to the name in the question
FORGED = "10.66.66.66"


def encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + struct.pack("!HHIH", kind, IN, 3600, len(data)) + data


def message(query: bytes, code: int, *sections: list[bytes]) -> bytes:
    counts = [len(section) for section in sections] + [0] * (3 - len(sections))
    return query[:2] + struct.pack("!HHHHH", code, 1, *counts) + query[12:] + b"".join(sum(sections, []))


def asked(query: bytes) -> str | None:
    """The name in a question for an address; None if it is none."""
    labels, at = [], 12
    if len(query) < 17 or query[4:12] != b"\0\1\0\0\0\0\0\0":
        return None
    while at < len(query) and query[at]:
        label = query[at + 1 : at + 1 + query[at]].decode("ascii", "replace")
        labels.append(label.replace(".", "\\."))  # a dot within a label is no end of it
        at += 1 + query[at]
    return ".".join(labels) if query[at + 1 :] == b"\0\1\0\1" else None


def address_of(nonce: str) -> str:
    return socket.inet_ntoa(bytes([10, *bytes.fromhex(nonce)[1:]]))


def answers(query: bytes, records: list[list[str]], lost: set[str]) -> list[bytes]:
    name = asked(query)
    if name is None:
        return [message(query[:12], FORMAT_ERROR)]
    for owner, kind, data, *more in records:
        if kind == "NS" and f".{name}".endswith(f".{owner}"):
            glue = record(encoded(data), A, socket.inet_aton(more[0]))
            return [message(query, REFERRAL, [], [record(encoded(owner), NS, encoded(data))], [glue])]
        if kind == "A" and owner == name:
            right = message(query, ANSWER, [record(ASKED, A, socket.inet_aton(address_of(data)))])
            if "lose" in more and name not in lost:
                lost.add(name)
                return []
            other = bytes([query[0] ^ 255]) + query[1:]
            forged = message(other, ANSWER, [record(ASKED, A, socket.inet_aton(FORGED))])
            return [forged, right] if "forge" in more else [right]
    return [message(query, NO_SUCH_NAME)]


own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind(("", 53))
known = [one.split() for one in sys.argv[1:]]
lost: set[str] = set()
for owner, kind, data, *_ in known:
    if kind == "A":
        print(f"{owner} is {address_of(data)}", flush=True)
while True:
    query, client = own.recvfrom(512)
    for one in answers(query, known, lost):
        own.sendto(one, client)
