"""The lines of its header end with a newline alone."""

import socket
import sys
import threading
from pathlib import Path


def serve(connection: socket.socket) -> None:
    with connection, connection.makefile("r", newline="") as lines:
        words = lines.readline().split()
        while lines.readline().strip():
            pass
        path = Path(f"{sys.argv[2]}/{words[1]}") if len(words) > 1 else Path("/none")
        if ".." in path.parts or not path.is_file():
            connection.sendall(b"HTTP/1.1 404 Not Found\nContent-Length: 0\n\n")
            return
        content = path.read_bytes()
        connection.sendall(f"HTTP/1.1 200 OK\nContent-Length: {len(content)}\n\n".encode() + content)


with socket.create_server(("", int(sys.argv[1])), backlog=64) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
