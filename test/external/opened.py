"""Deleted files that the tree and this process have open, and that nobody maps shared (open.c).

What is written to such a file is seen by the other side, so it is shared all the same: a child's output in
tempfile.TemporaryFile() is the usual case.
"""
import array
import contextlib
import os
import socket
import subprocess
import tempfile

import box
from box import Failure, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 20
US = f"{os.getpid()} ({box.read('/proc/self/comm').strip()})"


class Opened:
    """The file, our descriptor of it, and a tree of one process that has it."""

    def __init__(self, where, case):
        self.where = where
        self.dir = box.fresh_dir("external", f"opened-{where}-{case}")
        self.log = f"{self.dir}/seen"
        self.pid = 0
        if where == "memfd":
            self.fd = os.memfd_create("opened")
        else:
            with tempfile.TemporaryFile(dir=box.SHM if where == "shm" else self.dir) as file:
                self.fd = os.dup(file.fileno())

    def start(self, mode, fd):
        """The tree: open.c with our descriptor, or one of its own, as its output or input."""
        argv = [box.build(os.path.join(HERE, "open.c")), mode, *([] if mode == "write" else [self.log])]
        with open(f"{self.dir}/out", "wb") as out:
            self.pid = subprocess.Popen(argv, stdin=subprocess.DEVNULL if mode == "write" else fd, stdout=fd if mode == "write" else out,
                                        stderr=out, start_new_session=True, cwd="/").pid
        if mode == "write":
            self.goes_on()
        else:
            wait_for(lambda: os.path.exists(self.log), SECONDS, "the tree to read")

    def again(self, flags):
        """A description of the file of its own."""
        return os.open(f"/proc/self/fd/{self.fd}", flags)

    def change(self, fd):
        """Another descriptor in the place of ours."""
        os.dup2(fd, self.fd, inheritable=False)
        os.close(fd)

    def lines(self):
        """What we see, whole lines only."""
        data = os.pread(self.fd, 1 << 24, 0)
        return data[:data.rfind(b"\n") + 1].decode().split("\n")[:-1]

    def goes_on(self):
        before = len(self.lines())
        wait_for(lambda: len(self.lines()) > before + 3, SECONDS, "the tree to write")

    def check_lines(self, lines=None):
        """Each number once, and in order: nothing was overwritten, nothing is missing."""
        lines = lines or self.lines()
        for number, line in enumerate(lines, 1):
            if line != str(number):
                raise Failure(f"line {number} of {len(lines)} is {line!r}")

    def of_tree(self, number=1):
        """(position, flags, inode) of the tree's descriptor."""
        info = dict(line.split(":\t") for line in box.read(f"/proc/{self.pid}/fdinfo/{number}").splitlines()[:2])
        return int(info["pos"]), int(info["flags"], 8), os.stat(f"/proc/{self.pid}/fd/{number}").st_ino

    def of_us(self):
        """Our position."""
        return os.lseek(self.fd, 0, os.SEEK_CUR)

    def images(self, name="images"):
        return box.fresh_dir(os.path.relpath(self.dir, box.WORK), name)

    def dump(self, images, *extra):
        box.dump(self.pid, images, *extra)
        box.gone([self.pid])

    def end(self):
        box.kill_all([self.pid] if self.pid and box.alive(self.pid) else [])
        if self.fd >= 0:
            os.close(self.fd)


def expect(condition, text):
    if not condition:
        raise Failure(text)


def refused(command, images, *args):
    """The error that criu gave; a success is a failure."""
    try:
        getattr(box, command)(*args)
    except Failure:
        return " ".join(box.errors(images, command))
    raise Failure(f"{command} succeeded")


# --- the cases ---------------------------------------------------------------------

def case_refuse(tested):
    """Nobody maps it, and still the other side would not see the output any more."""
    tested.start("write", tested.fd)
    images = tested.images()
    text = refused("dump", images, tested.pid, images)
    expect(f"{US} fd {tested.fd} rw" in text and "--external-holders attach" in text and f"task {tested.pid} fd 1" in text,
           f"the refusal does not name holders and option: {text}")
    tested.goes_on()
    tested.check_lines()


