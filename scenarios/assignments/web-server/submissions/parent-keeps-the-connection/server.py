"""A process for each client, but the parent keeps the connection open, too: no FIN is sent."""

import os
import signal
import socket
import sys
from pathlib import Path


def serve(connection: socket.socket) -> None:
    with connection.makefile("r", newline="") as lines:
        words = lines.readline().split()
        while lines.readline().strip():
            pass
    path = Path(sys.argv[2], words[1].lstrip("/")) if len(words) > 1 else Path("..")
    if ".." in path.parts or not path.is_file():
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return
    content = path.read_bytes()
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)


signal.signal(signal.SIGCHLD, signal.SIG_IGN)
everybody: list[socket.socket] = []
with socket.create_server(("", int(sys.argv[1])), backlog=64) as listener:
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            try:
                serve(connection)
            finally:
                os._exit(0)
        everybody.append(connection)
