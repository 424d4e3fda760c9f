"""Files of a tmpfs whose content the images carry (--tmpfs-content).

    run.py [CASE...]

What a reboot does to them, removing them does as well: restore must make them again,
under all their names, and only where they are gone.
"""
import argparse
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "jobs"))
import box
from box import Failure, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["mapped", "one", "open", "two"]
SECONDS = 20


class Keeper:
    def __init__(self, case):
        self.images = box.fresh_dir("carried", case, "images")
        self.out = os.path.join(os.path.dirname(self.images), "out")
        self.files = f"{box.SHM}/keeper-{case}"
        os.mkdir(self.files)
        self.pid = box.start([box.build(os.path.join(HERE, "keeper.c")), self.files], self.out, cwd="/")
        wait_for(lambda: "ready" in box.read(self.out), SECONDS, "the keeper to be ready")

    def dump(self):
        box.dump(self.pid, self.images, "--tmpfs-content")
        box.gone([self.pid])

    def names(self):
        return sorted(os.listdir(self.files))

    def inodes(self):
        return [os.stat(f"{self.files}/{name}").st_ino for name in NAMES]

    def remove(self):
        for name in self.names():
            os.unlink(f"{self.files}/{name}")

    def finish(self):
        """The keeper's own check of all contents."""
        os.kill(self.pid, signal.SIGTERM)
        wait_for(lambda: not box.alive(self.pid), SECONDS, "the keeper to end")
        if "count " not in box.read(self.out):
            raise Failure(f"the keeper does not agree with its files: {box.read(self.out)}")

    def end(self):
        box.kill_all([self.pid] if box.alive(self.pid) else [])
        shutil.rmtree(self.files)


def refused(keeper, *extra):
    try:
        box.restore(keeper.images, *extra)
    except Failure:
        return " ".join(box.errors(keeper.images, "restore"))
    raise Failure("restore succeeded")


def case_gone(keeper):
    for _ in range(2):
        keeper.dump()
        keeper.remove()
        box.restore(keeper.images)
        if keeper.names() != NAMES:
            raise Failure(f"the files are {keeper.names()}")
    if any(os.stat(f"{keeper.files}/{name}").st_mode & 0o7777 != 0o640 for name in NAMES if name != "two"):
        raise Failure("a file has another mode than before")
    keeper.finish()
    if keeper.names() != NAMES:
        raise Failure("the files are the job's, and did not stay")


def case_there(keeper):
    before = keeper.inodes()
    keeper.dump()
    box.restore(keeper.images)
    if keeper.inodes() != before:
        raise Failure("files that were there were made again")
    keeper.finish()


def case_taken(keeper):
    keeper.dump()
    keeper.remove()
    alien = f"{keeper.files}/open"
    with open(alien, "w") as f:
        f.write("somebody else's")
    text = refused(keeper)
    if "is not the file that was saved" not in text:
        raise Failure(f"the error does not say why: {text}")
    if keeper.names() != ["open"] or box.read(alien) != "somebody else's":
        raise Failure(f"something was left or changed: {keeper.names()}")


def case_failed(keeper):
    keeper.dump()
    keeper.remove()
    script = os.path.join(os.path.dirname(keeper.images), "script")
    with open(script, "w") as f:
        f.write('#!/bin/sh\ntest "$CRTOOLS_SCRIPT_ACTION" != post-restore\n')
    os.chmod(script, 0o700)
    refused(keeper, "--action-script", script)
    if keeper.names() or box.alive(keeper.pid):
        raise Failure(f"a failed restore left {keeper.names()}")
    box.restore(keeper.images)
    keeper.finish()


def case_no_directory(keeper):
    keeper.dump()
    keeper.remove()
    os.rmdir(keeper.files)
    text = refused(keeper)
    os.mkdir(keeper.files)
    if "its directory can't be opened" not in text:
        raise Failure(f"the error does not say why: {text}")


CASES = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    options = parser.parse_args()
    box.enter()
    tally = box.Tally()
    for name in options.cases or CASES:
        keeper = Keeper(name)
        try:
            CASES[name](keeper)
            tally.ok(name)
        except Failure as e:
            tally.fail(name, str(e))
        finally:
            keeper.end()
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
