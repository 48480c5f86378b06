"""The lab's agent: the one trusted process, at home in the sidecar.

It wires hosts together, captures, samples sockets and sends signals, as the CLI asks over its standard
input and output (protocol.py). The end of its input means that the CLI is gone: the hosts are killed, unless
they are to be kept, and the lab's network goes with the sidecar. Only the standard library is used; nothing
of the rest of the ``lab`` package is imported.
"""
