"""The target as the campaign sees it: its statistics, its mappings, what must hold for it."""
import os
import re
import signal
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "jobs"))
import box
from box import Failure, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = ("target.c", "target-ipc.c", "target-processes.c", "target-regs.c", "target-sleep.c", "target-states.c", "regs.S")
# signal(7): a stop alone makes these return EINTR.  A dead criu can't mend that, so it
# is reported and not held against it; on all other calls it is a casualty.
MAY_BE_INTERRUPTED = ("epoll_wait", "sigtimedwait", "sem-0", "sem-1")
PF_EXITING = 4      # linux/sched.h; in the flags of /proc/PID/stat


class Stats:
    """The statistics file of the target: {name: (loops, errors, eintr, pid, tid, text)}."""
    SLOT = struct.Struct("<24sQQQII72s")

    def __init__(self, path):
        self.path = path

    def slots(self):
        try:
            with open(self.path, "rb") as f:
                data = f.read()
        except FileNotFoundError:
            return {}
        if len(data) < 256:
            return {}
        ready, count = struct.unpack_from("<II", data)
        if not ready:
            return {}
        slots = {}
        for i in range(count):
            name, *rest, text = self.SLOT.unpack_from(data, 256 + i * self.SLOT.size)
            slots[name.rstrip(b"\0").decode()] = (*rest, text.split(b"\0")[0].decode(errors="replace"))
        return slots

    def loops(self):
        return {name: slot[0] for name, slot in self.slots().items()}


def mappings(pid):
    """[[start, end, permissions, offset, path], ...] of a process, less the stack, which may grow.

    Equal neighbours count as one, for the kernel may merge them when they are made anew;
    a deleted file may come back with another inode number.
    """
    areas = []
    for line in box.read(f"/proc/{pid}/maps").splitlines():
        span, perms, offset, inode, path = re.match(r"(\S+) (\S+) (\S+) (\S+ \d+) *(.*)", line).groups()
        if path == "[stack]":
            continue
        low, high = (int(x, 16) for x in span.split("-"))
        path = path if path.endswith("(deleted)") or not path else f"{inode} {path}"
        offset = int(offset, 16) if path else low
        last = areas[-1] if areas else None
        if last and last[1] == low and (last[2], last[4]) == (perms, path) and offset - last[3] == low - last[0]:
            last[1] = high
        else:
            areas.append([low, high, perms, offset, path])
    return areas


def text(areas):
    return [f"{low:x}-{high:x} {perms} {path}" for low, high, perms, _, path in areas[:4]]


