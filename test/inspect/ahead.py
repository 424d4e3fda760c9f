#!/usr/bin/python3
"""criu for zdtm.py, but every dump is inspected first.

Calls criu (CRIU) with the same words; before a dump, `inspect` with the same options.  Each dump adds a line to
the file INSPECT_RECORD: a JSON array of the task's name, both exit statuses, what inspect changed, its refusals, and
the errors of the dump.
"""
import json
import os
import re
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
    # VmRSS is only a rough sum of what the processors count.
    kept = [x for x in lines if x.startswith(("State", "TracerPid", "Threads", "VmSize", "voluntary", "nonvoluntary"))]
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


def errors(argv):
    """What the log of the dump says, without times, levels and places."""
    log = os.path.join(argv[argv.index("--images-dir") + 1], argv[argv.index("--log-file") + 1])
    lines = re.findall(r"^(?:\([\d.]+\) )?Error +\([^)]*\): (.*)$", read(log), re.M)
    # The end of a whole plan; what stops the dump before that hides the rest.
    end = [x for x in lines if x.startswith("the dump was refused for")]
    return [x for x in lines if x not in end], bool(end)


def main():
    argv = sys.argv[1:]
    if "dump" not in argv or "--tree" not in argv:
        os.execv(CRIU, [CRIU, *argv])
    pid = argv[argv.index("--tree") + 1]
    name = read(f"/proc/{pid}/comm").strip()
    before = state(pid)
    inspected, report = inspect(argv)
    changed = [x for x in zip(before, state(pid)) if x[0] != x[1]]
    dumped = subprocess.run([CRIU, *argv]).returncode
    with open(os.environ["INSPECT_RECORD"], "a") as record:
        texts = [r["text"] for r in report["refusals"]]
        record.write(json.dumps([name, inspected, dumped, changed, texts, errors(argv)]) + "\n")
    sys.exit(dumped)


main()
