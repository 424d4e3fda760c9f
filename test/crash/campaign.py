"""Kill criu at a random instruction, many times, and look for casualties.

    campaign.py dump [-n KILLS] [--without NAME...]
    campaign.py restore [-n KILLS] [--without NAME...]
    campaign.py all [-n KILLS] [--without NAME...]

The kill hits what is chosen at random: the process that was started ("front"), the
worker it has forked to dump, or both.  Restore has no worker.

dump: half of the dumps leave the job running, half would kill it; some jobs are
group-stopped at the time.  Every fourth kill is aimed at the commit: it comes a little after one
of the last files.  After the kill
either the whole job goes on as if nothing had happened and there is no
inventory.img, or (only where it would have been killed) the whole job is gone and
the image restores.  restore: after the kill either nothing is left, no process and
no file, or the complete job runs.

What the job itself finds wrong is a casualty as well; see target.c.
"""
import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "jobs"))
import box
from box import Failure, wait_for
from target import MAY_BE_INTERRUPTED, Target


def worker_of(criu):
    """The process that the started one has forked to do the work; None before that."""
    children = box.read(f"/proc/{criu.pid}/task/{criu.pid}/children").split()
    return int(children[0]) if children else None


def kill_pid(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_criu(argv, delay, victims=("front",), sign=None):
    """Run criu and kill it after a delay, from the moment a file appears if one is named.

    Returns whether it had ended by itself, with success.
    """
    criu = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while sign and not os.path.exists(sign) and criu.poll() is None:
        time.sleep(0.0001)
    time.sleep(delay)
    worker = worker_of(criu) if "worker" in victims else None
    ended = criu.poll()
    if ended:
        raise Failure(f"criu returned {ended} before it was killed")
    if ended is None:
        for victim in victims:
            kill_pid({"front": criu.pid, "worker": worker or criu.pid}[victim])
        try:
            # alone, the front has to notice that its worker is gone
            status = criu.wait(5 * box.PATIENCE)
        except subprocess.TimeoutExpired:
            criu.kill()
            criu.wait()
            raise Failure("the front process hangs after the death of its worker") from None
        # a worker that had done all but exit leaves a front that reports success
        ended = status if status == 0 else None
    return ended == 0


def helpers_gone():
    """Whatever criu started ends with it."""
    try:
        wait_for(lambda: not box.criu_processes(), 5, "criu's helpers to end")
    except Failure as e:
        raise Failure(f"{e}: {', '.join(map(box.where_it_is, box.criu_processes()))}") from None


class Campaign:
    VICTIMS = {"front": ("front",)}

    def __init__(self, target, kills, seed):
        self.target, self.kills = target, kills
        self.random = random.Random(seed)
        self.seed = seed
        self.counts = {}
        self.kills_of = {}          # who was hit: [kills, casualties]
        self.undisturbed()

    def undisturbed(self):
        self.typical = statistics.median(self.complete() for _ in range(5))

    def choose_victims(self):
        """Whom to kill, in which order."""
        name = self.random.choice(sorted(self.VICTIMS))
        self.kills_of.setdefault(name, [0, 0])[0] += 1
        self.victim = name
        return self.random.sample(self.VICTIMS[name], len(self.VICTIMS[name]))

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def delay(self, typical):
        """From the first instruction to a little after the usual end."""
        return self.random.uniform(0.0002, typical * 1.2)

    def images(self):
        return box.fresh_dir(self.target.dir, "images")

    def report(self):
        counts = ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items()))
        hits = ", ".join(f"{name} {kills} kills {bad} casualties"
                         for name, (kills, bad) in sorted(self.kills_of.items()))
        return (f"{hits}; {counts}; leftover mappings seen after {self.target.leaks} kills, "
                f"{self.target.eintr_allowed} EINTR of {', '.join(MAY_BE_INTERRUPTED)}")

    def casualty(self, tally, name, number, why):
        """Count and keep it, and go on with a new job."""
        self.kills_of.setdefault(self.victim, [0, 0])[1] += 1
        saved = os.path.join(box.WORK, f"crash-{name.replace(' ', '-')}-{number}")
        shutil.rmtree(saved, ignore_errors=True)
        shutil.copytree(os.path.join(self.target.dir, "images"), saved, dirs_exist_ok=True)
        tally.fail(name, f"kill {number} of {self.kills} ({self.victim}), seed {self.seed}: {why} (images: {saved})")
        self.target.end()
        self.target.start()
        time.sleep(0.2)
        self.prepare()

    def prepare(self):
        """What a new job needs before the next kill."""

    def run(self, tally, name, one, most_casualties=8):
        casualties = 0
        for number in range(1, self.kills + 1):
            try:
                one(number)
            except Failure as e:
                casualties += 1
                self.casualty(tally, name, number, e)
                if casualties == most_casualties:
                    break
            if number % 100 == 0:
                print(f"  {name}: {number} kills, {casualties} casualties", flush=True)
        if casualties:
            print(f"  {name}: {self.report()}", flush=True)
        else:
            tally.ok(f"{name}", f"{self.kills} kills, no casualty: {self.report()}")
        return not casualties


