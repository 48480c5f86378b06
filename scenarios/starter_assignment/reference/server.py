"""An echo server with a thread for each client."""

import socket
import sys
import threading


def serve(connection: socket.socket) -> None:
    with connection:
        while data := connection.recv(4096):
            connection.sendall(data)


with socket.create_server(("", int(sys.argv[1])), backlog=16) as listener:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()
