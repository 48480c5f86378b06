"""recv has no time-out: it waits for ever for an answer that was lost."""

import socket
import sys

count, received = int(sys.argv[3]), 0
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(1, count + 1):
    own.sendto(number.to_bytes(4, "big") + b"ping", (sys.argv[1], int(sys.argv[2])))
    answer = own.recv(2048)
    received += 1
    print(f"{number}: {answer[4:].decode()}", flush=True)
print(f"{count} sent, {received} received")
