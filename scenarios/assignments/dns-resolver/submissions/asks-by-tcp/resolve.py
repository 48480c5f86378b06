"""It asks over TCP: the servers listen for datagrams only."""

import socket
import sys

with socket.create_connection((sys.argv[1], 53), timeout=1) as server:
    server.sendall(b"\0\x22\0\1\0\0\0\1\0\0\0\0\0\0\3www\7example\4test\0\0\1\0\1")
    print(socket.inet_ntoa(server.recv(512)[-4:]))
