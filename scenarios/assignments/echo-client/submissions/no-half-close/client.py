"""It closes the whole connection at the end of its input: what the server still says is lost."""

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
    print(answer, end="", flush=True)
    if not answer.endswith("\n"):
        sys.exit("the server has closed")
answers.close()
server.close()
