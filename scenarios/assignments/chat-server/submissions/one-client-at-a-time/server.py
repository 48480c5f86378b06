"""It calls accept again only when its client has left."""

import socket
import sys

with socket.create_server(("", int(sys.argv[1])), backlog=16) as listener:
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("r") as lines:
            name = lines.readline().strip()
            print(f"{name} joined", flush=True)
            connection.sendall(f"* {name} joined\n".encode())
            for line in lines:
                print(f"{name}: {line.strip()}", flush=True)
