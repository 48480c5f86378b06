"""Its socket is connected, and it does not expect that recv fails."""

import socket
import sys

count, received = int(sys.argv[3]), 0
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.connect((sys.argv[1], int(sys.argv[2])))
own.settimeout(1)
for number in range(1, count + 1):
    ping, text = number.to_bytes(4, "big"), "no answer"
    own.send(ping + b"ping")
    try:
        while not (answer := own.recv(2048)).startswith(ping):
            pass
        text = answer[4:].decode()
        received += 1
    except TimeoutError:
        pass
    print(f"{number}: {text}", flush=True)
print(f"{count} sent, {received} received")