def case_read_refuse(tested):
    """The one outside writes, the tree reads."""
    os.write(tested.fd, b"one\n")
    tested.start("read", tested.again(os.O_RDONLY))
    images = tested.images()
    text = refused("dump", images, tested.pid, images)
    expect(f"fd {tested.fd} rw" in text, f"the refusal does not name who writes: {text}")


def case_attach(tested):
    """One open file on both sides, as fork makes it: position included, which is where either side writes next."""
    tested.start("write", tested.fd)
    for _ in range(2):
        images = tested.images()
        tested.dump(images, "--external-holders", "attach")
        before = tested.of_us()
        box.restore(images)
        tested.goes_on()
        tested.check_lines()
        expect(tested.of_us() > before, "our position does not move with the tree's any more")


def case_attach_moved(tested):
    """While the tree is away we write: it goes on behind that."""
    tested.start("write", tested.fd)
    images = tested.images()
    tested.dump(images, "--external-holders", "attach")
    here = len(tested.lines())
    os.write(tested.fd, b"ours\n")
    box.restore(images)
    tested.goes_on()
    lines = tested.lines()
    expect(lines.pop(here) == "ours", f"what we wrote is gone: {lines[here - 1:here + 3]}")
    tested.check_lines(lines)


def case_attach_own(tested):
    """A description of the tree's own: flags and position are as they were."""
    tested.start("write", tested.again(os.O_WRONLY | os.O_SYNC))
    tested.change(tested.again(os.O_RDONLY))
    images = tested.images()
    before = tested.of_tree()
    tested.dump(images, "--external-holders", "attach")
    stop = len(tested.lines())
    expect(os.lseek(tested.fd, 3, os.SEEK_SET) == 3, "seek")
    box.restore(images)
    after = tested.of_tree()
    expect(after[1:] == before[1:] and after[0] >= len("\n".join(tested.lines()[:stop])), f"was {before}, is {after}")
    tested.goes_on()
    tested.check_lines()
    expect(os.lseek(tested.fd, 0, os.SEEK_CUR) == 3, "our own position moved")


def case_attach_append(tested):
    """O_APPEND: what was written meanwhile is not overwritten."""
    tested.start("write", tested.again(os.O_WRONLY | os.O_APPEND))
    images = tested.images()
    before = tested.of_tree()
    tested.dump(images, "--external-holders", "attach")
    here = len(tested.lines())
    os.pwrite(tested.fd, b"ours\n", os.fstat(tested.fd).st_size)
    box.restore(images)
    expect(tested.of_tree()[1:] == before[1:] and before[1] & os.O_APPEND, "other flags or another file than before")
    tested.goes_on()
    lines = tested.lines()
    expect(lines.pop(here) == "ours", f"what we wrote is gone: {lines[here - 1:here + 3]}")
    tested.check_lines(lines)


def case_attach_closed(tested):
    """The open file that was shared is gone, the file is not: the tree has a position of its own, and says so."""
    tested.start("write", tested.fd)
    images = tested.images()
    tested.dump(images, "--external-holders", "attach")
    tested.change(tested.again(os.O_RDONLY))
    box.restore(images)
    expect(f"no longer has it open as fd {tested.fd}" in box.read(f"{images}/restore.log"), "no warning of the position")
    tested.goes_on()
    tested.check_lines()
    expect(os.lseek(tested.fd, 0, os.SEEK_CUR) == 0, "our own position moved")


def case_attach_read(tested):
    """The tree reads what we write."""
    os.write(tested.fd, b"one\n")
    own = tested.again(os.O_RDONLY)
    tested.start("read", own)
    os.close(own)
    images = tested.images()
    tested.dump(images, "--external-holders", "attach")
    os.pwrite(tested.fd, b"two\n", 0)
    box.restore(images)
    expect(tested.of_tree(0)[1] & os.O_ACCMODE == os.O_RDONLY, "it can write now")
    wait_for(lambda: box.read(tested.log) == "two\n", SECONDS, "the tree to see what was written while it was away")
    os.pwrite(tested.fd, b"six\n", 0)
    wait_for(lambda: box.read(tested.log) == "six\n", SECONDS, "the tree to see what is written now")


