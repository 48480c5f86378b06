"""What a frame holds that is no TCP: the name of its protocol, from the numbers that IANA and IEEE assign."""

from __future__ import annotations

from struct import Struct

from lab.core.icmp import ICMP, ICMPV6
from lab.wire.packets.internet import TCP, UDP
from lab.wire.packets.link import IPV4, IPV6, LARGEST_LENGTH, NO_IP

_ETHERTYPES = {
    0x0806: "ARP", 0x0842: "Wake-on-LAN", 0x22F3: "TRILL", 0x6558: "bridged Ethernet", 0x8035: "RARP",
    0x8137: "IPX", 0x8808: "Ethernet flow control", 0x8809: "LACP", 0x880B: "PPP",
    0x8847: "MPLS", 0x8848: "MPLS", 0x8863: "PPPoE", 0x8864: "PPPoE", 0x888E: "EAPOL",
    0x88B5: "a local experiment", 0x88BE: "ERSPAN", 0x22EB: "ERSPAN", 0x88CC: "LLDP", 0x88E5: "MACsec",
    0x88E7: "provider bridges", 0x88F7: "PTP", 0x8906: "FCoE", 0x894F: "NSH", 0x9000: "loopback test",
    NO_IP: "neither IPv4 nor IPv6",
}  # fmt: skip
"""EtherTypes (standards-oui.ieee.org/ethertype)."""

_PROTOCOLS = {
    0: "IPv6 options", ICMP: "ICMP", 2: "IGMP", 4: "IP in IP", TCP: "TCP", UDP: "UDP", 41: "IPv6 in IP",
    43: "IPv6 routing", 44: "IPv6 fragments", 46: "RSVP", 47: "GRE", 50: "ESP", 51: "AH", ICMPV6: "ICMPv6",
    33: "DCCP", 59: "IPv6 without content", 88: "EIGRP", 89: "OSPF", 97: "EtherIP", 103: "PIM", 108: "IPComp",
    112: "VRRP", 115: "L2TP", 132: "SCTP", 136: "UDP-Lite", 137: "MPLS in IP",
}  # fmt: skip
"""Protocols of IP (www.iana.org/assignments/protocol-numbers)."""

_TUNNELS = {
    1701: "L2TP in UDP", 2152: "GTP in UDP", 3544: "Teredo in UDP", 4341: "LISP in UDP", 4500: "IPsec in UDP",
    4789: "VXLAN in UDP", 4790: "VXLAN-GPE in UDP", 6081: "Geneve in UDP", 6635: "MPLS in UDP",
    8472: "VXLAN in UDP",
}  # fmt: skip
"""UDP ports behind which other packets stand."""

UDP_TUNNELS = frozenset(port.to_bytes(2, "big") for port in _TUNNELS)
"""The same as they stand in a header."""

_IPV6_HEADER = 40
_OFFSET = 0x1FFF
"""Of a fragment, in an IPv4 header: only the first has ports."""

_short = Struct("!H").unpack_from
_ports = Struct("!HH").unpack_from


def kind_of(kind: int, data: bytes, at: int) -> str:
    """The protocol of a network packet whose EtherType is ``kind`` and that begins at ``at``.

    Raises IndexError or struct.error if it ends within its headers.
    """
    if kind == IPV4:
        first = not _short(data, at + 6)[0] & _OFFSET
        return _of_ip(data[at + 9], data, at + (data[at] & 15) * 4 if first else len(data))
    if kind == IPV6:
        return _of_ip(data[at + 6], data, at + _IPV6_HEADER)
    if kind <= LARGEST_LENGTH:
        return "LLC"
    return _ETHERTYPES.get(kind, f"EtherType 0x{kind:04x}")


def _of_ip(protocol: int, data: bytes, at: int) -> str:
    if protocol == UDP and len(data) >= at + 4:
        source, target = _ports(data, at)
        return _TUNNELS.get(target) or _TUNNELS.get(source) or "UDP"
    return _PROTOCOLS.get(protocol, f"IP protocol {protocol}")
