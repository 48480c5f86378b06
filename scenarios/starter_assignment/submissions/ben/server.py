"""An echo server that answers once and then forgets its client: it never closes."""

import socket
import sys
import time

with socket.create_server(("", int(sys.argv[1])), backlog=16) as listener:
    connection, _ = listener.accept()
    connection.sendall(connection.recv(4096))
    time.sleep(3600)
