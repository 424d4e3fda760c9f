"""criu convert: images of jobs that share deleted files, turned into images of mainline.

    run.py [--rounds N] [CASE...]

Converted images are restored by our criu, read by Debian's crit, and, where the kernel
suits it, restored by Debian's criu; images of Debian's criu are restored by ours.  The
conversion is killed before each change it makes, and at random moments.
"""
import argparse
import contextlib
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "jobs"))
sys.path.insert(0, os.path.join(HERE, "..", "crit"))
import box
import roundtrip
from box import Failure, wait_for
from conversion import (GIB, JOBS, MIB, Ending, check_converted, convert, dumped, goes_on, holes, image_names, make_job,
                        refused, restored_by_debian)
from debian import DEBIAN, debian_unfit
from killed import case_interrupted, case_killed


def case_ours(tally, options):
    """Converted images, restored by us; dumped again from there, and the job's own verdict at its end."""
    for name in JOBS:
        job = make_job(name)
        with Ending(tally, f"ours: {name}", job) as end:
            images = dumped(job)
            took = convert(images)
            check_converted(images)
            if "0 shared objects" not in subprocess.run(box.criu_args("convert", images, "--to-mainline"),
                                                        capture_output=True, text=True).stdout:
                raise Failure("a second conversion finds something to do")
            box.restore(images)
            goes_on(job)
            box.restore(dumped(job, 1))
            goes_on(job)
            end.note = f"{took * 1000:.0f} ms; {job.finish()}"


def case_large(tally, options):
    """1 GiB with a page here and there: images stay small, and nothing reads the holes."""
    for name, stride in (("few", 64 * MIB), ("many", 64 * 1024)):
        job = holes(f"c-large-{name}", GIB - 5, stride, "/dev/shm/holes")
        with Ending(tally, f"large: {name} pages", job) as end:
            images = dumped(job)
            took = convert(images)
            check_converted(images)
            ghost, = (n for n in image_names(images) if n.startswith("ghost-file-"))
            size, pages = os.path.getsize(f"{images}/{ghost}"), GIB // stride + 2
            if size > pages * 4200:
                raise Failure(f"{ghost} has {size} bytes for {pages} pages")
            restored = box.restore(images)
            if max(took, restored) > 5 * box.PATIENCE:
                raise Failure(f"convert took {took:.1f} s, restore {restored:.1f} s")
            goes_on(job, 10)
            end.note = f"{size >> 10} KiB, convert {took * 1000:.0f} ms, restore {restored * 1000:.0f} ms"


def fd_of(pid, pattern):
    """A path to the descriptor whose file's name matches."""
    for number in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{number}"
        if re.search(pattern, os.readlink(path)):
            return path
    raise Failure(f"process {pid} has no {pattern} open")


def case_external(tally, options):
    for how in ("attach", "copy"):
        job = make_job("small")
        outside = -1
        with Ending(tally, f"external: {how}", job):
            job.start()
            outside = os.open(fd_of(job.root, "^/dev/shm/holes "), os.O_RDWR)
            job.objects, images = job.sharing(), box.fresh_dir(job.dir, "images0")
            box.dump(job.root, images, "--external-holders", how)
            box.gone(job.pids)
            if how == "attach":
                refused(images, "/dev/shm/holes", "left to processes outside")
            else:
                convert(images)
                check_converted(images)
                box.restore(images)
                goes_on(job)
        if outside >= 0:
            os.close(outside)


def case_xattr(tally, options):
    """Mainline does not restore it, which is said; we do, from the converted images, too."""
    job = make_job("small")
    with Ending(tally, "extended attribute warned of", job):
        job.start()
        try:
            os.setxattr(fd_of(job.root, "^/dev/shm/holes "), "trusted.test", b"1")
        except OSError as e:
            return tally.skip("extended attribute warned of", f"/dev/shm has none: {e}")
        images = dumped(job)
        convert(images)
        warned(images, r"\(/dev/shm/holes\): mainline does not restore extended attribute trusted.test")
        box.restore(images)
        if os.getxattr(fd_of(job.root, "^/dev/shm/holes "), "trusted.test") != b"1":
            raise Failure("the attribute is another one")


