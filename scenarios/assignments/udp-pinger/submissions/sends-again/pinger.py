"""It sends a ping again until it is answered."""

import socket
import sys

count, received = int(sys.argv[3]), 0
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.settimeout(1)
for number in range(1, count + 1):
    ping, text = number.to_bytes(4, "big"), "no answer"
    for _ in range(2):
        own.sendto(ping + b"ping", (sys.argv[1], int(sys.argv[2])))
        try:
            while not (answer := own.recv(2048)).startswith(ping):
                pass
        except TimeoutError:
            continue
        text = answer[4:].decode()
        received += 1
        break
    print(f"{number}: {text}", flush=True)
print(f"{count} sent, {received} received")
