"""Wrong: it asks the server of com first, whose address it has learned by heart."""

import os
import socket
import struct
import sys

A, NS, IN = 1, 2, 1
ROOT = "192.5.6.30"
MOST_REFERRALS = 10


def encoded(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def name_at(data, at):
    """The name that begins there, and where it ends; a pointer leads to the rest of it."""
    labels, end = [], None
    while data[at]:
        if data[at] >> 6 == 3:
            end = end or at + 2
            at = struct.unpack("!H", data[at : at + 2])[0] & 0x3FFF
            continue
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels), end or at + 1


def asked(server, name):
    """The answer of a server: its sections, each a list of name, type and data."""
    ident = os.urandom(2)
    query = ident + struct.pack("!HHHHH", 0, 1, 0, 0, 0) + encoded(name) + struct.pack("!HH", A, IN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(2)
        own.connect((server, 53))
        own.send(query)
        data = own.recv(512)
    if data[:2] != ident:
        sys.exit("the answer is to another question")
    counts = struct.unpack("!HHH", data[6:12])
    at = name_at(data, 12)[1] + 4
    sections = []
    for count in counts:
        records = []
        for _ in range(count):
            owner, at = name_at(data, at)
            kind, _, _, length = struct.unpack("!HHIH", data[at : at + 10])
            at += 10
            text = name_at(data, at)[0] if kind == NS else socket.inet_ntoa(data[at : at + 4])
            records.append((owner, kind, text))
            at += length
        sections.append(records)
    return sections


def resolved(name):
    server = ROOT
    for _ in range(MOST_REFERRALS):
        answers, authorities, additional = asked(server, name)
        for owner, kind, text in answers:
            if kind == A and owner == name:
                return text
        servers = [text for _, kind, text in authorities if kind == NS]
        glue = [text for owner, kind, text in additional if kind == A and owner in servers]
        if not glue:
            sys.exit(f"nobody knows {name}")
        server = glue[0]
    sys.exit("too many referrals")


print(resolved(sys.argv[1]))
