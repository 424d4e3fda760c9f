"""Chromium without a window, with a local page.

chromium          the page counts: it refuses a step that does not follow the one before; each goes by way of a worker
                  thread, a canvas and the storage on disk, and timers of the page fire.  Run by root, so without the
                  sandbox, which Chromium demands of root
chromium-sandbox  run by an ordinary user, with its sandbox, whose processes have namespaces of their own: the dump is
                  refused and says so, and Chromium goes on
"""
import os
import re
import shutil
import subprocess
import tempfile

from frame import HERE, PYTHON, Failure, Logged, Skip, box


class Chromium(Logged):
    name = "chromium"
    packages = ("chromium",)
    options = ("--tcp-established", "--file-locks")
    seconds = 150
    fixed = False           # services of the browser come and go
    sandbox = ("--no-sandbox",)

    def start(self):
        # The path of a socket there has to fit into 108 bytes, wherever the tests are.
        self.env["TMPDIR"] = tempfile.mkdtemp(dir=box.SHM)
        if self.user:
            shutil.chown(self.env["TMPDIR"], self.user)
        return self.spawn(PYTHON, os.path.join(HERE, "browser.py"), self.log, os.path.join(self.dir, "stop"), self.dir,
                          "chromium", "--headless", *self.sandbox, "--remote-debugging-port=0")


class Sandbox(Chromium):
    name = "chromium-sandbox"
    user = "nobody"
    sandbox = ()
    cycles = 1

    def needs(self):
        done = subprocess.run(["unshare", "-U", "true"], capture_output=True, text=True, **self.as_user())
        if done.returncode:
            raise Skip(f"an ordinary user can't have a namespace of users here: {done.stderr.strip()}")

    def cycle(self, number):
        """No cycle: a refusal."""
        images = box.fresh_dir(self.dir, f"images{number}")
        try:
            box.dump(self.root, images, *self.options)
        except Failure as e:
            text = str(e)
        else:
            raise Failure("the dump was not refused")
        if box.whole(images):
            raise Failure("there is an image of a refused dump")
        for kind in "user", "pid", "net":
            if not re.search(rf"task \d+: .*\b{kind}\w* namespace", text):
                raise Failure(f"the refusal does not speak of {kind} namespaces: {text}")
        self.progress()
        shutil.rmtree(images)
        return {"tasks": len(self.members())}


JOBS = [Chromium, Sandbox]
