"""It opens a connection of TCP."""

import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as own:
    for number in range(1, int(sys.argv[3]) + 1):
        own.sendall(number.to_bytes(4, "big") + b"ping")
        print(f"{number}: {own.recv(2048)[4:].decode()}", flush=True)
