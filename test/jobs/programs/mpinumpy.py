"""numpy over MPI: arrays by their buffers, objects by pickle, memory that ranks share, each checked in every step.

    mpinumpy.py MODULE LOG STOP

MODULE is mpi4py.MPI, or mpich_ctypes, which has the same names.  What is checked is told in job_openmpi.py.
"""
import importlib
import os
import sys

import numpy

MPI = importlib.import_module(sys.argv[1])
world = MPI.COMM_WORLD
me, size = world.Get_rank(), world.Get_size()
PRIVATE = 1 << 16       # numbers in the array that stays with a rank
SHARED = 1 << 15        # numbers of each rank in the window


def check(good, text):
    if not good:
        print(f"WRONG rank {me}: {text}", file=sys.stderr, flush=True)
        world.Abort(1)


def arrays(step):
    """A sum over all ranks, and an array that goes to the next rank."""
    length = 1 << step % 20
    mine = numpy.arange(length, dtype="f8") * (me + 1) + step
    total = numpy.empty_like(mine)
    world.Allreduce(mine, total, MPI.SUM)
    check((total == numpy.arange(length) * (size * (size + 1) / 2) + step * size).all(), f"sum of step {step}")
    got = numpy.empty_like(mine)
    before = (me - 1) % size
    world.Sendrecv(mine, (me + 1) % size, step % 1000, got, before, step % 1000)
    check((got == numpy.arange(length) * (before + 1) + step).all(), f"array of step {step}")


def objects(step):
    """A dictionary in each direction."""
    before, after = (me - 1) % size, (me + 1) % size
    sent = world.isend({"step": step, "from": me, "data": list(range(step % 50))}, after, 2000)
    got = world.recv(source=before, tag=2000)
    sent.wait()
    check(got == {"step": step, "from": before, "data": list(range(step % 50))}, f"got {got}")


class Private:
    """An array that only this rank has, one more in each step."""

    def __init__(self):
        self.array = numpy.arange(PRIVATE, dtype="f8") * (me + 1)

    def step(self, step):
        self.array += 1
        check((self.array == numpy.arange(PRIVATE) * (me + 1) + step + 1).all(), f"private array of step {step}")


class Shared:
    """One window of memory; each rank writes its part of it, and reads the parts of all others where they are."""

    def __init__(self):
        self.win = MPI.Win.Allocate_shared(SHARED * 8, 8, comm=world)
        self.parts = [numpy.ndarray(buffer=self.win.Shared_query(rank)[0], dtype="f8", shape=(SHARED,))
                      for rank in range(size)]
        self.parts[me][:] = numpy.arange(SHARED)
        self.win.Lock_all(MPI.MODE_NOCHECK)
        self.meet()

    def meet(self):
        """What anybody has written before is seen by all afterwards."""
        self.win.Sync()
        world.Barrier()
        self.win.Sync()

    def step(self, step):
        self.parts[me] += me + 1
        self.meet()
        for rank, part in enumerate(self.parts):
            check((part == numpy.arange(SHARED) + (rank + 1) * (step + 1)).all(), f"rank {rank}'s part in step {step}")
        self.meet()

    def end(self):
        self.win.Unlock_all()
        del self.parts
        self.win.Free()


def main():
    log = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if me == 0 else None
    private, shared = Private(), Shared()
    step, end = 0, False
    while not end:
        arrays(step)
        objects(step)
        private.step(step)
        shared.step(step)
        end = world.bcast(os.path.exists(sys.argv[3]) if me == 0 else None)
        if log:
            os.write(log, f"{step}\n".encode())
        step += 1
    numbers = world.gather(step)
    shared.end()
    if log:
        check(numbers == [step] * size, f"steps {numbers}")
        library = " ".join(MPI.Get_library_version().split()[:3]).rstrip(",")
        os.write(log, f"PASS {step} steps of {size} ranks, {sys.argv[1]}, {library}\n".encode())
    MPI.Finalize()


if __name__ == "__main__":
    main()
