"""The main job, told step by step; see scripts/demo.

    demo.py [--procs N] [--mib N]
"""
import argparse
import os
import re
import shlex
import sys

import box
import run
from box import Failure

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "external"))
from pair import Pair


def say(text=""):
    print(text, flush=True)


def head(text):
    say(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n=== {text}")


def command(*argv):
    say(f"    # {shlex.join(argv)}")


def size(count):
    return f"{count / (1 << 20):.1f} MiB" if count >= 1 << 20 else f"{count} bytes"


def descriptors(pid, inode):
    """Numbers of the descriptors that are open on this (device, inode)."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            st = os.stat(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if (st.st_dev, st.st_ino) == inode:
            found.append(int(fd))
    return sorted(found)


def show_object(path, holders, pids, detail):
    device, number, links = next(iter(next(iter(holders.values()))))
    say(f"    {path}: inode {number} on device {os.major(device):02x}:{os.minor(device):02x}, "
        f"{links} names, held by {len(holders)} of {len(pids)} processes")
    for pid in sorted(holders)[:detail]:
        line = box.mappings(pid, f" {re.escape(path)}$")[0][0]
        fds = descriptors(pid, (device, number))
        also = f"   also open as descriptor {', '.join(map(str, fds))}" if fds else ""
        say(f"      {pid:5}  {' '.join(line.split()[:4])}{also}")
    if detail and len(holders) > detail:
        say(f"      ... and {len(holders) - detail} more, the same inode in each")


def show_holders(job):
    """Who holds each object, as the kernel tells it; returns {path: holding processes}."""
    objects = job.sharing()
    for number, (path, holders) in enumerate(sorted(objects.items())):
        show_object(path, holders, job.pids, detail=8 if number == 0 else 0)
    return {path: set(holders) for path, holders in objects.items()}


def show_gone(job, images):
    job.gone()
    say(f"    none of the {len(job.pids)} processes exists; {box.SHM} is empty and holds 0 bytes of them")
    names = sorted(os.listdir(images))
    total = sum(os.path.getsize(f"{images}/{n}") for n in names)
    say(f"    the image: {len(names)} files, {size(total)}; the largest:")
    for name in sorted(names, key=lambda n: -os.path.getsize(f"{images}/{n}"))[:3]:
        say(f"      {name:28} {size(os.path.getsize(f'{images}/{name}'))}")


def show(job, what, unit):
    head(f"{what}: running")
    job.start()
    say(f"    {shlex.join(job.argv)}")
    say(f"    processes {', '.join(map(str, job.pids[:8]))}{' ...' if len(job.pids) > 8 else ''}")
    before = show_holders(job)
    job.progress(200)
    say(f"    {job.steps()} {unit} so far, each checked by the job itself")

    head("Dumped")
    images = box.fresh_dir(job.dir, "images")
    command(*box.criu_args("dump", images, "-t", str(job.root)))
    took = box.dump(job.root, images)
    say(f"    took {took:.3f} s")

    head("Gone")
    show_gone(job, images)
    reached = job.steps()
    say(f"    the log stands at {reached} {unit}")

    head("Restored")
    command(*box.criu_args("restore", images, "-d"))
    took = box.restore(images)
    say(f"    took {took:.3f} s")
    job.pids_back()

    head("Still sharing")
    after = show_holders(job)
    if after != before:
        raise Failure(f"objects and holders were {before} and are {after}")
    job.progress(200)
    say(f"    the log goes on with number {reached}, without a gap: {job.steps()} {unit} now")
    job.no_names()
    say(f"    no file was left behind, neither in {box.SHM} nor in the job's directory")
    say(f"    asked to end, the job checks everything once more and says: {job.finish()}")


def show_outsider():
    head("A process outside the tree has the deleted file mapped, too")
    pair = Pair("shm", "map")
    try:
        dump_and_keep(pair)
    finally:
        pair.end()


def dump_and_keep(pair):
    objects = [pair.inodes(p) for p in pair.pids]
    say(f"    process {pair.outsider} stays, the tree {', '.join(map(str, pair.pids))} is dumped; all three count "
        f"in inode {next(iter(objects[0]))[1]}")
    images = box.fresh_dir(os.path.relpath(pair.dir, box.WORK), "images")
    command(*box.criu_args("dump", images, "-t", str(pair.root)))
    try:
        box.dump(pair.root, images)
    except Failure as e:
        say(f"    refused, and nothing was changed:\n      {str(e).splitlines()[0][:200]} ...")
    else:
        raise Failure("the dump did not refuse")
    pair.tree_counts()

    extra = "--external-holders", "attach"
    command(*box.criu_args("dump", images, "-t", str(pair.root), *extra))
    box.dump(pair.root, images, *extra)
    box.gone(pair.pids)
    seen = pair.seen()["tree"]
    say(f"    the tree is gone, at {seen} counts; the object stays with process {pair.outsider}")
    command(*box.criu_args("restore", images, "-d"))
    box.restore(images)
    if [pair.inodes(p) for p in pair.pids] != objects:
        raise Failure("the tree came back with another object")
    pair.tree_counts()
    say(f"    the tree is back on the same inode; process {pair.outsider} sees it count on: {pair.seen()['tree']}, "
        "and its lock was never abandoned")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--procs", type=int, default=4)
    parser.add_argument("--mib", type=int, default=64)
    options = parser.parse_args()
    box.enter()
    jobs = run.make_jobs(options)
    ring, python = jobs["ring-shm"](), jobs["python"]()
    try:
        show(ring, f"A C program: {options.procs} processes take turns in {options.mib} MiB of a deleted file", "steps")
        show(python, "Python multiprocessing: Array, Lock, Queue and three workers", "messages")
        show_outsider()
    except Failure as e:
        say(f"\nFAILED: {e}")
        return 1
    finally:
        box.kill_all([p for job in (ring, python) for p in job.pids if box.alive(p)])
    say("\nProven: both jobs went on exactly where they were, every deleted file is one object for all its holders,\n"
        "also for one that was never dumped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
