"""What shared objects cost: deleted files of 1 and 4 GiB, on tmpfs and on disk.

    shared.py [-r RUNS] [--quick] [NAME...]

Dump and restore of an object with 1, 4 and 64 holders, dense and sparse, each as a ratio
to a floor measured beside it: dump and frozen time to one direct write of as many bytes to
the same disk, restore to one copy of them from the page cache to fresh memory, images to the
bytes of data.  Then many objects with many mappings,
and one vast object with a few pages.  The best of the runs counts.
"""
import argparse
import errno
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench
import box
from bench import DUMP_LIMIT, RESTORE_LIMIT, Copies, Times, direct_writes, judge, measure
from box import Failure

SPARSE_STRIDE = 16                          # of 64 KiB: one sixteenth is data
HOLDERS = (1, 4, 64)
GROWTH_LIMIT = 1.3                          # 64 holders may cost so much more than one
GROWTH_SECONDS = 0.25                       # and 63 processes this much by themselves
OBJECTS = "objects {} {} 64 {}"             # files, directory, mappings
OBJECTS_LIMIT, VAST_LIMIT = 3.0, 0.1        # seconds


def row(name, dump, restore, frozen, size, ratios=""):
    print(f"{name:38} {dump.least:7.3f} {frozen.least if frozen else 0:7.3f} {restore.least:7.3f} "
          f"{size >> 20:6} MiB {ratios}", flush=True)


class Images:
    """Before each restore: the size of the images, and the copy floor if there is much to copy."""

    def __init__(self, copies=None):
        self.copies, self.bytes = copies, 0

    def __call__(self, images):
        self.bytes = sum(os.lstat(f"{images}/{name}").st_blocks * 512 for name in os.listdir(images))
        if self.copies:
            self.copies(images)


def read_objects(pid):
    """Bring what the job shares back into memory, where it is when the job works with it: a restore may leave it on disk."""
    for name in os.listdir(f"/proc/{pid}/map_files"):
        path = f"/proc/{pid}/map_files/{name}"
        if not os.readlink(path).endswith(" (deleted)"):
            continue
        fd, at = os.open(path, os.O_RDONLY), 0
        try:
            while True:
                at = os.lseek(fd, at, os.SEEK_DATA)
                end = os.lseek(fd, at, os.SEEK_HOLE)
                while at < end:
                    at += len(os.pread(fd, min(end - at, 4 << 20), at))
        except OSError as e:
            if e.errno != errno.ENXIO:      # no data behind
                raise
        finally:
            os.close(fd)


def title(mib, where, stride):
    return f"{mib >> 10} GiB on {where}, {'dense' if stride == 1 else 'sparse'}"


def object_case(tally, mib, where, directory, stride, runs):
    """One object: times for each number of holders, then judged."""
    data_mib = mib // stride
    what = title(mib, where, stride)
    least = {}
    for holders in HOLDERS:
        name = f"{what}, {holders} holders"
        images = Images(Copies())
        write = Times(direct_writes(data_mib))
        dump, restore, frozen = measure(f"pool {mib} {directory} {holders} {stride}", runs, images, read_objects)
        copy = Times(images.copies.fresh[1:])
        row(name, dump, restore, frozen, images.bytes,
            f"{dump.least / write.least:5.2f} {frozen.least / write.least:5.2f} direct writes "
            f"{restore.least / copy.least:5.2f} copies {images.bytes / (data_mib << 20):5.2f} bytes")
        judge(tally, f"{name}: dump", dump, write.least * DUMP_LIMIT + overhead(holders), f"{DUMP_LIMIT} direct writes")
        judge(tally, f"{name}: restore", restore, copy.least * RESTORE_LIMIT + overhead(holders),
              f"{RESTORE_LIMIT} copies to fresh memory")
        least[holders] = dump.least, restore.least
    for step, one, many in zip(("dump", "restore"), least[1], least[64]):
        text = f"1 holder {one:.3f} s, 64 holders {many:.3f} s"
        grown = many > GROWTH_LIMIT * one + GROWTH_SECONDS
        (tally.fail if grown else tally.ok)(f"{what}: {step} does not grow with holders", text)


def overhead(holders):
    """What processes cost that have nothing to do with the object."""
    return 0.02 + GROWTH_SECONDS * holders / 64


def many_objects(tally, runs):
    images = Images()
    dump, restore, frozen = measure(OBJECTS.format(500, box.SHM, 10000), runs, images)
    row("500 objects, 10,000 mappings, 64 tasks", dump, restore, frozen, images.bytes)
    half_dump, half_restore, _ = measure(OBJECTS.format(250, box.SHM, 5000), runs)
    for step, whole, half in (("dump", dump, half_dump), ("restore", restore, half_restore)):
        judge(tally, f"500 objects: {step}", whole, OBJECTS_LIMIT, "seconds")
        text = f"half the size {half.least:.3f} s, all {whole.least:.3f} s"
        linear = half.least / whole.least >= bench.HALF_LEAST
        (tally.ok if linear else tally.fail)(f"500 objects: {step} is linear", text)


def vast_object(tally, runs):
    images = Images()
    dump, restore, frozen = measure(f"vast 1 {box.SHM}", runs, images)
    row("1 TiB, 16 pages", dump, restore, frozen, images.bytes)
    judge(tally, "1 TiB: dump", dump, VAST_LIMIT, "milliseconds")
    judge(tally, "1 TiB: restore", restore, VAST_LIMIT, "milliseconds")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-r", "--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="leave out objects of 4 GiB")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="part of '1 GiB on tmpfs, dense' and its like, of objects or vast; default: all")
    options = parser.parse_args()
    box.enter()
    box.fresh_dir("bench")
    tally = box.Tally()
    disk = box.fresh_dir("bench", "disk")

    def wanted(name):
        return not options.names or any(part in name for part in options.names)

    print(f"seconds, least of {options.runs}\n{'':38} {'dump':>7} {'frozen':>7} {'restore':>7} {'images':>10}")
    try:
        for where, directory in (("tmpfs", box.SHM), ("disk", disk)):
            for mib in (1024,) if options.quick else (1024, 4096):
                for stride in (1, SPARSE_STRIDE):
                    if wanted(title(mib, where, stride)):
                        object_case(tally, mib, where, directory, stride, options.runs)
        if wanted("objects"):
            many_objects(tally, options.runs)
        if wanted("vast"):
            vast_object(tally, options.runs)
    except Failure as e:
        tally.fail("bench", str(e))
    shutil.rmtree(os.path.join(box.WORK, "bench"), ignore_errors=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
