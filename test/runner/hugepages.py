"""Huge pages that are in the kernel's pools for as long as a test runs."""

import fcntl
import os

from runner.visible import read_text

POOLS = '/sys/kernel/mm/hugepages'


class HugePages:
    """What a test asks for, {kB: how many}, besides what others keep there; .lacks says why it can't be had, or is None."""

    def __init__(self, wanted):
        self.lent = {}
        self.lacks = None
        for size, n in wanted.items():
            got = self.change(size, n)
            if got < n:
                self.lacks = f'{got} of {n} huge pages of {size} kB could be had'
        if self.lacks:
            self.give_back()

    def change(self, size, n):
        path = os.path.join(POOLS, f'hugepages-{size}kB', 'nr_hugepages')
        if not os.path.exists(path):
            return 0
        # The pools are the machine's: several runners may be at them.
        lock = os.open(POOLS, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            before = int(read_text(path))
            with open(path, 'w') as f:
                f.write(str(max(before + n, 0)))
            got = int(read_text(path)) - before
        finally:
            os.close(lock)
        self.lent[size] = self.lent.get(size, 0) + got
        return got

    def give_back(self):
        for size, n in list(self.lent.items()):
            if n:
                self.change(size, -n)
        self.lent = {}
