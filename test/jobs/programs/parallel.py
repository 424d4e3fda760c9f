"""Python's ways to work with several processes, each step checked; see job_python.py.

    parallel.py pool|shm|manager|futures LOG STOP

LOG gets one line for each step.  When the file STOP exists, the job checks everything once more and ends.
"""
import concurrent.futures
import multiprocessing
import multiprocessing.shared_memory
import os
import sys
import threading
import time

WORKERS = 3
BATCH = 20


class Log:
    def __init__(self, path, stop):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.stop = stop
        self.count = 0

    def step(self):
        os.write(self.fd, f"{self.count}\n".encode())
        self.count += 1
        return self.count - 1

    def check(self, good, text):
        if not good:
            os.write(self.fd, f"WRONG step {self.count}: {text}\n".encode())
            sys.exit(1)

    def go_on(self):
        return not os.path.exists(self.stop)

    def end(self, note):
        os.write(self.fd, f"PASS {note}\n".encode())


# --- Pool: every task is done once, results come in order ---

done = None  # a counter that all workers of the pool share


def pool_init(counter):
    global done
    done = counter


def pool_task(n):
    with done.get_lock():
        done.value += 1
    time.sleep(0.001)
    return n, n * n, os.getpid()


def pool(log):
    counter = multiprocessing.Value("q", 0)
    seen = set()
    with multiprocessing.Pool(WORKERS, pool_init, (counter,)) as workers:
        sent = 0
        while log.go_on():
            for n, square, pid in workers.imap(pool_task, range(sent, sent + BATCH)):
                log.check(n == log.count and square == n * n, f"{n}, {square}")
                seen.add(pid)
                log.step()
            sent += BATCH
            log.check(counter.value == sent, f"the workers have done {counter.value} of {sent}")
        log.check(len(seen) <= WORKERS, f"{len(seen)} workers have answered: one was replaced")
        workers.close()
        workers.join()
    log.end(f"{counter.value} tasks by {len(seen)} workers")


# --- SharedMemory: the workers take turns in a block with a name ---

def shm_worker(me, name, lock, turn, stopping):
    block = multiprocessing.shared_memory.SharedMemory(name)
    cells = block.buf.cast("q")
    while not stopping.is_set():
        with turn:
            while cells[0] % WORKERS != me and not stopping.is_set():
                turn.wait()
            if stopping.is_set():
                break
            step = cells[0]
            slot = 2 + step % (len(cells) - 2)
            old = step - (len(cells) - 2)
            if cells[slot] != (old if old >= 0 else 0):
                cells[1] += 1  # somebody's turn is lost
            cells[slot] = step
            cells[0] = step + 1
            turn.notify_all()
    cells.release()
    block.close()


def shm(log):
    block = multiprocessing.shared_memory.SharedMemory(create=True, size=1 << 20)
    cells = block.buf.cast("q")
    lock = multiprocessing.Lock()
    turn = multiprocessing.Condition(lock)
    stopping = multiprocessing.Event()
    workers = [multiprocessing.Process(target=shm_worker, args=(i, block.name, lock, turn, stopping)) for i in range(WORKERS)]
    for w in workers:
        w.start()
    last = 0
    while log.go_on():
        with turn:
            log.check(turn.wait_for(lambda: cells[0] >= last + BATCH, 60), "nobody takes a turn")
            log.check(cells[0] >= last, f"the counter went back from {last} to {cells[0]}")
            log.check(cells[1] == 0, f"{cells[1]} turns were lost")
            last = cells[0]
        log.step()
    stopping.set()
    with turn:
        turn.notify_all()
    for w in workers:
        w.join(30)
        log.check(w.exitcode == 0, f"{w.name} ended with {w.exitcode}")
    total, size = cells[0], len(cells) - 2
    for i in range(min(total, size)):
        want = i + (total - 1 - i) // size * size
        log.check(cells[2 + i] == want, f"cell {i} is {cells[2 + i]}, not {want}")
    cells.release()
    block.close()
    block.unlink()
    log.end(f"{total} turns")


# --- Manager: a server process, which everybody calls over a socket ---

def manager_worker(me, numbers, box, lock, stopping):
    mine = 0
    while not stopping.is_set():
        with lock:
            if numbers[me] != mine:
                numbers["errors"] += 1
            mine += 1
            numbers[me] = mine
            numbers["all"] += 1
        box.put((me, mine))


def manager(log):
    with multiprocessing.Manager() as server:
        numbers = server.dict({"all": 0, "errors": 0, **{i: 0 for i in range(WORKERS)}})
        box, lock, stopping = server.Queue(BATCH), server.Lock(), server.Event()
        workers = [multiprocessing.Process(target=manager_worker, args=(i, numbers, box, lock, stopping)) for i in range(WORKERS)]
        for w in workers:
            w.start()
        got = {i: 0 for i in range(WORKERS)}

        def take(timeout):
            me, mine = box.get(timeout=timeout)
            log.check(mine == got[me] + 1, f"worker {me} sends {mine} after {got[me]}")
            got[me] = mine

        while log.go_on():
            take(30)
            log.step()
        stopping.set()
        while any(w.is_alive() for w in workers) or not box.empty():
            try:
                take(0.1)
            except Exception as e:
                log.check(type(e).__name__ == "Empty", repr(e))
        for w in workers:
            log.check(w.exitcode == 0, f"{w.name} ended with {w.exitcode}")
        now = numbers.copy()
        log.check(now == {"all": sum(got.values()), "errors": 0, **got}, f"the server has {now}, the queue brought {got}")
    log.end(f"{sum(got.values())} calls")


# --- concurrent.futures: a pool of processes and one of threads, chained ---

local = threading.local()


def future_task(n):
    return n, sum(range(n % 1000)), os.getpid()


def thread_task(future):
    local.count = getattr(local, "count", 0) + 1
    return future.result(timeout=60)


def futures(log):
    pids = set()
    with concurrent.futures.ProcessPoolExecutor(WORKERS) as processes, \
            concurrent.futures.ThreadPoolExecutor(WORKERS) as threads:
        while log.go_on():
            batch = [threads.submit(thread_task, processes.submit(future_task, log.count + i)) for i in range(BATCH)]
            for n in [f.result(timeout=60) for f in batch]:
                log.check(n[0] == log.count and n[1] == sum(range(n[0] % 1000)), f"result {n}")
                pids.add(n[2])
                log.step()
            time.sleep(0.005)
    log.check(len(pids) <= WORKERS, f"{len(pids)} workers have answered")
    log.end(f"{log.count} futures by {len(pids)} processes")


if __name__ == "__main__":
    {"pool": pool, "shm": shm, "manager": manager, "futures": futures}[sys.argv[1]](Log(*sys.argv[2:]))