def case_copy(tested):
    """Of any size, said to be the user's choice; restored with attach it is the same file again."""
    tested.start("write", tested.fd)
    os.pwrite(tested.fd, b"\n" * (2 << 20), 4 << 20)
    images = tested.images()
    tested.dump(images, "--external-holders", "copy", "--ghost-limit", "4096")
    expect("sharing ends, as --external-holders copy says" in box.read(f"{images}/dump.log"), "the log does not say that sharing ends")
    seen = os.pread(tested.fd, 8 << 20, 0)
    text = refused("restore", images, images, "--external-holders", "refuse")
    expect("was shared with processes outside" in text, f"the refusal of restore does not say why: {text}")
    box.restore(images)
    with open(f"/proc/{tested.pid}/fd/1", "rb") as theirs:
        wait_for(lambda: os.fstat(theirs.fileno()).st_ino and os.pread(theirs.fileno(), 8 << 20, 0) != seen, SECONDS, "the tree to write")
        copy = os.pread(theirs.fileno(), 8 << 20, 0)
    wrote = seen.index(b"\0") if b"\0" in seen[:4 << 20] else 4 << 20
    expect(copy[:wrote] == seen[:wrote] and copy[4 << 20:] == seen[4 << 20:], "the copy has another content")
    expect(os.pread(tested.fd, 8 << 20, 0) == seen, "we see what the tree writes to its copy")
    box.kill_all([tested.pid])
    box.restore(images, "--external-holders", "attach")
    wait_for(lambda: os.pread(tested.fd, 8 << 20, 0) != seen, SECONDS, "us to see the tree write again")


def case_read_only(tested):
    """Nobody can write to it: two files instead of one make no difference."""
    os.write(tested.fd, b"one\n")
    own = tested.again(os.O_RDONLY)
    tested.start("read", own)
    tested.change(own)
    images = tested.images()
    tested.dump(images)
    expect("where nobody can write to it, nor can the tree" in box.read(f"{images}/dump.log"), "the log does not name the other holder")
    os.unlink(tested.log)
    box.restore(images)
    wait_for(lambda: box.read(tested.log) == "one\n", SECONDS, "the tree to read what was in it")
    expect(os.pread(tested.fd, 10, 0) == b"one\n", "ours is another")


def case_private(tested):
    """As a replaced library: written to, but only to pages of the task's own."""
    os.write(tested.fd, b"one\n" + b"\n" * 8188)
    own = tested.again(os.O_RDONLY)
    tested.start("private", own)
    tested.change(own)
    images = tested.images()
    tested.dump(images)
    os.unlink(tested.log)
    box.restore(images)
    wait_for(lambda: box.read(tested.log) == "one\n", SECONDS, "the tree to read what was in it")


def case_unseen(tested):
    """A ghost that a message holds outside: the look at what lives on is not for mapped memory alone."""
    tested.start("write", tested.fd)
    with contextlib.ExitStack() as stack:
        ends = [stack.enter_context(end) for end in socket.socketpair()]
        ends[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [tested.fd]))])
        os.close(tested.fd)
        tested.fd = -1
        images = tested.images()
        tested.dump(images)
        expect("lives on" in box.read(f"{images}/dump.log"), "the log does not say that somebody still holds the file")
    box.restore(images)


def case_alone(tested):
    """Nobody else has it: nothing is said to live on."""
    tested.start("write", tested.fd)
    os.close(tested.fd)
    tested.fd = -1
    images = tested.images()
    tested.dump(images)
    expect("lives on" not in box.read(f"{images}/dump.log"), "the log says that somebody still holds the file")
    box.restore(images)


def case_fifo(tested):
    """What goes through a deleted fifo would not arrive."""
    path = f"{tested.dir}/fifo"
    os.mkfifo(path)
    tested.change(os.open(path, os.O_RDWR))
    os.unlink(path)
    os.write(tested.fd, b"one\n")
    theirs = tested.again(os.O_WRONLY)
    with open(f"{tested.dir}/out", "wb") as out:
        tested.pid = subprocess.Popen(["sleep", "1000"], stdin=theirs, stdout=out, stderr=out, start_new_session=True, cwd="/").pid
    os.close(theirs)
    images = tested.images()
    for how in ("refuse", "attach"):
        text = refused("dump", images, tested.pid, images, "--external-holders", how)
        expect(f"{US} fd {tested.fd} rw" in text and "--external-holders copy" in text, f"{how}: {text}")
    tested.dump(images, "--external-holders", "copy")
    box.restore(images)


CASES = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}
