"""Files of a tmpfs whose content the images carry (--tmpfs-content).

    run.py [CASE...]

What a reboot does to them, removing them does as well, and another tmpfs in the place of the first: restore must make them again,
under all their names, in their directories, and only where they are gone. That the kernel is another one since, only the boot id in the
image says, which is falsified.
"""
import argparse
import os
import shutil
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "jobs"))
import box
from box import Failure, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["alias", "keeper", "mapped", "one", "open", "sub/deep/in", "sub/deep/sem", "two"]
# mode and owner of directories, from the outermost on; "" is where the keeper lives
DIRS = {"": (0o1777, 0, 12), "sub": (0o2751, 7, 8), "sub/deep": (0o500, 0, 9)}
# u::rwx u:7:r-- g::r-x m::r-x o::---, in the kernel's encoding: what is made below inherits it
ACL = struct.pack("<I" + "HHI" * 5, 2, 1, 7, 2**32 - 1, 2, 4, 7, 4, 5, 2**32 - 1, 16, 5, 2**32 - 1, 32, 0, 2**32 - 1)
ATTRIBUTES = {"trusted.keeper": b"its own", "system.posix_acl_default": ACL}
SECONDS = 20


def mount(*args):
    subprocess.run(["mount", *args], check=True)


class Keeper:
    def __init__(self, case):
        self.work = box.fresh_dir("carried", case)
        self.images = f"{self.work}/images"
        os.mkdir(self.images)
        self.out = f"{self.work}/out"
        self.files = f"{box.SHM}/keeper-{case}"
        self.mounted = 0
        os.mkdir(self.files)
        shutil.copy(box.build(os.path.join(HERE, "keeper.c")), f"{self.files}/keeper")
        self.pid = box.start([f"{self.files}/keeper", self.files], self.out, cwd="/")
        wait_for(lambda: "ready" in box.read(self.out), SECONDS, "the keeper to be ready")
        for name, (mode, uid, gid) in DIRS.items():
            os.chown(f"{self.files}/{name}", uid, gid)
            os.chmod(f"{self.files}/{name}", mode)
        for name, value in ATTRIBUTES.items():
            os.setxattr(f"{self.files}/sub", name, value)

    def dump(self):
        box.dump(self.pid, self.images, "--tmpfs-content", "--link-remap")
        box.gone([self.pid])

    def names(self):
        """Of its files, and of all that is left of them after a dump."""
        return sorted(os.path.relpath(os.path.join(base, name), self.files)
                      for base, _, files in os.walk(self.files) for name in files)

    def inodes(self):
        return [os.stat(f"{self.files}/{name}").st_ino for name in NAMES]

    def remove(self):
        shutil.rmtree(self.files)

    def reboot(self):
        """The next restore takes the running kernel for another one than that of the dump."""
        with open("/proc/sys/kernel/random/boot_id") as f:
            boot_id = f.read().strip().encode()
        with open(f"{self.images}/carried-files.img", "rb") as f:
            image = f.read()
        if image.count(boot_id) != 6:
            raise Failure(f"the boot id is {image.count(boot_id)} times in carried-files.img")
        with open(f"{self.images}/carried-files.img", "wb") as f:
            f.write(image.replace(boot_id, boot_id[::-1]))

    def mount_over(self, *args):
        mount(*args, box.SHM)
        self.mounted += 1

    def umount(self):
        subprocess.run(["umount", box.SHM], check=True)
        self.mounted -= 1

    def check(self):
        """Names and directories are what they were."""
        if self.names() != NAMES:
            raise Failure(f"the files are {self.names()}")
        for name, want in DIRS.items():
            st = os.stat(f"{self.files}/{name}")
            if (st.st_mode & 0o7777, st.st_uid, st.st_gid) != want:
                raise Failure(f"directory {name!r}: {st.st_mode:o} {st.st_uid}:{st.st_gid}")
            found = {a: os.getxattr(f"{self.files}/{name}", a) for a in os.listxattr(f"{self.files}/{name}")}
            if found != (ATTRIBUTES if name == "sub" else {}):
                raise Failure(f"directory {name!r} has {found}")
        for name in NAMES:
            mode = os.stat(f"{self.files}/{name}").st_mode & 0o7777
            if mode != (0o640 if name != "keeper" else 0o755) or os.listxattr(f"{self.files}/{name}"):
                raise Failure(f"{name}: mode {mode:o}, {os.listxattr(f'{self.files}/{name}')}")

    def finish(self):
        """The keeper's own check of all contents."""
        os.kill(self.pid, signal.SIGTERM)
        wait_for(lambda: not box.alive(self.pid), SECONDS, "the keeper to end")
        if "count " not in box.read(self.out):
            raise Failure(f"the keeper does not agree with its files: {box.read(self.out)}")
        self.check()

    def end(self):
        box.kill_all([self.pid] if box.alive(self.pid) else [])
        while self.mounted:
            self.umount()
        shutil.rmtree(self.files, ignore_errors=True)


