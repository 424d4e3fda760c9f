"""Clients of a Redis server, each on a connection of its own, that check every answer; see job_redis.py.

    redisload.py LOG STOP ADDRESS [SERVER...]

ADDRESS is a path or a port of the loopback.  If SERVER is given, it is started before and ended afterwards.
"""
import os
import socket
import subprocess
import sys
import time

CLIENTS = 4


class Client:
    def __init__(self, who, address):
        self.who, self.n = who, 0
        self.socket = socket.socket(socket.AF_UNIX if address.startswith("/") else socket.AF_INET)
        self.socket.connect(address if address.startswith("/") else ("127.0.0.1", int(address)))
        self.file = self.socket.makefile("rb")

    def send(self, *words):
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in map(self.bytes, words)))

    @staticmethod
    def bytes(word):
        return word if isinstance(word, bytes) else str(word).encode()

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ValueError(f"the connection of client {self.who} ended")
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        if kind == b"-":
            raise ValueError(f"client {self.who}: the server says {rest!r}")
        return int(rest) if kind == b":" else rest

    def call(self, *words):
        self.send(*words)
        return self.answer()

    def expect(self, expected):
        got = self.answer()
        if got != expected:
            raise ValueError(f"client {self.who} step {self.n}: {str(got)[:80]}, not {str(expected)[:80]}")

    def ask(self):
        """A few commands in one go."""
        self.send("INCR", f"counter{self.who}")
        self.send("INCR", "counter")
        self.send("RPUSH", f"list{self.who}", self.n)
        self.send("SET", f"value{self.who}", b"%d " % self.n * 5000)
        self.send("GET", f"value{self.who}")
        self.n += 1

    def check(self):
        self.expect(self.n)
        self.answer()  # the common counter, which is compared at the end
        self.expect(self.n)
        self.expect(b"OK")
        self.expect(b"%d " % (self.n - 1) * 5000)


def connect(address):
    for _ in range(1000):
        try:
            return [Client(i, address) for i in range(CLIENTS)]
        except (ConnectionRefusedError, FileNotFoundError):
            time.sleep(0.02)
    raise TimeoutError("the server does not listen")


def work(clients, log, stop):
    rounds = 0
    while not os.path.exists(stop):
        for c in clients:
            c.ask()
        for c in clients:
            c.check()
        os.write(log, f"{rounds}\n".encode())
        rounds += 1
        time.sleep(0.001)
    for c in clients:
        c.send("LRANGE", f"list{c.who}", 0, -1)
        c.expect([b"%d" % i for i in range(rounds)])
    clients[0].send("GET", "counter")
    clients[0].expect(b"%d" % (rounds * CLIENTS))
    return rounds * CLIENTS


def main():
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    server = subprocess.Popen(sys.argv[4:]) if sys.argv[4:] else None
    try:
        count = work(connect(sys.argv[3]), log, sys.argv[2])
        if server:
            server.terminate()
            if server.wait(60):
                raise ValueError(f"the server ended with {server.returncode}")
        last = f"PASS {count} rounds of commands"
    except Exception as e:
        last = f"WRONG {e!r}"
    os.write(log, f"{last}\n".encode())


if __name__ == "__main__":
    main()
