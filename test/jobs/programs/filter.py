"""Sends numbered lines through a filter and checks what comes out; see job_rust.py and job_go.py.

    filter.py LOG STOP FILTER...
"""
import os
import subprocess
import sys
import time

BATCH = 50


def line(n):
    return f"line {n} {'even' if n % 2 == 0 else 'odd'} {n * n}\n"


def main():
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    child = subprocess.Popen(sys.argv[3:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    n, error = 0, None
    while not error and not os.path.exists(sys.argv[2]):
        for i in range(n, n + BATCH):
            child.stdin.write(line(i))
        child.stdin.flush()
        for i in range(n, n + BATCH, 2):
            got, want = child.stdout.readline(), f"{i + 1}:{line(i)}"
            if got != want:
                error = f"{got!r}, not {want!r}"
        os.write(log, f"{n // BATCH}\n".encode())
        n += BATCH
        time.sleep(0.001)
    child.stdin.close()
    rest = child.stdout.read()
    if rest or child.wait(60):
        error = f"the rest is {rest!r}, the status {child.returncode}"
    os.write(log, (f"WRONG {error}\n" if error else f"PASS {n} lines\n").encode())


if __name__ == "__main__":
    main()
