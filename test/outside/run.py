"""Sockets (TCP: tcp.py), pipes and terminals (terminals.py) of the tree whose other end a process outside has: this
program; and what is given back at restore (given.py).

    run.py [CASE...]
"""
import argparse
import os
import re
import select
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "jobs"))
import box  # noqa: E402
from box import Failure  # noqa: E402
from frame import ME, SECONDS, Skip, Tool, answers, inode, must_say, restore_fails  # noqa: E402
import given  # noqa: E402
import tcp  # noqa: E402
import terminals  # noqa: E402

def pair_of(case, kind=socket.SOCK_STREAM):
    """(the tool, our end, the inode of its end)"""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    tool = Tool(case, "answer", theirs.fileno(), [theirs.fileno()])
    ino = inode(theirs)
    theirs.close()
    return tool, ours, ino


# --- connections ----------------------------------------------------------------------

def case_pair_refused(case):
    for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM:
        tool, ours, ino = pair_of(case, kind)
        text = tool.refuses(tool.images())
        must_say(text, ME, f"socket:[{inode(ours)}]", f"--ext-unix-sk={ino}", f"--external unix[{ino}]")
        must_say(tool.refuses(tool.images(), "--ext-unix-sk"), ME)
        answers(ours)
        tool.end()


def case_pair_lost(case):
    """Named by its own inode, or by that of the other end; what was queued is there before the end."""
    for named in "own", "other":
        tool, ours, ino = pair_of(case)
        images = tool.images()
        tool.dump(images, f"--ext-unix-sk={ino if named == 'own' else inode(ours)}")
        if ours.recv(1) != b"":
            raise Failure("our end does not see that the other is gone")
        box.restore(images)
        tool.says("closed")
        tool.end()


def case_pair_given(case):
    tool, ours, ino = pair_of(case)
    images = tool.images()
    tool.dump(images, "--external", f"unix[{ino}]")
    must_say(restore_fails(images), f"--inherit-fd fd[N]:socket:[{ino}]")
    ours, theirs = socket.socketpair()
    box.restore(images, "--inherit-fd", f"fd[{theirs.fileno()}]:socket:[{ino}]", pass_fds=[theirs.fileno()])
    theirs.close()
    answers(ours, b"again")
    tool.end()
    box.gone([tool.pid])
    box.restore(images, f"--ext-unix-sk={ino}")
    tool.says("closed")
    tool.end()


def case_pair_unread(case):
    """Bytes that nobody would give back are not thrown away."""
    ours, theirs = socket.socketpair()
    ours.send(b"unread")
    tool = Tool(case, "count", theirs.fileno(), [theirs.fileno()])
    ino = inode(theirs)
    theirs.close()
    must_say(tool.refuses(tool.images(), "--external", f"unix[{ino}]"), "6 bytes")
    images = tool.images()
    tool.dump(images, f"--ext-unix-sk={ino}")
    box.restore(images)
    tool.says("EPIPE")
    tool.end()


def connect(tool, path, kind=socket.SOCK_STREAM):
    client = socket.socket(socket.AF_UNIX, kind)
    client.connect(os.path.join(tool.dir, path))
    return client


def case_waiting(case):
    tool = Tool(case, "listen", "sock")
    client = connect(tool, "sock")
    must_say(tool.refuses(tool.images()), f"socket:[{inode(client)}]", ME, "waits to be accepted")
    client.close()
    tool.end()


def case_accepted(case):
    tool = Tool(case, "accept", "sock")
    client = connect(tool, "sock")
    answers(client)
    must_say(tool.refuses(tool.images()), f"socket:[{inode(client)}]", ME)
    answers(client)
    images = tool.images()
    tool.dump(images, f"--ext-unix-sk={inode(client)}")
    box.restore(images)
    tool.says("closed")
    tool.end()


# --- datagrams ---------------------------------------------------------------------

def hears(sock, seconds=SECONDS):
    sock.settimeout(seconds * box.PATIENCE)
    return int(sock.recv(100))


def case_dgram_named(case):
    directory = box.fresh_dir("outside", case + ".log")
    for name in os.path.join(directory, "log"), "\0criu-test-outside":
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.bind(name)
        theirs = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        theirs.connect(name)
        tool = Tool(case, "count", theirs.fileno(), [theirs.fileno()])
        theirs.close()
        shown = name.replace("\0", "@")
        must_say(tool.refuses(tool.images()), ME, f"'{shown}'", "--ext-unix-sk")
        last = hears(log)
        images = tool.images()
        tool.dump(images, "--ext-unix-sk")
        must_say(restore_fails(images), f"'{shown}'", "--ext-unix-sk")
        while select.select([log], [], [], 0)[0]:
            last = hears(log)
        box.restore(images, "--ext-unix-sk")
        if hears(log) != last + 1 or hears(log) != last + 2:
            raise Failure("the numbers do not go on")
        tool.end()
        log.close()


