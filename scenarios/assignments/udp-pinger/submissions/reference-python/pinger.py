"""Ping a server over UDP, and tell which pings were answered."""

import socket
import sys
import time

PATIENCE = 1.0


def answer_to(number: int, own: socket.socket) -> str | None:
    """The text of the answer to a ping; None if it does not come in time."""
    deadline = time.monotonic() + PATIENCE
    while (left := deadline - time.monotonic()) > 0:
        own.settimeout(left)
        try:
            datagram = own.recv(2048)
        except TimeoutError:
            break
        except ConnectionRefusedError:
            continue  # nobody has the port
        if len(datagram) >= 4 and int.from_bytes(datagram[:4], "big") == number:
            return datagram[4:].decode("ascii", "replace")
    return None


host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
received = 0
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
    own.connect((host, port))
    for number in range(1, count + 1):
        try:
            own.send(number.to_bytes(4, "big") + b"ping")
        except ConnectionRefusedError:
            pass  # told of the ping before
        text = answer_to(number, own)
        received += text is not None
        print(f"{number}: {'no answer' if text is None else text}", flush=True)
print(f"{count} sent, {received} received")
