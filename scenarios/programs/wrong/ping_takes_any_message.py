"""Wrong: any ICMP message counts as the reply."""

import os
import socket
import struct
import sys
import time

ECHO_REPLY, ECHO_REQUEST, TIME_EXCEEDED = 0, 8, 11
WAIT = 1.0


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def request(ident, number):
    """An echo request (RFC 792)."""
    payload = b"abcdefghijklmnop"
    head = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, ident, number)
    return struct.pack("!BBHHH", ECHO_REQUEST, 0, checksum(head + payload), ident, number) + payload


def answer(own, ident, number, deadline):
    """Wait for the reply to a request; None if none came in time."""
    while (left := deadline - time.monotonic()) > 0:
        own.settimeout(left)
        try:
            packet, (source, _) = own.recvfrom(65535)
        except TimeoutError:
            return None
        message = packet[(packet[0] & 15) * 4 :]
        if message[0] != ECHO_REQUEST:
            return source, packet[8]
        if message[0] == TIME_EXCEEDED:
            quoted = message[8:]
            inside = quoted[(quoted[0] & 15) * 4 :]
            if struct.unpack("!HH", inside[4:8]) == (ident, number):
                print(f"time exceeded, says {source}")
                return None
    return None


def main():
    address, count = sys.argv[1], int(sys.argv[2])
    own = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    if len(sys.argv) > 3:
        own.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(sys.argv[3]))
    ident = os.getpid() & 0xFFFF
    received = 0
    for number in range(1, count + 1):
        began = time.monotonic()
        own.sendto(request(ident, number), (address, 0))
        found = answer(own, ident, number, began + WAIT)
        if found:
            received += 1
            print(f"reply from {found[0]}: seq={number} ttl={found[1]}")
    print(f"{count} sent, {received} received")


main()
