"""Shared objects that a process outside the dumped tree holds as well.

    run.py [CASE...]

For every kind of object, held outside by a mapping or by a descriptor: refused by
default, attached again and copied as --external-holders says.  The outsider watches
all the time whether the tree's counter, its own, and their lock are still the same.
"""
import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "jobs"))
import box
import opened
from box import Failure, wait_for
from pair import SECONDS, Lacking, Pair

SYS_FUTEX = 202


def dump_gone(pair, images, *extra):
    box.dump(pair.root, images, *extra)
    box.gone(pair.pids)


def things(pair):
    """What a failed restore could leave behind: files, memory, System V objects, processes, mounts."""
    names, used = box.shm_state()
    below = [os.path.join(where, name) for where, _, files in os.walk(pair.dir) for name in files]
    return {
        "files": sorted(n for n in names + below if not n.endswith((".new", "restore.log"))),
        "blocks in /dev/shm": used >> 16,  # what the outsider's log takes comes and goes
        "System V objects": sorted(box.ipc()),
        "processes": sorted(filter(str.isdigit, os.listdir("/proc"))),
        "mounts": sorted(line.split(" - ")[0].split(" ", 2)[2] for line in box.read("/proc/self/mountinfo").splitlines()),
    }


@contextlib.contextmanager
def no_debris(pair):
    """Afterwards there is what was there before."""
    before = things(pair)
    yield
    try:
        wait_for(lambda: things(pair) == before, 5, "it")
    except Failure:
        now = things(pair)
        raise Failure(f"a restore that failed left: {[(k, before[k], now[k]) for k in now if now[k] != before[k]]}") from None


def refused(command, images, *args, **kwargs):
    """The error that criu gave; a success is a failure."""
    try:
        getattr(box, command)(*args, **kwargs)
    except Failure:
        return " ".join(box.errors(images, command))
    raise Failure(f"{command} succeeded")


def restore_refused(pair, images, *args, **kwargs):
    """Likewise of restore, which leaves nothing."""
    with no_debris(pair):
        return refused("restore", images, images, *args, **kwargs)


def fresh_images(pair, name="images"):
    return box.fresh_dir(os.path.relpath(pair.dir, box.WORK), name)


# --- the cases ---------------------------------------------------------------------

def case_refuse(pair):
    images = fresh_images(pair)
    text = refused("dump", images, pair.root, images)
    if not re.search(pair.holds(), text) or "--external-holders" not in text:
        raise Failure(f"the refusal names neither holder nor option: {text}")
    pair.tree_counts()
    pair.outsider_lives()


def case_attach(pair):
    objects = [pair.inodes(p) for p in pair.pids]
    for generation in (1, 2):
        images = fresh_images(pair)
        if generation == 2 and pair.way == "long":
            # It was found by its handle, and so under the name that no image can have.
            text = refused("dump", images, pair.root, images, "--external-holders", "attach")
            if "and more than 4095 can't be opened again" not in text:
                raise Failure(f"the refusal does not name the path: {text}")
            pair.tree_counts()
            return
        dump_gone(pair, images, "--external-holders", "attach")
        if pair.seen()["dead"]:
            raise Failure("the lock looks abandoned while the tree is away")
        written = sum(os.path.getsize(f"{images}/{n}") for n in os.listdir(images))
        if written > 3 << 20:
            raise Failure(f"{written} bytes of images: was the content saved?")
        box.restore(images)
        if "can't be opened" in box.read(f"{images}/restore.log"):
            raise Failure("the object was not found by its file handle")
        if [pair.inodes(p) for p in pair.pids] != objects:
            raise Failure(f"generation {generation}: another object than before")
        pair.tree_counts()
        pair.outsider_lives()


def case_gone(pair):
    images = fresh_images(pair)
    dump_gone(pair, images, "--external-holders", "attach")
    box.kill_all([pair.outsider])
    text = restore_refused(pair, images)
    if f"{pair.outsider} (share)" not in text or "nobody has it any more" not in text:
        raise Failure(f"the error does not say who had it: {text}")


