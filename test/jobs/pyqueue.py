"""A multiprocessing job: three workers, a Queue each way, a Lock and an Array.

    pyqueue.py LOG

Message n must be taken as the n-th, by one worker, and come back once.  The workers
count in the shared Array under the Lock; the parent compares the Array with what
the result queue brought.  LOG gets one line per message; SIGTERM ends the job,
and the last line is then PASS or FAIL.
"""
import multiprocessing
import os
import queue
import signal
import sys
import time

WORKERS = 3
WINDOW = 50             # messages under way at a time
NEXT = WORKERS          # slot of the Array: number of the next message
ERRORS = WORKERS + 1    # slot of the Array: what workers found wrong


def worker(me, lock, counts, tasks, results):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mine = 0
    while True:
        with lock:
            message = tasks.get()
            if message is None:
                break
            if message != counts[NEXT] or counts[me] != mine:
                counts[ERRORS] += 1
            counts[NEXT] += 1
            counts[me] += 1
            mine += 1
        results.put((message, me))
        time.sleep(0.001)


class Parent:
    def __init__(self, log):
        self.log = log
        self.lock = multiprocessing.Lock()
        self.counts = multiprocessing.Array("q", WORKERS + 2)
        self.tasks = multiprocessing.Queue()
        self.results = multiprocessing.Queue()
        self.sent = self.received = 0
        self.early = set()                  # came back before an older one
        self.last = [-1] * WORKERS          # newest message of each worker
        self.mine = [0] * WORKERS
        self.stopping = False
        self.errors = []

    def stop(self, *_):
        self.stopping = True

    def start(self):
        self.workers = [multiprocessing.Process(
            target=worker, args=(i, self.lock, self.counts, self.tasks, self.results)) for i in range(WORKERS)]
        for w in self.workers:
            w.start()
        signal.signal(signal.SIGTERM, self.stop)

    def wrong(self, text):
        self.errors.append(text)
        os.write(self.log, f"WRONG {text}\n".encode())

    def check(self, message, who):
        if message <= self.last[who]:
            self.wrong(f"worker {who}: {message} after {self.last[who]}")
        self.last[who] = message
        self.mine[who] += 1
        if message < self.received or message in self.early:
            self.wrong(f"message {message} came twice")
        self.early.add(message)
        while self.received in self.early:
            self.early.remove(self.received)
            os.write(self.log, f"{self.received}\n".encode())
            self.received += 1

    def receive(self):
        try:
            self.check(*self.results.get(timeout=0.2))
        except queue.Empty:
            pass

    def run(self):
        while not self.stopping:
            while self.sent < self.received + WINDOW:
                self.tasks.put(self.sent)
                self.sent += 1
            self.receive()

    def finish(self):
        deadline = time.monotonic() + 60
        while self.received < self.sent and time.monotonic() < deadline:
            self.receive()
        for _ in self.workers:
            self.tasks.put(None)
        for w in self.workers:
            w.join(60)
            if w.exitcode != 0:
                self.wrong(f"{w.name} ended with {w.exitcode}")
        if self.counts[:] != self.mine + [self.sent, 0] or self.received != self.sent:
            self.wrong(f"array {self.counts[:]}, counted {self.mine}, sent {self.sent}, received {self.received}")


def main():
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    parent = Parent(log)
    parent.start()
    parent.run()
    parent.finish()
    os.write(log, f"{'FAIL' if parent.errors else 'PASS'} {parent.received} messages\n".encode())
    return 1 if parent.errors else 0


if __name__ == "__main__":
    sys.exit(main())