class DumpCampaign(Campaign):
    VICTIMS = {"front": ("front",), "worker": ("worker",), "both": ("front", "worker")}
    # The inventory is ready, then what waits in terminals and queues is taken, saved, and the commit is decided.
    SIGNS = ("inventory.img.tmp", "tty-data.img", "mqueue-data.img")

    def complete(self):
        """An undisturbed dump that leaves the job running."""
        took = box.dump(self.target.root, self.images(), "-R")
        self.target.healthy(undisturbed=True)
        self.target.clean()
        return took

    def one(self, number):
        victims = self.choose_victims()
        if number % 8 == 3:
            self.one_stopped(victims)
        elif number % 4 == 0:
            self.one_commit(victims)
        elif number % 2 == 0:
            self.one_plain(victims, self.delay(self.typical))
        else:
            self.kill("-R", victims, self.delay(self.typical))
        self.target.healthy()
        self.target.count_leaks()

    def kill(self, option, victims, delay, sign=None):
        """Returns the images and whether criu had ended by itself."""
        images = self.images()
        argv = box.criu_args("dump", images, "-t", str(self.target.root), *([option] if option else []))
        ended = kill_criu(argv, delay, victims, sign and os.path.join(images, sign))
        helpers_gone()
        self.count("ended before the kill" if ended else "killed")
        return images, ended

    def one_stopped(self, victims):
        """A job that is group-stopped stays so, in all of its processes."""
        self.target.signal(signal.SIGSTOP)
        self.target.all_stopped()
        self.kill("-R", victims, self.delay(self.typical))
        self.target.all_stopped()
        self.target.signal(signal.SIGCONT)
        # A stop ends the waits that signal(7) lists, whoever ordered it.
        self.target.untraced()
        self.target.progress()
        self.target.eintr = self.target.interrupted()

    def one_commit(self, victims):
        """Around the commit: before it the job lives, after it is gone, or has back what was taken from it."""
        sign, delay = self.random.choice(self.SIGNS), self.random.uniform(0, 0.003)
        if self.random.random() < 0.5:
            self.kill("-R", victims, delay, sign)
        else:
            self.one_plain(victims, delay, sign)
        self.count("near the commit")

    def one_plain(self, victims, delay, sign=None):
        images, ended = self.kill(None, victims, delay, sign)
        if self.job_is_gone(images, ended):
            self.count("gone and restored")
            box.restore(images)
        elif box.whole(images):
            raise Failure("the job goes on, yet the image is committed")

    def job_is_gone(self, images, ended):
        """Whether the kill came after the commit: then all processes end, and soon."""
        if ended or box.whole(images):
            box.gone(self.target.pids)
        living = self.target.living()
        if living and len(living) < len(self.target.pids):
            raise Failure(f"half a job: only {living} of {self.target.pids} live")
        if not living and not box.whole(images):
            raise Failure("the job is gone, and there is no whole image")
        return not living