class Target:
    def __init__(self, without):
        self.dir = box.fresh_dir("crash")
        self.stats = Stats(os.path.join(self.dir, "stats"))
        self.leaks = self.eintr_allowed = 0
        self.program = box.build(*[os.path.join(HERE, name) for name in SOURCES])
        self.without = without

    def start(self):
        self.root = box.start([self.program, self.stats.path, box.SHM, *self.without],
                              os.path.join(self.dir, "out"), cwd="/")
        wait_for(self.stats.slots, 10, "the target to start")
        wait_for(lambda: all(slot[4] for slot in self.stats.slots().values()), 10, "all threads")
        self.progress()
        self.pids = box.tree(self.root)
        self.tasks = self.threads()
        self.maps = self.read_maps()
        self.eintr = self.interrupted()

    def threads(self):
        return {pid: set(os.listdir(f"/proc/{pid}/task")) for pid in self.pids}

    def read_maps(self):
        return {pid: mappings(pid) for pid in self.pids}

    def living(self):
        return [pid for pid in self.pids if box.alive(pid) and not self.zombie(pid)]

    def zombie(self, pid):
        """The wait status of a dead process that its parent in the target never asks for."""
        stat = box.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        return f"wait status {stat[-1]}" if stat and stat[0] == "Z" else None

    def dying(self):
        """Whether a process has its death before it: SIGKILL pending, or on its way out."""
        for pid in self.pids:
            stat = box.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            pending = re.findall(r"^S[ih][gd]Pnd:\s+(\S+)", box.read(f"/proc/{pid}/status"), re.M)
            if stat and (stat[0] in "ZX" or int(stat[6]) & PF_EXITING):
                return True
            if any(int(mask, 16) & 1 << signal.SIGKILL - 1 for mask in pending):
                return True
        return False

    def progress(self):
        """Every thread gets on."""
        before = self.stats.loops()

        def stuck():
            now = self.stats.loops()
            return [name for name in before if now[name] <= before[name]]
        try:
            wait_for(lambda: not stuck(), 15, "all threads to go on")
        except Failure:
            raise Failure(f"no progress in {', '.join(stuck())}") from None

    def untraced(self):
        """No tracer is left, and none of the threads stays stopped."""
        def held():
            for pid in self.pids:
                for tid in self.tasks[pid]:
                    status = box.read(f"/proc/{pid}/task/{tid}/status")
                    if not re.search(r"^TracerPid:\s+0$", status, re.M) or re.search(r"^State:\s+[Tt]", status, re.M):
                        return True
            return False
        wait_for(lambda: not held(), 3, "the tracer to be gone from every thread")

    def signal(self, signo):
        for pid in self.pids:
            os.kill(pid, signo)

    def all_stopped(self):
        """Every thread is stopped, and by itself."""
        def stopped():
            for pid in self.pids:
                for tid in self.tasks[pid]:
                    status = box.read(f"/proc/{pid}/task/{tid}/status")
                    if not re.search(r"^TracerPid:\s+0$", status, re.M) or not re.search(r"^State:\s+T", status, re.M):
                        return False
            return True
        wait_for(stopped, 3, "every thread to be stopped")

    def kill(self):
        """All at once: none may live to see what becomes of the semaphore of another."""
        self.signal(signal.SIGSTOP)
        self.all_stopped()
        box.kill_all(self.pids)

    def end(self):
        box.kill_all(box.criu_processes())
        box.kill_all([p for p in getattr(self, "pids", []) if box.alive(p)])
        if os.path.exists(self.stats.path):
            os.unlink(self.stats.path)
        box.remove_ipc()

    def interrupted(self):
        return {name: slot[2] for name, slot in self.stats.slots().items()}

    def semaphores_free(self):
        """Once all who took them with SEM_UNDO are dead: given back, and once."""
        if any(value != 1 for value in box.semaphores().values()):
            raise Failure(f"semaphores of the dead, which were 1: {box.semaphores()}")

    def healthy(self, undisturbed=False):
        """Everything that must hold for a job that is not to have noticed anything.

        undisturbed: criu ended by itself, which leaves no excuse for any EINTR.
        """
        dead = sorted(set(self.pids) - set(self.living()))
        if dead:
            names = {slot[3]: name for name, slot in self.stats.slots().items() if slot[3] != self.root}
            raise Failure("died: " + ", ".join(f"{names.get(p, 'main')} ({self.zombie(p) or 'no trace'})" for p in dead))
        self.untraced()
        if self.threads() != self.tasks:
            raise Failure(f"threads were {self.tasks} and are {self.threads()}")
        self.progress()
        for name, (_, errors, *_, what) in self.stats.slots().items():
            if errors:
                raise Failure(f"{name}: {errors} errors, the first: {what}")
        self.count_eintr(() if undisturbed else MAY_BE_INTERRUPTED)

    def count_eintr(self, tolerated):
        now, bad = self.interrupted(), []
        for name, count in now.items():
            more = count - self.eintr[name]
            if more and name in tolerated:
                self.eintr_allowed += more
            elif more:
                bad.append(f"{name} {more} times")
        self.eintr = now
        if bad:
            raise Failure(f"spurious EINTR: {', '.join(bad)}")

    def count_leaks(self):
        """Mappings that a killed criu left; the next run has to clean them up."""
        self.leaks += self.read_maps() != self.maps

    def clean(self):
        """After a run that ended by itself: the mappings are as they were at the start."""
        for pid, now in self.read_maps().items():
            more = [area for area in now if area not in self.maps[pid]]
            less = [area for area in self.maps[pid] if area not in now]
            if more or less:
                raise Failure(f"process {pid}: mappings {text(less)} became {text(more)}")
