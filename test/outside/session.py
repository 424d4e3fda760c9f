"""What terminals.py starts as leader of a session whose terminal is outside the tree; it says what it sees.

    session.py reader LOG     reads /dev/tty, which it has opened for that only; nothing else of it is the terminal
    session.py silent LOG     nothing is open; told by SIGUSR1, a child opens /dev/tty and writes to it
    session.py flags LOG      its input does not block, its output is another description, which does

All answer SIGINT, SIGHUP and SIGWINCH in the log.
"""
import fcntl
import os
import signal
import sys
import termios
import time

log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def say(text):
    os.write(log, f"{text}\n".encode())


heard = []


def hear(*signals):
    def handler(number, frame):
        heard.append(number)
        say(signal.Signals(number).name)

    for number in signals:
        signal.signal(number, handler)


def wait():
    """For the next signal, also if it came before; pause(2) would miss that."""
    while not heard:
        time.sleep(0.02)
    heard.clear()


def only_log(*others):
    null = os.open("/dev/null", os.O_RDWR)
    for fd in {0, 1, 2} - set(others):
        os.dup2(null, fd)
    os.close(null)


def reader():
    tty = os.open("/dev/tty", os.O_RDONLY)
    only_log()
    say("ready")
    while True:
        try:
            text = os.read(tty, 100)
        except OSError:
            text = b""
        while not text:
            time.sleep(0.02)
        say(f"{text.decode().strip()} from {os.readlink(f'/proc/self/fd/{tty}')} {os.get_blocking(tty)}")


def child():
    while True:
        wait()
        tty = os.open("/dev/tty", os.O_RDWR)
        os.write(tty, f"child of {os.getsid(0)} front {os.tcgetpgrp(tty)}\n".encode())
        os.close(tty)


def silent():
    only_log()
    signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    own = os.fork()
    if own == 0:
        child()
    if os.fork() == 0:
        # a member of the session without its terminal
        fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), termios.TIOCNOTTY)
        os.closerange(log + 1, 100)
        while True:
            signal.pause()
    say("ready")
    while True:
        wait()
        os.kill(own, signal.SIGUSR1)


def flags():
    fd = os.open(os.ttyname(0), os.O_RDONLY | os.O_NONBLOCK)
    os.dup2(fd, 0)
    os.close(fd)
    say("ready")
    while True:
        wait()
        say(f"{fcntl.fcntl(0, fcntl.F_GETFL) & (os.O_ACCMODE | os.O_NONBLOCK)} "
            f"{fcntl.fcntl(1, fcntl.F_GETFL) & (os.O_ACCMODE | os.O_NONBLOCK)} {os.tcgetpgrp(1)}")
        try:
            say(os.read(0, 100).decode().strip())
        except BlockingIOError:
            say("nothing")


hear(signal.SIGINT, signal.SIGHUP, signal.SIGWINCH)
globals()[sys.argv[1]]()
