"""Real jobs that share deleted files: dumped, gone, restored, three times in a row.

    run.py [--procs N] [--mib N] [--cycles N] [JOB...]

Jobs: ring-shm (C, file in /dev/shm), ring-disk (C, file on disk), python
(multiprocessing).  No special option is given to criu.
"""
import argparse
import os
import signal
import sys

import box
from box import Failure, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))


class Job:
    """A program whose log has one line `NUMBER ...` per step, counting from 0."""

    def __init__(self, name, argv, expect_paths):
        self.name = name
        self.dir = box.fresh_dir("jobs", name)
        self.log = os.path.join(self.dir, "log")
        self.argv = [a.format(log=self.log, dir=self.dir) for a in argv]
        self.expect_paths = expect_paths.format(dir=self.dir)
        self.pids = []

    def start(self):
        self.shm_before = box.shm_state()
        self.root = box.start(self.argv, os.path.join(self.dir, "out"), cwd="/")
        self.progress(20)
        self.pids = box.tree(self.root)
        self.objects = self.sharing()

    def steps(self):
        """How many steps the log holds; each must follow the one before."""
        lines = box.read(self.log).splitlines(keepends=True)
        whole = [line.split()[0] for line in lines if line.endswith("\n")]
        bad = [line for line in lines if line.startswith(("WRONG", "FAIL"))]
        if bad:
            raise Failure(f"the job says: {bad[0].strip()}")
        for i, number in enumerate(whole):
            if number != str(i) and number != "PASS":
                raise Failure(f"step {i} of the log is {number}")
        return len(whole)

    def progress(self, more):
        """Wait until the log is that many steps longer."""
        goal = self.steps() + more
        self.pids and self.all_alive()
        wait_for(lambda: self.steps() >= goal, 60, f"{more} more steps after {goal - more}")

    def all_alive(self):
        dead = [p for p in self.pids if not box.alive(p)]
        if dead:
            raise Failure(f"processes {dead} are not there")

    def sharing(self):
        """The deleted shared objects; Failure unless each path is one inode with no name for all."""
        objects = box.shared_deleted(self.pids)
        if not any(path.startswith(self.expect_paths) for path in objects):
            raise Failure(f"no deleted shared file {self.expect_paths}*, but {sorted(objects)}")
        for path, holders in objects.items():
            found = set().union(*holders.values())
            if len(found) != 1:
                raise Failure(f"{path} is several objects: {found}")
            if {links for _, _, links in found} != {0}:
                raise Failure(f"{path} has a name again")
        return objects

    def gone(self):
        """After a dump: no process and no trace of an object."""
        box.gone(self.pids)
        self.nothing_left()

    def nothing_left(self):
        """No name and no memory in /dev/shm, no file of ours beside the log."""
        wait_for(lambda: box.shm_state() == self.shm_before, 5,
                 f"/dev/shm to be as before ({self.shm_before}, now {box.shm_state()})")
        self.no_names()

    def no_names(self):
        names = set(os.listdir(self.dir)) | set(os.listdir(box.SHM))
        extra = [n for n in names if n not in ("log", "out") and not n.startswith("images")]
        if extra:
            raise Failure(f"left behind: {extra}")

    def cycle(self, number):
        images = box.fresh_dir(self.dir, f"images{number}")
        objects = self.sharing()
        dumped = box.dump(self.root, images)
        self.gone()
        before = self.steps()
        restored = box.restore(images)
        self.no_names()
        self.pids_back()
        self.same_holders(objects)
        self.progress(200)
        return f"{before} steps, dump {dumped * 1000:.0f} ms, restore {restored * 1000:.0f} ms"

    def pids_back(self):
        now = box.tree(self.root)
        if sorted(now) != sorted(self.pids):
            raise Failure(f"processes {sorted(self.pids)} came back as {sorted(now)}")

    def same_holders(self, before):
        now = self.sharing()
        want = {path: set(holders) for path, holders in before.items()}
        have = {path: set(holders) for path, holders in now.items()}
        if want != have:
            raise Failure(f"holders were {want} and are {have}")

    def finish(self):
        os.kill(self.root, signal.SIGTERM)
        wait_for(lambda: not box.alive(self.root), 60, "the job to end")
        last = (box.read(self.log).splitlines() or ["(empty)"])[-1]
        self.steps()
        if not last.startswith("PASS"):
            raise Failure(f"the job ends with: {last}")
        self.nothing_left()
        return last


def run(job, cycles, tally):
    try:
        stage = "start"
        job.start()
        for number in range(1, cycles + 1):
            stage = f"cycle {number}"
            tally.ok(f"{job.name} {stage}", job.cycle(number))
        stage = "self-check"
        tally.ok(f"{job.name} {stage}", job.finish())
    except Failure as e:
        tally.fail(f"{job.name} {stage}", f"{e} (see {job.dir})")
    finally:
        box.kill_all([p for p in job.pids if box.alive(p)])


def make_jobs(options):
    ring = [box.build(os.path.join(HERE, "shmring.c")), "-l", "{log}", "-n", str(options.procs), "-m", str(options.mib)]
    return {
        "ring-shm": lambda: Job("ring-shm", ring, "/dev/shm/shmring-"),
        "ring-disk": lambda: Job("ring-disk", [*ring, "-d", "{dir}"], "{dir}/shmring-"),
        "python": lambda: Job("python", ["/usr/bin/python3", f"{HERE}/pyqueue.py", "{log}"], "/dev/shm/"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--procs", type=int, default=4)
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("jobs", nargs="*", metavar="JOB")
    options = parser.parse_args()
    box.enter()
    jobs = make_jobs(options)
    tally = box.Tally()
    for name in options.jobs or jobs:
        run(jobs[name](), options.cycles, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
