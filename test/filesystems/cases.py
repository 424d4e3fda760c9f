"""Cases in which the file system is not at restore what it was at dump, or never was a plain one."""
import ctypes
import json
import os
import subprocess
import threading

import box
import places
from box import Failure
from program import started

CASES = []


def case(name, place, *programs):
    """Registers function(place) under a name; place is made for it alone."""
    def register(function):
        CASES.append((name, place, programs, function))
        return function
    return register


def programs():
    return {name for case in CASES for name in case[2]}


def run(tally, wanted):
    for name, kind, _, function in CASES:
        if wanted(f"case {name}"):
            with places.verdict(tally, f"case {name}"), places.made(kind) as place:
                function(place)


def expect(text, *parts):
    for part in parts:
        if part not in text:
            raise Failure(f"{part!r} is not in: {text}")


def used(path):
    """Space and inodes in use, of a file system where nothing is still under way."""
    places.run("sync", "--file-system", path)
    fs = os.statvfs(path)
    return (fs.f_blocks - fs.f_bfree) * fs.f_frsize, fs.f_files - fs.f_ffree


def names_below(path):
    return sorted(os.path.join(base, name) for base, dirs, files in os.walk(path) for name in dirs + files)


@case("one image restored three times", places.Ext4, "delshm_windows_disk", "delshm_counter_disk")
def thrice(place):
    """Each time what was dumped, whatever the one before has made of it; and the image stays as it is."""
    for name in "delshm_windows_disk", "delshm_counter_disk":
        with started(name, f"{place.dir}/{name}") as tested:
            tested.dump()
            images = {n: os.stat(f"{tested.images}/{n}").st_mtime_ns for n in os.listdir(tested.images) if n.endswith(".img")}
            for _ in range(2):
                tested.restore()
                box.kill_all(tested.pids)
                box.gone(tested.pids)
            tested.restore()
            tested.finish()
            now = {n: os.stat(f"{tested.images}/{n}").st_mtime_ns for n in os.listdir(tested.images) if n.endswith(".img")}
            if now != images:
                raise Failure(f"{name}: restore has changed the image")


# --- another file system at restore ------------------------------------------------------

@case("read-only at restore", places.Ext4, "delshm_counter_disk")
def read_only(place):
    """The object is made in the nearest directory of the same kind that takes it, and the log says so."""
    at = f"{place.dir}/test"
    with started("delshm_counter_disk", at) as tested:
        tested.dump()
        place.bind(at, at, "ro")
        tested.restore()
        expect(tested.log("restore"), "its directory takes no file (Read-only file system)", f"is made in {place.dir}")
        paths = [line.split(None, 5)[5] for line, *_ in box.mappings(tested.pid, r"^\S+ ...s .* \(deleted\)$")]
        if {os.path.dirname(path) for path in paths} != {place.dir}:
            raise Failure("the object is not where the log says")
        place.umount()
        tested.finish()


@case("read-only at restore, below another type", places.Ext4, "delshm_counter_disk")
def read_only_below(place):
    """A file of a disk does not become memory: refused until it can be written again."""
    disk, above = f"{place.dir}/disk", f"{place.dir}/above"
    at = f"{above}/disk"
    os.mkdir(disk)
    os.mkdir(above)
    place.mount("tmpfs", "test", above)
    os.mkdir(at)
    place.bind(disk, at)
    with started("delshm_counter_disk", f"{at}/test") as tested:
        tested.dump()
        places.run("mount", "-o", "remount,bind,ro", at)
        before = names_below(place.mnt)
        expect(tested.refused("restore"), f"{at}/test/", f"{above} above it is on a file system of another type (tmpfs, was ext4)",
               "mount -o remount,rw", "Read-only file system")
        if names_below(place.mnt) != before:
            raise Failure(f"left behind: {names_below(place.mnt)}, were {before}")
        places.run("mount", "-o", "remount,bind,rw", at)
        tested.restore()
        tested.finish()


@case("mount gone at restore", places.TmpfsLimited, "delshm_counter_disk")
def mount_gone(place):
    """Memory does not become a file on whatever disk is underneath."""
    with started("delshm_counter_disk", f"{place.dir}/test") as tested:
        tested.dump()
        with place.hidden():
            expect(tested.refused("restore"), f"{place.dir}/test/", "was on a file system of type tmpfs",
                   f"{place.dir} is on one of type", "mount one of type tmpfs there again")
            if names_below(place.mnt):
                raise Failure(f"left in the empty directory: {names_below(place.mnt)}")
        tested.restore()
        tested.finish()


