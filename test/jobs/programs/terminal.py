"""A terminal without a window: holds the master of a pty in which a program runs; see job_terminals.py.

    terminal.py KEYS SCREEN PROGRAM [ARG...]

KEYS is a fifo with one line of JSON for each thing that the user does: ["type", TEXT], ["size", ROWS, COLUMNS],
["hold", true or false] (stop reading what the program writes), each answered by a line in SCREEN.acks.  SCREEN gets
what the program writes.  It ends when the program has ended.
"""
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios


def resize(master, rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def main():
    keys_path, screen_path, *argv = sys.argv[1:]
    keys = os.open(keys_path, os.O_RDWR | os.O_NONBLOCK)
    screen = os.open(screen_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    acks = os.open(screen_path + ".acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    pid, master = pty.fork()
    if pid == 0:
        os.close(keys)
        os.execvp(argv[0], argv)
    resize(master, 24, 80)
    held, pending, count = False, b"", 0
    while True:
        ready, _, _ = select.select([keys] if held else [keys, master], [], [])
        if master in ready:
            try:
                os.write(screen, os.read(master, 65536))
            except OSError:  # nobody has the slave open any more
                break
        if keys not in ready:
            continue
        pending += os.read(keys, 65536)
        *lines, pending = pending.split(b"\n")
        for line in lines:
            what, *args = json.loads(line)
            if what == "type":
                os.write(master, args[0].encode())
            elif what == "size":
                resize(master, *args)
            elif what == "hold":
                held = args[0]
            os.write(acks, f"{count}\n".encode())
            count += 1
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)


main()
