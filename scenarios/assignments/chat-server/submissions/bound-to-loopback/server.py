"""It listens on 127.0.0.1: clients on other hosts are refused."""

import socket
import sys

with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=16) as listener:
    clients = []
    while True:
        connection, _ = listener.accept()
        clients.append(connection)
