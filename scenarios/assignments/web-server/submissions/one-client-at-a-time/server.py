"""It serves its clients one after the other: all wait for one that says nothing."""

import socket
import sys
from pathlib import Path

with socket.create_server(("", int(sys.argv[1])), backlog=64) as listener:
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("r", newline="") as lines:
            words = lines.readline().split()
            while lines.readline().strip():
                pass
            path = Path(sys.argv[2], words[1].lstrip("/"))
            if ".." in path.parts or not path.is_file():
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                continue
            content = path.read_bytes()
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
