"""Conversions that are killed or interrupted somewhere: the directory stays whole."""
import filecmp
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import box
import roundtrip
from box import Failure
from conversion import (Ending, check_converted, convert, dumped, goes_on, image_names, make_job, remap_types, ring,
                        snapshot)

HERE = os.path.dirname(os.path.abspath(__file__))


class Campaign:
    """A job's images, converted again and again, each time killed somewhere."""

    def __init__(self, job):
        self.job = job
        self.images = dumped(job)
        self.log = roundtrip.read_bytes(job.log)
        self.reference = self.copy("reference")
        self.took = convert(self.reference)
        self.before, self.after = 0, 0

    def copy(self, name):
        path = os.path.join(self.job.dir, f"images-{name}")
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.images, path)
        return path

    def check(self, images):
        """Restorable as it is; converted again, it is what an undisturbed conversion makes."""
        kinds = {kind for kind, _ in remap_types(images)}
        if kinds not in ({1}, {3}):
            raise Failure(f"remaps are of types {kinds}")
        self.before, self.after = self.before + (kinds == {3}), self.after + (kinds == {1})
        self.restore(images)
        convert(images)
        check_converted(images)
        names = image_names(self.reference)
        if image_names(images) != names:
            raise Failure(f"{image_names(images)} instead of {names}")
        _, different, missing = filecmp.cmpfiles(images, self.reference, names, shallow=False)
        if different or missing:
            raise Failure(f"not as without the kill: {different + missing}")

    def restore(self, images):
        # as long as it was, or it isn't that file
        with open(self.job.log, "wb") as f:
            f.write(self.log)
        box.restore(images)
        try:
            goes_on(self.job, 3)
        finally:
            box.kill_all(self.job.pids)


def killed_at(campaign, number, library):
    """Die before the number-th change; False if there are not that many."""
    images = campaign.copy("killed")
    env = {**os.environ, "LD_PRELOAD": library, "DIE_AT": str(number)}
    done = subprocess.run(box.criu_args("convert", images, "--to-mainline"), stdin=subprocess.DEVNULL,
                          capture_output=True, env=env)
    if done.returncode not in (0, -signal.SIGKILL):
        raise Failure(f"criu convert returned {done.returncode}: {done.stderr}")
    campaign.check(images)
    return done.returncode != 0


def killed_after(campaign, seconds):
    images = campaign.copy("killed")
    with subprocess.Popen(box.criu_args("convert", images, "--to-mainline"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        time.sleep(seconds)
        child.kill()
    campaign.check(images)


def case_killed(tally, options):
    library = box.build(f"{HERE}/dieat.c", "-shared", "-fPIC", "-ldl")
    job = make_job("small")
    with Ending(tally, "killed before each change", job) as end:
        campaign = Campaign(job)
        number = 1
        while killed_at(campaign, number, library):
            number += 1
        if not campaign.before or campaign.after < 3 or number < 12:
            raise Failure(f"only {number - 1} kills, {campaign.before} before and {campaign.after} after the switch")
        end.note = f"{number - 1} kills, {campaign.before} before the switch"
    job = make_job("ring-shm")
    with Ending(tally, "killed at random moments", job) as end:
        campaign = Campaign(job)
        for _ in range(options.rounds):
            killed_after(campaign, random.random() * campaign.took * 1.3)
        end.note = f"{options.rounds} kills, {campaign.before} before the switch"


def case_interrupted(tally, options):
    """Asked to end it leaves the directory as it was."""
    job = ring("c-interrupted")
    with Ending(tally, "interrupted", job):
        images = dumped(job)
        before = snapshot(images)
        code = ("import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); "
                "os.kill(os.getpid(), signal.SIGTERM); os.execv(sys.argv[1], sys.argv[1:])")
        done = subprocess.run([sys.executable, "-c", code, *box.criu_args("convert", images, "--to-mainline")],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 1 or "asked to end" not in done.stderr:
            raise Failure(f"criu convert returned {done.returncode}: {done.stderr}")
        if snapshot(images) != before:
            raise Failure("the directory has changed")
