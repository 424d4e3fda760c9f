"""Kill criu while it saves or restores TCP connections, and look for casualties.

    network.py [dump] [restore] [-n KILLS]

The job (tcpjob.c) has connections within the tree and one with a process outside, all
of them busy.  Half of the kills hit at any moment, the others are aimed: at the reading of
connections, at the commit, at the end of a restore.  After each one

* the whole job goes on, each connection with the next byte, and nothing is locked; or
* the job is gone and the image is whole: then it is restored, and goes on.

A restore that was killed leaves nothing, or the whole job running; in the first case
the next restore succeeds.  What the other end of a connection sees counts as well.
"""
import argparse
import os
import random
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "jobs"))
import box
import netlock
from box import Failure, wait_for
from campaign import helpers_gone, kill_pid, worker_of

HERE = os.path.dirname(os.path.abspath(__file__))
PLAYERS = 5
PLAYER = struct.Struct("Q120s")
AIMS = {"dump": ("shared pages", "images are on disk"), "restore": ("made the objects", "attributes")}


class Job:
    def __init__(self):
        self.program = box.build(os.path.join(HERE, "tcpjob.c"))
        self.dir = box.fresh_dir("network")
        self.outsider = subprocess.Popen([self.program, "--outsider"], stdout=subprocess.PIPE, text=True)
        self.port = self.outsider.stdout.readline().strip()
        self.start()

    def start(self):
        if os.path.exists(f"{self.dir}/players"):
            os.unlink(f"{self.dir}/players")
        self.pid = box.start([self.program, self.dir, self.port], f"{self.dir}/job.txt")
        wait_for(lambda: os.path.exists(f"{self.dir}/players") and all(c for c, _ in self.players()), 20, "the job to run")

    def players(self):
        with open(f"{self.dir}/players", "rb") as f:
            return [(count, error.split(b"\0")[0].decode()) for count, error in PLAYER.iter_unpack(f.read())]

    def alive(self):
        return box.alive(self.pid) and len(box.tree(self.pid)) == 1 + PLAYERS

    def gone(self):
        return not box.alive(self.pid)

    def check(self):
        """Every connection goes on."""
        before = self.players()

        def moves():
            now = self.players()
            for number, (_, error) in enumerate(now):
                if error:
                    raise Failure(f"player {number}: {error}")
            return all(n[0] > b[0] + 3 for n, b in zip(now, before))
        try:
            wait_for(moves, 30, "each connection to go on")
        except Failure as e:
            raise Failure(f"{e}: {before} {self.players()}") from None
        if netlock.locks():
            raise Failure("the network is still locked")

    def end(self):
        box.kill_all(box.tree(self.pid))


class Campaign:
    def __init__(self, kills, seed):
        self.job, self.kills, self.random, self.counts = None, kills, random.Random(seed), {}
        self.number, self.typical = 0, 0.1

    def images(self):
        self.number += 1
        return box.fresh_dir("network-images", str(self.number % 4))

    def kill(self, command, images, *extra):
        """Run criu and kill it; whether it had succeeded before that."""
        argv = box.criu_args(command, images, "--tcp-established", *extra)
        aim = self.random.choice((None, None, *AIMS[command]))
        both = command == "dump" and self.random.random() < 0.7
        begin = time.monotonic()
        criu = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if aim:
            while criu.poll() is None and aim not in box.read(f"{images}/{command}.log"):
                pass
            time.sleep(self.random.uniform(0, 0.006))
        else:
            time.sleep(self.random.uniform(0, self.typical * 1.2))
        worker = worker_of(criu) if both else None
        for pid in (worker, criu.pid):
            if pid and criu.poll() is None:
                kill_pid(pid)
        status = criu.wait()
        if status > 0 and not both:
            raise Failure(f"criu {command} failed by itself: {box.errors(images, command)}")
        self.typical = max(self.typical * 0.9, min(time.monotonic() - begin, 1))
        helpers_gone()
        return status == 0

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def lives(self):
        """Whether all of the job lives, or none of it, when whoever is to die is dead."""
        for _ in range(3):
            wait_for(lambda: self.job.alive() or self.job.gone(), 10, "all of the job to live or die")
            time.sleep(0.1)
        return self.job.alive()

    def restore(self, images):
        box.restore(images, "--tcp-established")
        self.job.check()

    def dump(self):
        images = self.images()
        running = self.random.random() < 0.4
        self.kill("dump", images, "-t", str(self.job.pid), *(["--leave-running"] if running else []))
        if self.lives():
            self.count("went on")
            if not running and box.whole(images):
                raise Failure("the job runs and its image says it is gone")
            return self.job.check()
        if running or not box.whole(images):
            raise Failure("the job is gone, and there is no image")
        self.count("saved")
        self.restore(images)

    def one_restore(self):
        images = self.images()
        box.dump(self.job.pid, images, "--tcp-established")
        wait_for(self.job.gone, 10, "the job to be gone")
        self.kill("restore", images, "-d")
        if self.lives():
            self.count("restored")
            return self.job.check()
        self.count("not restored")
        self.restore(images)

    def run(self, tally, name, one):
        casualties, self.counts, self.typical = 0, {}, 0.1
        self.job = self.job or Job()
        for number in range(self.kills):
            try:
                one()
            except Failure as e:
                casualties += 1
                tally.fail(f"network {name}", f"kill {number}: {e}")
                self.job = self.job.end()
                # a lock that was left would spoil what follows
                break
        if not casualties:
            tally.ok(f"network {name}", ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items())))


def main():
    box.enter(network=True)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["dump", "restore"])
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(10 ** 6))
    options = parser.parse_args()
    tally = box.Tally()
    try:
        netlock.locks()
    except OSError as e:
        tally.skip("network", f"nf_tables: {e}")
        return tally.end()
    print(f"seed {options.seed}", flush=True)
    campaign = Campaign(options.n, options.seed)
    if "dump" in options.what:
        campaign.run(tally, "dump", campaign.dump)
    if "restore" in options.what:
        campaign.run(tally, "restore", campaign.one_restore)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
