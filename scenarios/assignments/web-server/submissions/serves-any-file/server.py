"""It opens whatever path a client names, and thinks that it lies in the folder."""

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
        if not path.is_file():
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        content = path.read_bytes()
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)


with socket.create_server(("", int(sys.argv[1])), backlog=64) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
