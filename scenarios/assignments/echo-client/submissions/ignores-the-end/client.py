"""It waits for the rest of an answer for ever: it takes the end for an answer that is late."""

import socket
import sys
import time

try:
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
except OSError as error:
    sys.exit(str(error))
for line in sys.stdin:
    server.sendall(line.encode())
    answer = b""
    while not answer.endswith(b"\n"):
        answer += server.recv(1024)
        time.sleep(0.02)
    print(answer.decode(), end="", flush=True)
server.shutdown(socket.SHUT_WR)
while rest := server.recv(1024):
    print(rest.decode(), end="", flush=True)
