"""It connects to the machine on which it was written."""

import socket
import sys

try:
    server = socket.create_connection(("127.0.0.1", 7000))
except OSError as error:
    sys.exit(f"client: {error}")
for line in sys.stdin:
    server.sendall(line.encode())
