"""criu inspect: does it say what dump does, and does it leave everything alone?

    run.py [NAME...]

Names: live, outsider, attach, copy, readers, carried, changing, images, html, screenshot, options, agreement.
`agreement` runs programs of test/zdtm, each inspected right before it is dumped.
"""
import argparse
import ast
import glob
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import xml.parsers.expat

from common import HERE, Failure, Sharer, box, check, holders, inspect, named, report, wait_for
from page import check_page, test_html, test_screenshot

# Programs of test/zdtm, one for each way the plan can decide; all that are refused come in addition.
AGREE = """static/delshm_family static/delshm_outsider static/delshm_links static/delshm_private static/memfd02 static/ghost_limit
    static/ghost_limit_raised static/link10 static/link_remap_refused static/shm_anon_family static/shm_anon_outsider static/traced static/vfork00
    static/zombie_leader static/fanotify00 static/fanotify_pending static/file_lease01 static/unsupported_mqueue static/mqueue_unlinked
    static/mqueue_outsider static/sem_undo static/msg_live static/unix_outside_refused static/unix_rights_ghost static/unix_rights_shared
    static/sock_udp static/sock_tcp_listen static/sock_tcp_waiting static/sock_tcp_refused static/sock_tcp_pair static/sysvshm_family
    static/sysvshm_outsider static/unsupported_thread_fs static/file_locks_refused static/groups_many static/epoll_closed static/epoll_nested
    static/seccomp_filter static/zombie00 static/stopped static/pthread_tids static/pipe00 static/pty_echo static/pty_ctty static/pty_hangup
    static/pty_outside static/pty_status static/maps_hugetlb static/hugetlb_memfd static/hugetlb_deleted static/session_leader_gone
    transition/fork_tree transition/thread-bomb transition/orphans transition/exec_thread"""

# Reasons that are known only once the tree is stopped, by the words of the report; Documentation/inspect.md tells of them.
UNFORESEEN = {
    "mdwe": "PR_SET_MDWE",
    "ipc": "SEM_UNDO|is to be told of a message by signal",
    "seccomp": "SECCOMP_RET_USER_NOTIF",
    "registers": r"ioperm|local descriptor table",
    "terminals": r"^task \d+: fd \d+: .*input",
}


# --- nothing changes -----------------------------------------------------------------

def state(pids):
    """What a stop, an attachment, a remote call or a page that was read for the task would change."""
    found = {}
    for pid in pids:
        status = [x for x in box.read(f"/proc/{pid}/status").splitlines() if not x.startswith("SigQ")]
        fds = {fd: box.read(f"/proc/{pid}/fdinfo/{fd}") for fd in sorted(os.listdir(f"/proc/{pid}/fd"))}
        times = box.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[5:15]
        # the others count who else has a page, of a library for instance
        smaps = [x for x in box.read(f"/proc/{pid}/smaps").splitlines()
                 if not x.startswith(("Pss", "Shared_", "Private_", "Referenced"))]
        found[pid] = status, fds, smaps, times
    return found


def settled(pids):
    """Their state once it no longer changes by itself."""
    def same_twice():
        before = state(pids)
        time.sleep(0.1)
        return before if before == state(pids) else None
    return wait_for(same_twice, 20, "the tasks to sleep")


def changes(before, after):
    """The lines of /proc that are not the same, for a message."""
    return [(pid, a, b) for pid in before for x, y in zip(before[pid], after[pid])
            for a, b in zip(repr(x).split(", "), repr(y).split(", ")) if a != b][:8]


def files_below(*tops):
    return {os.path.join(d, f): os.lstat(os.path.join(d, f)).st_mtime_ns
            for top in tops for d, _, names in os.walk(top) for f in names}


