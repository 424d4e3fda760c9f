"""What is restored looks the same to the next dump, and the next.

    run.py [PART...]

`look`: a process that holds memory and deleted files of every kind is dumped and restored three times. Before and after
each, names in /proc/PID/maps and fd links, sizes, modes, owners, times and extended attributes are compared, and what
`criu inspect` decides about each object. `zdtm`: a few programs, three times in a row each.
"""
import argparse
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "jobs"))
import box
from box import Failure, wait_for

GENERATIONS = 3
# Programs whose object is another one, or made in another way, in each generation.
PROGRAMS = ("delshm_copyup delshm_family delshm_links_disk delshm_nametaken delshm_samepath delshm_tmpfile delshm_dirgone "
            "hugetlb_deleted memfd03 memfd04 memfd_meta msg_gone sem_gone sem_undo shm_anon_partial sysvshm_again "
            "sysvshm_removed unlink_fifo unlink_mmap00 unlink_xattr").split()


def attributes(path):
    """Of what a link in /proc leads to. Access control lists are extended attributes, too."""
    st = os.stat(path)
    xattrs = {}
    try:
        for name in os.listxattr(path):
            xattrs[name] = os.getxattr(path, name).hex()
    except OSError as e:
        xattrs["error"] = e.strerror
    return {"size": st.st_size, "mode": oct(st.st_mode), "owner": (st.st_uid, st.st_gid), "links": st.st_nlink,
            "times": (st.st_atime_ns, st.st_mtime_ns), "xattrs": xattrs}


def mappings(pid):
    """{range: permissions, offset and name, and what else is known of the object} of those without a living name."""
    found = {}
    for line in box.read(f"/proc/{pid}/maps").splitlines():
        where, perms, offset, _, _, *name = line.split(None, 5)
        if not name or not name[0].endswith(" (deleted)"):
            continue
        low, high = (int(x, 16) for x in where.split("-"))
        seen = attributes(f"/proc/{pid}/map_files/{low:x}-{high:x}")
        if name[0].startswith(("/dev/zero", "/SYSV")):
            # Nobody sees them but through map_files; they are not kept.
            del seen["times"], seen["xattrs"]
        found[f'{where} {name[0]}'] = (perms, offset, name[0], seen)
    return found


def descriptors(pid):
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        name = os.readlink(path)
        if name.endswith(" (deleted)"):
            info = dict(line.split(":", 1) for line in box.read(f"/proc/{pid}/fdinfo/{fd}").splitlines())
            found[f'{fd} {name}'] = (name, info["flags"].strip(), info["pos"].strip(), attributes(path))
    return found


def decisions(pid):
    done = subprocess.run([box.CRIU, "inspect", "-t", str(pid), "--json"], capture_output=True, text=True)
    report = json.loads(done.stdout)
    if done.returncode or not report["ok"]:
        raise Failure(f"criu inspect: {done.stderr} {report['refusals']}")
    return sorted([o["name"], o["decision"], o["kind"]] for o in report["objects"] if o["decision"] != "file-system")


def look(pid):
    return {"mappings": mappings(pid), "descriptors": descriptors(pid), "decisions": decisions(pid)}


def differences(before, after, where=""):
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        return [text for key in sorted(set(before) | set(after), key=str)
                for text in differences(before.get(key), after.get(key), f"{where}{key}: ")]
    if isinstance(before, (list, tuple)) and isinstance(after, (list, tuple)) and len(before) == len(after):
        return [text for i, pair in enumerate(zip(before, after)) for text in differences(*pair, f"{where}{i}: ")]
    return [f"{where}{before} became {after}"]


def as_restored(seen):
    """The names that restore gives where another file has the name."""
    return json.loads(re.sub(r"(/taken-\w+)(?!\.criu)", r"\1.criu-1", json.dumps(seen)))


def compare(before, after, what):
    # Through json: keys and lists of both are of one type then.
    found = differences(before, json.loads(json.dumps(after)))
    if found:
        raise Failure(f"{what}: {'; '.join(found[:12])}")


def check_is_a_test(seen):
    """Every kind is there, so that nothing is the same only because it is missing."""
    names = " ".join(text[2] for text in seen["mappings"].values()) + " ".join(fd[0] for fd in seen["descriptors"].values())
    for name in ("shared", "open", "private", "first", "second", "taken-object", "taken-ghost", "directory", "memfd:sealed",
                 "memfd:plain", "dev/zero", "SYSV"):
        if not re.search(rf"/{name}", names):
            raise Failure(f"{name} is not there")
    decided = {decision for _, decision, *_ in seen["decisions"]}
    if not {"shared-object", "ghost"} <= decided:
        raise Failure(f"decisions {decided}")
    if not any("trusted.test" in fd[3]["xattrs"] for fd in seen["descriptors"].values()):
        raise Failure("no extended attributes")


def part_look(tally):
    work = box.fresh_dir("generations", "look")
    directories = [f"{work}/files", f"{box.SHM}/generations"]
    for directory in directories:
        os.mkdir(directory)
    pid = box.start(["/usr/bin/python3", os.path.join(HERE, "holder.py"), *directories], f"{work}/out", cwd="/")
    try:
        wait_for(lambda: "ready" in box.read(f"{work}/out"), 20, "the holder to be ready")
        first = look(pid)
        check_is_a_test(first)
        want = as_restored(first)
        for generation in range(1, GENERATIONS + 1):
            images = f"{work}/images-{generation}"
            os.mkdir(images)
            box.dump(pid, images)
            box.gone([pid])
            box.restore(images)
            compare(want, look(pid), f"generation {generation}")
            tally.ok(f"generation {generation} looks like the first")
        left = [sorted(os.listdir(directory)) for directory in directories]
        if any(names != ["taken-ghost", "taken-object"] for names in left):
            raise Failure(f"there are {left}")
        tally.ok("nothing is left behind")
    except Failure as e:
        tally.fail("look", str(e))
    finally:
        box.kill_all([pid] if box.alive(pid) else [])


def part_zdtm(tally):
    """Its own lines are passed on, and its count is added to ours."""
    names = [arg for name in PROGRAMS for arg in ("-t", f"zdtm/static/{name}")]
    done = subprocess.run(["/usr/bin/python3", os.path.join(box.ROOT, "test", "zdtm.py"), "run", *names, "-p", str(os.cpu_count()),
                           "--criu-bin", box.CRIU, "--iters", str(GENERATIONS), "--keep-going"], capture_output=True, text=True)
    *lines, last = done.stdout.splitlines() or [done.stderr]
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
    print("\n".join(lines), flush=True)
    if not counts:
        return tally.fail("zdtm", last)
    tally.passed += int(counts[1])
    tally.failed += int(counts[2])
    tally.skipped += int(counts[3])


PARTS = {name[5:]: function for name, function in globals().items() if name.startswith("part_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    options = parser.parse_args()
    box.enter()
    tally = box.Tally()
    for name in options.parts or PARTS:
        PARTS[name](tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
