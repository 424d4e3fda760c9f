"""Processes that share memory in every way, and then sleep.

    sharer.py [--procs N] [--outsider] [--busy] [--readers] [--tmpfs]
              [--crowd]

The process that is started is the root of a tree of N processes.  --outsider: one more process holds everything but
is not in the tree.  --busy: one of the tree forks, maps and opens all the time.  --readers:
they share one deleted file only, and none of them can write to it.  --tmpfs: they share one file of a tmpfs that has
its name.  --crowd: each shares memory with the next one that nobody else has, so that all differ, and names are as wide
as can be.  Prints "outsider PID" and "ready".
"""
import argparse
import mmap
import os
import signal
import time

# no UTF-8, and something that HTML, XML, a shell or a terminal would take for more than a name
NAME = b"/dev/shm/shared object \xff<b>&\"'\x1b[2J"

MARK = b"SHARED!\n"


def make():
    """Everything that can be shared, held by who calls it and by who is forked from now on."""
    fd = os.open(NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.ftruncate(fd, 1 << 20)
    deleted = mmap.mmap(fd, 1 << 20)
    for i in range(0, 8192, len(MARK)):  # in pieces, so that no memory but the object has a page of it
        deleted[i:i + len(MARK)] = MARK
    os.unlink(NAME)
    ghost = os.open("/dev/shm/a ghost", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(ghost, b"boo")
    os.unlink("/dev/shm/a ghost")
    anonymous = mmap.mmap(-1, 65536)
    anonymous[0] = 1
    memfd = os.memfd_create("a memfd")
    os.ftruncate(memfd, 100)
    live = os.open("live", os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(live, 8192)
    return fd, deleted, ghost, anonymous, memfd, live, mmap.mmap(live, 8192)


def make_readers():
    """A deleted file that was written and is now only read."""
    make_fd = os.open(NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    for _ in range(0, 8192, len(MARK)):
        os.write(make_fd, MARK)
    fd = os.open(NAME, os.O_RDONLY)
    os.close(make_fd)
    os.unlink(NAME)
    return fd, mmap.mmap(fd, 8192, prot=mmap.PROT_READ)


def make_kept():
    fd = os.open("/dev/shm/kept", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.ftruncate(fd, 8192)
    os.write(fd, MARK)
    return fd, mmap.mmap(fd, 8192)


def make_wide(number):
    """A deleted file whose name is as wide as its bytes allow, as is the name of this process from then on."""
    name = f"/dev/shm/{number}{'W' * 200}"
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.ftruncate(fd, 4096)
    os.unlink(name)
    with open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write("W" * 15)
    found = mmap.mmap(fd, 4096)
    os.close(fd)
    return found


def hold_outside():
    """A process that holds it all, and is nobody's child."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    holder = os.fork()
    if holder:
        print("outsider", holder, flush=True)
        os._exit(0)
    while True:
        signal.pause()


def be_busy():
    while True:
        child = os.fork()
        if not child:
            os._exit(0)
        region = mmap.mmap(-1, 1 << 16)
        fd = os.open("/dev/null", os.O_RDONLY)
        os.close(fd)
        region.close()
        os.waitpid(child, 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--procs", type=int, default=2)
    parser.add_argument("--outsider", action="store_true")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--readers", action="store_true")
    parser.add_argument("--tmpfs", action="store_true")
    parser.add_argument("--crowd", action="store_true")
    options = parser.parse_args()
    base = last = None
    held = make_readers() if options.readers else make_kept() if options.tmpfs else make()
    if options.outsider:
        hold_outside()
    for i in range(options.procs - 1):
        if options.crowd:
            base, last = base or held, (mmap.mmap(-1, 65536), make_wide(i), last and last[:2])
            held = base, last
        if not os.fork():
            if options.busy and i == 0:
                be_busy()
            while True:
                signal.pause()
    time.sleep(0.2)
    print("ready", flush=True)
    while held:
        signal.pause()


main()
