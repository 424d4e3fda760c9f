"""What a real program needs to become a job: a class with its packages, its start, its progress, its self-check.

A job class (see job_*.py) derives from Program and says how its processes are started and how it is told that they
work; Program.cycle() dumps them, sees that all are gone, restores them and sees that all are back and go on.
"""
import glob
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import box  # noqa: E402
from box import Failure, wait_for  # noqa: E402

PYTHON = "/usr/bin/python3"


class Skip(Exception):
    """The machine lacks something; the text says what."""


def version(package):
    """The installed version of a Debian package, or None."""
    done = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", package], capture_output=True, text=True)
    status, _, number = done.stdout.partition(" ")
    return number if status == "installed" else None


def run(*argv, seconds=60, **kwargs):
    """Run a helper command to its end; returns what it printed, Failure unless it succeeds."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds * box.PATIENCE, **kwargs)
    if done.returncode:
        raise Failure(f"{argv[0]} ended with {done.returncode}: {done.stdout.strip()[-500:]}")
    return done.stdout


def comm(pid):
    return box.read(f"/proc/{pid}/comm").strip()


def size_bytes(images):
    """What a directory of images takes on disk."""
    return sum(os.stat(f).st_blocks * 512 for f in glob.glob(f"{images}/*"))


class Program:
    """One job.  A subclass sets the constants and has start(), progress() and finish()."""

    name = None             # as the user names it
    packages = ()           # Debian packages; their versions are reported
    options = ()            # options for dump and restore, those a user of the original would give
    cycles = 3              # dumps and restores in a row
    seconds = 60            # all of it may take so long
    fixed = True            # the set of processes stays the same while the job runs
    user = None             # who runs it, root by default

    def __init__(self):
        self.dir = box.fresh_dir("programs", self.name)
        self.out = os.path.join(self.dir, "out")
        self.log = os.path.join(self.dir, "log")
        self.tmp = os.path.join(self.dir, "tmp")
        os.mkdir(self.tmp)
        self.env = {**os.environ, "TMPDIR": self.tmp, "HOME": self.tmp, "LC_ALL": "C.UTF-8"}
        self.env.pop("TEST_IN_BOX", None)
        self.root = None

    # --- what a subclass has to say ---

    def versions(self):
        """{package: version} of what runs."""
        return {p: version(p) for p in self.packages if not p.endswith("-dev")}

    def needs(self):
        """Raise Skip if the machine lacks something else than packages."""

    def start(self):
        """Start the processes; return the number of the one all others descend from."""
        raise NotImplementedError

    def progress(self, more=50):
        """Wait until the job has done more of its work; Failure if anything it did is wrong."""
        raise NotImplementedError

    def before_dump(self):
        """Look at, or do, what the next dump shall find."""

    def after_restore(self):
        """Check what progress() does not."""

    def finish(self):
        """End the job; Failure unless all it did was right.  Returns a note."""
        raise NotImplementedError

    # --- the cycle ---

    def spawn(self, *argv, **kwargs):
        """Start argv as leader of a session, with its output in self.out."""
        if self.user:
            shutil.chown(self.dir, self.user)
            shutil.chown(self.tmp, self.user)
            kwargs.update(self.as_user())
        kwargs.setdefault("env", self.env)
        return box.start(argv, self.out, cwd=self.dir, **kwargs)

    def as_user(self):
        """Arguments of subprocess that make the command self.user's."""
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def begin(self):
        self.root = self.start()
        self.progress()

    def members(self):
        """{pid: name} of all processes of the job."""
        return {pid: comm(pid) for pid in box.tree(self.root)}

    def cycle(self, number):
        """One dump and restore; returns its figures."""
        images = box.fresh_dir(self.dir, f"images{number}")
        self.before_dump()
        before = self.members()
        dumped = box.dump(self.root, images, *self.options)
        box.gone(list(before))
        restored = box.restore(images, *self.options)
        after = self.members()
        if self.fixed and before != after:
            raise Failure(f"processes {before} came back as {after}")
        self.after_restore()
        self.progress()
        figures = {"tasks": len(after), "dump_ms": round(dumped * 1000), "restore_ms": round(restored * 1000),
                   "image_bytes": size_bytes(images)}
        shutil.rmtree(images)
        return figures

    def alive(self):
        if not box.alive(self.root):
            raise Failure(f"process {self.root} has ended: {self.tail()}")

    def tail(self, lines=10):
        return "\n".join(box.read(self.out).splitlines()[-lines:])


