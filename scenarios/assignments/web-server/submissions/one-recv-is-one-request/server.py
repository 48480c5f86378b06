"""It takes what one recv returns for the whole request."""

import socket
import sys
import threading
from pathlib import Path


def serve(connection: socket.socket) -> None:
    with connection:
        words = connection.recv(4096).decode().split()
        path = Path(sys.argv[2], words[1].lstrip("/")) if len(words) > 1 else None
        if path is None or ".." in path.parts or not path.is_file():
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        content = path.read_bytes()
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)


with socket.create_server(("", int(sys.argv[1])), backlog=64) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
