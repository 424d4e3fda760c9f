"""What the cases of conversion share: jobs, converting and restoring their images, looking at them."""
import os
import re
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "jobs"))
sys.path.insert(0, os.path.join(HERE, "..", "crit"))
import box
import roundtrip
import run as jobs
from box import Failure, wait_for
from debian import DEBIAN

GIB = 1 << 30
MIB = 1 << 20
NOT_IMAGES = re.compile(r"\.log$|^stats-")


def ring(name, where="/dev/shm"):
    argv = [box.build(f"{HERE}/../jobs/shmring.c"), "-l", "{log}", "-n", "4", "-m", "16"]
    return jobs.Job(name, argv if where == "/dev/shm" else [*argv, "-d", where], f"{where}/shmring-")


def holes(name, size, stride, *paths):
    argv = [box.build(f"{HERE}/holes.c"), "{log}", str(size), str(stride), *paths]
    return jobs.Job(name, argv, paths[0])


def make_job(name):
    return {
        "ring-shm": lambda: ring("c-ring-shm"),
        "ring-disk": lambda: ring("c-ring-disk", "{dir}"),
        "python": lambda: jobs.Job("c-python", ["/usr/bin/python3", f"{HERE}/../jobs/pyqueue.py", "{log}"], "/dev/shm/"),
        "small": lambda: holes("c-small", 5003, 1000, "/dev/shm/holes", "{dir}/holes"),
        "sparse": lambda: holes("c-sparse", MIB + 77, 65536, "/dev/shm/holes", "{dir}/holes"),
    }[name]()


JOBS = ("ring-shm", "ring-disk", "python", "small", "sparse")


# --- images ------------------------------------------------------------------------

def image_names(images):
    return sorted(name for name in os.listdir(images) if not NOT_IMAGES.search(name))


def remap_types(images):
    """(type, object) of each remap."""
    path = f"{images}/remap-fpath.img"
    remaps = [dict((n, v) for n, _, v in roundtrip.fields(e)) for e in roundtrip.entries(roundtrip.read_bytes(path))]
    return [(remap[3], remap[2]) for remap in remaps]


def check_converted(images):
    """Nothing of ours, nothing that nobody needs, and crit reads it all."""
    names = image_names(images)
    ours = [n for n in names if n.startswith(("shmem-file-", "external-objects", "sysv-sem", "sysv-msg")) or n.endswith(".tmp")]
    if ours:
        raise Failure(f"still there: {ours}")
    remaps = remap_types(images)
    if {kind for kind, _ in remaps} != {1}:
        raise Failure(f"remaps of types other than ghost: {remaps}")
    ghosts = {f"ghost-file-{number:x}.img" for _, number in remaps}
    there = {n for n in names if n.startswith("ghost-file-")}
    if ghosts != there:
        raise Failure(f"remaps name {sorted(ghosts)}, there are {sorted(there)}")
    pages = {n for n in names if re.match(r"pages-\d+\.img", n)}
    needed = set()
    for name in names:
        if name.startswith("pagemap-"):
            head = next(roundtrip.entries(roundtrip.read_bytes(f"{images}/{name}")))
            needed.add(f"pages-{dict((n, v) for n, _, v in roundtrip.fields(head))[1]}.img")
    if pages != needed:
        raise Failure(f"page maps name {sorted(needed)}, there are {sorted(pages)}")
    for name in filter(roundtrip.is_image, names):
        if os.stat(f"{images}/{name}").st_mode & 0o777 != 0o600:
            raise Failure(f"{name} can be read by others")
        roundtrip.check_image(f"{images}/{name}")


def convert(images):
    return box.criu("convert", images, "--to-mainline")


def refused(images, *wanted, args=("--to-mainline",)):
    """The conversion fails, says why, and changes nothing."""
    before = snapshot(images)
    done = subprocess.run(box.criu_args("convert", images, *args), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60 * box.PATIENCE)
    if done.returncode != 1:
        raise Failure(f"criu convert returned {done.returncode}")
    for text in wanted:
        if text not in done.stderr:
            raise Failure(f"no word of {text}: {done.stderr}")
    if snapshot(images) != before:
        raise Failure("a refused conversion has changed the directory")


def snapshot(images):
    return {name: roundtrip.read_bytes(f"{images}/{name}") for name in image_names(images)}


# --- jobs ---------------------------------------------------------------------------

def dumped(job, number=0, *options):
    """Start the job, or take it as it runs, and dump it; its images."""
    if not job.pids:
        job.start()
    images = box.fresh_dir(job.dir, f"images{number}")
    job.objects = job.sharing()
    box.dump(job.root, images, *options)
    job.gone()
    return images


def goes_on(job, more=50, names=True):
    """The restored job: all processes, each on the object it had, under the same name, and it works."""
    wait_for(lambda: sorted(box.tree(job.root)) == sorted(job.pids), 10, "all processes to be back")
    job.no_names()
    if names:
        job.same_holders(job.objects)
    elif {p for holders in job.sharing().values() for p in holders} != set(job.pids):
        raise Failure("not every process has a shared deleted file")
    job.progress(more)


def restored_by_debian(images):
    done = subprocess.run([DEBIAN, "restore", "-D", images, "-d", "-v4", "-o", "debian.log"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120 * box.PATIENCE)
    if done.returncode:
        text = [line for line in box.read(f"{images}/debian.log").splitlines() if "Error" in line][:5]
        raise Failure(f"Debian's criu restore returned {done.returncode}: {text or done.stderr}")


# --- cases ----------------------------------------------------------------------------


class Ending:
    """Counts what the block proves, and ends its job."""

    def __init__(self, tally, name, job):
        self.tally, self.name, self.job, self.note = tally, name, job, ""

    def __enter__(self):
        self.skipped = self.tally.skipped
        return self

    def __exit__(self, kind, error, trace):
        if error is None and self.tally.skipped == self.skipped:
            self.tally.ok(self.name, self.note)
        elif isinstance(error, (Failure, struct.error, OSError)):
            self.tally.fail(self.name, f"{error} (see {self.job.dir})")
        box.kill_all([p for p in self.job.pids if box.alive(p)])
        return isinstance(error, (Failure, struct.error, OSError))
