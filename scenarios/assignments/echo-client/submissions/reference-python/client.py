"""Send each line to the server and print its answer."""

import socket
import sys


def main(host: str, port: int) -> int:
    with socket.create_connection((host, port)) as server, server.makefile("r", newline="\n") as answers:
        for line in sys.stdin:
            server.sendall(line.encode())
            answer = answers.readline()
            print(answer, end="", flush=True)
            if not answer.endswith("\n"):
                print("the server has closed the connection", file=sys.stderr)
                return 1
        server.shutdown(socket.SHUT_WR)
        for answer in answers:
            print(answer, end="", flush=True)
    return 0


try:
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
except OSError as error:
    sys.exit(f"client: {error}")
