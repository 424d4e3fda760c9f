"""Cases in which not the file system but the machine around the job is another one."""
import contextlib
import os
import subprocess

import box
import places
from box import Failure
from cases import case, expect, shared_views
from program import started


class Here(places.Place):
    """The work directory."""
    name = "here"

    def make(self):
        pass


@contextlib.contextmanager
def sysctl(path, value):
    """With another value; Lacking where the kernel does not know or allow it."""
    before = box.read(path).strip()
    try:
        with open(path, "w") as f:
            f.write(value)
    except OSError as e:
        raise places.Lacking(f"{path}: {e.strerror}") from None
    try:
        yield
    finally:
        with open(path, "w") as f:
            f.write(before)


@case("without the capabilities", Here, "delshm_family_disk")
def capabilities(place):
    """What others have mapped can only be opened with them: refused before anything is touched."""
    without = "-sys_admin,-checkpoint_restore"
    with started("delshm_family_disk", f"{place.dir}/test") as tested:
        os.mkdir(tested.images)
        done = subprocess.run(["setpriv", "--bounding-set", without, "--inh-caps", without,
                               *box.criu_args("dump", tested.images, "-t", str(tested.pid))],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if not done.returncode:
            raise Failure("dump succeeded")
        expect(done.stderr, "needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN")
        tested.finish()


REFUSED = {
    "unsupported_uffd": ("/uffd", "is registered with a userfaultfd"),
    "unsupported_secretmem": ("/secretmem", "is secret memory"),
    "link_remap_refused": ("/test/gone", "the name is gone, but the file has links left (1): --link-remap"),
}


def refused_by_name(place, name):
    """The message names object and reason, and the program goes on as if nothing had happened."""
    with started(name, f"{place.dir}/test" if name == "link_remap_refused" else None) as tested:
        expect(tested.refused("dump"), *REFUSED[name])
        tested.finish()


for program in REFUSED:
    case(f"refused by name: {program}", Here, program)(lambda place, name=program: refused_by_name(place, name))


# Of a tmpfs, in the kernel's order.
OPTIONS = ("", "huge=within_size", "mpol=bind:0", "noswap", "huge=always,noswap", "huge=always", "huge=always")


def other_options(place, before, now):
    """Made all the same, with a warning that names both."""
    with started("delshm_family_disk", f"{place.dir}/test") as tested:
        tested.dump()
        place.empty(now)
        os.mkdir(f"{place.dir}/test")
        tested.restore()
        warned = [line for line in tested.log("restore").splitlines() if "tmpfs mounted with" in line]
        if before == now and warned:
            raise Failure(f"a warning without a reason: {warned[0]}")
        if before != now:
            expect("\n".join(warned), f'{place.dir}/test/', f'tmpfs mounted with "{before}"', f'on one with "{now}"')
        tested.finish()


@case("tmpfs of other options at restore", places.TmpfsLimited, "delshm_family_disk")
def tmpfs_options(place):
    place.empty(OPTIONS[0])
    for before, now in zip(OPTIONS, OPTIONS[1:]):
        other_options(place, before, now)


@case("executable memfds forbidden at restore", Here, "memfd02")
def memfd_noexec(place):
    with started("memfd02") as tested:
        tested.dump()
        with sysctl("/proc/sys/vm/memfd_noexec", "2"):
            expect(tested.refused("restore"), "vm.memfd_noexec forbids executable ones")
        with sysctl("/proc/sys/vm/memfd_noexec", "1"):
            tested.restore()
        tested.finish()


@case("the next process numbers are the tree's", Here, "delshm_family_disk")
def process_numbers(place):
    """criu and whatever it starts get their numbers where the tree's were, all but its own."""
    with started("delshm_family_disk", f"{place.dir}/test") as tested:
        for ahead in (1, 2, 3):
            tested.dump()
            # Ahead of the one that criu itself gets, which has to be free.
            with open("/proc/sys/kernel/ns_last_pid", "w") as f:
                f.write(str(tested.pid - 1 - ahead))
            tested.restore()
        tested.finish()


def memory_cgroups():
    """Where memory cgroups are made, the one this process is in, and the field of shared memory in memory.stat."""
    own = {line.split(":")[1]: line.split(":", 2)[2] for line in box.read("/proc/self/cgroup").splitlines()}
    for line in box.read("/proc/mounts").splitlines():
        _, top, fs, options, *_ = line.split()
        if fs == "cgroup" and "memory" in options.split(","):
            mine = next(path for names, path in own.items() if "memory" in names.split(","))
            return top, top + mine, "total_shmem"
        if fs == "cgroup2" and "memory" in box.read(f"{top}/cgroup.subtree_control").split():
            return top, top + own[""], "shmem"
    raise places.Lacking("no memory cgroups")


@case("memory cgroup of the restore", Here, "delshm_family")
def memory_cgroup(place):
    """Pages are charged to the cgroup that restore runs in, which is also where the tree then is."""
    top, mine, counter = memory_cgroups()
    group = f"{top}/criu-test-{os.getpid()}"
    with started("delshm_family") as tested:
        bytes_used = os.stat(shared_views(tested)[0]).st_blocks * 512
        tested.dump()
        try:
            os.mkdir(group)
        except OSError as e:
            raise places.Lacking(f"{group}: {e.strerror}") from None
        try:
            join(group)
            tested.restore()
            join(mine)
            lines = dict(line.split() for line in box.read(f"{group}/memory.stat").splitlines())
            if int(lines[counter]) < bytes_used:
                raise Failure(f"{lines[counter]} of {bytes_used} bytes are charged to it")
            members = {int(pid) for pid in box.read(f"{group}/cgroup.procs").split()}
            if members != set(tested.pids):
                raise Failure(f"{members} are in it, not {tested.pids}")
            tested.finish()
        finally:
            join(mine)
            tested.end()
            os.rmdir(group)


def join(group):
    with open(f"{group}/cgroup.procs", "w") as f:
        f.write(str(os.getpid()))
