"""A program that talks to somebody outside its tree, and says what it sees.

    tool.py answer FD           answer what comes in at a socket
    tool.py count FD            send a number now and then through a connected datagram socket, or write it to a pipe
    tool.py hear PATH           datagrams sent to a name
    tool.py listen PATH         a listening socket: nobody is accepted
    tool.py accept PATH         one connection is accepted, and answered
    tool.py read FD             what comes out of a pipe
    tool.py hold FD             nothing at all
"""
import errno
import os
import signal
import socket
import sys
import time


def say(text):
    print(text, flush=True)


def answer(sock):
    while True:
        try:
            data = sock.recv(100)
        except OSError as e:
            data = b""
            say(errno.errorcode[e.errno])
        if not data:
            say("closed")
            signal.pause()
        sock.send(b"answer to " + data)


def count(fd):
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for number in range(1 << 30):
        try:
            os.write(fd, f"{number}\n".encode())
        except OSError as e:
            say(errno.errorcode[e.errno])
            signal.pause()
        time.sleep(0.02)


def hear(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    say("ready")
    while True:
        say(sock.recv(100).decode())


def listen(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(path)
    sock.listen(5)
    say("ready")
    return sock


def read(fd):
    say("ready")
    while data := os.read(fd, 100):
        say(data.decode().strip())
    say("end")
    signal.pause()


def main():
    what, where = sys.argv[1:]
    if what == "answer":
        say("ready")
        answer(socket.socket(fileno=int(where)))
    elif what == "count":
        say("ready")
        count(int(where))
    elif what == "hold":
        say("ready")
        signal.pause()
    elif what == "read":
        read(int(where))
    elif what == "hear":
        hear(where)
    else:
        listener = listen(where)
        if what == "accept":
            accepted, _ = listener.accept()
            listener.close()
            answer(accepted)
        signal.pause()


if __name__ == "__main__":
    main()
