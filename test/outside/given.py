"""Descriptors that the images don't have and the user gives back: --external file[] with --inherit-fd."""
import os
import re

import box
from box import Failure
from frame import Skip, Tool, must_say, restore_fails


def case_device_given(case):
    devices = [path for path in ("/dev/fuse", "/dev/loop-control", "/dev/kvm", "/dev/hpet") if os.path.exists(path)]
    if not devices:
        raise Skip("no device whose state nobody can save")
    theirs, ours = os.open(devices[0], os.O_RDONLY), os.open("/dev/null", os.O_RDONLY)
    tool = Tool(case, "hold", theirs, [theirs])
    text = tool.refuses(tool.images())
    must_say(text, f"fd {theirs}: character device {devices[0]}")
    key = re.search(r"--external (file\[[0-9a-f]+:[0-9a-f]+\])", text)[1]
    images = tool.images()
    tool.dump(images, "--external", key)
    must_say(restore_fails(images), "--inherit-fd", key)
    box.restore(images, "--inherit-fd", f"fd[{ours}]:{key}", pass_fds=[ours])
    if not os.path.samestat(os.fstat(ours), os.stat(f"/proc/{tool.pid}/fd/{theirs}")):
        raise Failure("the task has not got what was given")
    tool.end()
    os.close(theirs)
    os.close(ours)