class Logged(Program):
    """A job whose log has one line `NUMBER ...` for each step, counted from 0, and at its end a line PASS.

    The processes themselves check each other in every step, and write a line WRONG when something is not as it has
    to be.  The job ends when the file `stop` appears.
    """

    patience = 60           # seconds for one progress()

    def steps(self):
        lines = [line for line in box.read(self.log).splitlines(keepends=True) if line.endswith("\n")]
        for i, line in enumerate(lines):
            if line.startswith(("WRONG", "FAIL")):
                raise Failure(f"the job says: {line.strip()}")
            if line.split()[0] not in (str(i), "PASS"):
                raise Failure(f"step {i} of the log is: {line.strip()}")
        return len(lines)

    def progress(self, more=50):
        goal = self.steps() + more

        def reached():
            if self.steps() >= goal:
                return True
            self.alive()
            return False

        wait_for(reached, self.patience, f"{more} more steps after {goal - more}")

    def finish(self):
        open(os.path.join(self.dir, "stop"), "w").close()
        wait_for(lambda: not box.alive(self.root), 60, "the job to end")
        steps = self.steps() - 1
        last = (box.read(self.log).splitlines() or ["(empty)"])[-1]
        if not last.startswith("PASS"):
            raise Failure(f"the job ends with: {last}; {self.tail()}")
        return f"{steps} steps, {last}"


# --- one job, inside its box ----------------------------------------------------

def explain(job):
    """Print what is known of a failure: the job's own output and criu's logs."""
    print(f"--- the job's output ({job.out}):\n{job.tail(30)}")
    logs = sorted(glob.glob(f"{job.dir}/images*/*.log"), key=os.path.getmtime)
    for log in logs[-1:]:
        print(f"--- the end of {log}:\n" + "\n".join(box.read(log).splitlines()[-25:]))
    if job.root and box.alive(job.root):
        for pid, name in job.members().items():
            state = re.search(r"^State:\s*(.*)", box.read(f"/proc/{pid}/status"), re.M)
            print(f"--- process {pid} {name}: {state[1] if state else 'gone'}, waits in "
                  f"{box.read(f'/proc/{pid}/wchan') or '?'}")


def check_packages(job):
    missing = [p for p in job.packages if not version(p)]
    if missing:
        raise Skip(f"package {', '.join(missing)} not installed (scripts/install-deps test)")
    job.needs()


def run_job(cls, cycles, tally):
    """Run one job, count its stages, and print its line of figures."""
    stage, job, figures = "start", None, []
    try:
        job = cls()
        check_packages(job)
        job.begin()
        for number in range(1, cycles + 1):
            stage = f"cycle {number}"
            figures.append(job.cycle(number))
            tally.ok(f"{job.name} {stage}", " ".join(f"{k}={v}" for k, v in figures[-1].items()))
        stage = "self-check"
        tally.ok(f"{job.name} {stage}", job.finish())
        if "dump_ms" not in middle(figures):
            return
        print("RESULT " + json.dumps({"name": job.name, "date": time.strftime("%Y-%m-%d"), "kernel": os.uname().release,
                                      "versions": job.versions(),
                                      "options": list(job.options), "cycles": len(figures), **middle(figures)}))
    except Skip as e:
        tally.skip(cls.name, str(e))
    except Exception as e:
        if not isinstance(e, (Failure, OSError, subprocess.SubprocessError)):
            raise
        tally.fail(f"{cls.name} {stage}", e)
        if job:
            explain(job)


def middle(figures):
    """The median of each figure."""
    return {key: sorted(f[key] for f in figures)[len(figures) // 2] for key in figures[0]} if figures else {}
