"""TCP connections with a process outside the tree."""
import os
import socket

import box
import netlock
from box import Failure
from frame import SECONDS, Tool, answers, inode, must_say, restore_fails


def locked(wanted, when):
    if netlock.locks() != wanted:
        raise Failure(f"{when}: the network is{' not' if wanted else ''} locked")


def listener(host):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.bind((host, 0))
    sock.listen(5)
    return sock


def tcp_of(case, host="127.0.0.1"):
    """(the tool, our end, both addresses as criu names them)"""
    with listener(host) as sock:
        ours = socket.create_connection(sock.getsockname()[:2])
        theirs = sock.accept()[0]
    tool = Tool(case, "answer", theirs.fileno(), [theirs.fileno()])
    names = [f"[{a[0]}]:{a[1]}" if ":" in host else f"{a[0]}:{a[1]}" for a in (theirs.getsockname(), ours.getsockname())]
    theirs.close()
    return tool, ours, names


def case_tcp_refused(case):
    """Without an option nothing is touched: no packet is dropped, no lock is made."""
    for host in "127.0.0.1", "::1":
        tool, ours, names = tcp_of(case, host)
        answers(ours)
        watch = netlock.Watch()
        must_say(tool.refuses(tool.images()), f"TCP connection (ESTABLISHED) from {names[0]} to {names[1]}",
                 "--tcp-established", "--tcp-close")
        if watch.changed():
            raise Failure("nf_tables were touched before the refusal")
        watch.close()
        answers(ours)
        tool.end()


def case_tcp_kept(case):
    """What is sent while the tree is away arrives, once."""
    for host in "127.0.0.1", "::1":
        tool, ours, _ = tcp_of(case, host)
        answers(ours)
        images = tool.images()
        watch = netlock.Watch()
        tool.dump(images, "--tcp-established")
        locked(True, "dumped")
        if not watch.changed():
            raise Failure("changes of nf_tables are not seen")
        watch.close()
        ours.send(b"meanwhile")
        must_say(restore_fails(images), "--tcp-established")
        box.restore(images, "--tcp-established")
        locked(False, "restored")
        ours.settimeout(SECONDS * box.PATIENCE)
        if ours.recv(100) != b"answer to meanwhile":
            raise Failure("what was sent meanwhile is not answered")
        answers(ours, b"again")
        tool.end()


def case_tcp_closed(case):
    """The other end sees an end at once, and the task finds a socket without a connection."""
    tool, ours, _ = tcp_of(case)
    answers(ours)
    images = tool.images()
    tool.dump(images, "--tcp-close")
    locked(False, "dumped")
    ours.settimeout(SECONDS * box.PATIENCE)
    if ours.recv(1) != b"":
        raise Failure("our end does not see that the other is gone")
    must_say(restore_fails(images), "--tcp-close")
    box.restore(images, "--tcp-close")
    tool.says("ENOTCONN")
    tool.end()


def case_tcp_waiting(case):
    """A connection in the backlog, from outside: refused, and with the option reset by the kill, as in the original."""
    for host in "127.0.0.1", "::1":
        sock = listener(host)
        tool = Tool(case, "hold", sock.fileno(), [sock.fileno()])
        client = socket.create_connection(sock.getsockname()[:2])
        address, ino, number = sock.getsockname()[:2], inode(sock), sock.fileno()
        sock.close()
        for more in (), ("--tcp-established",), ("--tcp-close",):
            must_say(tool.refuses(tool.images(), *more), f"task {tool.pid}: fd {number}: socket:[{ino}]",
                     "1 TCP connections wait there to be accepted", "--skip-in-flight")
        client.send(b"still there")
        images = tool.images()
        tool.dump(images, "--skip-in-flight")
        locked(False, "dumped")
        client.settimeout(SECONDS * box.PATIENCE)
        try:
            client.recv(1)
            raise Failure("the connection that waited was not reset")
        except ConnectionResetError:
            pass
        box.restore(images)
        # Another one may wait there now.
        socket.create_connection(address, timeout=SECONDS * box.PATIENCE).close()
        if not os.path.exists(f"/proc/{tool.pid}"):
            raise Failure("the program has ended")
        tool.end()
