"""Deleted files that are shared memory, on every file system.

    run.py [--quick] [NAME...]

The zdtm programs about them (delshm_*) run on file systems that are made for the
purpose; then come the cases in which the file system is not at restore what it was at
dump (cases.py).  NAME is part of the name of a file system, a program or a case.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "jobs"))
import box
import cases
import places
import program
import surroundings  # adds its own to the cases
from program import started

# Each sees another side of an object.  What a file system is likely to break comes first, and is done twice.
PROGRAMS = ["delshm_family_disk", "delshm_tail_disk", "delshm_meta_disk", "delshm_links_disk", "delshm_roview_disk",
            "delshm_counter_disk", "delshm_dirgone_disk", "delshm_fd_disk", "delshm_forkfd_disk", "delshm_maponly_disk",
            "delshm_mprotect_disk", "delshm_mutex_disk", "delshm_private_disk", "delshm_reopen_disk",
            "delshm_samepath_disk", "delshm_sparse_disk", "delshm_windows_disk", "delshm_tmpfile_disk", "delshm_acl_disk",
            "delshm_deadwriter_disk", "delshm_exec_disk"]
QUICK_PROGRAMS = 5
LARGE = "delshm_large_disk"     # only where it fits: criu reads and writes some of it past the page cache


def run_program(tally, name, place):
    with places.verdict(tally, f"{place.name}: {name}"), started(name, f"{place.dir}/{name}") as tested:
        for _ in range(2 if name in PROGRAMS[:QUICK_PROGRAMS] else 1):
            tested.cycle()
        tested.finish()


def run_place(tally, kind, names):
    try:
        with places.made(kind) as place:
            for name in names:
                run_program(tally, name, place)
    except places.Lacking as e:
        tally.skip(kind.name, str(e))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"only {QUICK_PROGRAMS} programs on each file system")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    box.enter()

    def wanted(text):
        return not options.names or any(re.search(part, text) for part in options.names)

    programs = PROGRAMS[:QUICK_PROGRAMS] if options.quick else PROGRAMS
    program.build({*programs, LARGE, *cases.programs()})
    tally = box.Tally()
    for kind in places.ALL:
        large = [LARGE] if kind.mib >= 600 else []
        names = [name for name in programs + large if wanted(f"{kind.name}: {name}")]
        if names:
            run_place(tally, kind, names)
    cases.run(tally, wanted)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
