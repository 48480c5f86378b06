"""It takes whatever comes for the answer to its last ping."""

import socket
import sys

count, received = int(sys.argv[3]), 0
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.settimeout(1)
for number in range(1, count + 1):
    own.sendto(number.to_bytes(4, "big") + b"ping", (sys.argv[1], int(sys.argv[2])))
    try:
        text = own.recv(2048)[4:].decode()
        received += 1
    except TimeoutError:
        text = "no answer"
    print(f"{number}: {text}", flush=True)
print(f"{count} sent, {received} received")
