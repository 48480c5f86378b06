"""An address and a port as text."""

from __future__ import annotations


def endpoint(address: str, port: int) -> str:
    """Both as one text, an IPv6 address in brackets (RFC 3986, section 3.2.2).

    >>> endpoint("192.168.153.128", 80), endpoint("fd00::1", 80)
    ('192.168.153.128:80', '[fd00::1]:80')
    """
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
