"""Its first ping has the number 0."""

import socket
import sys

count, received = int(sys.argv[3]), 0
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.settimeout(1)
for number in range(count):
    ping, text = number.to_bytes(4, "big"), "no answer"
    own.sendto(ping + b"ping", (sys.argv[1], int(sys.argv[2])))
    try:
        while not (answer := own.recv(2048)).startswith(ping):
            pass
        text = answer[4:].decode()
        received += 1
    except TimeoutError:
        pass
    print(f"{number}: {text}", flush=True)
print(f"{count} sent, {received} received")