@case("tmpfs mounted over it at restore", places.Ext4, "delshm_counter_disk")
def mounted_over(place):
    """Nor does a file on a disk become memory."""
    with started("delshm_counter_disk", f"{place.dir}/test") as tested:
        tested.dump()
        place.mount("tmpfs", "test", place.mnt)
        empty = used(place.mnt)
        expect(tested.refused("restore"), f"{place.dir}/test/", "was on a file system of type ext4",
               f"{place.dir} is on one of type tmpfs", "mount one of type ext4 there again")
        if names_below(place.mnt) or used(place.mnt) != empty:
            raise Failure(f"left on the tmpfs: {names_below(place.mnt)}, {used(place.mnt)}, was {empty}")
        place.umount()
        tested.restore()
        tested.finish()


def no_room(place, tested, path, make_room):
    """Refused with a reason, nothing left; and with room the same images restore."""
    before = used(place.mnt), names_below(place.mnt)
    expect(tested.refused("restore"), path, "make room there", "No space left")
    after = used(place.mnt), names_below(place.mnt)
    if after != before:
        raise Failure(f"the failed restore left something: {before} became {after}")
    make_room()
    tested.restore()
    tested.finish()


@case("smaller tmpfs at restore", places.TmpfsLimited, "delshm_deadwriter_disk")
def smaller(place):
    with started("delshm_deadwriter_disk", f"{place.dir}/test") as tested:
        tested.dump()
        place.empty("size=64k")
        os.mkdir(f"{place.dir}/test")
        no_room(place, tested, f"{place.dir}/test/dead", lambda: place.remount("size=80m"))


@case("smaller tmpfs at restore, files only open", places.TmpfsLimited, "unlink_xattr")
def smaller_ghosts(place):
    with started("unlink_xattr", f"{place.dir}/test") as tested:
        tested.dump()
        place.empty("size=16k")
        os.mkdir(f"{place.dir}/test")
        expect(tested.refused("restore"), f"{place.dir}/test/file: write", "No space left")
        if names_below(place.mnt) != [f"{place.dir}/test"]:
            raise Failure(f"left behind: {names_below(place.mnt)}")


@case("no inode left at restore", places.TmpfsLimited, "delshm_deadwriter_disk")
def no_inode(place):
    with started("delshm_deadwriter_disk", f"{place.dir}/test") as tested:
        tested.dump()
        place.empty("nr_inodes=2")
        os.mkdir(f"{place.dir}/test")
        no_room(place, tested, f"{place.dir}/test/dead", lambda: place.remount("nr_inodes=20"))


@case("full disk at restore", places.Ext4, "delshm_family_disk")
def full(place):
    with started("delshm_family_disk", f"{place.dir}/test") as tested:
        tested.dump()
        with open(f"{place.dir}/filler", "wb") as f:
            while True:
                try:
                    f.write(bytes(1 << 20))
                    f.flush()
                except OSError:
                    break
        no_room(place, tested, f"{place.dir}/test/family", lambda: os.unlink(f"{place.dir}/filler"))


@case("noexec at restore", places.Ext4, "delshm_exec_disk")
def noexec(place):
    with started("delshm_exec_disk", f"{place.dir}/test") as tested:
        tested.dump()
        place.remount("noexec")
        expect(tested.refused("restore"), f"{place.dir}/test/exec", "noexec")
        place.remount("exec")
        tested.restore()
        tested.finish()


# --- identity ----------------------------------------------------------------------------

@case("one inode number in two subvolumes", places.Btrfs, "delshm_twins")
def subvolumes(place):
    os.mkdir(f"{place.mnt}/twins")
    for name in "ab":
        place.subvolume(f"twins/{name}")
    with started("delshm_twins", f"{place.mnt}/twins") as tested:
        numbers = box.read(tested.out + ".inprogress").partition("inode numbers ")[2].split()
        if numbers[0] != numbers[2]:
            raise Failure(f"the test is no test: the numbers are {numbers[0]} and {numbers[2]}")
        tested.cycle()
        tested.cycle()
        tested.finish()


