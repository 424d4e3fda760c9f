"""A program in Rust: ripgrep, linked statically but for C libraries. Debian has none that is linked to nothing.

ripgrep           reads numbered lines from a pipe and has to give back, in order and with the right line numbers, every
                  second of them
"""
import os

from frame import HERE, PYTHON, Logged


class Ripgrep(Logged):
    name = "ripgrep"
    packages = ("ripgrep",)

    def start(self):
        return self.spawn(PYTHON, os.path.join(HERE, "filter.py"), self.log, os.path.join(self.dir, "stop"),
                          "rg", "--line-buffered", "-n", "even")


JOBS = [Ripgrep]
