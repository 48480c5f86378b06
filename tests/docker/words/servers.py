"""Programs that several plays have."""

from __future__ import annotations

CLIENT = """
import contextlib, socket, sys
end = socket.socket()
with contextlib.suppress(OSError):
    end.connect((sys.argv[1], int((*sys.argv, '7000')[2])))
    end.sendall(b'hello')
print('called', flush=True)
for word in sys.stdin:
    with contextlib.suppress(OSError):
        match word.strip():
            case 'hear': print('heard', end.recv(100), flush=True)
            case 'say': end.sendall(b'more')
            case 'shut': end.shutdown(socket.SHUT_WR)
            case 'close': break
end.close()
"""
"""What is right or wrong is the server's; the client does as the script bids."""

CLOSES = """
import socket
listener = socket.create_server(('', 7000))
while True:
    end, _ = listener.accept()
    while data := end.recv(100):
        end.sendall(data)
    end.close()
"""

CLOSES_FIRST = """
import socket
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
end.recv(5, socket.MSG_WAITALL)
end.close()
"""

READS_AND_STAYS = """
import socket, sys
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
while end.recv(100):
    print('read data', flush=True)
print('read all', flush=True)
sys.stdin.readline()
end.close()
sys.stdin.readline()
"""

ACCEPTS_NOBODY = """
import socket, sys
listener = socket.create_server(('', 7000), backlog=5)
sys.stdin.readline()
"""
