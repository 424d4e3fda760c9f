"""The lock of TCP connections, as others see it."""
import socket
import struct

NETLINK_NETFILTER = 12
NFT_MSG_GETTABLE = 10 << 8 | 1


def locks():
    """Whether a table of criu's is in nf_tables, of this network namespace."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as s:
        s.settimeout(10)
        s.sendto(struct.pack("=LHHLLBBH", 20, NFT_MSG_GETTABLE, 0x301, 1, 0, 0, 0, 0), (0, 0))
        text = b""
        while True:
            block = s.recv(65536)
            text += block
            if struct.unpack_from("=H", block, 4)[0] in (2, 3):
                return b"CRIU-" in text
