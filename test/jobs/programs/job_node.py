"""Node.js.

node              a server with keep-alive connections, timers and file operations in libuv's threads: it refuses a
                  request that is not the next of its client, and at the end its own count, its journal on disk and
                  the clients' count agree
"""
import os

from frame import HERE
from http_job import HttpServer


class Node(HttpServer):
    name = "node"
    packages = ("nodejs",)

    def server(self):
        return "node", os.path.join(HERE, "counter.js"), str(self.port), os.path.join(self.dir, "journal")


JOBS = [Node]
