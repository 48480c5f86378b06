"""server RECORD...: a DNS server for some records: "NAME NS SERVER ADDRESS" refers, "NAME A ADDRESS" answers."""

import socket
import struct
import sys

A, NS, IN = 1, 2, 1
QUERY_NAME = 0xC00C
"""A pointer to the name in the question (RFC 1035, 4.1.4)."""


def name_at(data, at):
    """The name that begins there, and where it ends."""
    labels = []
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels), at + 1


def encoded(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(name, kind, data):
    return name + struct.pack("!HHIH", kind, IN, 3600, len(data)) + data


def answer(query, records):
    ident = query[:2]
    name, end = name_at(query, 12)
    question = query[12 : end + 4]
    for known, kind, *rest in records:
        if kind == "A" and name == known:
            body = record(struct.pack("!H", QUERY_NAME), A, socket.inet_aton(rest[0]))
            return ident + struct.pack("!HHHHH", 0x8400, 1, 1, 0, 0) + question + body
        if kind == "NS" and ("." + name).endswith("." + known):
            server, address = rest
            body = record(encoded(known), NS, encoded(server))
            body += record(encoded(server), A, socket.inet_aton(address))
            return ident + struct.pack("!HHHHH", 0x8000, 1, 0, 1, 1) + question + body
    return ident + struct.pack("!HHHHH", 0x8403, 1, 0, 0, 0) + question


own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind(("", 53))
known = [one.split() for one in sys.argv[1:]]
while True:
    query, client = own.recvfrom(512)
    own.sendto(answer(query, known), client)
