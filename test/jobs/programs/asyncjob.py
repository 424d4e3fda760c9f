"""An asyncio server and its clients in two processes; see job_python.py.

    asyncjob.py unix|tcp LOG STOP

LOG gets one line for each round.  In a round each client sends its next message and gets it back, by way of the
server's queue and, for one client, of a `cat` that the server has started.  When STOP exists, the job checks
everything once more and ends.
"""
import asyncio
import os
import socket
import sys

CLIENTS = 5
TICK = 0.01


class Server:
    """Answers message n of a client only if it has had n - 1; all answers pass one queue, in order."""

    def __init__(self):
        self.queue = asyncio.Queue(CLIENTS)
        self.lock = asyncio.Lock()
        self.heard = {}
        self.ticks = self.late = 0

    async def timer(self):
        loop = asyncio.get_running_loop()
        while True:
            begin = loop.time()
            await asyncio.sleep(TICK)
            self.ticks += 1
            self.late += loop.time() - begin < TICK - 0.002  # woken too early

    async def answers(self, cat):
        while True:
            writer, line = await self.queue.get()
            if line.startswith(b"0 "):
                cat.stdin.write(line)
                line = await cat.stdout.readline()
            async with self.lock:
                writer.write(line)

    async def connection(self, reader, writer):
        while line := await reader.readline():
            who, number = map(int, line.split())
            if number != self.heard.get(who, -1) + 1:
                writer.write(b"lost\n")
            self.heard[who] = number
            await self.queue.put((writer, line))
            await writer.drain()
        writer.close()

    async def run(self, listening):
        cat = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        tasks = [asyncio.create_task(self.timer()), asyncio.create_task(self.answers(cat))]
        start = asyncio.start_unix_server if listening.family == socket.AF_UNIX else asyncio.start_server
        server = await start(self.connection, sock=listening)
        print(f"serving {CLIENTS} clients", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)  # a line: the clients have ended
        server.close()
        cat.stdin.close()
        status = await cat.wait()
        for t in tasks:
            t.cancel()
        return f"{sum(self.heard.values()) + len(self.heard)} {self.late} {status} {self.ticks > 0}"


class Clients:
    def __init__(self, address, log, stop):
        self.address, self.stop = address, stop
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.rounds = 0

    def wrong(self, text):
        os.write(self.log, f"WRONG round {self.rounds}: {text}\n".encode())
        sys.exit(1)

    async def open(self):
        if isinstance(self.address, str):
            return await asyncio.open_unix_connection(self.address)
        return await asyncio.open_connection(*self.address)

    async def message(self, who, reader, writer):
        line = f"{who} {self.rounds}\n".encode()
        writer.write(line)
        answer = await asyncio.wait_for(reader.readline(), 120)
        if answer != line:
            self.wrong(f"client {who} sent {line!r} and got {answer!r}")

    async def run(self):
        streams = [await self.open() for _ in range(CLIENTS)]
        while not os.path.exists(self.stop):
            await asyncio.gather(*(self.message(i, *s) for i, s in enumerate(streams)))
            os.write(self.log, f"{self.rounds}\n".encode())
            self.rounds += 1
            await asyncio.sleep(0.001)
        for _, writer in streams:
            writer.close()
            await writer.wait_closed()


def main():
    kind, log, stop = sys.argv[1:]
    listening = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
    listening.bind(os.path.join(os.path.dirname(log), "socket") if kind == "unix" else ("127.0.0.1", 0))
    listening.listen(10)
    address = listening.getsockname()
    (to_server, to_clients), (from_server, back) = os.pipe(), os.pipe()
    server = os.fork()
    if server == 0:
        os.dup2(to_server, 0)
        os.close(to_clients)
        sys.stdin = open(0)
        os.write(back, asyncio.run(Server().run(listening)).encode())
        os._exit(0)
    listening.close()
    clients = Clients(address, log, stop)
    asyncio.run(clients.run())
    os.write(to_clients, b"end\n")
    _, status = os.waitpid(server, 0)
    told = os.read(from_server, 100).decode()
    if status or told != f"{clients.rounds * CLIENTS} 0 0 True":
        clients.wrong(f"the server ended with {status} and says {told!r}")
    os.write(clients.log, f"PASS {clients.rounds * CLIENTS} messages\n".encode())


if __name__ == "__main__":
    main()
