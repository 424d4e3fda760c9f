"""Programs as Debian ships them, started as their users start them: dumped, gone, restored, several times in a row.

    run.py [--quick] [--cycles N] [--list] [JOB...]
    run.py --table LOG      README's table, made of the RESULT lines in a log of this program

Each job runs in a box of its own: process, mount, IPC and network namespaces, an empty /dev/shm.  criu is given no
option that a user of the original would not have to give.  The file of a job (job_*.py) says what its self-check
proves.  `RESULT {...}` is one line of JSON for each job that went through.
"""
import argparse
import glob
import importlib
import json
import os
import re
import signal
import subprocess
import sys

import frame
from frame import box


def find_jobs():
    """{name: class} of all jobs, from job_*.py."""
    jobs = {}
    for path in sorted(glob.glob(os.path.join(frame.HERE, "job_*.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        jobs.update({cls.name: cls for cls in module.JOBS})
    return jobs


def in_box(name, cls, cycles):
    """Run this program for one job in a box, pass on what it prints, return what it counted."""
    argv = box.command([os.path.abspath(__file__), "--inside", "--cycles", str(cycles), name], network=True)
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True)
    limit = (cls.seconds + 12 * cycles) * box.PATIENCE
    try:
        text, _ = process.communicate(timeout=limit)
        late = False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)  # the kernel ends the box with it
        text, _ = process.communicate()
        late = True
    lines = text.splitlines()
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", lines[-1]) if lines else None
    print("\n".join(lines[:-1] if counts else lines), flush=True)
    if counts:
        return [int(n) for n in counts.groups()]
    print(f"FAIL {name}: {f'stopped after {limit:g} s' if late else f'ended with {process.returncode}'}", flush=True)
    done = sum(line.startswith("PASS") for line in lines)
    return [done, 1, 0]


def table(log):
    """Print the RESULT lines of a log as a table in Markdown."""
    rows = [json.loads(line[7:]) for line in box.read(log).splitlines() if line.startswith("RESULT ")]
    print("| program | version | processes | cycles | dump | restore | image | options |\n|" + " --- |" * 8)
    for row in rows:
        versions = ", ".join(" ".join(item) for item in row["versions"].items())
        print(f"| {row['name']} | {versions} | {row['tasks']} | {row['cycles']} | {row['dump_ms']} ms | "
              f"{row['restore_ms']} ms | {row['image_bytes'] / (1 << 20):.1f} MiB | {' '.join(row['options'])} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--cycles", type=int)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--table", metavar="LOG")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("jobs", nargs="*", metavar="JOB")
    options = parser.parse_args()
    if options.table:
        return table(options.table)
    jobs = find_jobs()
    if options.list:
        return print("\n".join(jobs))
    tally = box.Tally()
    for name in options.jobs or jobs:
        cls = jobs[name]
        cycles = (min(cls.cycles, 2) if options.quick else cls.cycles) if options.cycles is None else options.cycles
        if options.inside:
            frame.run_job(cls, cycles, tally)
            continue
        passed, failed, skipped = in_box(name, cls, cycles)
        tally.passed += passed
        tally.failed += failed
        tally.skipped += skipped
    status = tally.end()
    return 0 if options.inside else status


if __name__ == "__main__":
    sys.exit(main())