def case_copy(pair):
    images = fresh_images(pair)
    dump_gone(pair, images, "--external-holders", "copy")
    log = box.read(f"{images}/dump.log")
    if not re.search(r"sharing ends, as --external-holders copy says: .*: " + str(pair.outsider) + r" \(share\)", log):
        raise Failure("the log does not say that sharing ends, and with whom")
    # The lock may have been the tree's, and its owner does not come back in this object.
    pair.outsider_lives(dead=1)
    text = restore_refused(pair, images, "--external-holders", "refuse")
    if "was shared with processes outside" not in text:
        raise Failure(f"the refusal of restore does not say why: {text}")
    before = pair.seen()["tree"]
    box.restore(images)
    at = [pair.content(p) for p in pair.pids]
    if [(c["tree"] >= before, c["tail"]) for c in at] != [(True, b"half of it")] * 2:
        raise Failure(f"the copy has another content: {at}, the tree had counted to {before}")
    # It need not count: the outsider may have had the lock, and never gives it back in the copy.
    pair.write_text(pair.root, b"theirs now\0")
    if [pair.content(p)["tail"] for p in pair.pids] != [b"theirs now"] * 2:
        raise Failure("the tree does not share the copy")
    if pair.text_outside() != b"half of it":
        raise Failure("the outsider sees what is written to the copy")
    pair.outsider_lives(dead=1)
    if pair.seen()["tree"] != before:
        raise Failure("the outsider still sees the tree count")
    if not all(box.alive(p) for p in pair.pids):
        raise Failure("not all of the tree came back")


def case_saved_attach(pair):
    """Saved by the dump, but the one that lives is wanted after all; a lock was given up with it."""
    images = fresh_images(pair)
    objects = [pair.inodes(p) for p in pair.pids]
    dump_gone(pair, images, "--external-holders", "copy")
    box.restore(images, "--external-holders", "attach")
    if [pair.inodes(p) for p in pair.pids] != objects:
        raise Failure("another object than before")
    pair.tree_counts(dead=1)


def case_lost(pair):
    """The outsider waits, and the lock does not show it: the kernel wakes nobody when the owner is killed."""
    wait_for(lambda: box.read(f"/proc/{pair.outsider}/syscall").startswith(f"{SYS_FUTEX} ") and pair.futex() == pair.root, SECONDS,
             "the outsider to wait for a lock that does not show it")
    dump_gone(pair, fresh_images(pair), "--external-holders", "copy")
    pair.outsider_lives(dead=1)
    if pair.seen()["dead"] != 1:
        raise Failure("the outsider was not told that the owner of the lock is gone")


def case_unsaved_copy(pair):
    images = fresh_images(pair)
    dump_gone(pair, images, "--external-holders", "attach")
    text = restore_refused(pair, images, "--external-holders", "copy")
    if "only a dump with --external-holders copy saves it" not in text:
        raise Failure(f"the error does not say why: {text}")
    box.restore(images)
    pair.tree_counts()


def case_both(pair):
    """Nobody is left: the first to come back has a new object, and the other is given that."""
    first, second = fresh_images(pair, "first"), fresh_images(pair, "second")
    dump_gone(pair, first, "--external-holders", "attach")
    # It holds the object alone now, so attach has nobody to leave it to.
    box.dump(pair.outsider, second, "--external-holders", "attach")
    box.gone([pair.outsider])
    if os.path.exists(f"{second}/external-objects.img"):
        raise Failure("the second dump, of the only holder, left the content to somebody")
    box.restore(second)
    restore_refused(pair, first)
    wrong_gifts(pair, first)

    found = pair.way_in()
    with open(found, "rb+") as file:
        os.set_inheritable(file.fileno(), True)
        box.restore(first, "--inherit-fd", f"fd[{file.fileno()}]:{pair.key()}", pass_fds=[file.fileno()])
    pair.tree_counts()
    pair.outsider_lives()


def wrong_gifts(pair, images):
    """What can't be the object is refused as what is inherited, by name."""
    huge = "huge" in pair.kind
    with contextlib.ExitStack() as stack:
        def gift(fd, size=4 << 20):
            stack.callback(os.close, fd)
            if size:
                os.ftruncate(fd, size)
            return fd
        elsewhere = pair.dir if pair.kind != "disk" else box.SHM
        gifts = [(gift(os.open(pair.dir, os.O_RDONLY | os.O_DIRECTORY), 0), "is no regular file"),
                 (gift(os.memfd_create("short"), 4096), "has 4096 bytes, the object had 4194304"),
                 (gift(os.open(elsewhere, os.O_TMPFILE | os.O_RDWR)), "is on ")]
        if huge:
            gifts.append((gift(os.memfd_create("small pages")), "the object that was left outside the tree on a hugetlbfs with pages of 2048 kB"))
        for fd, why in gifts:
            os.set_inheritable(fd, True)
            text = restore_refused(pair, images, "--inherit-fd", f"fd[{fd}]:{pair.key()}", pass_fds=[fd])
            if f"inherited descriptor {fd} {why}" not in text and not (huge and why in text):
                raise Failure(f"the refusal of descriptor {fd} does not say \"{why}\": {text}")


