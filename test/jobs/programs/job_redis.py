"""Redis, with an append-only file that is flushed at every command.

redis             four clients below the same root count, push to lists and store values, several commands at a time;
                  every answer has to be the one that follows the answers before, so a command lost or done twice shows
redis-outside     the same with clients that are not dumped: their connections over loopback outlive the server's
                  absence
In both, the server is told after each restore to write its file anew, for which it forks; when it has ended, another
one is started from the file, and has to have the same numbers.
"""
import os
import re
import signal
import subprocess

from frame import HERE, PYTHON, Failure, Logged, box, run, wait_for


class Redis(Logged):
    name = "redis"
    packages = ("redis-server",)
    options = ("--tcp-established",)
    port = "6379"

    def server(self):
        data = os.path.join(self.dir, "data")
        os.makedirs(data, exist_ok=True)
        return "redis-server", "--appendonly", "yes", "--appendfsync", "always", "--dir", data, "--port", self.port

    def load(self):
        return PYTHON, os.path.join(HERE, "redisload.py"), self.log, os.path.join(self.dir, "stop"), self.port

    def start(self):
        return self.spawn(*self.load(), *self.server())

    def cli(self, *command):
        return run("redis-cli", "-p", self.port, *command).strip()

    def members(self):
        """Without a child that writes the file anew."""
        return {pid: name for pid, name in super().members().items() if not name.startswith("redis-aof")}

    def rewrites(self):
        info = self.cli("info", "persistence")
        return dict(re.findall(r"(aof_rewrites|aof_last_bgrewrite_status|aof_rewrite_in_progress):(\w+)", info))

    def after_restore(self):
        before = int(self.rewrites()["aof_rewrites"])
        self.cli("bgrewriteaof")
        wait_for(lambda: int(self.rewrites()["aof_rewrites"]) > before and self.rewrites()["aof_rewrite_in_progress"] == "0",
                 60, "the file to be written anew")
        if self.rewrites()["aof_last_bgrewrite_status"] != "ok":
            raise Failure(f"writing the file anew failed: {self.rewrites()}")

    def finish(self):
        note = super().finish()
        count = re.search(r"PASS (\d+)", note)[1]
        again = box.start(self.server(), self.out, cwd=self.dir)

        def counter():
            """Nothing while it does not answer, or answers that it is loading its file."""
            text = subprocess.run(["redis-cli", "-p", self.port, "get", "counter"], capture_output=True, text=True).stdout.strip()
            return text if text.isdigit() else ""
        answers = wait_for(counter, 30, "the second server")
        os.kill(again, signal.SIGTERM)
        wait_for(lambda: not box.alive(again), 30, "the second server to end")
        if answers != count:
            raise Failure(f"the file has {answers} of {count} rounds")
        return note


class Outside(Redis):
    name = "redis-outside"

    def start(self):
        root = self.spawn(*self.server())
        self.clients = self.spawn(*self.load())
        return root

    def alive(self):
        super().alive()
        if not box.alive(self.clients):
            raise Failure(f"the clients have ended: {self.tail()}")

    def finish(self):
        open(os.path.join(self.dir, "stop"), "w").close()
        wait_for(lambda: not box.alive(self.clients), 60, "the clients to end")
        os.kill(self.root, signal.SIGTERM)
        return super().finish()


JOBS = [Redis, Outside]
