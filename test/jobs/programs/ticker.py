"""Counts in the foreground of its terminal, and says what the terminal tells it; see job_terminals.py."""
import os
import signal
import sys
import time

count = 0


def resized(*_):
    size = os.get_terminal_size(0)
    print(f"size {size.lines} {size.columns}", flush=True)


def interrupted(*_):
    print(f"interrupted at {count}", flush=True)
    sys.exit(0)


signal.signal(signal.SIGWINCH, resized)
signal.signal(signal.SIGINT, interrupted)
signal.signal(signal.SIGHUP, lambda *_: print("SIGHUP", flush=True))
while True:
    print(f"tick {count}", flush=True)
    count += 1
    time.sleep(0.02)
