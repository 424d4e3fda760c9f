"""What every driver of real programs needs: a private place to run, criu, and a count.

The place ("box") is a pid, mount and IPC namespace of its own with a reaping init and
an empty tmpfs on /dev/shm, terminals of its own, and a network of its own where a driver wants that.  Restore
needs the old process and pty numbers free, and "nothing was left behind" can only be said of a
/dev/shm that nobody else uses.
When the box ends, the kernel kills whatever is still in it.
"""
import ctypes
import fcntl
import glob
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CRIU = os.environ.get("CRIU", os.path.join(ROOT, "criu", "criu"))
# on a real file system: /tmp may be an overlay or a tmpfs
WORK = os.environ.get("TEST_WORKDIR", os.path.join(ROOT, "build", "test-work"))
SHM = "/dev/shm"
# slow machines (an emulated guest) wait longer, nobody waits less carefully
PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))


class Failure(Exception):
    """A property that does not hold; the text says which, of what."""


class Tally:
    """Counts results and prints the line that scripts/test sums up."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def ok(self, name, note=""):
        self.passed += 1
        print(f"PASS {name}{': ' + note if note else ''}", flush=True)

    def fail(self, name, why):
        self.failed += 1
        print(f"FAIL {name}: {why}", flush=True)

    def skip(self, name, why):
        self.skipped += 1
        print(f"SKIP {name}: {why}", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or not self.passed else 0


# --- the box -----------------------------------------------------------------

def command(argv, network=False):
    """The command that runs a python program inside a box; killing its process ends the box."""
    return ["unshare", "-pfmin" if network else "-pfmi", "--mount-proc", "--propagation", "private", "--kill-child",
            sys.executable, os.path.abspath(__file__), "--init", *argv]


def enter(network=False):
    """Run the calling program again inside a box; returns only when inside."""
    if os.environ.get("TEST_IN_BOX") == str(os.getppid()) == "1":
        return
    sys.stdout.flush()
    argv = command(sys.argv, network)
    os.execvp(argv[0], argv)


def loopback_up():
    """What `ip link set lo up` does; a new network namespace has it down."""
    with socket.socket() as s:
        name, flags = struct.unpack("16sh", fcntl.ioctl(s, 0x8913, struct.pack("16sh14x", b"lo", 0))[:18])  # SIOCGIFFLAGS
        if not flags & 1:
            fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", name, flags | 1))  # SIOCSIFFLAGS


def init(argv):
    """Process 1 of the box: run argv, reap orphans, end with argv's status."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "box", SHM], check=True)
    subprocess.run(["mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=0620", "box", "/dev/pts"], check=True)
    loopback_up()
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: os._exit(130))
    child = os.fork()
    if child == 0:
        for sig in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sig, signal.SIG_DFL)
        os.environ["TEST_IN_BOX"] = "1"
        os.execv(sys.executable, [sys.executable, *argv])
    while True:
        pid, status = os.wait()
        if pid == child:
            sys.exit(os.waitstatus_to_exitcode(status) & 255)


def fresh_dir(*parts):
    """An empty directory below the work directory."""
    path = os.path.join(WORK, *parts)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def build(source, *flags):
    """Compile C, several files of it if need be, to the first one's name in the work directory; returns the program."""
    sources = [source, *[f for f in flags if f.endswith((".S", ".c"))]]
    headers = glob.glob(os.path.join(os.path.dirname(source), "*.h"))
    flags = [f for f in flags if f not in sources]
    out = os.path.join(WORK, "bin", os.path.splitext(os.path.basename(source))[0])
    os.makedirs(os.path.dirname(out), exist_ok=True)
    newest = max(os.path.getmtime(s) for s in sources + headers)
    if not os.path.exists(out) or os.path.getmtime(out) <= newest:
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", out, *sources, *flags], check=True)
    return out


# --- processes ---------------------------------------------------------------

def read(path, default=""):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return default


def start(argv, out, **kwargs):
    """Start argv as leader of a session of its own, with stdin and stdio on files."""
    with open(out, "ab") as log:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True, **kwargs).pid


def alive(pid):
    """Whether the process exists; a dead child of ours is reaped on the way."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    return os.path.exists(f"/proc/{pid}")


def tree(root):
    """Process numbers of root and all its descendants, root first."""
    children = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        ppid = re.search(r"^PPid:\s+(\d+)", read(f"/proc/{pid}/status"), re.M)
        if ppid:
            children.setdefault(int(ppid[1]), []).append(int(pid))
    pids = [root]
    for pid in pids:
        pids += sorted(children.get(pid, []))
    return pids


def gone(pids):
    """Wait until none of the processes exists; the dead stay until the box's init reaps them."""
    wait_for(lambda: not any([alive(p) for p in pids]), 5, "the processes to be gone")


def kill_all(pids):
    """Kill the given processes, and wait until they are gone."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    gone(pids)


def wait_for(condition, seconds, what):
    """Poll until condition() is true, and return its value; Failure when it takes too long."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds * PATIENCE:g} s in vain for {what}")
        time.sleep(0.005)


