"""Cases of run.py: sessions of the tree whose terminal is outside, left there and given back.

The test has the master; the leader of a session in the tree has the slave as its controlling terminal.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import box
from box import Failure, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 20
BASH = ["bash", "--norc", "--noprofile", "-i"]


class Screen:
    """A pty of which we have the master, and its slave until somebody else has it."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        st = os.fstat(self.slave)
        self.key = f"tty[{st.st_rdev:x}:{st.st_dev:x}]"
        self.name = os.ttyname(self.slave)
        self.text = ""
        self.size(24, 80)

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def handed_over(self):
        os.close(self.slave)
        self.slave = -1

    def again(self):
        """The slave, once more."""
        self.slave = os.open(self.name, os.O_RDWR | os.O_NOCTTY)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern):
        def read():
            try:
                if select.select([self.master], [], [], 0.05)[0]:
                    self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                pass  # nobody has the slave open now
            return re.search(pattern, self.text)

        try:
            match = wait_for(read, SECONDS, f"{pattern!r} on the screen")
        except Failure as e:
            raise Failure(f"{e}; it shows {self.text[-300:]!r}") from None
        self.text = self.text[match.end():]
        return match

    def front(self):
        return os.tcgetpgrp(self.master)

    def close(self):
        os.close(self.master)
        if self.slave >= 0:
            os.close(self.slave)


class Session:
    """A program that leads a session at a screen."""

    def __init__(self, case, *argv):
        self.dir = box.fresh_dir("outside", case)
        self.log = os.path.join(self.dir, "log")
        self.screen = Screen()
        argv = argv or ["/usr/bin/python3", os.path.join(HERE, "session.py"), case.split("_")[-1], self.log]
        env = {"PATH": os.environ["PATH"], "PS1": "$ ", "TERM": "dumb", "HISTFILE": "/dev/null"}
        slave = self.screen.slave

        def take_terminal():
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.pid = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, cwd=self.dir, env=env,
                                    start_new_session=True, preexec_fn=take_terminal).pid
        self.screen.handed_over()
        if "bash" not in argv:
            self.says("ready")

    def says(self, word):
        wait_for(lambda: word in box.read(self.log).splitlines(), SECONDS, f"'{word}' in the log: {box.read(self.log)!r}")

    def in_front(self, name):
        """Wait until a group of this name has the foreground; before its exec it would not hear the keys."""
        wait_for(lambda: box.read(f"/proc/{self.screen.front()}/comm").strip() == name, SECONDS, f"{name} in front")

    def terminals(self):
        """{pid: whether it has a controlling terminal}"""
        return {pid: box.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[4] != "0" for pid in box.tree(self.pid)}

    def images(self):
        return box.fresh_dir(os.path.relpath(self.dir, box.WORK), "images")

    def dump(self, *extra):
        """Leave the terminal where it is; the images."""
        images = self.images()
        box.dump(self.pid, images, "--external", self.screen.key, *extra)
        box.gone([self.pid])
        return images

    def restore(self, images, screen, **kwargs):
        """Give it this screen."""
        restore(images, screen.slave, self.screen.key, **kwargs)
        screen.handed_over()
        self.screen.close()
        self.screen = screen

    def end(self):
        box.kill_all([p for p in box.tree(self.pid) if box.alive(p)])
        self.screen.close()


def restore(images, fd, key, **kwargs):
    done = subprocess.run(box.criu_args("restore", images, "-d", "--inherit-fd", f"fd[{fd}]:{key}"), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, pass_fds=[fd], timeout=SECONDS * box.PATIENCE, **kwargs)
    if done.returncode:
        raise Failure(f"criu restore returned {done.returncode}: {' '.join(box.errors(images, 'restore'))}")


def fails(what, *parts):
    """The call must fail and say so."""
    try:
        what()
    except Failure as e:
        for part in parts:
            if part not in str(e):
                raise Failure(f"the message does not say '{part}': {e}") from None
        return
    raise Failure("it did not fail")


# --- cases --------------------------------------------------------------------------