@case("inode number reused while the tree was away", places.Ext4, "delshm_maponly_disk")
def reused(place):
    """The object that was left to its holder is gone; another file that has its number is not it."""
    with started("delshm_maponly_disk", f"{place.dir}/test") as tested:
        way = shared_views(tested)[0]
        holder = os.open(way, os.O_RDWR)
        number = os.fstat(holder).st_ino
        tested.dump("--external-holders", "attach")
        os.close(holder)
        again = os.open(f"{place.dir}/other", os.O_RDWR | os.O_CREAT)
        if os.fstat(again).st_ino != number:
            raise places.Lacking(f"the kernel gave number {os.fstat(again).st_ino}, not {number} again")
        os.write(again, b"not the tree's")
        expect(tested.refused("restore"), "nobody has it any more")
        if os.pread(again, 100, 0) != b"not the tree's":
            raise Failure("the other file was written to")
        os.close(again)


def shared_views(tested):
    """Paths in /proc that open the deleted files which the tree maps shared."""
    found = []
    for pid in tested.pids:
        for line, *_ in box.mappings(pid, r"^\S+ ...s .* \(deleted\)$"):
            low, high = (int(x, 16) for x in line.split()[0].split("-"))
            if "/dev/zero" not in line:
                found.append(f"/proc/{pid}/map_files/{low:x}-{high:x}")
    return found


