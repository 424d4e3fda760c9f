"""What the cases share: the program that is dumped, and what is expected of criu."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "jobs"))
import box  # noqa: E402
from box import Failure, wait_for  # noqa: E402

SECONDS = 20
ME = f"process {os.getpid()} (python3"


def inode(end):
    return os.fstat(end.fileno() if hasattr(end, "fileno") else end).st_ino


class Skip(Exception):
    """Why a case can't be tried here."""


class Tool:
    """tool.py, running; a descriptor it is given keeps its number."""

    def __init__(self, case, what, where, pass_fds=()):
        self.dir = box.fresh_dir("outside", case)
        self.out = os.path.join(self.dir, "out")
        self.ends = []
        argv = ["/usr/bin/python3", os.path.join(HERE, "tool.py"), what, str(where)]
        self.pid = box.start(argv, self.out, cwd=self.dir, pass_fds=pass_fds)
        wait_for(lambda: "ready" in self.said(), SECONDS, "the program to be ready")

    def said(self):
        return box.read(self.out).split()

    def says(self, word):
        wait_for(lambda: word in self.said(), SECONDS, f"the program to say '{word}'")

    def images(self, name="images"):
        return box.fresh_dir(os.path.relpath(self.dir, box.WORK), name)

    def dump(self, images, *extra):
        box.dump(self.pid, images, *extra)
        box.gone([self.pid])

    def refuses(self, images, *extra):
        """The error of a dump that must not succeed; nothing may have happened."""
        try:
            box.dump(self.pid, images, *extra)
        except Failure:
            if box.whole(images):
                raise Failure("there are images of a refused dump") from None
            return " ".join(box.errors(images, "dump"))
        raise Failure("the dump succeeded")

    def end(self):
        if box.alive(self.pid):
            box.kill_all([self.pid])


def restore_fails(images, *extra):
    try:
        box.restore(images, *extra)
    except Failure:
        return " ".join(box.errors(images, "restore"))
    raise Failure("the restore succeeded")


def must_say(text, *parts):
    for part in parts:
        if part not in text:
            raise Failure(f"the message does not say '{part}': {text}")


def answers(end, word=b"hello"):
    end.settimeout(SECONDS * box.PATIENCE)
    end.send(word)
    got = end.recv(100)
    if got != b"answer to " + word:
        raise Failure(f"'{got}' came back for '{word}'")
