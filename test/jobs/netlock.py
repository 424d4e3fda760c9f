"""The lock of TCP connections, as others see it."""
import socket
import struct

NETLINK_NETFILTER = 12
NFT_MSG_GETTABLE = 10 << 8 | 1
NFNLGRP_NFTABLES = 7
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1


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


class Watch:
    """Notes each change of nf_tables in this network namespace, however short it lasts."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self.socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
        self.socket.setblocking(False)

    def changed(self):
        """Whether there was a change since the last question."""
        found = False
        while True:
            try:
                found |= bool(self.socket.recv(65536))
            except BlockingIOError:
                return found

    def close(self):
        self.socket.close()
