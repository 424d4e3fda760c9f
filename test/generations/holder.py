"""Holds memory and files of every kind that has no name, or none any more, and waits.

    holder.py DIRECTORY...

Times are set last, attributes where the file system has them. What it looks like from outside is for run.py to see.
"""
import ctypes
import mmap
import os
import struct
import sys
import time

PAGE = mmap.PAGESIZE
TIMES = (1000000000_123456789, 1000000001_987654321)
MAP_SHARED, MAP_PRIVATE = mmap.MAP_SHARED, mmap.MAP_PRIVATE
LARGE = 300 * PAGE      # more than --ghost-limit allows, by default
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
kept = []               # mappings, which python would otherwise take away

# POSIX ACL, version 2: owner, user 1234, group, mask, others
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in (
    (1, 6, 0xffffffff), (2, 7, 1234), (4, 0, 0xffffffff), (0x10, 5, 0xffffffff), (0x20, 1, 0xffffffff)))


def view(fd, size, flags, offset=0):
    kept.append(mmap.mmap(fd, size, flags, mmap.PROT_READ | (mmap.PROT_WRITE if flags == MAP_SHARED else 0), offset=offset))


def dress(fd, mode, acl=True):
    for name, value in (("user.test", b"kept"), ("trusted.test", b"\0kept"), *([("system.posix_acl_access", ACL)] if acl else [])):
        try:
            os.setxattr(fd, name, value)
        except OSError as e:
            print(f"no {name} here: {e.strerror}", flush=True)
    os.fchown(fd, 1234, 5678)
    if not acl:
        os.fchmod(fd, mode)


def make(path, size, data=b"data"):
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.truncate(fd, size)
    os.pwrite(fd, data, 0)
    os.pwrite(fd, data, size - len(data))
    return fd


def finish(fd):
    os.utime(fd, ns=TIMES)


def deleted(directory):
    """Mapped shared; only open; mapped private; of two names; one whose name is another file's now; a directory."""
    fd = make(f"{directory}/shared", LARGE + 5)
    dress(fd, 0)
    view(fd, LARGE, MAP_SHARED)
    view(fd, PAGE, MAP_PRIVATE, PAGE)
    os.unlink(f"{directory}/shared")
    finish(fd)

    fd = make(f"{directory}/open", 3 * PAGE + 7)
    dress(fd, 0o2640, acl=False)
    os.unlink(f"{directory}/open")
    finish(fd)

    fd = make(f"{directory}/private", 5 * PAGE)
    dress(fd, 0)
    view(fd, 5 * PAGE, MAP_PRIVATE)
    os.unlink(f"{directory}/private")
    finish(fd)

    fd = make(f"{directory}/first", 2 * PAGE)
    os.link(f"{directory}/first", f"{directory}/second")
    second = os.open(f"{directory}/second", os.O_RDWR)
    view(second, PAGE, MAP_SHARED)
    os.unlink(f"{directory}/first")
    os.unlink(f"{directory}/second")
    finish(fd)

    for kind in ("object", "ghost"):
        fd = make(f"{directory}/taken-{kind}", 2 * PAGE)
        if kind == "object":
            view(fd, 2 * PAGE, MAP_SHARED)
        os.unlink(f"{directory}/taken-{kind}")
        with open(f"{directory}/taken-{kind}", "w") as f:
            f.write("somebody else's")
        finish(fd)

    os.mkdir(f"{directory}/directory")
    fd = os.open(f"{directory}/directory", os.O_RDONLY | os.O_DIRECTORY)
    dress(fd, 0o1750, acl=False)
    os.rmdir(f"{directory}/directory")
    finish(fd)


def memory():
    """A memfd that is sealed, one that is not, anonymous memory, a segment."""
    for name, seals in (("sealed", 0xf), ("plain", 0)):
        fd = os.memfd_create(name, os.MFD_ALLOW_SEALING)
        os.truncate(fd, 3 * PAGE + 1)
        os.pwrite(fd, b"data", PAGE)
        dress(fd, 0)
        libc.fcntl(fd, 1033, seals)     # F_ADD_SEALS
        view(fd, PAGE, MAP_PRIVATE)
        finish(fd)
    kept.append(mmap.mmap(-1, 4 * PAGE, MAP_SHARED | mmap.MAP_ANONYMOUS))
    kept[-1][0] = 1
    segment = libc.shmget(0, 2 * PAGE + 9, 0o1640)
    libc.shmat(segment, None, 0)
    libc.shmctl(segment, 0, None)


for directory in sys.argv[1:]:
    deleted(directory)
memory()
print("ready", flush=True)
while True:
    time.sleep(1000)
