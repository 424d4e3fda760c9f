"""The private namespaces of a test."""

import ctypes
import fcntl
import os
import signal
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWNET = 0x40000000
MS_REC_PRIVATE = 0x4000 | 0x40000
MS_PROC = 0x2 | 0x4 | 0x8
MS_DEVPTS = 0x2 | 0x8
PR_SET_PDEATHSIG = 1
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

libc = ctypes.CDLL(None, use_errno=True)


def libc_call(name, *args):
    if getattr(libc, name)(*args):
        e = ctypes.get_errno()
        raise OSError(e, f'{name}: {os.strerror(e)}')


def run_init(work):
    """Process 1 of the namespace: reap whatever is orphaned until the worker ends."""
    libc_call('prctl', PR_SET_PDEATHSIG, signal.SIGKILL)
    libc_call('mount', b'none', b'/', None, MS_REC_PRIVATE, None)
    libc_call('mount', b'proc', b'/proc', b'proc', MS_PROC, None)
    # Terminals that nobody else takes while a test is gone.
    libc_call('mount', b'devpts', b'/dev/pts', b'devpts', MS_DEVPTS, b'newinstance,ptmxmode=0666,mode=0620')
    worker = os.fork()
    if not worker:
        work()
        os._exit(0)
    while True:
        pid, status = os.wait()
        if pid == worker:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def loopback_up():
    """A network of the test's own: its ports and packet filters are nobody else's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack('16sh14x', b'lo', IFF_UP))


def in_namespaces(work):
    """Fork a child that runs @work in new namespaces and ends with its status; the pid of that child."""
    pid = os.fork()
    if pid:
        return pid
    try:
        libc_call('prctl', PR_SET_PDEATHSIG, signal.SIGKILL)
        libc_call('unshare', CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET)
        loopback_up()
        init = os.fork()
        if not init:
            run_init(work)
        # Ending the init ends everything in its namespace.
        signal.signal(signal.SIGTERM, lambda *_: os.kill(init, signal.SIGKILL))
        status = os.waitpid(init, 0)[1]
        os._exit(os.waitstatus_to_exitcode(status) & 0xff)
    except BaseException as e:
        print(f'{type(e).__name__}: {e}', flush=True)
        os._exit(1)
