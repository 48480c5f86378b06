"""It never flushes: its output stays in a buffer until it ends."""

import socket
import sys

try:
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
except OSError as error:
    sys.exit(str(error))
answers = server.makefile("r")
for line in sys.stdin:
    server.sendall(line.encode())
    answer = answers.readline()
    print(answer, end="")
    if not answer.endswith("\n"):
        sys.exit("the server has closed")
server.shutdown(socket.SHUT_WR)
for answer in answers:
    print(answer, end="")
