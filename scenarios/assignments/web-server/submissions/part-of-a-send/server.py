"""It does not look how much send has taken: on a socket with a time-out that may be a part."""

import socket
import sys
import threading
from pathlib import Path


def serve(connection: socket.socket) -> None:
    connection.settimeout(10)
    with connection, connection.makefile("r", newline="") as lines:
        words = lines.readline().split()
        while lines.readline().strip():
            pass
        path = Path(sys.argv[2], words[1].lstrip("/")) if len(words) > 1 else Path("..")
        if ".." in path.parts or not path.is_file():
            connection.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        content = path.read_bytes()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode())
        connection.send(content)


with socket.create_server(("", int(sys.argv[1])), backlog=64) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
