"""A zdtm program in a directory of our choice, dumped and restored from here."""
import contextlib
import os
import re
import signal
import subprocess

import box
from box import Failure, wait_for
from places import Lacking

STATIC = os.path.join(box.ROOT, "test", "zdtm", "static")
SECONDS = 20


def build(names):
    """Compile what is out of date of the given programs."""
    subprocess.run(["make", "-s", "--no-print-directory", "-C", os.path.join(box.ROOT, "test", "zdtm", "lib")], check=True)
    subprocess.run(["make", "-s", "--no-print-directory", f"-j{os.cpu_count()}", "-C", STATIC, *sorted(names)],
                   check=True, stdout=subprocess.DEVNULL)


class Program:
    """Runs in the directory that its option --dirname names, or anywhere without; checks itself in the end."""

    def __init__(self, name, dirname=None, env=None):
        self.dir = box.fresh_dir("filesystems", "run", name)
        self.images = f"{self.dir}/images"
        self.generation = 0
        self.out = f"{self.dir}/out"
        pidfile = f"{self.dir}/pid"
        args = [os.path.join(STATIC, name), f"--pidfile={pidfile}", f"--outfile={self.out}"]
        started = subprocess.run([*args, *([f"--dirname={dirname}"] if dirname else [])], cwd="/", text=True,
                                 stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, **(env or {})})
        if started.returncode:
            raise Failure(f"{name} did not start: {started.stderr.strip()} {self.said()}")
        self.pid = int(box.read(pidfile))
        self.pids = box.tree(self.pid)
        lacks = re.search(r"SKIP: \S+ (.*)", box.read(f"{self.out}.inprogress"))
        if lacks:
            self.end()
            raise Lacking(lacks[1])

    def said(self):
        return " ".join(line for line in (box.read(self.out) or box.read(self.out + ".inprogress")).splitlines()
                        if ": ERR: " in line or ": FAIL: " in line)

    def dump(self, *extra):
        """The program is gone afterwards; a failure says so by an exception."""
        self.generation += 1
        self.images = f"{self.dir}/images-{self.generation}"
        os.mkdir(self.images)
        box.dump(self.pid, self.images, *extra)
        box.gone(self.pids)

    def restore(self, *extra, **kwargs):
        box.restore(self.images, *extra, **kwargs)
        if box.tree(self.pid) != self.pids:
            raise Failure(f"restored {box.tree(self.pid)} instead of {self.pids}")

    def cycle(self, *extra):
        self.dump(*extra)
        self.restore()

    def refused(self, command, *extra):
        """What criu says; a success is a failure, and so is a process or a descriptor more or less."""
        try:
            getattr(self, command)(*extra)
        except Failure:
            text = " ".join(box.errors(self.images, command))
        else:
            raise Failure(f"{command} succeeded")
        left = [pid for pid in self.pids if box.alive(pid)]
        if left != (self.pids if command == "dump" else []):
            raise Failure(f"after a {command} that failed, of {self.pids} there are {left}")
        return text

    def log(self, command):
        return box.read(f"{self.images}/{command}.log")

    def finish(self):
        """Tell it to check itself; Failure unless it is content."""
        os.kill(self.pid, signal.SIGTERM)
        wait_for(lambda: not box.alive(self.pid), SECONDS, "the program to end")
        if "PASS" not in box.read(self.out).rpartition("\n")[0].rpartition("\n")[2]:
            raise Failure(self.said() or f"its last words are not PASS: {box.read(self.out)[-200:]!r}")

    def end(self):
        """Whatever became of it, it is gone."""
        box.kill_all([pid for pid in self.pids if box.alive(pid)])


@contextlib.contextmanager
def started(name, dirname=None):
    """A program that is gone at the end, whatever happens."""
    tested = Program(name, dirname)
    try:
        yield tested
    finally:
        tested.end()