def mount_id(path):
    """Of the mount that a file was opened on, as its holder sees it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return next(line.split()[1] for line in box.read(f"/proc/self/fdinfo/{fd}").splitlines() if line.startswith("mnt_id:"))
    finally:
        os.close(fd)


def attach(place):
    """Held here, outside the tree: found again by its file handle, or in us where there is none; on the mount of its name."""
    with started("delshm_family_disk", f"{place.dir}/test") as tested:
        # The same file system elsewhere: the object could be opened through that as well.
        os.mkdir(f"{place.dir}/other")
        place.bind(place.dir, f"{place.dir}/other")
        mounts = {mount_id(view) for view in shared_views(tested)}
        holder = os.open(shared_views(tested)[0], os.O_RDWR)
        for _ in range(2):
            tested.dump("--external-holders", "attach")
            tested.restore()
            views = {(st.st_dev, st.st_ino) for st in map(os.stat, shared_views(tested))}
            if views != {(os.fstat(holder).st_dev, os.fstat(holder).st_ino)}:
                raise Failure("the tree has another object than its holder")
            if {mount_id(view) for view in shared_views(tested)} != mounts:
                raise Failure("the object was opened on another mount than that of its name")
        os.close(holder)
        tested.finish()


for kind in places.ALL:
    case(f"attach on {kind.name}", kind, "delshm_family_disk")(attach)


@case("attach through a thread's own table", places.Overlay, "delshm_family_disk")
def attach_table(place):
    """There is no file handle, and the only descriptor outside is in a table that a thread of us has to itself."""
    with started("delshm_family_disk", f"{place.dir}/test") as tested:
        held, ready, leave = [], threading.Event(), threading.Event()

        def hold():
            if not ctypes.CDLL(None).unshare(0x400):  # CLONE_FILES
                held.append(os.fstat(os.open(shared_views(tested)[0], os.O_RDWR)))
            ready.set()
            leave.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        try:
            ready.wait()
            if not held:
                raise Failure("the thread has no table of its own")
            tested.dump("--external-holders", "attach")
            tested.restore()
            views = {(st.st_dev, st.st_ino) for st in map(os.stat, shared_views(tested))}
            if views != {(held[0].st_dev, held[0].st_ino)}:
                raise Failure("the tree has another object than its holder")
        finally:
            leave.set()
            thread.join()
        tested.finish()


@case("attributes of a file that is only open", places.Ext4, "unlink_xattr")
def ghost_attributes(place):
    with started("unlink_xattr", f"{place.dir}/test") as tested:
        tested.cycle()
        tested.cycle()
        tested.finish()


# --- overlayfs ----------------------------------------------------------------------------

CONTENT = bytes(range(1, 129)) * 128


@case("deleted from the lower layer", places.Overlay, "delshm_lower")
def lower(place):
    place.lower("file", CONTENT)
    with started("delshm_lower", place.below) as tested:
        tested.cycle()
        tested.cycle()
        tested.finish()
        if os.listdir(f"{place.layers}/lower/below") != ["file"]:
            raise Failure("the lower layer has changed")


def shows_old_content(place):
    """delshm_copyup, with files in the lower layer; the first and the last ends within its last page."""
    for name in ("file", "short", "parts", "lone"):
        place.lower(name, CONTENT[:-100] if name in ("file", "lone") else CONTENT)
    return started("delshm_copyup", place.below)


def expect_two_files(tested):
    if "the views show two files" not in box.read(tested.out + ".inprogress"):
        raise Failure("the test is no test: both views show one file")


def inspected(tested):
    """What criu inspect says will become of each object, by name, of those that are on an overlay."""
    done = subprocess.run([box.CRIU, "inspect", "-t", str(tested.pid), "--json"], capture_output=True, text=True)
    report = json.loads(done.stdout)
    if done.returncode or not report["ok"]:
        raise Failure(f"criu inspect: {done.stderr} {report['refusals']}")
    return sorted((os.path.basename(o["name"]), o["decision"]) for o in report["objects"] if o["filesystem"] == "overlay")


@case("mapped before it was copied up", places.Overlay, "delshm_copyup")
def copied_up(place):
    """What the old views show is an object beside the file, and what it is restored to is a deleted file like any other."""
    with shows_old_content(place) as tested:
        expect_two_files(tested)
        # What "parts" shows was not read yet: only the dump may look.
        expect(inspected(tested), ("file", "shared-object"), ("lone", "shared-object"), ("short", "shared-object"))
        tested.dump()
        expect(tested.log("dump"), *(f"{place.below}/{name}, as it was before overlayfs copied it up"
                                     for name in ("file", "short", "parts", "lone")))
        older = "opened before overlayfs copied it up"
        expect(tested.log("dump"), f"{place.below}/file (deleted): {older}", f"{place.below}/short: {older}")
        tested.restore()
        # Whatever the size, all of them stay objects.
        for _ in range(2):
            expect(inspected(tested), *((name, "shared-object") for name in ("file", "lone.criu-1", "parts", "short.criu-1")))
            tested.cycle("--ghost-limit", "1")
        if older in tested.log("dump"):
            raise Failure("a descriptor that was restored is said to be older than the copy-up")
        tested.finish()
        for name in ("file", "parts"):
            with open(f"{place.layers}/lower/below/{name}", "rb") as f:
                if not CONTENT.startswith(f.read()):
                    raise Failure("the lower layer has changed")


@case("watched where there are no handles", places.Overlay, "inotify_names")
def watched(place):
    """Names are looked for; what is open in the tree, and the directories above, are found without help."""
    at = f"{place.mnt}/test"
    with started("inotify_names", at) as tested:
        found = tested.refused("dump")
        expect(found, "watch 2 is on inode", "watch 3 is on inode", "watch 4 is on inode", "--irmap-scan-path")
        if "watch 1 " in found or "watch 5 " in found:
            raise Failure(f"not found, though the tree leads to it: {found}")
        report = json.loads(subprocess.run([box.CRIU, "inspect", "-t", str(tested.pid), "--json"],
                                           capture_output=True, text=True).stdout)
        expect(json.dumps(report["refusals"]), "watch 2 is on inode", "watch 4 is on inode")
        for _ in range(2):
            tested.cycle("--irmap-scan-path", place.mnt)
        tested.finish()


# --- huge pages ---------------------------------------------------------------------------

@case("hugetlbfs gone at restore", places.Hugetlbfs, "hugetlb_deleted")
def hugetlbfs(place):
    """No other file system has such pages: nothing is made until one is mounted there again, with the same page size."""
    at = f"{place.dir}/test"
    with started("hugetlb_deleted", at) as tested:
        tested.dump()
        places.run("umount", at)
        expect(tested.refused("restore"), f"{at}/huge: was on a hugetlbfs", "mount it again (-o pagesize=2048K)")
        place.mount("hugetlbfs", "test", at, "pagesize=2M")
        tested.restore()
        # which unmounts it
        tested.finish()
        place.mounts.remove(at)


# --- persistent memory ---------------------------------------------------------------------

@case("persistent memory", places.Dax, "dax_sync")
def dax_sync(place):
    with started("dax_sync", f"{place.dir}/test") as tested:
        tested.cycle()
        tested.finish()


@case("deleted in persistent memory", places.Dax, "dax_deleted")
def dax_deleted(place):
    with started("dax_deleted", f"{place.dir}/test") as tested:
        expect(tested.refused("dump"), f"{place.dir}/test/file", "a deleted file in persistent memory (DAX)")
        tested.finish()
