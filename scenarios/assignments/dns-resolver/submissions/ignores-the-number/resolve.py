"""It takes whatever comes for the answer to its question."""

import os
import socket
import struct
import sys

A = 1


def encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def behind_name(data: bytes, at: int) -> int:
    while data[at]:
        if data[at] >= 0xC0:
            return at + 2
        at += 1 + data[at]
    return at + 1


def asked(server: str, name: str) -> bytes:
    number = os.urandom(2)
    query = number + struct.pack("!HHHHH", 0, 1, 0, 0, 0) + encoded(name) + struct.pack("!HH", A, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(1)
        for _ in range(3):
            own.sendto(query, (server, 53))
            try:
                return own.recv(512)
            except TimeoutError:
                pass
    sys.exit(f"{server} does not answer")


def address_in(data: bytes) -> tuple[str, bool]:
    """The first address of an answer, and whether it is that of the name."""
    questions, answers, authorities, additional = struct.unpack("!HHHH", data[4:12])
    at = 12
    for _ in range(questions):
        at = behind_name(data, at) + 4
    for number in range(answers + authorities + additional):
        at = behind_name(data, at)
        kind, _, _, length = struct.unpack("!HHIH", data[at : at + 10])
        if kind == A:
            return socket.inet_ntoa(data[at + 10 : at + 14]), number < answers
        at += 10 + length
    return "", False


server, name = sys.argv[1:]
for _ in range(10):
    server, found = address_in(asked(server, name))
    if found:
        print(server)
        sys.exit(0)
    if not server:
        break
sys.exit(f"{name} is not found")
