"""File systems made for a test: in images on loop devices, or mounted from nothing.

They are mounted in the box's private mount namespace and below its work directory.
Ending the box unmounts them and frees their loop devices, whatever happened before.
"""
import contextlib
import os
import subprocess

import box


class Lacking(Exception):
    """This machine cannot make the place; the text says why."""


def run(*argv):
    """Run a tool; its complaint is the reason why the place cannot be had."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        raise Lacking(f"{argv[0]} is not installed") from None
    if done.returncode:
        raise Lacking(f"{' '.join(argv[:3])}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")


def run_quietly(*argv):
    """What it prints, whatever it returns."""
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout


@contextlib.contextmanager
def verdict(tally, name):
    """Counts what is done inside under a name: passed unless it fails or lacks something."""
    try:
        yield
        tally.ok(name)
    except Lacking as e:
        tally.skip(name, str(e))
    except box.Failure as e:
        tally.fail(name, str(e))


@contextlib.contextmanager
def made(kind):
    """A place that is gone at the end, whatever happens."""
    place = kind()
    try:
        yield place
    finally:
        place.end()


def known(fs):
    return any(line.split()[-1] == fs for line in box.read("/proc/filesystems").splitlines())


class Place:
    """A mounted file system; .dir is where the test's files go."""
    mib = 0  # of the image; 0: it needs none
    options = ""

    def __init__(self):
        self.base = box.fresh_dir("filesystems", self.name)
        self.mnt = self.dir = f"{self.base}/mnt"
        self.image = f"{self.base}.img"
        self.mounts = []
        os.mkdir(self.mnt)
        try:
            self.make()
        except Lacking:
            self.end()
            raise

    def mount(self, fs, source, at, options=""):
        argv = ["mount", "-t", fs, *(["-o", options] if options else []), source, at]
        try:
            run(*argv)
        except Lacking:
            # only after the attempt, which may load a module
            if not known(fs):
                raise Lacking(f"this kernel has no {fs}") from None
            raise
        self.mounts.append(at)

    def bind(self, what, at, options=""):
        run("mount", "--bind", what, at)
        self.mounts.append(at)
        if options:
            run("mount", "-o", f"remount,bind,{options}", at)

    def new_image(self):
        """A file system on an image with holes: it takes little of the disk."""
        if os.path.exists(self.image):
            os.unlink(self.image)
        with open(self.image, "wb") as f:
            f.truncate(self.mib << 20)
        run(*self.mkfs, self.image)

    def make(self):
        self.new_image()
        self.mount(self.fs, self.image, self.mnt, "loop")

    def remount(self, options):
        run("mount", "-o", f"remount,{options}", self.mnt)

    def umount(self):
        run("umount", self.mounts.pop())

    @contextlib.contextmanager
    def hidden(self):
        """While the file system is mounted somewhere else."""
        elsewhere = f"{self.base}/elsewhere"
        os.mkdir(elsewhere)
        run("mount", "--move", self.mnt, elsewhere)
        try:
            yield
        finally:
            run("mount", "--move", elsewhere, self.mnt)

    def end(self):
        """Also when a case that failed still has something open there."""
        while self.mounts:
            run("umount", "--lazy", self.mounts.pop())
        if os.path.exists(self.image):
            os.unlink(self.image)


class Tmpfs(Place):
    fs = "tmpfs"

    def make(self):
        self.mount("tmpfs", "test", self.mnt, self.options)

    def empty(self, options):
        """Another, empty one in its place."""
        self.umount()
        self.mount("tmpfs", "test", self.mnt, options)


class TmpfsInode32(Tmpfs):
    name, options = "tmpfs-inode32", "inode32"


class TmpfsLimited(Tmpfs):
    name, options = "tmpfs-limited", "size=80m,nr_inodes=16"


class Ext4(Place):
    name, fs, mib, mkfs = "ext4", "ext4", 600, ("mkfs.ext4", "-q", "-F")


class Xfs(Place):
    name, fs, mib, mkfs = "xfs", "xfs", 600, ("mkfs.xfs", "-q", "-f")


class Btrfs(Place):
    """With subvolumes, each of which numbers its inodes from the start."""
    name, fs, mib, mkfs = "btrfs-subvolume", "btrfs", 600, ("mkfs.btrfs", "-q", "-f")

    def make(self):
        super().make()
        self.dir = self.subvolume("sub")

    def subvolume(self, name):
        run("btrfs", "subvolume", "create", f"{self.mnt}/{name}")
        return f"{self.mnt}/{name}"


class Overlay(Place):
    """Lower and upper layer on an ext4 of their own; lower() puts a file below."""
    name, fs, mib, mkfs = "overlay", "ext4", 600, ("mkfs.ext4", "-q", "-F")

    def make(self):
        self.layers = f"{self.base}/layers"
        os.mkdir(self.layers)
        self.new_image()
        self.mount("ext4", self.image, self.layers, "loop")
        for layer in ("lower", "upper", "work"):
            os.mkdir(f"{self.layers}/{layer}")
        os.mkdir(f"{self.layers}/lower/below")
        self.below = f"{self.mnt}/below"
        self.mount_overlay()

    def mount_overlay(self):
        at = self.layers
        self.mount("overlay", "test", self.mnt, f"lowerdir={at}/lower,upperdir={at}/upper,workdir={at}/work")

    def lower(self, name, content):
        """A file of the lower layer, put there while the overlay is not mounted."""
        self.umount()
        with open(f"{self.layers}/lower/below/{name}", "wb") as f:
            f.write(content)
        self.mount_overlay()


class Hugetlbfs(Place):
    """A directory, on which the programs mount one themselves, and pages for it. Not in ALL, for its files can't be written."""
    name = "hugetlbfs"
    PAGES = 8
    lent = 0

    def make(self):
        self.lent = box.lend_huge_pages(self.PAGES)
        if self.lent < self.PAGES:
            raise Lacking(f"{self.lent} of {self.PAGES} huge pages could be had")

    def end(self):
        super().end()
        if self.lent:
            box.lend_huge_pages(-self.lent)
            self.lent = 0


class Dax(Place):
    """ext4 in persistent memory; not in ALL, for what is shared there is refused. memmap=128M!1G on the kernel's command
    line makes ordinary memory pass for it."""
    name, device = "dax", "/dev/pmem0"

    def make(self):
        if "Persistent Memory" not in box.read("/proc/iomem"):
            raise Lacking("there is no persistent memory (memmap=128M!1G on the kernel's command line)")
        # Loaded by a machine that is set up, or by the guest; asking for them does no harm.
        for module in ("nd_e820", "nd_pmem"):
            run_quietly("modprobe", "--quiet", module)
        try:
            box.wait_for(lambda: os.path.exists(self.device), 5, self.device)
        except box.Failure:
            raise Lacking("persistent memory without a driver (modules nd_e820, nd_pmem)") from None
        if self.device in box.read("/proc/mounts"):
            raise Lacking(f"{self.device} is in use")
        there = run_quietly("blkid", "-p", self.device)
        if there and "criu-test" not in there:
            raise Lacking(f"there is something on {self.device}")
        run("mkfs.ext4", "-q", "-F", "-b", "4096", "-L", "criu-test", self.device)
        self.mount("ext4", self.device, self.mnt, "dax=always")


ALL = [TmpfsInode32, TmpfsLimited, Ext4, Xfs, Btrfs, Overlay]
