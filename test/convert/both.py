"""Checkpoints that one implementation makes and the other restores: programs of test/zdtm, and a shell's job.

    both.py [NAME...]

mixed.py stands in the place of criu: Debian's dumps and ours restores, then the other way round.  It needs a kernel
that Debian's criu (3.17) can cope with, such as the guest's.  Visible state is not compared: that criu takes shared
anonymous memory for a memfd.

Not here, as Debian's criu loses or refuses it: System V objects outside an IPC namespace; who of a session has its
terminal; of a pty a line that is being edited, ends of lines other than newlines, that it was stopped, that its slave
was closed; /dev/tty; options of TCP sockets that are not connected; the owner of pipes; what is behind an empty
datagram; connections to unix sockets that wait to be accepted; expirations of a repeating timer that were not read.
Nor are TCP connections within the tree with bytes that were not sent (sock_tcp_full, sock_tcp_closing), with ours first: we
lock no packets of these, and that criu relies on a lock when it sends them, before the other end is there.
"""
import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for room in ("../jobs", "../jobs/programs"):
    sys.path.insert(0, os.path.join(HERE, room))
import box  # noqa: E402
import job_terminals  # noqa: E402
from box import Failure  # noqa: E402
from debian import debian_unfit  # noqa: E402

MIXED = os.path.join(HERE, "mixed.py")

# what both save and restore
PROGRAMS = """sock_tcp_pair sock_tcp_listen sock_tcp_half sock_tcp_server sock_tcp_epoll sock_udp
    pty00 pty_settings sockets_spair socket_queues00 session00 fifo00 file_locks00 sigpending""".split()
# what only ours restores in full
FROM_DEBIAN = "pty_ctty pty_hangup sock_tcp_full sock_tcp_closing sockets00 epoll00".split()


def program(name, first):
    """Run one program of test/zdtm; Failure unless it did not notice.  Returns the runner's reason if it was skipped."""
    done = subprocess.run(["/usr/bin/python3", f"{box.ROOT}/test/zdtm.py", "run", "-t", f"zdtm/static/{name}", "-f", "h",
                           "--ignore-state", "-k", "failed", "--criu-bin", MIXED], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env=dict(os.environ, MIXED=first), timeout=120 * box.PATIENCE)
    if done.returncode:
        raise Failure(done.stdout[-3000:])
    skipped = re.search(r"SKIP .*", done.stdout)
    return skipped[0] if skipped else None


class ShellJob(job_terminals.ShellJob):
    """Stopped by its criu when it is restored, which only ours does; so the jobs here run."""

    name = "shell-job-of-both"

    def refused(self):
        """Debian's criu has other words for it."""

    def cycle(self, number):
        return super().cycle(1 if number == 1 else 3)


def shell_job(first):
    os.environ["MIXED"] = first
    job = ShellJob()
    try:
        job.begin()
        for number in 1, 2:
            job.cycle(number)
        job.finish()
    finally:
        if job.root and box.alive(job.root):
            box.kill_all([job.root])


def run_case(tally, title, function, *args):
    try:
        why = function(*args)
        if why:
            tally.skip(title, why)
        else:
            tally.ok(title)
    except (Failure, subprocess.TimeoutExpired) as e:
        tally.fail(title, e)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", choices=("debian", "ours"), help="only with this one's dumps")
    parser.add_argument("names", nargs="*", metavar="NAME", help="programs of test/zdtm/static, or shell-job")
    options = parser.parse_args()
    box.enter()
    os.makedirs(box.WORK, exist_ok=True)
    tally = box.Tally()
    unfit = debian_unfit()
    for first, names in ("debian", [*PROGRAMS, *FROM_DEBIAN]), ("ours", PROGRAMS):
        title = "ours restores what Debian's dumped: {}" if first == "debian" else "Debian's restores what ours dumped: {}"
        for name in [*names, "shell-job"]:
            if (options.names and name not in options.names) or options.first not in (None, first):
                continue
            if unfit:
                tally.skip(title.format(name), unfit)
            elif name == "shell-job":
                box.CRIU = MIXED
                run_case(tally, title.format(name), shell_job, first)
            else:
                run_case(tally, title.format(name), program, name, first)
    # on most kernels all of it is skipped
    tally.end()
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