def case_tty_shell(case):
    """An interactive shell with jobs goes on at another terminal, then at the same one: its size, its keys, its end."""
    session = Session(case, *BASH)
    session.screen.type("trap 'echo resi''zed' WINCH; n=41\n")
    for same in False, True:
        session.screen.type("sleep 1000 & echo 'be''hind'\n")
        session.screen.expect("behind")
        session.screen.type("sleep 2000\n")
        session.in_front("sleep")
        session.screen.type("\x1a")
        session.screen.expect("Stopped")
        images = session.dump()
        screen = session.screen if same else Screen()
        if same:
            screen.again()
            restore(images, screen.slave, screen.key)
            screen.handed_over()
        else:
            session.restore(images, screen)
        screen.type("jobs\n")
        screen.expect(r"Running +sleep 1000(.|\n)*Stopped +sleep 2000")
        screen.type("fg\n")
        screen.expect(r"\nsleep 2000")
        session.in_front("sleep")
        screen.type("\x03")
        session.in_front("bash")
        screen.size(30, 90)
        screen.type("\nkill %1; wait; echo n''=$((++n))$(jobs -r); stty size\n")
        screen.expect("resized(.|\n)*n=42\r?\n30 90" if not same else "n=43\r?\n30 90")
    session.screen.close()
    wait_for(lambda: not box.alive(session.pid), SECONDS, "the shell to end with its terminal")
    session.screen = Screen()
    session.end()


def case_tty_front(case):
    """Dumped while a job is in front: it is in front again, and the keys are its own."""
    session = Session(case, *BASH)
    session.screen.type("sleep 2000\n")
    session.in_front("sleep")
    front, screen = session.screen.front(), Screen()
    session.restore(session.dump(), screen)
    if screen.front() != front:
        raise Failure(f"group {screen.front()} is in front instead of {front}")
    screen.type("\x03")
    session.in_front("bash")
    screen.type("echo 'af''ter' $?\n")
    screen.expect("after 130")
    session.end()


def case_tty_reader(case):
    """Who has opened /dev/tty reads from the terminal that is given, and still as /dev/tty."""
    session, screen = Session(case), Screen()
    session.screen.type("one\n")
    session.says("one from /dev/tty True")
    session.restore(session.dump(), screen)
    screen.type("two\n")
    session.says("two from /dev/tty True")
    screen.type("\x03")
    session.says("SIGINT")
    os.close(screen.master)
    session.says("SIGHUP")
    session.screen = Screen()
    session.end()


def case_tty_silent(case):
    """Nobody has the terminal open: it is the session's all the same, but of the child that gave it up."""
    session, screen = Session(case), Screen()
    wait_for(lambda: sorted(session.terminals().values()) == [False, True, True], SECONDS, "one to give it up")
    before = session.terminals()
    fails(lambda: box.dump(session.pid, session.images()), f"--external {session.screen.key}")
    session.restore(session.dump(), screen)
    if session.terminals() != before:
        raise Failure(f"{before} have the terminal, now {session.terminals()}")
    os.kill(session.pid, signal.SIGUSR1)
    screen.expect(f"child of {session.pid} front {session.pid}")
    screen.size(30, 90)
    session.says("SIGWINCH")
    session.end()


def case_tty_flags(case):
    """Given by a criu that leads a session without terminal: it must not take that one for itself."""
    session, screen = Session(case), Screen()
    images = session.dump()
    session.restore(images, screen, start_new_session=True)
    screen.type("\x03")
    session.says(f"{os.O_RDONLY | os.O_NONBLOCK} {os.O_RDWR} {session.pid}")
    session.says("nothing")
    screen.type("typed\n")
    # a resize does not flush what was typed; it may come before that
    sizes = iter(range(30, 1000))
    wait_for(lambda: "typed" in box.read(session.log).split() or screen.size(next(sizes), 80) or time.sleep(0.1), SECONDS,
             "the line to be read")
    session.end()


def case_tty_wrong(case):
    """What can't be its terminal is not; afterwards the right one is."""
    session, screen, other = Session(case + "_reader"), Screen(), Session(case + "_flags")
    key = session.screen.key
    fails(lambda: session.dump("--external", re.sub(":.*]", ":1]", key)), "two terminals")
    images = session.dump()
    fails(lambda: box.restore(images), f"--inherit-fd fd[N]:{key}")
    null = os.open("/dev/null", os.O_RDWR)
    fails(lambda: restore(images, null, key), key, "no terminal")
    os.close(null)
    other.screen.again()
    fails(lambda: restore(images, other.screen.slave, key), "another session's")
    other.screen.type("\x03")
    other.says(f"{os.O_RDONLY | os.O_NONBLOCK} {os.O_RDWR} {other.pid}")
    session.restore(images, screen)
    screen.type("right\n")
    session.says("right from /dev/tty True")
    other.end()
    session.end()


def case_tty_taken(case):
    """Another session's terminal is refused also where only the leader's own descriptors need it."""
    session, screen, other = Session(case + "_flags"), Screen(), Session(case + "_silent")
    images = session.dump()
    other.screen.again()
    fails(lambda: restore(images, other.screen.slave, session.screen.key), "another session's")
    session.restore(images, screen)
    screen.type("\x03")
    session.says("SIGINT")
    other.end()
    session.end()