def case_dgram_moved(case):
    """A name that leads elsewhere is none to connect to."""
    directory = box.fresh_dir("outside", case + ".log")
    path = os.path.join(directory, "log")
    log, theirs = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    log.bind(path)
    theirs.connect(path)
    tool = Tool(case, "count", theirs.fileno(), [theirs.fileno()])
    theirs.close()
    os.rename(path, path + ".old")
    must_say(tool.refuses(tool.images(), "--ext-unix-sk"), ME, "--external unix[")
    hears(log)
    tool.end()


def case_dgram_connected(case):
    """Who has connected to a socket of the tree is warned of, and can do it again."""
    tool = Tool(case, "hear", "sock")
    client = connect(tool, "sock", socket.SOCK_DGRAM)
    client.send(b"before")
    tool.says("before")
    images = tool.images()
    tool.dump(images)
    must_say(box.read(f"{images}/dump.log"), f"Warn", f"socket:[{inode(client)}] of {ME}")
    try:
        client.send(b"nobody")
        raise Failure("somebody has it")
    except ConnectionRefusedError:
        pass
    box.restore(images)
    client.connect(os.path.join(tool.dir, "sock"))
    client.send(b"after")
    tool.says("after")
    tool.end()


# --- pipes ------------------------------------------------------------------------

def pipe_of(case, what):
    """(the tool, our end, the inode)"""
    ends = os.pipe()
    theirs, ours = ends if what == "read" else ends[::-1]
    tool = Tool(case, what, theirs, [theirs])
    ino = inode(theirs)
    os.close(theirs)
    return tool, ours, ino


def read_numbers(fd):
    if not select.select([fd], [], [], SECONDS * box.PATIENCE)[0]:
        raise Failure("nothing comes out of the pipe")
    return [int(x) for x in os.read(fd, 1000).split()]


def case_pipe_given(case):
    """The reading end is ours, as at the end of a shell's pipeline."""
    tool, ours, ino = pipe_of(case, "count")
    read_numbers(ours)
    images = tool.images()
    tool.dump(images)
    must_say(box.read(f"{images}/dump.log"), "Warn", ME, f"pipe:[{ino}]", "reading end")
    ours, theirs = os.pipe()
    box.restore(images, "--inherit-fd", f"fd[{theirs}]:pipe:[{ino}]", pass_fds=[theirs])
    os.close(theirs)
    numbers = read_numbers(ours) + read_numbers(ours)
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise Failure(f"the numbers do not go on: {numbers}")
    tool.end()


def case_pipe_closed(case):
    """The task meets what it would if the other side had gone; a warning, unless dump or restore was told so."""
    for what, word in ("count", "EPIPE"), ("read", "end"):
        for when in "dump", "restore", "":
            tool, ours, ino = pipe_of(case, what)
            images = tool.images()
            said = ["--external", f"pipe[{ino}]"]
            if what == "read":
                os.write(ours, b"before")
                tool.says("before")
            tool.dump(images, *(said if when == "dump" else []))
            box.restore(images, *(said if when == "restore" else []))
            if bool(when) == (f"--inherit-fd fd[N]:pipe:[{ino}]" in box.read(f"{images}/restore.log")):
                raise Failure("said and warned of, or neither")
            tool.says(word)
            os.close(ours)
            tool.end()


# --- names ------------------------------------------------------------------------

def case_name_taken(case):
    """While the tree is away somebody binds its name: that socket is not taken away, listening or not; its file is."""
    tool = Tool(case, "listen", "sock")
    path = os.path.join(tool.dir, "sock")
    images = tool.images()
    tool.dump(images)
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        os.unlink(path)
        other = socket.socket(socket.AF_UNIX, kind)
        other.bind(path)
        ino = os.stat(path).st_ino
        must_say(restore_fails(images), "in use by a unix socket of another process")
        if os.stat(path).st_ino != ino:
            raise Failure("the name leads elsewhere")
        other.close()
    box.restore(images)
    connect(tool, "sock").close()
    tool.end()


CASES = {name[5:]: function for name, function in {**globals(), **vars(tcp), **vars(given), **vars(terminals)}.items() if name.startswith("case_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"part of one of: {', '.join(CASES)}")
    options = parser.parse_args()
    box.enter(network=True)
    tally = box.Tally()
    for name, case in CASES.items():
        if options.cases and not any(re.search(part, name) for part in options.cases):
            continue
        try:
            case(name)
            tally.ok(name)
        except Skip as e:
            tally.skip(name, str(e))
        except Failure as e:
            tally.fail(name, str(e))
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
