import socket
import sys

with socket.create_connection((sys.argv[1], 7000)) as connection:
    connection.sendall(f"{sys.argv[2]}\n".encode())
    print("back", connection.makefile().readline().strip(), flush=True)
