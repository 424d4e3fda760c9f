"""Debian's criu."""
import os
import subprocess

DEBIAN = "/usr/sbin/criu"


def debian_unfit():
    """Why Debian's criu can't run here, or an empty text."""
    done = subprocess.run([DEBIAN, "check"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        return f"Debian's criu can't run on this kernel ({os.uname().release}): {said[-1]}"
    return ""
