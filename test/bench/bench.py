"""How long dump and restore take, against mainline's figures and the machine's limits.

    bench.py [-r RUNS] [--no-memory] [LOAD...]

One program for each dimension of cost: processes, threads, mappings, descriptors,
shared and private memory.  Each is dumped and restored several times in a row, the
first time unmeasured; least and median are printed.  The goal is half of mainline's
time (measured on a machine of two processors); for 2 GiB of private memory it is a
multiple of one direct write and of one copy of the same bytes, from the page cache to fresh
memory, measured here and now: the copy right before each restore, which finds the same pages
in the cache and the same free memory (what a virtual machine has given back to its host is
several times as slow to touch).
Each dimension also runs at half size: cost must not grow faster than size.
"""
import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "jobs"))
import box
from box import Failure, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY_MIB = 2048
DUMP_LIMIT, RESTORE_LIMIT = 1.3, 1.5        # times the floor, for private memory
MAINLINE_LIMIT = 0.5                        # times mainline's time
# half the size may cost no less than this part of the whole, or cost grows faster than
# size; what is too short to tell (seconds) is not judged
HALF_LEAST, JUDGE_FROM = 0.4, 0.02

# name: (arguments of load, size in {}; size; mainline's dump and restore in seconds)
LOADS = {
    "500 small processes": ("procs {}", 500, 4.0, 1.5),
    "1,000 threads": ("threads {}", 1000, 1.3, 0.9),
    "15,000 mappings": ("maps {}", 15000, 1.0, 0.4),
    "10,000 descriptors": ("fds {}", 10000, 0.8, 0.3),
    "64 MiB deleted pool, 4 tasks": ("pool {} " + box.SHM, 64, 0.17, 0.14),
    "one small program": ("small", None, 0.08, 0.06),
}
NUMBERS = itertools.count()                # of directories of images
MEMORY = f"{MEMORY_MIB // 1024} GiB private memory"


class Times:
    def __init__(self, seconds):
        self.least = min(seconds)
        self.median = statistics.median(seconds)

    def __str__(self):
        return f"{self.least:7.3f} {self.median:7.3f}"


# --- stats-dump ----------------------------------------------------------------

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return value, at


