"""Many tests: build them, run some at a time, count verdicts."""

import collections
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

from runner.criu import CRIU_SECONDS
from runner.descriptions import CLASSES, HERE
from runner.hugepages import HugePages
from runner.namespaces import in_namespaces
from runner.testcase import GONE_SECONDS, TEST_USER, Test
from runner.visible import read_text, remove_empty


class Job:
    """A test under way: the process, where it prints, where its verdict will be."""

    def __init__(self, test, tmpdir):
        self.test = test
        self.output = os.path.join(tmpdir, test.name.replace('/', '_') + '.txt')
        self.result = self.output + '.result'
        iterations = 0 if test.opts.nocr else test.opts.iter_count
        self.deadline = time.monotonic() + 3 * test.desc.timeout + 2 * GONE_SECONDS + iterations * 2 * CRIU_SECONDS
        sys.stdout.flush()
        self.pages = HugePages(test.desc.hugepages)
        test.lacks = self.pages.lacks
        self.pid = in_namespaces(self.work)

    def work(self):
        out = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.close(out)
        null = os.open('/dev/null', os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        verdict = self.test.execute()
        sys.stdout.flush()
        with open(self.result, 'w') as f:
            json.dump(verdict, f)

    def verdict(self):
        try:
            with open(self.result) as f:
                return tuple(json.load(f))
        except (OSError, ValueError):
            return 'fail', 'the worker died before it had a verdict'


class Run:
    def __init__(self, opts, names):
        self.opts = opts
        self.todo = [Test(n, opts) for n in names]
        self.running = {}
        self.done = []
        self.tmpdir = tempfile.mkdtemp(prefix='zdtm-')
        self.width = len(str(len(names)))
        self.total = len(names)

    def may_start(self, test):
        if len(self.running) >= self.opts.parallel:
            return False
        return not self.running or not (test.desc.alone() or any(j.test.desc.alone() for j in self.running.values()))

    def start_some(self):
        while self.todo and self.may_start(self.todo[0]):
            job = Job(self.todo.pop(0), self.tmpdir)
            self.running[job.pid] = job

    def end_late(self):
        for job in self.running.values():
            if time.monotonic() > job.deadline:
                os.kill(job.pid, signal.SIGTERM)

    def collect(self):
        pid = os.waitpid(-1, os.WNOHANG)[0]
        if not pid:
            self.end_late()
            time.sleep(0.02)
            return
        job = self.running.pop(pid, None)
        if job:
            job.pages.give_back()
            self.judge(job)

    def judge(self, job):
        verdict, reason = job.verdict()
        text = read_text(job.output) if os.path.exists(job.output) else ''
        self.done.append((job.test.name, verdict, reason, text))
        count = f'[{len(self.done):{self.width}}/{self.total}]'
        if verdict == 'fail':
            print(f'{count} FAIL {job.test.name}')
            print(''.join('    ' + x + '\n' for x in text.splitlines()), end='')
            if 'died' in reason:
                print(f'    {reason}')
            if not self.opts.keep_going:
                self.todo = []
        elif verdict == 'skip':
            print(f'{count} SKIP {job.test.name}: {reason}')
        else:
            print(f'{count} PASS {job.test.name}')
        sys.stdout.flush()

    def stop_all(self):
        for pid in list(self.running):
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
            self.running[pid].pages.give_back()

    def write_report(self):
        os.makedirs(self.opts.report, exist_ok=True)
        with open(os.path.join(self.opts.report, 'test-report.tap'), 'w') as f:
            f.write(f'TAP version 13\n1..{len(self.done)}\n')
            for n, (name, verdict, reason, _) in enumerate(self.done, 1):
                word = 'not ok' if verdict == 'fail' else 'ok'
                note = f' # SKIP {reason}' if verdict == 'skip' else ''
                f.write(f'{word} {n} - {name}{note}\n')
        for name, verdict, _, text in self.done:
            if verdict == 'fail':
                with open(os.path.join(self.opts.report, name.replace('/', '_') + '.txt'), 'w') as f:
                    f.write(text)

    def run(self):
        try:
            while self.todo or self.running:
                self.start_some()
                self.collect()
        finally:
            self.stop_all()
            shutil.rmtree(self.tmpdir, ignore_errors=True)
            remove_empty('dump')
        if self.opts.report:
            self.write_report()
        count = collections.Counter(d[1] for d in self.done)
        failed = [d[0] for d in self.done if d[1] == 'fail']
        for name, _, _, text in self.done:
            if name in failed:
                print(f'--- again, for the end of the log: {name}\n{text}')
        if failed:
            print('failed: ' + ' '.join(failed))
        left = self.total - len(self.done)
        if left:
            print(f'not run: {left} (use --keep-going)')
        print(f'{count["pass"]} passed, {count["fail"]} failed, {count["skip"]} skipped')
        return 1 if failed or left else 0


def closed_directory():
    """One on the way here that the test user can not pass, or None."""
    path = HERE
    while path != '/':
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return path
        path = os.path.dirname(path)
    return None


class TestDirs:
    """The test directories must be writable by the test user while tests run."""

    def __enter__(self):
        self.fds = []
        for cls in CLASSES:
            fd = os.open(os.path.join(HERE, 'zdtm', cls), os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(fd, fcntl.LOCK_SH)
            os.fchmod(fd, 0o777)
            self.fds.append(fd)
        closed = closed_directory()
        if closed:
            raise SystemExit(f'{closed}: the test user (uid {TEST_USER["ZDTM_UID"]}) can not pass this directory')

    def __exit__(self, *_):
        for fd in self.fds:
            try:
                # Only the last of several runners may close the door.
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.fchmod(fd, 0o755)
            except OSError:
                pass
            os.close(fd)


def build(names):
    make = ['make', '-s', '--no-print-directory', f'-j{os.cpu_count()}', '-C']
    steps = [make + ['zdtm/lib']]
    for cls in CLASSES:
        chosen = [os.path.basename(n) for n in names if n.split('/')[1] == cls]
        if chosen:
            steps.append(make + [f'zdtm/{cls}'] + chosen)
    for step in steps:
        if subprocess.call(step):
            raise SystemExit('zdtm.py: building the tests failed')
