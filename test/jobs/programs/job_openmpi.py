"""Open MPI, also with numpy through mpi4py, which Debian builds for Open MPI alone.

openmpi-ring-N, openmpi-window-N, openmpi-file-N
                  as with MPICH (job_mpich.py); `file` is what people tried in 2014: ranks that share a deleted file
openmpi-numpy-N   mpi4py: arrays by their buffers (Allreduce, Sendrecv), pickled objects, an array that each rank has by
                  itself and grows in each step, and one whose parts all ranks write and read in memory that they
                  share (Win.Allocate_shared); every number of each equal to what it has to be in this step
"""
import mpi
from mpi import FILE, NUMPY, RING, WINDOW


class OpenMpi(mpi.Mpi):
    name = "openmpi"
    packages = ("openmpi-bin", "libopenmpi-dev")
    numpy_packages = ("python3-mpi4py", "python3-numpy")
    options = ("--tcp-established",)
    compiler = "mpicc.openmpi"
    launcher = ("mpirun.openmpi", "--allow-run-as-root", "--oversubscribe")


JOBS = mpi.jobs(OpenMpi, [(RING, 2, 20), (RING, 8, 20), (WINDOW, 2, 50), (WINDOW, 8, 20), (FILE, 2, 20), (NUMPY, 4, 20)])
