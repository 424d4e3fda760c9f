"""mpi4py and numpy: arrays by their buffers, objects by pickle, each checked; see job_openmpi.py.

    mpinumpy.py LOG STOP
"""
import os
import sys

import numpy
from mpi4py import MPI

world = MPI.COMM_WORLD
me, size = world.Get_rank(), world.Get_size()


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


def main():
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if me == 0 else None
    step, end = 0, False
    while not end:
        arrays(step)
        objects(step)
        end = world.bcast(os.path.exists(sys.argv[2]) if me == 0 else None)
        if log:
            os.write(log, f"{step}\n".encode())
        step += 1
    numbers = world.gather(step)
    if log:
        check(numbers == [step] * size, f"steps {numbers}")
        os.write(log, f"PASS {step} steps of {size} ranks, {MPI.Get_library_version().split(',')[0]}\n".encode())


if __name__ == "__main__":
    main()
