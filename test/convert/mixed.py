#!/usr/bin/python3
"""criu for zdtm.py and the jobs, of which one half is Debian's: it dumps and ours restores, or, with MIXED=ours, the
other way round.  What ours has dumped is converted for Debian's.
"""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CRIU, DEBIAN = os.path.join(ROOT, "criu", "criu"), "/usr/sbin/criu"


def after(argv, word):
    return argv[argv.index(word) + 1]


def debian(argv):
    """It locks with iptables unless it is told otherwise, and Debian has only nf_tables without asking for more."""
    if "--tcp-established" in argv and "dump" in argv:
        argv = [*argv, "--network-lock", "nftables"]
    # where the runner says its plugins are, there are none
    os.environ.pop("CRIU_LIBS_DIR", None)
    os.execv(DEBIAN, [DEBIAN, *argv])


def dump_and_convert(argv):
    status = subprocess.run([CRIU, *argv]).returncode
    if not status:
        images = after(argv, "-D" if "-D" in argv else "--images-dir")
        status = subprocess.run([CRIU, "convert", "--to-mainline", "-D", images]).returncode
    sys.exit(status)


def main():
    argv = sys.argv[1:]
    ours_first = os.environ.get("MIXED") == "ours"
    if "dump" in argv and ours_first:
        dump_and_convert(argv)
    if "dump" in argv or ("restore" in argv and ours_first):
        debian(argv)
    os.execv(CRIU, [CRIU, *argv])


main()