def fields(data):
    """{number: value} of a message that has but numbers and messages in it."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        found[key >> 3] = value
    return found


def frozen_seconds(images):
    """How long the tasks stood still, from stats-dump; None where that is not written."""
    try:
        with open(f"{images}/stats-dump", "rb") as f:
            data = f.read()
        return fields(fields(data[12:])[1])[2] / 1e6
    except (OSError, KeyError, IndexError):
        return None


# --- measuring -------------------------------------------------------------------

def start(arguments):
    out = os.path.join(box.WORK, "bench", "out")
    open(out, "w").close()
    argv = [box.build(os.path.join(HERE, "load.c")), *arguments.split()]
    root = box.start(argv, out, cwd="/")
    wait_for(lambda: "ready" in box.read(out), 60, f"{arguments} to be ready")
    return root


def images_dir(many_files):
    """The same directory again, for fresh pages of disk cache have a price of their own; but another one for
    many files, for ext4 is slow to make some where it has removed others in the last minutes."""
    if not many_files:
        return box.fresh_dir("bench", "images")
    return box.fresh_dir("bench", f"images-{next(NUMBERS)}")


def remove_large(images):
    """What needs room: the files are removed in the end."""
    for name in os.listdir(images):
        path = os.path.join(images, name)
        if os.path.getsize(path) > 1 << 20:
            os.truncate(path, 0)


def measure(arguments, runs, before_restore=None, before_dump=None):
    """(dump, restore, frozen) times of a program that is dumped and restored again and again."""
    root = start(arguments)
    pids = box.tree(root)
    dumps, restores, frozen = [], [], []
    many_files = len(pids) >= 64 or arguments.split()[0] in ("threads", "objects")
    try:
        for run in range(runs + 1):
            images = images_dir(many_files)
            if before_dump:
                before_dump(root)
            dumps.append(box.dump(root, images))
            box.gone(pids)
            frozen.append(frozen_seconds(images))
            if before_restore:
                before_restore(images)
            restores.append(box.restore(images))
            if many_files:
                remove_large(images)
            if sorted(box.tree(root)) != sorted(pids):
                raise Failure(f"{arguments}: not all of {len(pids)} processes came back")
    finally:
        box.kill_all([p for p in pids if box.alive(p)])
    known = [f for f in frozen[1:] if f is not None]
    return Times(dumps[1:]), Times(restores[1:]), Times(known) if known else None


def floor(what, mib, path, rounds):
    """Seconds per round, one list per figure that the program prints."""
    program = box.build(os.path.join(HERE, "floor.c"))
    done = subprocess.run([program, what, str(mib), path, str(rounds)],
                          check=True, capture_output=True, text=True)
    return list(zip(*[map(float, line.split()) for line in done.stdout.splitlines()]))


def direct_writes(mib):
    return floor("write", mib, os.path.join(box.WORK, "bench", "floor"), 2)[0]


class Copies:
    """Of the largest file of the images, to fresh memory and to the same once more."""

    def __init__(self):
        self.fresh, self.in_place = [], []

    def __call__(self, images):
        paths = [os.path.join(images, name) for name in os.listdir(images)]
        path = max(paths, key=os.path.getsize)
        # The first round reads the file into the cache.
        fresh, in_place = floor("copy", os.path.getsize(path) >> 22 << 2, path, 3)
        self.fresh.append(min(fresh[1:]))
        self.in_place.append(min(in_place[1:]))


# --- verdicts ----------------------------------------------------------------------

def judge(tally, name, took, limit, what):
    ratio = took.least / limit
    text = f"{took.least:.3f} s is {ratio:.2f} of the limit, {limit:.3f} s ({what})"
    (tally.ok if ratio <= 1 else tally.fail)(name, text)


def half_size(tally, name, arguments, size, runs, whole, before_restore=None):
    half = measure(arguments.format(size // 2), runs, before_restore)
    for step, full, part in zip(("dump", "restore"), whole, half):
        text = f"half the size {part.least:.3f} s, all {full.least:.3f} s"
        if full.least < JUDGE_FROM:
            tally.skip(f"{name}: {step} is linear", f"too short to tell: {text}")
        elif part.least / full.least < HALF_LEAST:
            tally.fail(f"{name}: {step} is linear", text)
        else:
            tally.ok(f"{name}: {step} is linear", text)


def row(name, dump, restore, frozen):
    print(f"{name:32} {dump} {restore} {frozen or '      -       -'}", flush=True)


def run_load(tally, name, runs):
    arguments, size, dump_ref, restore_ref = LOADS[name]
    whole = measure(arguments.format(size), runs)
    row(name, *whole)
    judge(tally, f"{name}: dump", whole[0], dump_ref * MAINLINE_LIMIT, f"mainline takes {dump_ref} s")
    judge(tally, f"{name}: restore", whole[1], restore_ref * MAINLINE_LIMIT, f"mainline takes {restore_ref} s")
    if size:
        half_size(tally, name, arguments, size, runs, whole)


def run_memory(tally, runs):
    """The floors are measured beside it, for the machine's own speed changes."""
    copies = Copies()
    writes = direct_writes(MEMORY_MIB)
    whole = measure(f"private {MEMORY_MIB}", runs, copies)
    row(MEMORY, *whole)
    write = Times(writes + direct_writes(MEMORY_MIB))
    fresh, warm = Times(copies.fresh[1:]), Times(copies.in_place[1:])
    print(f"{'  one direct write':32} {write}\n{'  one copy to fresh memory':32} {'':15} {fresh}\n"
          f"{'  one copy to memory in place':32} {'':15} {warm}", flush=True)
    judge(tally, f"{MEMORY}: dump", whole[0], write.least * DUMP_LIMIT, f"{DUMP_LIMIT} direct writes")
    judge(tally, f"{MEMORY}: restore", whole[1], fresh.least * RESTORE_LIMIT, f"{RESTORE_LIMIT} copies to fresh memory")
    half_size(tally, MEMORY, "private {}", MEMORY_MIB, runs, whole, Copies())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-r", "--runs", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true", help=f"leave out {MEMORY}")
    parser.add_argument("loads", nargs="*", metavar="LOAD", help="part of a name; default: all")
    options = parser.parse_args()
    box.enter()
    box.fresh_dir("bench")
    tally = box.Tally()
    names = [n for n in [*LOADS, MEMORY] if not options.loads or any(part in n for part in options.loads)]
    print(f"seconds, least and median of {options.runs}\n{'':32} {'dump':15} {'restore':15} frozen", flush=True)
    for name in names:
        try:
            if name != MEMORY:
                run_load(tally, name, options.runs)
            elif not options.no_memory:
                run_memory(tally, options.runs)
        except Failure as e:
            tally.fail(name, str(e))
    shutil.rmtree(os.path.join(box.WORK, "bench"), ignore_errors=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
