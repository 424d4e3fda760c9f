"""Starts an HTTP server and keeps it busy; every answer is checked; see the jobs that use it.

    httpload.py DIR PORT TOTAL PATTERN SERVER...

Each of a few clients has a connection of its own and asks for /next?client=C&n=N with N counting up; the answer has to
be "C N", on the same connection unless the server has said that it will close it.  DIR/log gets one line for each
round.  Once DIR/reload exists, the server may close connections between two requests.  When DIR/stop exists, the server
is asked for TOTAL, where PATTERN finds how many requests it has served, those counted in DIR/others among them; then it
is ended.
"""
import concurrent.futures
import http.client
import os
import re
import subprocess
import sys
import time

CLIENTS = 6


class Client:
    def __init__(self, who, port, reload):
        self.who, self.port, self.reload, self.n = who, port, reload, 0
        self.open()

    def open(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=100)
        self.connection.connect()
        self.connection.auto_open = 0  # a connection that is lost is not to be replaced in silence

    def ask(self, path):
        self.connection.request("GET", path)
        return self.connection.getresponse()

    def get(self, path):
        try:
            answer = self.ask(path)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not os.path.exists(self.reload):
                raise
            self.connection.close()
            self.open()
            answer = self.ask(path)
        text = answer.read().decode()
        if answer.will_close:
            self.connection.close()
            self.open()
        return answer.status, text

    def next(self):
        status, text = self.get(f"/next?client={self.who}&n={self.n}")
        if (status, text) != (200, f"{self.who} {self.n}"):
            raise ValueError(f"client {self.who} request {self.n}: {status} {text!r}")
        self.n += 1


class Load:
    def __init__(self, place, port, total, pattern, server):
        self.place, self.port, self.total, self.pattern = place, int(port), total, pattern
        self.log = os.open(self.file("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.server = subprocess.Popen(server)
        self.rounds = 0

    def file(self, name):
        return os.path.join(self.place, name)

    def ready(self):
        for _ in range(1000):
            try:
                return [Client(i, self.port, self.file("reload")) for i in range(CLIENTS)]
            except ConnectionRefusedError:
                time.sleep(0.1)
        raise TimeoutError("the server does not listen")

    def run(self):
        clients = self.ready()
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            while not os.path.exists(self.file("stop")):
                for done in [pool.submit(c.next) for c in clients]:
                    done.result()
                os.write(self.log, f"{self.rounds}\n".encode())
                self.rounds += 1
                time.sleep(0.002)
        status, text = clients[0].get(self.total)
        count = re.search(self.pattern, text)
        with open(self.file("others")) as f:
            expected = self.rounds * CLIENTS + int(f.read())
        if not count or int(count[1]) != expected:
            raise ValueError(f"{expected} requests were made, the server says {status} {text!r}")
        self.server.terminate()
        return f"{self.rounds * CLIENTS} requests, the server ended with {self.server.wait(60)}"


def main():
    load = Load(*sys.argv[1:5], sys.argv[5:])
    try:
        last = "PASS " + load.run()
    except Exception as e:
        last = f"WRONG round {load.rounds}: {e!r}"
    os.write(load.log, f"{last}\n".encode())


if __name__ == "__main__":
    main()
