"""What the jobs of all HTTP servers have in common: the server runs below httpload.py."""
import os

from frame import HERE, PYTHON, Logged


class HttpServer(Logged):
    options = ("--tcp-established",)
    port = 8080
    total, pattern = "/total", r"(\d+)"     # where the server tells how many requests it has answered

    others = 0              # requests that somebody else makes

    def server(self):
        """The command that runs the server."""
        raise NotImplementedError

    def start(self):
        self.count_others(self.others)
        return self.spawn(PYTHON, os.path.join(HERE, "httpload.py"), self.dir, str(self.port), self.total, self.pattern,
                          *self.server())

    def count_others(self, count):
        self.others = count
        with open(os.path.join(self.dir, "others"), "w") as f:
            f.write(f"{count}")