class RestoreCampaign(Campaign):
    def undisturbed(self):
        self.prepare()
        super().undisturbed()

    def prepare(self):
        self.target.healthy()
        self.dir = self.images()
        box.dump(self.target.root, self.dir)
        box.gone(self.target.pids)
        self.remove_ipc()
        self.shm_before = box.shm_state()
        self.names_before = self.names()

    def complete(self):
        """An undisturbed restore; the job is killed again afterwards."""
        took = box.restore(self.dir)
        self.running(undisturbed=True)
        return took

    def names(self):
        return sorted(set(os.listdir(self.target.dir)) | set(os.listdir(box.SHM)))

    def running(self, undisturbed=False):
        self.target.healthy(undisturbed)
        self.target.clean()
        if self.names() != self.names_before:
            raise Failure(f"files left: {self.names()}, before: {self.names_before}")
        if list(box.segments().values()) != 2 * [len(self.target.pids)]:
            raise Failure(f"segments and their attachments: {box.segments()}")
        self.target.kill()
        self.target.semaphores_free()
        self.remove_ipc()

    def remove_ipc(self):
        """What outlives its job: each restore has to make it again, or, of the semaphores, may find it there."""
        sets = box.semaphores() if self.random.random() < 0.3 else ()
        box.remove_ipc(keep=sets)
        self.ipc_before = box.ipc()

    def one(self, _number):
        victims = self.choose_victims()
        pidfile = os.path.join(self.dir, "pid")
        kill_criu(box.criu_args("restore", self.dir, "-d", "--pidfile", pidfile), self.delay(self.typical), victims)
        helpers_gone()
        if self.complete_job():
            self.count("complete")
            self.running()
        else:
            self.count("nothing left")
            if os.path.exists(pidfile):
                raise Failure("a pid file of a job that does not exist")
        if os.path.exists(pidfile):
            os.unlink(pidfile)
        if self.names() != self.names_before or not self.memory_free():
            raise Failure(f"left behind: {self.names()} {box.shm_state()}, before: {self.names_before} {self.shm_before}")

    def memory_free(self):
        wait_for(lambda: box.shm_state() == self.shm_before, 5, "the shared memory to be freed")
        wait_for(lambda: box.ipc() == self.ipc_before, 5,
                 f"the System V objects to be removed: {box.ipc()}, before: {self.ipc_before}")
        return True

    def complete_job(self):
        """True: all processes are there, and stay; false: none is.  Dying takes a moment."""
        everyone = set(self.target.pids)

        def settled():
            return set(self.target.living()) in (set(), everyone) and not self.target.dying()
        try:
            # twice: between taking SIGKILL and exiting, a task looks healthy
            for _ in range(2):
                wait_for(settled, 3, "all or nothing")
                time.sleep(0.005)
        except Failure:
            raise Failure(f"half a job: {self.target.living()} of {sorted(everyone)}") from None
        return bool(self.target.living())


def without_refused(options, tally):
    """Leave out the sleeper whose object criu can't dump yet, by its own words."""
    target = Target(options.without)
    try:
        target.start()
        box.dump(target.root, box.fresh_dir(target.dir, "images"), "-R")
    except Failure as e:
        if "epoll instance" in str(e) and "not supported" in str(e):
            tally.skip("epoll_wait sleeper", "criu refuses epoll instances")
            options.without.append("epoll_wait")
    finally:
        target.end()


def run_campaign(kind, options, tally):
    target, name = Target(options.without), f"kill during {kind}"
    try:
        target.start()
        time.sleep(0.2)
        target.healthy()
        make = {"dump": DumpCampaign, "restore": RestoreCampaign}[kind]
        campaign = make(target, options.kills, options.seed)
        print(f"  {kind}: {len(target.pids)} processes, {sum(map(len, target.tasks.values()))} threads, "
              f"undisturbed {campaign.typical * 1000:.1f} ms, seed {options.seed}", flush=True)
        if campaign.run(tally, name, campaign.one) and kind == "dump":
            name = "dump after all kills"
            campaign.complete()     # also proves that leftovers were cleaned up
            target.kill()
            target.semaphores_free()
            tally.ok(name, "mappings as at the start, semaphores given back in the end")
    except Failure as e:
        tally.fail(name, str(e))
    finally:
        target.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("dump", "restore", "all"))
    parser.add_argument("-n", "--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    box.enter()
    tally = box.Tally()
    without_refused(options, tally)
    for kind in ("dump", "restore") if options.kind == "all" else (options.kind,):
        run_campaign(kind, options, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
