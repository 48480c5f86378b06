"""It takes what one recv returns for the whole answer."""

import socket
import sys

try:
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
except OSError as error:
    sys.exit(str(error))
for line in sys.stdin:
    server.sendall(line.encode())
    answer = server.recv(1024).decode().rstrip("\n")
    if not answer:
        sys.exit("the server has closed")
    print(answer, flush=True)
server.shutdown(socket.SHUT_WR)
while rest := server.recv(1024):
    print(rest.decode(), end="", flush=True)
