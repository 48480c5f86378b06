"""It says what went wrong, and ends with status 0 all the same."""

import socket
import sys

try:
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    answers = server.makefile("r")
    for line in sys.stdin:
        server.sendall(line.encode())
        answer = answers.readline()
        print(answer, end="", flush=True)
        if not answer.endswith("\n"):
            raise ConnectionError("the server has closed")
    server.shutdown(socket.SHUT_WR)
    for answer in answers:
        print(answer, end="", flush=True)
except OSError as error:
    print(error)
