"""For hooks: what System V objects there are, and restores that have to fail and leave them as they are."""
import ctypes
import os
import re
import subprocess
import sys
import tempfile

IPC_CREAT, IPC_EXCL, IPC_RMID, GETVAL = 0o1000, 0o2000, 0, 12
libc = ctypes.CDLL(None, use_errno=True)


def rows(kind):
    with open(f'/proc/sysvipc/{kind}') as f:
        return [[int(x, 8 if i == 2 else 10) for i, x in enumerate(line.split())] for line in f.readlines()[1:]]


def sets():
    """{id: (key, values)}"""
    return {r[1]: (r[0] & 0xffffffff, tuple(libc.semctl(r[1], i, GETVAL) for i in range(r[3]))) for r in rows('sem')}


def queues():
    """{id: (key, bytes, messages)}"""
    return {r[1]: (r[0] & 0xffffffff, r[3], r[4]) for r in rows('msg')}


def choose_id(kind, want):
    with open(f'/proc/sys/kernel/{kind}_next_id', 'w') as f:
        f.write(str(want))


def made(found, want):
    if found < 0 or want not in (None, found):
        sys.exit(f'make an object: {found} instead of {want}, errno {ctypes.get_errno()}')
    return found


def make_set(key, want=None):
    if want is not None:
        choose_id('sem', want)
    return made(libc.semget(key, 5, IPC_CREAT | IPC_EXCL | 0o600), want)


def make_queue(key, want=None):
    if want is not None:
        choose_id('msg', want)
    return made(libc.msgget(key, IPC_CREAT | IPC_EXCL | 0o600), want)


def remove_set(semid):
    if libc.semctl(semid, 0, IPC_RMID):
        sys.exit(f'remove set {semid}: errno {ctypes.get_errno()}')


def remove_queue(msqid):
    if libc.msgctl(msqid, IPC_RMID, None):
        sys.exit(f'remove queue {msqid}: errno {ctypes.get_errno()}')


def send(msqid, mtype, text):
    data = ctypes.create_string_buffer(mtype.to_bytes(8, 'little') + text)
    if libc.msgsnd(msqid, data, ctypes.c_size_t(len(text)), 0):
        sys.exit(f'send to queue {msqid}: errno {ctypes.get_errno()}')


def operate(semid, num, op):
    data = (ctypes.c_short * 3)(num, op, 0)
    if libc.semop(semid, data, 1):
        sys.exit(f'operate on set {semid}: errno {ctypes.get_errno()}')


def as_task(action, *args):
    """What the test would do if it had gone on after the dump: by a process with its number."""
    wanted = int(os.environ['ZDTM_TEST_PID'])
    for _ in range(100):
        with open('/proc/sys/kernel/ns_last_pid', 'w') as f:
            f.write(str(wanted - 1))
        pid = os.fork()
        if not pid:
            if os.getpid() == wanted:
                action(*args)
            os._exit(os.getpid() != wanted)
        if not os.waitpid(pid, 0)[1]:
            return
    sys.exit(f'no process {wanted} to be had')


def must_fail(what, error, objects, late=False):
    """@late: by a post-restore script, when everything has been made."""
    base = os.environ['ZDTM_IMG_DIR']
    images = os.path.join(base, max(os.listdir(base), key=int))
    before = objects()
    with tempfile.TemporaryDirectory() as work:
        options = []
        if late:
            with open(f'{work}/script', 'w') as f:
                f.write('#!/bin/sh\ntest "$CRTOOLS_SCRIPT_ACTION" != post-restore\n')
                os.fchmod(f.fileno(), 0o755)
            options = ['--action-script', f'{work}/script']
        run = subprocess.run([os.environ['ZDTM_CRIU'], 'restore', '--no-default-config', '-D', images, '-W', work,
                              '-o', 'log', '-d', *options])
        with open(f'{work}/log') as f:
            log = f.read()
    if not run.returncode or not re.search(error, log):
        sys.exit(f'{what}: restore returned {run.returncode}:\n{log}')
    if objects() != before:
        sys.exit(f'{what}: there was {before}, and is {objects()}')
    if os.path.exists(f"/proc/{os.environ['ZDTM_TEST_PID']}"):
        sys.exit(f'{what}: the tree runs')
