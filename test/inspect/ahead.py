#!/usr/bin/python3
"""criu for zdtm.py, but every dump is inspected first.

Calls criu (CRIU) with the same words; before a dump, `inspect` with the same options.  Each dump adds a line to
the file INSPECT_RECORD: a JSON array of the task's name, both exit statuses, what inspect changed, and its refusals.
"""
import json
import os
import subprocess
import sys

CRIU = os.environ["CRIU"]


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def state(pid):
    """What an attachment, a stop or a remote call would change, of a task that sleeps."""
    # How many signals the user has queued, on the whole machine, is not the task's.
    lines = [x for x in read(f"/proc/{pid}/status").splitlines() if not x.startswith("SigQ")]
    kept = [x for x in lines if x.startswith(("State", "TracerPid", "Threads", "VmRSS", "VmSize", "voluntary",
                                              "nonvoluntary"))]
    return kept + read(f"/proc/{pid}/maps").splitlines() + sorted(os.listdir(f"/proc/{pid}/fd"))


def inspect(argv):
    """(exit status, report) of criu inspect with the options of a dump."""
    words = ["inspect" if w == "dump" else w for w in argv]
    if "--log-file" in words:
        words[words.index("--log-file") + 1] = "inspect.log"
    done = subprocess.run([CRIU, *words, "--json"], stdin=subprocess.DEVNULL, capture_output=True)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError as e:
        return f"{done.returncode}, no JSON: {e}: {done.stderr.decode(errors='replace')[:500]}", {"refusals": []}


def main():
    argv = sys.argv[1:]
    if "dump" not in argv:
        os.execv(CRIU, [CRIU, *argv])
    pid = argv[argv.index("--tree") + 1]
    name = read(f"/proc/{pid}/comm").strip()
    before = state(pid)
    inspected, report = inspect(argv)
    changed = [x for x in zip(before, state(pid)) if x[0] != x[1]]
    dumped = subprocess.run([CRIU, *argv]).returncode
    with open(os.environ["INSPECT_RECORD"], "a") as record:
        texts = [r["text"] for r in report["refusals"]]
        record.write(json.dumps([name, inspected, dumped, changed, texts]) + "\n")
    sys.exit(dumped)


main()