def case_packets(tally, options):
    """What is ours besides objects: much is refused, a CPU mask or a set of semaphores only warned of."""
    libc = "import ctypes; c = ctypes.CDLL(None); "
    segment = "s = c.shmget(0, 4096, 0o1600); c.shmat(s, None, 0); c.shmctl(s, 0, None)"
    operate = "s = c.semget(0, 1, 0o1600); c.semop(s, (ctypes.c_short * 3)(0, 1, {}), 1)"
    for name, code, known, is_refused in (
            ("packets refused", "r, w = os.pipe2(os.O_DIRECT); os.write(w, b'a'); os.write(w, b'bc')", "packets", True),
            ("System V segment refused", libc + segment, "System V segment", True),
            ("SEM_UNDO refused", libc + operate.format(0x1000), "SEM_UNDO", True),
            ("semaphore set warned of", libc + operate.format(0), "System V semaphore set", False),
            ("CPU affinity warned of", "os.sched_setaffinity(0, {0})", "cpu_affinity", False)):
        if known == "cpu_affinity" and os.cpu_count() < 2:
            tally.skip(name, "one processor")
            continue
        with python_dumped(tally, name, code) as (_, images):
            if is_refused:
                refused(images, known)
                continue
            convert(images)
            warned(images, known)
            if os.path.exists(f"{images}/sysv-sem.img"):
                raise Failure("sysv-sem.img is still there")


@contextlib.contextmanager
def python_dumped(tally, name, code):
    """The number and the images of a process that runs the code and sleeps; what is done with them is counted."""
    here = box.fresh_dir("convert", "other")
    code = f"import os, time; {code}; print('ready', flush=True); time.sleep(1000)"
    pid = box.start(["/usr/bin/python3", "-c", code], f"{here}/out", cwd="/")
    try:
        wait_for(lambda: "ready" in box.read(f"{here}/out"), 10, "the program to be ready")
        images = box.fresh_dir("convert", "other-images")
        box.dump(pid, images)
        yield pid, images
        tally.ok(name)
    except Failure as e:
        tally.fail(name, str(e))
    finally:
        box.kill_all([pid] if box.alive(pid) else [])


def warned(images, *known):
    lines = [line for line in box.read(f"{images}/convert.log").splitlines() if "Warn" in line]
    for text in known:
        if not any(re.search(text, line) for line in lines):
            raise Failure(f"no warning of {text}, but {lines}")


MBIND, SET_MEMPOLICY, BIND, NODES = 237, 238, 2, "(ctypes.c_ulong * 16)(1), 1025"  # x86_64; the first node


def case_policies(tally, options):
    """Of a thread, a mapping, a file that becomes a ghost and one that does not: each is named."""
    bind = f"[c.syscall({MBIND}, ctypes.c_long(ctypes.addressof(ctypes.c_char.from_buffer(m))), 4096, {BIND}, {NODES}, 0) "
    code = ("import ctypes, mmap; c = ctypes.CDLL(None); fd = os.open('/dev/shm/policy', os.O_RDWR | os.O_CREAT); "
            "os.unlink('/dev/shm/policy'); os.ftruncate(fd, 4096); mem = os.memfd_create('policy'); os.ftruncate(mem, 4096); "
            "maps = [mmap.mmap(fd, 4096), mmap.mmap(mem, 4096), mmap.mmap(-1, 4096), "
            "mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)]; "
            f"print({bind} for m in maps], c.syscall({SET_MEMPOLICY}, {BIND}, {NODES}))")
    if not os.path.exists("/proc/self/numa_maps"):
        tally.skip("NUMA policies warned of", "the kernel has none")
        return
    with python_dumped(tally, "NUMA policies warned of", code) as (pid, images):
        convert(images)
        warned(images, rf"task {pid}: thread {pid}: set_mempolicy.* policy \(bind:0\)",
               rf"task {pid}: mapping \w+: mbind.* policy \(bind:0\)", r"/dev/shm/policy: .* policy \(bind:0\)",
               r"memfd policy: .* policy \(bind:0\)", r"mapping \w+: anonymous shared memory: .* policy \(bind:0\)")


