"""A process that stays and a tree that is dumped, with one shared object (share.c)."""
import contextlib
import mmap
import os
import subprocess

import box
from box import Failure, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 20


class Lacking(Exception):
    """The kernel does not have what the case needs."""


class Pair:
    """An outsider and a tree of two processes with one object."""

    # struct shared of share.c: a lock of 40 bytes, three counters, and the text
    TREE, TAIL = 40, (2 << 20) + 64

    def __init__(self, kind, way):
        self.kind, self.way, self.others = kind, way, []
        self.dir = box.fresh_dir("external", f"{kind}-{way}")
        self.path = f"{box.SHM}/share-{kind}-{way}" if kind == "shm" else f"{self.dir}/share"
        if kind == "ext4":
            self.mount_disk()
        if kind == "hugefile":
            os.mkdir(f"{self.path}.huge")
            subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "share", f"{self.path}.huge"], check=True)
        self.out = f"{self.dir}/out"
        self.log = f"{self.path}.log"
        program = box.build(os.path.join(HERE, "share.c"))
        self.outsider = box.start([program, kind, way, self.path], self.out, cwd="/")
        wait_for(lambda: "no io_uring" in box.read(self.out) or ("ready" in box.read(self.out) and os.path.exists(self.log)), SECONDS,
                 "the outsider to be ready")
        if "no io_uring" in box.read(self.out):
            # The tree was there before it was tried.
            self.pids = [int(p) for p in os.listdir("/proc") if p.isdigit() and box.read(f"/proc/{p}/comm") == "share\n"]
            self.end()
            raise Lacking(box.read(self.out).strip())
        self.root, *elsewhere = [int(word) for word in box.read(self.out).split()[1:]]
        self.ready = box.read(self.out)
        # In other namespaces it is another process.
        self.outsider = elsewhere[0] if elsewhere else self.outsider
        wait_for(lambda: len(box.tree(self.root)) == 2, SECONDS, "the tree to be there")
        self.pids = box.tree(self.root)

    def mount_disk(self):
        image, mnt = f"{self.dir}/disk", f"{self.dir}/mnt"
        os.mkdir(mnt)
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, mnt], check=True)
        self.path = f"{mnt}/share"

    def seen(self):
        """What the outsider sees: {"tree": N, "outsider": N, "dead": N}."""
        words = box.read(self.log).split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def tree_counts(self, dead=0):
        before = self.seen()["tree"]
        wait_for(lambda: self.seen()["tree"] > before + 5, SECONDS, "the outsider to see the tree count")
        if self.seen()["dead"] > dead:
            raise Failure("the lock was found abandoned")

    def outsider_lives(self, dead=0):
        before = os.stat(self.log).st_mtime_ns
        try:
            wait_for(lambda: os.stat(self.log).st_mtime_ns != before, SECONDS, "the outsider to go on")
        except Failure as e:
            state = {name: box.read(f"/proc/{self.outsider}/{name}").strip() for name in ("wchan", "syscall")}
            raise Failure(f"{e}: {self.seen()}, it is at {state}, {self.lock_seen()} and said {box.read(self.out)!r}") from None
        said = box.read(self.out).replace(self.ready, "")
        if said:
            raise Failure(f"somebody said: {said}")
        if self.seen()["dead"] > dead:
            raise Failure("the lock was found abandoned")

    def lock_seen(self):
        """Whose the lock is, whether somebody waits, whether its owner died."""
        if not box.mappings(self.outsider, r"^\S+ ...s "):
            return "maps nothing"
        return f"the lock's futex is {self.futex():#x}, the tree {self.pids}"

    def futex(self):
        """Of the lock, as the outsider has it mapped."""
        with open(f"/proc/{self.outsider}/mem", "rb", buffering=0) as memory:
            return int.from_bytes(os.pread(memory.fileno(), 4, self.mapped_at(self.outsider)), "little")

    @staticmethod
    def mapped_at(pid):
        return int(box.mappings(pid, r"^\S+ ...s ")[0][0].split("-")[0], 16)

    def write_text(self, pid, text):
        """Into what a process of the tree has mapped."""
        with open(f"/proc/{pid}/mem", "rb+", buffering=0) as memory:
            os.pwrite(memory.fileno(), text, self.mapped_at(pid) + self.TAIL)

    def content(self, pid):
        """What a process of the tree has mapped: the tree's count, and what stands in the middle."""
        low = self.mapped_at(pid)
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            head = os.pread(memory.fileno(), 64, low)
            middle = os.pread(memory.fileno(), 128, low + self.TAIL)
        return {"tree": int.from_bytes(head[self.TREE:self.TREE + 8], "little"), "tail": middle[:middle.index(b"\0")]}

    def text_outside(self):
        """The text that the outsider sees."""
        with open(self.way_in(), "rb", buffering=0) as file, mmap.mmap(file.fileno(), 4 << 20, prot=mmap.PROT_READ) as memory:
            return memory[self.TAIL:memory.find(b"\0", self.TAIL)]

    def inodes(self, pid):
        return {obj[1:3] for obj in box.mappings(pid, r"^\S+ ...s ")}

    def holds(self):
        """How a refusal is to name the outsider, as a regular expression."""
        how = {"fd": r"fd 3 rw", "table": r"thread \d+ fd 3 rw", "long": r"fd \d+ rw", "handle": r"fd \d+ rw"}
        return rf"\b{self.outsider} \(share\) {how.get(self.way, r'[0-9a-f]+-[0-9a-f]+ rw-s')}[.;]"

    def key(self):
        """How the option --inherit-fd names the object."""
        return {"memfd": "memfd:shared", "anon": "dev/zero", "sysv": "SYSV00000000", "hugememfd": "memfd:shared", "hugeanon": "anon_hugepage",
                "hugefile": f"{self.path}.huge/object".lstrip("/")}.get(self.kind, self.path.lstrip("/"))

    def way_in(self):
        """A path in /proc that opens what the outsider holds."""
        if self.way == "fd":
            return f"/proc/{self.outsider}/fd/3"
        # In one thread's table, or under a number that is not known.
        if self.way in ("table", "long", "handle"):
            return next(f"{table}/{fd}" for task in os.listdir(f"/proc/{self.outsider}/task")
                        for table in [f"/proc/{self.outsider}/task/{task}/fd"] for fd in os.listdir(table)
                        if os.path.exists(f"{table}/{fd}") and os.stat(f"{table}/{fd}").st_nlink == 0)
        # Of a process whose main thread has ended only the others show it.
        who = max(map(int, os.listdir(f"/proc/{self.outsider}/task"))) if self.way == "thread" else self.outsider
        addresses = box.mappings(who, r"^\S+ ...s ")[0][0].split()[0]
        low, high = (int(x, 16) for x in addresses.split("-"))
        return f"/proc/{who}/map_files/{low:x}-{high:x}"

    @contextlib.contextmanager
    def hidden(self):
        """/proc does not show the outsider, as if it were in another pid namespace."""
        empty = box.fresh_dir("external", "empty")
        subprocess.run(["mount", "--bind", empty, f"/proc/{self.outsider}"], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", f"/proc/{self.outsider}"], check=True)

    def crowd(self, way, n):
        """One more process that holds it (hold.c), and how a refusal is to name it, once for each place."""
        out = f"{self.dir}/out-{len(self.others)}"
        pid = box.start([box.build(os.path.join(HERE, "hold.c")), way, str(n), self.way_in()], out, cwd="/")
        self.others.append(pid)
        wait_for(lambda: "ready" in box.read(out), SECONDS, f"hold {way} {n} to be ready")
        if way == "fd":
            return pid, [f"{pid} (hold) fd {fd} r" for fd in range(3, n + 3)]
        lines = [line.split() for line in box.read(f"/proc/{pid}/maps").splitlines()]
        ranges = [(line[1], [int(x, 16) for x in line[0].split("-")]) for line in lines if line[1][3] == "s"]
        if len(ranges) != n:
            raise Failure(f"hold has {len(ranges)} mappings, not {n}")
        return pid, [f"{pid} (hold) {low:x}-{high:x} {access}" for access, (low, high) in ranges]

    def end(self):
        box.kill_all([p for p in [*self.pids, self.outsider, *self.others] if box.alive(p)])
        if self.kind == "ext4":
            subprocess.run(["umount", "--lazy", f"{self.dir}/mnt"], check=True)
        if self.kind == "hugefile":
            subprocess.run(["umount", "--lazy", f"{self.path}.huge"], check=True)
        if self.kind == "sysvkey":
            for row in box.read("/proc/sysvipc/shm").splitlines()[1:]:
                subprocess.run(["ipcrm", "-m", row.split()[1]], check=True)
        for name in (self.log, f"{self.path}.new"):
            if os.path.exists(name):
                os.unlink(name)
