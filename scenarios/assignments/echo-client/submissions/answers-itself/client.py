"""It prints the answer that it expects, and not the one that comes."""

import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as server:
    for line in sys.stdin:
        server.sendall(line.encode())
        server.recv(1024)
        print(line, end="", flush=True)
    server.shutdown(socket.SHUT_WR)
    while server.recv(1024):
        pass