def refused(keeper, *extra):
    try:
        box.restore(keeper.images, *extra)
    except Failure:
        return " ".join(box.errors(keeper.images, "restore"))
    raise Failure("restore succeeded")


def expect(text, *parts):
    for part in parts:
        if part not in text:
            raise Failure(f"{part!r} is not in: {text}")


def script(keeper, text):
    path = f"{keeper.work}/script"
    with open(path, "w") as f:
        f.write(f'#!/bin/sh\ntest "$CRTOOLS_SCRIPT_ACTION" != post-restore || {text}\n')
    os.chmod(path, 0o700)
    return "--action-script", path


def nothing_left(keeper, at=box.SHM):
    if os.listdir(at) or box.alive(keeper.pid):
        raise Failure(f"left in {at}: {os.listdir(at)}")


def case_gone(keeper):
    for _ in range(2):
        keeper.dump()
        keeper.remove()
        box.restore(keeper.images)
        keeper.check()
    keeper.finish()


def case_reboot(keeper):
    """Another kernel, whose tmpfs is empty."""
    keeper.dump()
    keeper.reboot()
    keeper.mount_over("-t", "tmpfs", "-o", "mode=1777", "fresh")
    box.restore(keeper.images)
    keeper.check()
    keeper.finish()


def case_other_boot(keeper):
    """Of another boot, device and number say nothing."""
    before = keeper.inodes()
    keeper.dump()
    keeper.reboot()
    names = keeper.names()
    expect(refused(keeper), keeper.files, "is not the file that was saved")
    if keeper.names() != names or keeper.inodes() != before:
        raise Failure(f"something was left or changed: {keeper.names()}")


def case_there(keeper):
    before = keeper.inodes()
    keeper.dump()
    box.restore(keeper.images)
    if keeper.inodes() != before:
        raise Failure("files that were there were made again")
    keeper.finish()


def case_link_gone(keeper):
    """Of a file that is there, names that the tree needs are made, and others are left alone."""
    before = keeper.inodes()
    keeper.dump()
    extra = set(keeper.names()) - set(NAMES)
    if len(extra) != 1:
        raise Failure(f"the temporary links are {extra}")
    for name in [*extra, "one", "alias"]:
        os.unlink(f"{keeper.files}/{name}")
    box.restore(keeper.images)
    if "alias" in keeper.names():
        raise Failure("a name that the tree does not use was made again")
    os.link(f"{keeper.files}/open", f"{keeper.files}/alias")
    if keeper.inodes() != before:
        raise Failure("files that were there were made again")
    keeper.finish()