def test_live():
    """Kinds, sizes, holders and decisions of a tree that could be dumped; and it could."""
    with Sharer("live", "--procs", "4") as job:
        before, files = settled(job.pids), files_below(box.SHM, job.dir)
        found = report("-t", str(job.root), status=0)
        after = state(job.pids)
        check(before == after, f"inspect changed the tasks: {changes(before, after)}")
        check(files == files_below(box.SHM, job.dir), "inspect changed files")
        check([t["pid"] for t in found["tasks"]][0] == job.root, "the root is not the first task")
        check({t["pid"] for t in found["tasks"]} == set(job.pids), "tasks")
        shared = named(found, "shared object")
        check(shared["kind"] == "deleted-file" and shared["decision"] == "shared-object", f"{shared}")
        check(shared["size_bytes"] == 1 << 20 and shared["allocated_bytes"] == 8192, f"size {shared}")
        check(shared["resident_bytes"] in (8192, None), f"resident {shared['resident_bytes']}")
        check(shared["filesystem"] == "tmpfs" and holders(shared) == set(job.pids), f"{shared}")
        kinds = {o["kind"]: o for o in found["objects"] if o["kind"] != "live-file"}
        check(kinds["anonymous"]["decision"] == kinds["memfd"]["decision"] == "shared-object", f"{kinds}")
        check(named(found, "a ghost")["decision"] == "ghost", "the ghost")
        live = named(found, f"{job.dir}/live")
        check((live["kind"], live["decision"]) == ("live-file", "file-system"), f"{live}")
        # a name that is no UTF-8
        check(bytes.fromhex(shared["name_hex"]).endswith(b"\xff<b>&\"'\x1b[2J"), f"name {shared['name_hex']}")
        text = inspect("-t", str(job.root), status=0).stdout
        check(b"\x1b" not in text and b"shared-object" in text and b"\\xff" in text, "the text")
        images = box.fresh_dir(job.dir, "images")
        box.dump(job.root, images)
        box.gone(job.pids)
    return f"{len(found['objects'])} objects"


def test_outsider():
    """A holder outside is named, and dump refuses for the same reasons in the same words."""
    with Sharer("outsider", "--procs", "2", "--outsider") as job:
        found = report("-t", str(job.root), status=1)
        shared = named(found, "shared object")
        check(shared["decision"] == "refused" and holders(shared, True) == set(job.outsiders), f"{shared}")
        images = box.fresh_dir(job.dir, "images")
        done = subprocess.run([box.CRIU, "dump", "-t", str(job.root), "-D", images, "-v1"], capture_output=True)
        lines = done.stderr.decode(errors="replace").splitlines()
        said = sorted(re.sub(r"^Error \([^)]*\): ", "", x) for x in lines if "was refused for" not in x)
        wanted = sorted(r["text"] for r in found["refusals"])
        check(done.returncode == 1 and said == wanted, f"inspect says {wanted}, dump says {said}")
    return f"{len(wanted)} reasons"


# sharer.py fills two pages of its object with this
MARKED_PAGE = b"SHARED!\n" * 512


def saved(images):
    """How many pages of the shared object are in the images."""
    files = sorted(glob.glob(f"{images}/pages-*.img"))
    return sum(pathlib.Path(path).read_bytes().count(MARKED_PAGE) for path in files)


def places(obj):
    """Who holds it where, and what it is: as JSON has it."""
    return sorted((h["outside"], h["pid"], h["comm"], h["type"], h.get("start", 0), h.get("fd", -1),
                   h.get("thread", 0), h["access"]) for h in obj["holders"])


def by_name(found):
    return {o["name"]: o for o in found["objects"] if o["kind"] != "live-file"}


def dumped_with(job, how):
    """(live objects by name, objects of the images by name, the images) of a tree whose objects are held outside."""
    words = ["--external-holders", how]
    live = report("-t", str(job.root), *words, status=0)
    images = box.fresh_dir(job.dir, "images")
    box.dump(job.root, images, *words)
    box.gone(job.pids)
    check(all(box.alive(p) for p in job.outsiders), "the holder outside is gone")
    return by_name(live), by_name(report("-D", images, status=0)), images


def check_alike(live, found):
    """Images say of each object what was said of the tree, and name the same holders inside and outside."""
    check(set(live) == set(found), f"{set(found)} is not {set(live)}")
    for name, obj in found.items():
        check(obj["decision"] == live[name]["decision"], f"{name}: {obj['decision']}, live {live[name]['decision']}")
        check(places(obj) == places(live[name]), f"{name}: {places(obj)} is not {places(live[name])}")
        check(obj["resident_bytes"] is None, f"{name}: resident {obj['resident_bytes']} in images")


