"""What the jobs of both MPIs have in common: mpijob.c, its modes, and how it is started."""
import os
import subprocess

from frame import HERE, PYTHON, Logged

# what each mode of mpijob.c proves
RING, WINDOW, FILE, NUMPY = "ring", "window", "file", "numpy"


class Mpi(Logged):
    cycles = 10
    patience = 120
    seconds = 120
    compiler = None         # builds mpijob.c
    launcher = ()           # mpirun, and what it needs to know
    ranks = 2
    mode = RING
    module = "mpi4py.MPI"   # python's way to the library, for NUMPY
    numpy_packages = ()     # what that takes
    goal = 20               # steps after each restore

    def begin(self):
        if self.mode != NUMPY:
            self.program = os.path.join(self.dir, "mpijob")
            subprocess.run([self.compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", self.program,
                            os.path.join(HERE, "mpijob.c")], check=True)
        super().begin()

    def progress(self, more=None):
        super().progress(more or self.goal)

    def start(self):
        files = self.log, os.path.join(self.dir, "stop")
        what = (PYTHON, os.path.join(HERE, "mpinumpy.py"), self.module) if self.mode == NUMPY else (self.program, self.mode)
        return self.spawn(*self.launcher, "-np", str(self.ranks), *what, *files)


def jobs(base, which):
    """Classes for [(mode, ranks, goal), ...]."""
    return [type(f"{base.__name__}{mode}{ranks}", (base,),
                 {"name": f"{base.name}-{mode}-{ranks}", "mode": mode, "ranks": ranks, "goal": goal,
                  "packages": base.packages + (base.numpy_packages if mode == NUMPY else ())})
            for mode, ranks, goal in which]