def case_taken(keeper):
    """By the name of a file that the tree uses, and by one that it does not."""
    keeper.dump()
    keeper.remove()
    for name in "open", "alias":
        alien = f"{keeper.files}/{name}"
        os.mkdir(keeper.files)
        with open(alien, "w") as f:
            f.write("somebody else's")
        expect(refused(keeper), alien, "is not the file that was saved")
        if keeper.names() != [name] or box.read(alien) != "somebody else's" or os.listdir(keeper.files) != [name]:
            raise Failure(f"something was left or changed: {keeper.names()}")
        keeper.remove()


def case_failed(keeper):
    keeper.dump()
    keeper.remove()
    refused(keeper, *script(keeper, "false"))
    nothing_left(keeper)
    box.restore(keeper.images)
    keeper.finish()


def case_killed(keeper):
    keeper.dump()
    keeper.remove()
    # criu is the parent
    seen = f"{keeper.work}/seen"
    refused(keeper, *script(keeper, f"{{ ls -R {box.SHM} > {seen}; kill -9 $PPID; }}"))
    if "sem" not in box.read(seen).split():
        raise Failure(f"killed when there was nothing to take away: {box.read(seen)}")
    wait_for(lambda: not os.listdir(box.SHM), SECONDS, "the guard to take everything away")
    box.gone([keeper.pid])
    box.restore(keeper.images)
    keeper.finish()


def case_directory_there(keeper):
    """What is in a directory, and its mode, is not for restore to change."""
    keeper.dump()
    keeper.remove()
    os.makedirs(f"{keeper.files}/sub")
    os.chmod(f"{keeper.files}/sub", 0o711)
    os.chmod(keeper.files, DIRS[""][0])
    with open(f"{keeper.files}/sub/theirs", "w"):
        pass
    refused(keeper, *script(keeper, "false"))
    if keeper.names() != ["sub/theirs"] or os.listdir(f"{keeper.files}/sub") != ["theirs"]:
        raise Failure(f"a failed restore left {keeper.names()}")
    box.restore(keeper.images)
    if os.stat(f"{keeper.files}/sub").st_mode & 0o7777 != 0o711:
        raise Failure("a directory that was there has another mode")
    os.unlink(f"{keeper.files}/sub/theirs")
    os.kill(keeper.pid, signal.SIGTERM)
    wait_for(lambda: not box.alive(keeper.pid), SECONDS, "the keeper to end")
    expect(box.read(keeper.out), "count ")


def case_symlink(keeper):
    """A link in the place of a directory leads nowhere."""
    keeper.dump()
    keeper.remove()
    elsewhere = f"{keeper.work}/elsewhere"
    os.mkdir(elsewhere)
    os.mkdir(keeper.files)
    os.symlink(elsewhere, f"{keeper.files}/sub")
    expect(refused(keeper), f"{keeper.files}/sub/deep", "Too many levels of symbolic links")
    nothing_left(keeper, elsewhere)
    if os.listdir(keeper.files) != ["sub"]:
        raise Failure(f"left: {os.listdir(keeper.files)}")


def case_no_tmpfs(keeper):
    """Where the tmpfs is not mounted, nothing is made: not even with its directory there."""
    keeper.dump()
    keeper.remove()
    disk = f"{keeper.work}/disk"
    os.mkdir(disk)
    keeper.mount_over("--bind", disk)
    expect(refused(keeper), keeper.files, f"{box.SHM} is on one of type", "mount one of type tmpfs there again")
    nothing_left(keeper)
    os.mkdir(keeper.files)
    expect(refused(keeper), keeper.files, "mount one of type tmpfs there again")
    if os.listdir(keeper.files):
        raise Failure(f"left: {os.listdir(keeper.files)}")
    keeper.umount()
    box.restore(keeper.images)
    keeper.finish()


CASES = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    options = parser.parse_args()
    box.enter()
    tally = box.Tally()
    for name in options.cases or CASES:
        keeper = Keeper(name)
        try:
            CASES[name](keeper)
            tally.ok(name)
        except Failure as e:
            tally.fail(name, str(e))
        finally:
            keeper.end()
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