def test_attach():
    """It stays with those outside, inspect says so, and no page of it is in the images."""
    with Sharer("attach", "--procs", "2", "--outsider") as job:
        live, found, images = dumped_with(job, "attach")
        check_alike(live, found)
        words = {o["decision"] for o in live.values()}
        check(words == {"attach"} and len(live) == 4, f"decisions {words} of {len(live)}")
        check(saved(images) == 0, f"in the images: {saved(images)}")
        for name, obj in found.items():
            check(obj["allocated_bytes"] == 0, f"{name}: {obj['allocated_bytes']} bytes saved")
            check(holders(obj, True) == set(job.outsiders) == holders(live[name], True), f"{name}: holders {obj}")
            check("nothing of its content is written" in live[name]["reason"], f"{name}: {live[name]['reason']}")
            check("not in the images" in obj["reason"], f"{name}: {obj['reason']}")
        text = inspect("-D", images, status=0).stdout.decode()
        check(f"OUTSIDE {job.outsiders[0]} (python3)" in text and " attach: " in text, f"the text: {text}")
        page = os.path.join(job.dir, "page.html")
        inspect("-D", images, "--html", page, status=0)
        text, _ = check_page(page)
        check('<g class="attach">' in text and '<rect class="out"' in text, "the page")
        # what these images can't be restored with
        for how in ("copy", "refuse"):
            refused = report("-D", images, "--external-holders", how, status=1)
            check({r["object"] for r in refused["refusals"]} == {o["id"] for o in found.values()}, f"{how}: {refused}")
        box.restore(images)
        job.pids = box.tree(job.root)
        again = by_name(report("-t", str(job.root), "--external-holders", "attach", status=0))
        check_alike(live, {n: dict(o, resident_bytes=None) for n, o in again.items()})
    return f"{len(found)} objects"


def test_copy():
    """Sharing ends by the user's choice: inspect says so, and each object is in the images once."""
    with Sharer("copy", "--procs", "2", "--outsider") as job:
        live, found, images = dumped_with(job, "copy")
        check({o["decision"] for o in live.values()} == {"copy"} and len(live) == 4, f"{live}")
        check(all("sharing ends" in o["reason"] for o in live.values()), f"{live}")
        check_alike(live, found)
        check(saved(images) == 2, f"in the images: {saved(images)}")
        check(named({"objects": list(found.values())}, "shared object")["allocated_bytes"] == 8192, "saved bytes")
        attach = by_name(report("-D", images, "--external-holders", "attach", status=0))
        check({o["decision"] for o in attach.values()} == {"attach"}, f"{attach}")
    return f"{len(found)} objects"


def test_readers():
    """What is held outside, too, but nobody can write to, is saved as if it were not, with any option."""
    with Sharer("readers", "--procs", "2", "--outsider", "--readers") as job:
        for words in ([], ["--external-holders", "attach"], ["--external-holders", "copy"]):
            live = by_name(report("-t", str(job.root), *words, status=0))
            check({o["decision"] for o in live.values()} == {"shared-object"} and live, f"{words}: {live}")
            check(all("neither side can write" in o["reason"] for o in live.values()), f"{words}: {live}")
        images = box.fresh_dir(job.dir, "images")
        box.dump(job.root, images, "--external-holders", "attach")
        check_alike(live, by_name(report("-D", images, status=0)))
        check(saved(images) == 2, f"in the images: {saved(images)}")
    return f"{len(live)} objects"


def test_carried():
    """A file that has its name, and whose content is saved all the same."""
    with Sharer("carried", "--procs", "2", "--tmpfs") as job:
        check(named(report("-t", str(job.root), status=0), "/dev/shm/kept")["decision"] == "file-system", "by default")
        live = named(report("-t", str(job.root), "--tmpfs-content", status=0), "/dev/shm/kept")
        images = box.fresh_dir(job.dir, "images")
        box.dump(job.root, images, "--tmpfs-content")
        found = named(report("-D", images, status=0), "/dev/shm/kept")
        for obj in (live, found):
            check((obj["kind"], obj["decision"], obj["size_bytes"]) == ("live-file", "carried", 8192), f"{obj}")
        check(places(live) == places(found), f"{places(found)} is not {places(live)}")
        check(found["allocated_bytes"] == 4096, f"{found}")
        os.unlink("/dev/shm/kept")


def test_changing():
    """Tasks that fork, end, map and open all the time don't confuse it."""
    with Sharer("changing", "--procs", "2", "--busy") as job:
        end = time.monotonic() + 3
        n = 0
        while time.monotonic() < end:
            report("-t", str(job.root), status=0)
            n += 1
    return f"{n} times"


# --- images ---------------------------------------------------------------------------

def test_images():
    """What was dumped is shown as it was seen alive; what is damaged is no success."""
    with Sharer("images", "--procs", "3") as job:
        live = report("-t", str(job.root), status=0)
        images = box.fresh_dir(job.dir, "images")
        box.dump(job.root, images)
    files = files_below(images)
    found = report("-D", images, status=0)
    check(files == files_below(images), "inspect changed the images")
    check({t["pid"] for t in found["tasks"]} == {t["pid"] for t in live["tasks"]}, "tasks")

    def essence(rep):
        return sorted((o["kind"], o["name"], o["decision"], sorted((h["pid"], h.get("start", 0), h.get("fd", -1), h["access"])
                                                                   for h in o["holders"] if not h["outside"]))
                      for o in rep["objects"])
    check(essence(found) == essence(live), f"{essence(found)} is not {essence(live)}")
    check(named(found, "shared object")["size_bytes"] == 1 << 20, "size")
    os.truncate(f"{images}/pages-1.img", 4096)
    check(report("-D", images, status=1)["refusals"], "no reason")
    os.unlink(f"{images}/inventory.img")
    check("inventory.img" in report("-D", images, status=1)["refusals"][0]["text"], "the reason")
    return f"{len(found['objects'])} objects"


