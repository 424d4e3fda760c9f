"""What the tests of criu inspect share: a program to look at, criu inspect, and what its report must be."""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "jobs"))
import box  # noqa: E402
from box import Failure, wait_for  # noqa: E402

SHARER = os.path.join(HERE, "sharer.py")
FIELDS = {"version", "source", "ok", "tasks", "objects", "refusals", "unknown"}
UNKNOWN = ["mdwe", "security", "registers", "seccomp", "vdso", "ipc", "terminals"]
TASK_FIELDS = {"pid", "ppid", "comm", "state", "threads"}
OBJECT_FIELDS = {"id", "kind", "name", "filesystem", "size_bytes", "allocated_bytes", "resident_bytes", "decision",
                 "reason", "holders"}
MAPPING_FIELDS = {"pid", "comm", "outside", "type", "start", "end", "access"}
FD_FIELDS = {"pid", "comm", "outside", "type", "fd", "access"}
REFUSAL_FIELDS = {"text", "task", "object"}
KINDS = {"deleted-file", "live-file", "anonymous", "memfd", "sysv", "other"}
DECISIONS = {"shared-object", "attach", "copy", "ghost", "link-remap", "file-system", "carried", "refused"}


def check(condition, text):
    if not condition:
        raise Failure(text)


# --- the program ---------------------------------------------------------------

class Sharer:
    """sharer.py, running, with a directory of its own."""

    def __init__(self, name, *args):
        self.dir = box.fresh_dir("inspect", name)
        self.out = os.path.join(self.dir, "out")
        argv = ["/usr/bin/python3", SHARER, *args]
        self.pids = []
        self.root = box.start(argv, self.out, cwd=self.dir)
        wait_for(lambda: "ready" in box.read(self.out), 20, "the program to be ready")
        self.outsiders = [int(x) for x in re.findall(r"^outsider (\d+)$", box.read(self.out), re.M)]
        self.pids = box.tree(self.root)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        box.kill_all([p for p in self.pids + self.outsiders + box.tree(self.root) if box.alive(p)])


def inspect(*words, cwd="/", status=None):
    done = subprocess.run([box.CRIU, "inspect", *words], stdin=subprocess.DEVNULL, capture_output=True, cwd=cwd,
                          timeout=60 * box.PATIENCE)
    if status is not None and done.returncode != status:
        raise Failure(f"inspect {' '.join(words)} returned {done.returncode}, not {status}: "
                      f"{(done.stderr + done.stdout).decode(errors='replace')[-600:]}")
    return done


def report(*words, status=None):
    """The JSON report; Failure unless it is what Documentation/inspect.md promises."""
    done = inspect("--json", *words, status=status)
    found = json.loads(done.stdout.decode())
    check(set(found) == FIELDS and found["version"] == 1, f"fields {sorted(found)}")
    check(found["ok"] == (done.returncode == 0) == (not found["refusals"]), "ok, status and refusals disagree")
    for task in found["tasks"]:
        check(set(task) - {"comm_hex"} == TASK_FIELDS and task["pid"] in task["threads"], f"task {task}")
    ids = [o["id"] for o in found["objects"]]
    check(ids == list(range(1, len(ids) + 1)), f"ids {ids}")
    for obj in found["objects"]:
        check(set(obj) - {"name_hex"} == OBJECT_FIELDS, f"object {sorted(obj)}")
        check(obj["kind"] in KINDS and obj["decision"] in DECISIONS, f"object {obj['kind']} {obj['decision']}")
        for holder in obj["holders"]:
            wanted = MAPPING_FIELDS if holder["type"] == "mapping" else FD_FIELDS
            check(set(holder) - {"comm_hex", "thread"} == wanted, f"holder {holder}")
    for refusal in found["refusals"]:
        check(set(refusal) == REFUSAL_FIELDS and refusal["text"], f"refusal {refusal}")
        check(refusal["object"] is None or refusal["object"] in ids, f"refusal of object {refusal['object']}")
    words = [u["word"] for u in found["unknown"] if u["text"]]
    check(words == (UNKNOWN if found["source"]["type"] == "live" else []), f"unknown {words}")
    return found


def named(found, part):
    objects = [o for o in found["objects"] if part in o["name"]]
    check(len(objects) == 1, f"{len(objects)} objects are called {part}: {[o['name'] for o in found['objects']]}")
    return objects[0]


def holders(obj, outside=False):
    return {h["pid"] for h in obj["holders"] if h["outside"] == outside}