def case_turns(pair):
    """Each side is away for a while, and each time the object is with the other one."""
    objects = [pair.inodes(p) for p in pair.pids]
    images = fresh_images(pair, "first")
    dump_gone(pair, images, "--external-holders", "attach")
    box.restore(images)
    pair.tree_counts()

    images = fresh_images(pair, "second")
    before = pair.seen()
    box.dump(pair.outsider, images, "--external-holders", "attach")
    box.gone([pair.outsider])
    if sum(os.path.getsize(f"{images}/{n}") for n in os.listdir(images)) > 3 << 20:
        raise Failure("the second dump saved the content")
    box.restore(images)
    pair.tree_counts()
    pair.outsider_lives()
    if [pair.inodes(p) for p in pair.pids] != objects or (pair.way == "map" and pair.inodes(pair.outsider) != objects[0]):
        raise Failure("another object than before")
    if pair.seen()["outsider"] < before["outsider"]:
        raise Failure(f"the outsider's count went back: {before}, {pair.seen()}")


def segments():
    """(key, id, bytes, attachments) of each."""
    rows = [line.split() for line in box.read("/proc/sysvipc/shm").splitlines()[1:]]
    return {(int(r[0]), int(r[1]), int(r[3]), int(r[6])) for r in rows}


def case_kept(pair):
    """A segment that nobody has attached any more stays, and so does what is in it."""
    images = fresh_images(pair)
    objects = [pair.inodes(p) for p in pair.pids]
    dump_gone(pair, images, "--external-holders", "attach")
    box.kill_all([pair.outsider])
    (key, number, size, _), = segments()
    box.restore(images)
    if [pair.inodes(p) for p in pair.pids] != objects or segments() != {(key, number, size, 2)}:
        raise Failure(f"another segment than before: {segments()}")


def case_other(pair):
    """The tree's own copy has another id, and the log says so."""
    images = fresh_images(pair)
    theirs, = segments()
    dump_gone(pair, images, "--external-holders", "copy")
    box.restore(images)
    others = segments() - {(*theirs[:3], 1)}
    if len(others) != 1 or {(found[0], found[2], found[3]) for found in others} != {(0, theirs[2], 2)}:
        raise Failure(f"the copy is not there: {segments()}")
    if f"copy has id {others.pop()[1]}" not in box.read(f"{images}/restore.log"):
        raise Failure("no warning of the new id")


def case_unseen(pair):
    """Nobody can see who else holds it; after the kill it shows."""
    images = fresh_images(pair)
    dump_gone(pair, images)
    if "lives on" not in box.read(f"{images}/dump.log"):
        raise Failure("the log does not say that somebody still holds the object")
    box.restore(images)


def case_hidden(pair):
    """Only the kernel's count of attachments tells that somebody else has the segment: it can be kept, not copied."""
    objects = [pair.inodes(p) for p in pair.pids]
    with pair.hidden():
        for more in ((), ("--external-holders", "copy")):
            images = fresh_images(pair)
            text = refused("dump", images, pair.root, images, *more)
            if "is attached 3 times, but by the tree only 2 times" not in text:
                raise Failure(f"{more}: the refusal does not name the attachments: {text}")
        images = fresh_images(pair)
        dump_gone(pair, images, "--external-holders", "attach")
        if "stays with those who have attached it and whom /proc does not show" not in box.read(f"{images}/dump.log"):
            raise Failure("the log does not say who keeps the segment")
        box.restore(images)
    if [pair.inodes(p) for p in pair.pids] != objects:
        raise Failure("another segment than before")
    pair.tree_counts()
    pair.outsider_lives()


def case_crowd(pair):
    """Each holder is named, at dump, by inspect and at restore: ten more, one with a mere descriptor, one with many places."""
    crowd = [pair.crowd("map", 1) for _ in range(8)] + [pair.crowd("fd", 1), pair.crowd("views", 300)]
    names = [name for _, names in crowd for name in names]

    def check(text, command):
        if not re.search(pair.holds(), text):
            raise Failure(f"{command} does not name the outsider: {text[:500]}")
        missing = [name for name in names if not re.search(rf"\b{re.escape(name)}[.; ]", text)]
        if missing:
            raise Failure(f"{command} does not name {len(missing)} of {len(names)}, such as {missing[0]}: {text[:500]}")

    images = fresh_images(pair)
    text = refused("dump", images, pair.root, images)
    check(text, "dump")
    done = subprocess.run([box.CRIU, "inspect", "--json", "-t", str(pair.root)], capture_output=True, check=False)
    said = [refusal["text"] for refusal in json.loads(done.stdout)["refusals"]]
    if len(said) != 1 or said[0] not in text:
        raise Failure(f"inspect says {said}, dump {text}")
    pair.tree_counts()
    pair.outsider_lives()
    dump_gone(pair, images, "--external-holders", "attach")
    check(refused("restore", images, images, "--external-holders", "refuse"), "restore")
    check(refused("restore", images, images, "--external-holders", "copy"), "restore to a copy")
    box.kill_all([pair.outsider, *pair.others])
    check(refused("restore", images, images), "restore of what is gone")