# --- the rest ----------------------------------------------------------------------------

def test_options():
    """What can't be inspected is an error without a report."""
    check(not inspect("-t", "999999", status=1).stdout, "a report on nobody")
    check(not inspect("-D", "/nonexistent", status=1).stdout, "a report on nothing")
    check(b"options of inspect" in subprocess.run([box.CRIU, "check", "--json"], capture_output=True).stderr, "--json")
    own = inspect("--json", "-t", str(os.getpid()), status=1)
    check(any("criu itself" in r["text"] for r in json.loads(own.stdout)["refusals"]), "criu in its own tree")


def agreement(name, record):
    """Failure unless inspect and dump came to the same end, but for reasons that inspect says it can't know."""
    done = subprocess.run(["/usr/bin/python3", f"{box.ROOT}/test/zdtm.py", "run", "-t", name, "-f", "h", "-k", "never",
                           "--criu-bin", f"{HERE}/ahead.py"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=dict(os.environ, CRIU=box.CRIU, INSPECT_RECORD=record), timeout=300 * box.PATIENCE)
    lines = box.read(record).splitlines()
    if done.stdout.endswith("1 skipped\n"):
        return None
    check(done.returncode == 0, f"the test itself failed: {done.stdout[-800:]}")
    check(lines, "nothing was dumped")
    _, inspected, dumped, changed, texts, errors = json.loads(lines[-1])
    errors, complete = errors
    unknown = [e for e in errors if e not in texts and any(re.search(t, e) for t in UNFORESEEN.values())]
    errors = [e for e in errors if e not in unknown]
    check(inspected in (0, 1) and (inspected == 0) == (dumped == 0 or bool(unknown) and not errors),
          f"inspect returned {inspected}, dump {dumped}; {texts}")
    foreseen = all(any(e.startswith(t) for t in texts) for e in errors)
    check(not dumped or (sorted(texts) == sorted(errors) if complete else foreseen),
          f"inspect says {texts}, dump {errors} and {unknown}, which can't be known")
    # what changes all the time proves nothing
    if name.startswith("static/"):
        check(not changed, f"inspect changed {changed}")
    return "refused" if dumped else "dumped"


def refused_programs():
    found = []
    for path in sorted(glob.glob(f"{box.ROOT}/test/zdtm/static/*.desc")):
        flags = ast.literal_eval(box.read(path)).get("flags", "").split()
        if "crfail" in flags and "noauto" not in flags:
            found.append("static/" + os.path.basename(path)[:-len(".desc")])
    return found


def test_agreement(tally):
    names = [*AGREE.split(), *refused_programs()]
    for name in sorted(set(names)):
        short = f"agreement {name}"
        record = os.path.join(box.fresh_dir("inspect", "agreement"), "record")
        if not os.path.exists(f"{box.ROOT}/test/zdtm/{name}"):
            tally.fail(short, "not built (make -C test/zdtm)")
            continue
        try:
            note = agreement(name, record)
        except Failure as e:
            tally.fail(short, e)
            continue
        if note:
            tally.ok(short, note)
        else:
            tally.skip(short, "the test was skipped")


TESTS = {"live": test_live, "outsider": test_outsider, "attach": test_attach, "copy": test_copy,
         "readers": test_readers, "carried": test_carried, "changing": test_changing, "images": test_images,
         "html": test_html, "screenshot": test_screenshot, "options": test_options, "agreement": test_agreement}
COUNT_THEMSELVES = {"screenshot", "agreement"}


def run(name, tally):
    try:
        if name == "agreement":
            test_agreement(tally)
        elif name == "screenshot":
            test_screenshot(tally)
        else:
            tally.ok(name, TESTS[name]() or "")
    except (Failure, OSError, ValueError, KeyError, subprocess.SubprocessError, xml.parsers.expat.ExpatError) as e:
        tally.fail(name, f"{type(e).__name__}: {e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", metavar="NAME", choices=[[], *TESTS])
    options = parser.parse_args()
    box.enter()
    signal.alarm(int(600 * box.PATIENCE))
    tally = box.Tally()
    for name in options.tests or TESTS:
        run(name, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
