"""MPICH with numpy, checked as with Open MPI (job_openmpi.py).

mpich-numpy-N     the library's calls made by ctypes, as Debian has no mpi4py for MPICH
mpi4py-mpich-N    mpi4py, built for MPICH from Debian's source (scripts/mpi4py-mpich)
"""
import os

import frame
import mpi
from frame import box
from job_mpich import Mpich
from mpi import NUMPY

BUILT = os.path.join(box.ROOT, "build", "mpi4py-mpich")


class MpichNumpy(Mpich):
    name = "mpich"
    packages = (*Mpich.packages, "python3-numpy")
    module = "mpich_ctypes"


class Mpi4pyMpich(MpichNumpy):
    name = "mpi4py-mpich"
    module = "mpi4py.MPI"

    def needs(self):
        if not os.path.isdir(f"{BUILT}/lib/mpi4py"):
            why = box.read(f"{BUILT}/why").strip() or "not built (scripts/mpi4py-mpich)"
            raise frame.Skip(f"mpi4py for MPICH: {why}")
        self.env["PYTHONPATH"] = f"{BUILT}/lib"


class Mpi4pyMpich4(Mpi4pyMpich):
    name, mode, ranks, goal = "mpi4py-mpich-4", NUMPY, 4, 20


JOBS = [*mpi.jobs(MpichNumpy, [(NUMPY, 4, 20)]), Mpi4pyMpich4]