def case_views(pair):
    """Twice as many places of an outsider, for reading only, cost twice as much, not four times."""
    least = {}
    for n in (5000, 10000):
        pid, names = pair.crowd("views", n)
        took = []
        for _ in range(3):
            images = fresh_images(pair)
            begin = time.monotonic()
            text = refused("dump", images, pair.root, images)
            took.append(time.monotonic() - begin)
            if names[0] not in text or names[-1] not in text:
                raise Failure(f"not all of {n} places are named: {text[:500]}")
        least[n] = min(took)
        box.kill_all([pid])
    if least[10000] >= 3 * least[5000]:
        raise Failure(f"5,000 places: {least[5000]:.3f} s, 10,000: {least[10000]:.3f} s")


CASES = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}
KINDS = [("shm", "map"), ("shm", "fd"), ("disk", "map"), ("disk", "fd"), ("memfd", "map"), ("memfd", "fd"), ("anon", "map"), ("sysv", "map"), ("sysvkey", "map"),
         ("hugefile", "map"), ("hugefile", "fd"), ("hugememfd", "map"), ("hugememfd", "fd"), ("hugeanon", "map"),
         ("shm", "thread"), ("memfd", "thread"), ("shm", "ns"), ("memfd", "ns"), ("anon", "ns"), ("shm", "table"), ("memfd", "table"),
         ("shm", "long"), ("disk", "long"), ("ext4", "handle"), ("shm", "flight"), ("disk", "flight"), ("memfd", "flight"),
         ("shm", "lost"), ("anon", "lost"), ("sysv", "lost"), ("hugefile", "lost"), ("shm", "ring"), ("disk", "ring"), ("memfd", "ring")]


def run_case(tally, kind, way, case):
    name = f"{kind} held by {way}: {case}"
    pair = None
    # Two objects of two pages at the same time.
    lent = box.lend_huge_pages(4) if kind.startswith("huge") else 0
    if kind.startswith("huge") and lent < 4:
        tally.skip(name, f"{lent} of 4 huge pages could be had")
        box.lend_huge_pages(-lent)
        return
    try:
        pair = Pair(kind, way)
        CASES[case](pair)
        tally.ok(name)
    except Lacking as e:
        tally.skip(name, str(e))
    except Failure as e:
        tally.fail(name, str(e))
    finally:
        if pair:
            pair.end()
        box.lend_huge_pages(-lent)


def run_opened(tally, where, case):
    name = f"{where} opened: {case}"
    tested = opened.Opened(where, case)
    try:
        opened.CASES[case](tested)
        tally.ok(name)
    except Failure as e:
        tally.fail(name, str(e))
    finally:
        tested.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"part of one of: {', '.join(CASES)}, or of a kind")
    options = parser.parse_args()
    box.enter()
    tally = box.Tally()
    for kind, way in KINDS:
        for case in CASES:
            text = f"{kind} {way} {case}"
            if (way == "lost") != (case == "lost"):
                continue
            if (way in ("flight", "ring")) != (case == "unseen") or (case == "hidden" and kind != "sysv"):
                continue
            if way in ("thread", "ns", "table", "long", "handle") and case not in ("refuse", "attach", "copy"):
                continue
            if case in ("crowd", "views") and (kind, way) not in (("shm", "map"), ("memfd", "fd")):
                continue
            # Such a segment outlives everybody.
            if case in (("gone", "both") if kind == "sysvkey" else ("kept", "other")):
                continue
            if not options.cases or any(re.search(part, text) for part in options.cases):
                run_case(tally, kind, way, case)
    for where in ("shm", "disk", "memfd"):
        for case in opened.CASES:
            if case == "fifo" and where != "disk":
                continue
            if not options.cases or any(re.search(part, f"{where} opened {case}") for part in options.cases):
                run_opened(tally, where, case)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