def case_usage(tally, options):
    job = make_job("small")
    with Ending(tally, "usage: what is no checkpoint", job):
        images = dumped(job)
        refused(images, "needs --to-mainline", args=())
        os.rename(f"{images}/inventory.img", f"{job.dir}/images-inventory")
        refused(images, "no inventory.img")
        os.rename(f"{job.dir}/images-inventory", f"{images}/inventory.img")
        with open(f"{images}/pages-1.img", "ab") as pages:
            pages.write(b"x")
        for name in image_names(images):
            if name.startswith("pages-"):
                os.truncate(f"{images}/{name}", os.path.getsize(f"{images}/{name}") // 2)
        refused(images, "where its pagemap counts")
    job = make_job("small")
    with Ending(tally, "usage: links are not followed", job):
        images = dumped(job)
        victim = f"{job.dir}/images-victim"
        with open(victim, "w") as f:
            f.write("untouched")
        for name in ("remap-fpath.img.tmp", "ghost-file-1.img", "ghost-file-2.img"):
            os.symlink(victim, f"{images}/{name}")
        convert(images)
        check_converted(images)
        if box.read(victim) != "untouched":
            raise Failure("a link in the directory was followed")
        box.restore(images)
        goes_on(job)


def without_targets(entry):
    """A file entry as mainline writes it: it does not say which files an epoll instance (field 9) watches."""
    def change(fields, path):
        return b"".join(roundtrip.encode_field(n, w, change(roundtrip.fields(v), path[1:]) if path[:1] == [n] and w == 2
                                               else 0 if path == [n] else v) for n, w, v in fields)
    return change(roundtrip.fields(entry), [9, 4, 1])


def case_epoll(tally, options):
    here, images = box.fresh_dir("convert", "epoll"), box.fresh_dir("convert", "epoll-images")
    code = ("import os, select, time; e = select.epoll(); r, w = os.pipe(); e.register(r); os.write(w, b'x')\n"
            "while True: print(e.poll(5) == [(r, 1)], flush=True); time.sleep(0.01)")
    pid = box.start(["/usr/bin/python3", "-c", code], f"{here}/out", cwd="/")
    with Ending(tally, "epoll targets as mainline writes them", argparse.Namespace(dir=here, pids=[pid])):
        wait_for(lambda: "True" in box.read(f"{here}/out"), 10, "the program to be ready")
        box.dump(pid, images)
        data = roundtrip.rebuild(roundtrip.read_bytes(f"{images}/files.img"), 8, without_targets)
        with open(f"{images}/files.img", "wb") as f:
            f.write(data)
        before = len(box.read(f"{here}/out"))
        box.restore(images)
        wait_for(lambda: len(box.read(f"{here}/out")) > before + 50, 10, "the program to go on")
        if "False" in box.read(f"{here}/out"):
            raise Failure("it waits for something else")


# --- killed -------------------------------------------------------------------------

# --- the other implementation -----------------------------------------------------------

def case_debian(tally, options):
    unfit = debian_unfit()
    for name in JOBS:
        if unfit:
            tally.skip(f"Debian's criu: {name}, both ways", unfit)
            continue
        job = make_job(name)
        with Ending(tally, f"Debian's criu restores: {name}", job) as end:
            images = dumped(job)
            convert(images)
            restored_by_debian(images)
            goes_on(job)
            end.note = job.finish()
        job = make_job(name)
        with Ending(tally, f"ours restores what Debian's criu dumped: {name}", job) as end:
            images = dumped_by_debian(job)
            box.restore(images)
            # of several names of a ghost that criu saves only one
            goes_on(job, names=False)
            end.note = job.finish()


def dumped_by_debian(job):
    job.start()
    images = box.fresh_dir(job.dir, "images0")
    job.objects = job.sharing()
    done = subprocess.run([DEBIAN, "dump", "-t", str(job.root), "-D", images, "-v4", "-o", "dump.log",
                           "--ghost-limit", "1G"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"Debian's criu dump returned {done.returncode}: {box.errors(images, 'dump')}")
    box.gone(job.pids)
    return images


CASES = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="kills at random moments")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"one of: {', '.join(CASES)}")
    options = parser.parse_args()
    box.enter()
    os.makedirs(box.WORK, exist_ok=True)
    tally = box.Tally()
    for name in options.cases or CASES:
        CASES[name](tally, options)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
