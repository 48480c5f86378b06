"""It reads a number from a datagram without looking how long that is."""

import socket
import struct
import sys

count, received = int(sys.argv[3]), 0
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.settimeout(1)
for number in range(1, count + 1):
    text = "no answer"
    own.sendto(struct.pack("!I", number) + b"ping", (sys.argv[1], int(sys.argv[2])))
    try:
        while struct.unpack_from("!I", answer := own.recv(2048))[0] != number:
            pass
        text = answer[4:].decode()
        received += 1
    except TimeoutError:
        pass
    print(f"{number}: {text}", flush=True)
print(f"{count} sent, {received} received")
