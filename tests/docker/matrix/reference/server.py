import socket

with socket.create_server(("", 7000)) as listener:
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as lines:
            lines.write(lines.readline())
