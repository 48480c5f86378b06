"""Takes a file for a C string: it ends at the first zero byte."""

import hashlib
import socket
from pathlib import Path


def serve(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as lines:
        name = lines.readline().decode().strip()
        file = Path(name)
        if "/" in name or not file.is_file():
            connection.sendall(b"none\n")
            return
        data = file.read_bytes().partition(b"\0")[0]
        connection.sendall(f"{len(data)} {hashlib.sha256(data).hexdigest()}\n".encode())
        connection.sendall(data)


with socket.create_server(("", 9000)) as listener:
    while True:
        serve(listener.accept()[0])
