"""MPICH, with the transports UCX chooses by itself.

mpich-ring-N      a token with a number goes around N ranks, messages of 0 bytes to 4 MiB are compared byte by byte with
                  what their sender has to have sent in this step, and an Allreduce must give the sum of all ranks'
                  steps: a message lost, doubled, changed or out of turn ends the job with WRONG
mpich-window-N    one-sided: ranks draw numbers from a counter with Fetch_and_op; each number once, none left out
mpich-file-N      ranks take turns in a file that they share and have deleted: each sees what the one before it wrote
"""
import mpi
from mpi import FILE, RING, WINDOW


class Mpich(mpi.Mpi):
    name = "mpich"
    packages = ("mpich", "libmpich-dev", "libucx0")
    options = ("--tcp-established",)
    compiler = "mpicc.mpich"
    launcher = ("mpirun.mpich",)


JOBS = mpi.jobs(Mpich, [(RING, 2, 20), (RING, 8, 1), (WINDOW, 2, 50), (FILE, 2, 20)])
