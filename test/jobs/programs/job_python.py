"""Debian's Python.

python-pool       every task of a multiprocessing.Pool is done exactly once (a counter the workers share), by the
                  workers the pool had from the start, and its result comes in its turn
python-shm        three processes take turns in a SharedMemory block, led by a Condition: each finds in its cell what
                  was written one round before, so a lost turn or a second copy of the block shows
python-manager    a Manager process serves dict, queue, lock and event over unix sockets: each message of a worker
                  follows the one before, and at the end the server's dict equals what the queue brought
python-futures    a ProcessPoolExecutor whose results are awaited in a ThreadPoolExecutor: each result once, in order
python-asyncio    server and clients in two processes, over a unix socket: on each of five connections every message
                  comes once and in order, also by way of a queue, a lock and a `cat` behind pipes; no timer fires
                  early, and a thread of the default executor that waits for its input still gets it
python-asyncio-tcp  the same over loopback
"""
import os

from frame import HERE, PYTHON, Logged


class Parallel(Logged):
    packages = ("python3",)
    mode = None

    def start(self):
        return self.spawn(PYTHON, os.path.join(HERE, "parallel.py"), self.mode, self.log, os.path.join(self.dir, "stop"))


class Pool(Parallel):
    name, mode = "python-pool", "pool"


class Shm(Parallel):
    name, mode = "python-shm", "shm"


class Manager(Parallel):
    name, mode = "python-manager", "manager"


class Futures(Parallel):
    name, mode = "python-futures", "futures"


class Asyncio(Logged):
    name, kind = "python-asyncio", "unix"
    packages = ("python3",)

    def start(self):
        return self.spawn(PYTHON, os.path.join(HERE, "asyncjob.py"), self.kind, self.log, os.path.join(self.dir, "stop"))


class AsyncioTcp(Asyncio):
    name, kind = "python-asyncio-tcp", "tcp"
    options = ("--tcp-established",)


JOBS = [Pool, Shm, Manager, Futures, Asyncio, AsyncioTcp]
