"""Node.js.

node              a server with keep-alive connections, timers and file operations in libuv's threads: it refuses a
                  request that is not the next of its client, and at the end its own count, its journal on disk and
                  the clients' count agree

Where somebody else's Node.js is installed, Debian's is run from where scripts/debian-node has unpacked it.
"""
import os

from frame import HERE, Skip, box, run, version
from http_job import HttpServer

UNPACKED = os.path.join(box.ROOT, "build", "debian-node")


class Node(HttpServer):
    name = "node"
    packages = ("nodejs",)
    node = "node"

    def versions(self):
        if self.node == "node":
            return super().versions()
        return {"nodejs": box.read(os.path.join(UNPACKED, "version")).strip()}

    def needs(self):
        if "+dfsg-" in version("nodejs"):
            return
        root = os.path.join(UNPACKED, "root")
        if not os.path.isdir(root):
            raise Skip(f"nodejs {version('nodejs')} is not Debian's, which scripts/debian-node could not get")
        # it looks for parts of itself below /usr/share; the box has mounts of its own
        run("mount", "-t", "overlay", "-o", f"ro,lowerdir={root}/usr/share:/usr/share", "none", "/usr/share")
        self.node = os.path.join(root, "usr/bin/node")
        self.env["LD_LIBRARY_PATH"] = os.path.join(root, "usr/lib/x86_64-linux-gnu")

    def server(self):
        return self.node, os.path.join(HERE, "counter.js"), str(self.port), os.path.join(self.dir, "journal")


JOBS = [Node]