def criu_processes():
    """Processes in the box that run our criu binary."""
    mine = os.path.realpath(CRIU)
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe") == mine:
                found.append(int(pid))
        except OSError:
            pass
    return found


def where_it_is(pid):
    """A process that hangs, for the log: its name, state, tracer, and where in the kernel it sleeps."""
    status = dict(re.findall(r"^(Name|State|PPid|TracerPid):\s*(.*)$", read(f"/proc/{pid}/status"), re.M))
    stacks = [read(stack).split("\n") for stack in glob.glob(f"/proc/{pid}/task/*/stack")]
    return f"{pid} {status}, {stacks}"


# --- criu --------------------------------------------------------------------

def criu_args(command, images, *extra):
    return [CRIU, command, "-D", images, "-o", f"{command}.log", "-v4", *extra]


def criu(command, images, *extra, seconds=120, pass_fds=()):
    """Run criu; Failure with its error text unless it succeeds.  Returns the seconds it took."""
    begin = time.monotonic()
    try:
        done = subprocess.run(criu_args(command, images, *extra), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=seconds * PATIENCE, pass_fds=pass_fds)
    except subprocess.TimeoutExpired:
        raise Failure(f"criu {command} did not end in {seconds * PATIENCE:g} s") from None
    except OSError as e:
        raise Failure(f"criu {command}: {e}") from None
    took = time.monotonic() - begin
    if done.returncode:
        text = done.stderr.strip() or "\n".join(errors(images, command)) or "no error text"
        raise Failure(f"criu {command} returned {done.returncode}: {text}")
    return took


def errors(images, command):
    """The error lines of a log, at most five."""
    return [line for line in read(f"{images}/{command}.log").splitlines() if "Error" in line][:5]


def dump(pid, images, *extra, seconds=120):
    return criu("dump", images, "-t", str(pid), *extra, seconds=seconds)


def restore(images, *extra, seconds=120, pass_fds=()):
    return criu("restore", images, "-d", *extra, seconds=seconds, pass_fds=pass_fds)


def whole(images):
    """Whether a dump in this directory was committed."""
    return os.path.exists(f"{images}/inventory.img")


# --- shared objects ----------------------------------------------------------

def mappings(pid, pattern):
    """(maps line, device, inode, links) of every mapping whose line matches."""
    found = []
    for line in read(f"/proc/{pid}/maps").splitlines():
        if re.search(pattern, line):
            low, high = (int(x, 16) for x in line.split()[0].split("-"))
            st = os.stat(f"/proc/{pid}/map_files/{low:x}-{high:x}")
            found.append((line, st.st_dev, st.st_ino, st.st_nlink))
    return found


def shared_deleted(pids):
    """{path: {pid: {(device, inode, links), ...}}} of deleted files mapped shared by pids."""
    objects = {}
    for pid in pids:
        for line, *obj in mappings(pid, r"^\S+ ..[-x]s .* \(deleted\)$"):
            path = line.split(None, 5)[5]
            if not path.startswith(("/dev/zero", "/memfd:", "/SYSV")):
                objects.setdefault(path, {}).setdefault(pid, set()).add(tuple(obj))
    return objects


HUGE_POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"


def lend_huge_pages(n):
    """Put n huge pages of 2 MiB more into the kernel's pool, or take some off: how many it really has more.

    The pool is the machine's: others may have pages in it, too."""
    if not os.path.exists(HUGE_POOL):
        return 0
    lock = os.open(os.path.dirname(os.path.dirname(HUGE_POOL)), os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        before = int(read(HUGE_POOL))
        with open(HUGE_POOL, "w") as f:
            f.write(str(max(before + n, 0)))
        return int(read(HUGE_POOL)) - before
    finally:
        os.close(lock)


def shm_state():
    """Names in the box's /dev/shm, and bytes it holds, unnamed ones included."""
    fs = os.statvfs(SHM)
    return sorted(os.listdir(SHM)), (fs.f_blocks - fs.f_bfree) * fs.f_frsize


def segments():
    """{id: attachments} of the box's System V segments."""
    rows = [line.split() for line in read("/proc/sysvipc/shm").splitlines()[1:]]
    return {int(row[1]): int(row[6]) for row in rows}


def semaphores():
    """{id: value of the first semaphore} of the box's System V sets."""
    libc = ctypes.CDLL(None, use_errno=True)
    ids = [int(line.split()[1]) for line in read("/proc/sysvipc/sem").splitlines()[1:]]
    return {number: libc.semctl(number, 0, 12) for number in ids}  # GETVAL


def queues():
    """The ids of the box's System V message queues."""
    return [int(line.split()[1]) for line in read("/proc/sysvipc/msg").splitlines()[1:]]


def ipc():
    """All System V objects of the box, as ipcrm names them."""
    return ([("-m", number) for number in segments()] + [("-s", number) for number in semaphores()] +
            [("-q", number) for number in queues()])


def remove_ipc(keep=()):
    """All System V objects of the box, less the given semaphores."""
    for option, number in ipc():
        if option != "-s" or number not in keep:
            subprocess.run(["ipcrm", option, str(number)], check=True)


if __name__ == "__main__" and sys.argv[1:2] == ["--init"]:
    init(sys.argv[2:])
