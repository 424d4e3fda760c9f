"""One test: start it, dump it, restore it, ask it whether it noticed."""

import fcntl
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback

from runner.criu import TAIL_LINES, Criu
from runner.descriptions import HERE, PATIENCE, Desc, Failed, Skipped
from runner.images import check_stats
from runner.visible import (all_pids, differences, list_dir, read_text, settled_state, status_fields, tree_of,
                            visible_state)

TEST_USER = {'ZDTM_UID': '18943', 'ZDTM_GID': '58467', 'ZDTM_GROUPS': '27495 48244'}
GONE_SECONDS = 30 * PATIENCE


class Test:
    def __init__(self, name, opts):
        self.name = name
        self.opts = opts
        self.cls = name.split('/')[1]
        self.dir = os.path.join(HERE, os.path.dirname(name))
        self.short = os.path.basename(name)
        self.path = os.path.join(HERE, name)
        self.desc = Desc(self.path + '.desc')
        self.criu = None if opts.nocr else Criu(opts, name)
        self.pid = 0
        self.env = dict(os.environ)
        if 'suid' not in self.desc.flags:
            self.env.update(TEST_USER)
        self.env['ZDTM_THREAD_BOMB'] = '5'
        self.lacks = None

    # Starting and stopping

    def check_runnable(self):
        desc = self.desc
        if self.lacks:
            raise Skipped(self.lacks)
        if self.opts.flavor not in desc.flavors:
            raise Skipped(f'flavor {self.opts.flavor} not supported by the test')
        if desc.arch and desc.arch != platform.machine():
            raise Skipped(f'needs the architecture {desc.arch}')
        if 'reqrst' in desc.flags and (self.opts.norst or not self.criu):
            raise Skipped('needs a restore')
        if 'nostop' in desc.flags and self.opts.stop:
            raise Skipped('would notice the signals of --stop')
        if os.path.exists(self.path + '.checkskip'):
            check = subprocess.run([self.path + '.checkskip'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, text=True)
            if check.returncode:
                raise Skipped(check.stdout.strip() or 'checkskip')
        if self.criu:
            for feature in desc.features:
                if not self.criu.has(feature):
                    raise Skipped(f'criu check --feature {feature} says no')

    def make(self, target):
        result = subprocess.run(['make', '--no-print-directory', '-s', '-C', self.dir, f'{self.short}.{target}'],
                                env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=self.desc.timeout)
        if result.returncode:
            raise Failed(f'make {self.short}.{target}: {result.stdout.strip()}')

    def hook(self, *args):
        if os.path.exists(self.path + '.hook'):
            env = dict(self.env, ZDTM_TEST_PID=str(self.pid))
            if self.criu:
                env['ZDTM_CRIU'] = self.criu.bin
            if '--pre-restore' in args or '--post-restore' in args:
                env['ZDTM_IMG_DIR'] = os.path.abspath(os.path.dirname(self.criu.dir))
            if subprocess.call([self.path + '.hook', *args], env=env, cwd=HERE, stdin=subprocess.DEVNULL):
                raise Failed(f'{self.short}.hook {" ".join(args)} failed')

    def start(self):
        self.make('cleanout')
        try:
            self.make('pid')
        except subprocess.TimeoutExpired:
            raise Failed(f'not ready within {self.desc.timeout:g} s')
        with open(self.path + '.pid') as f:
            self.pid = int(f.readline())
        self.hook('--post-start')
        said = re.search(r'SKIP: (.*)', read_text(self.path + '.out.inprogress'))
        if said:
            raise Skipped(said.group(1))

    def is_gone(self, pid):
        try:
            # Only a child if restored with --sibling.
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        return not os.path.exists(f'/proc/{pid}')

    def wait_gone(self, pids, seconds, what):
        deadline = time.monotonic() + seconds
        for pid in pids:
            while not self.is_gone(pid):
                if time.monotonic() > deadline:
                    name = read_text(f'/proc/{pid}/comm').strip()
                    state = status_fields(f'/proc/{pid}').get('State')
                    raise Failed(f'{what}: process {pid} ({name}, {state}) is still there after {seconds:g} s')
                time.sleep(0.01)

    def finish(self):
        try:
            os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            raise Failed(f'the test (pid {self.pid}) is gone before it was told to end')
        self.wait_gone([self.pid], max(GONE_SECONDS, self.desc.timeout), 'after SIGTERM')
        if not os.path.exists(self.path + '.out'):
            raise Failed('the test left no output: it did not exit by itself')
        lines = read_text(self.path + '.out').strip().splitlines()
        if not lines or not re.search(r'\bPASS\b', lines[-1]):
            raise Failed('the last line of the output is not PASS')

    # Checkpoint and restore

    def check_stopped(self, when):
        """Every thread; one that was about to run takes its stop within a moment."""
        deadline = time.monotonic() + 1
        while True:
            running = self.not_stopped()
            if not running:
                return
            if time.monotonic() > deadline:
                raise Failed(f'{when}: {running}')
            time.sleep(0.01)

    def not_stopped(self):
        for pid in tree_of(self.pid):
            for tid in list_dir(f'/proc/{pid}/task'):
                letter = status_fields(f'/proc/{pid}/task/{tid}').get('State', '?')[:1]
                if letter not in 'TtZ':
                    return f'thread {tid} of {pid} is not stopped but {letter}'
        return None

    def signal_tree(self, sig):
        for pid in tree_of(self.pid):
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                # Ended by the signal to its parent, or by itself.
                pass

    def check_same(self, before, when):
        """The visible state must be as before; given a second for what a woken task does first."""
        if self.cls != 'static' or 'nostate' in self.desc.flags or self.opts.ignore_state:
            return
        deadline = time.monotonic() + 1
        while True:
            diff = differences(before, visible_state(self.pid))
            if not diff:
                return
            if time.monotonic() > deadline:
                raise Failed(f'visible state has changed {when}:\n    ' + '\n    '.join(diff))
            time.sleep(0.05)

    def leftover_files(self):
        found = []
        for top in (self.dir, '/dev/shm'):
            for base, _, files in os.walk(top):
                found += [os.path.join(base, f) for f in files
                          if f.startswith('link_remap.') or '.cr.' in f or f.endswith('.ghost')]
        return found

    def check_leftovers(self, when):
        # Tests that run beside this one may have such files for a moment.
        deadline = time.monotonic() + 3
        while True:
            found = self.leftover_files()
            if not found:
                return
            if time.monotonic() > deadline:
                raise Failed(f'{when}: left behind: {" ".join(found)}')
            time.sleep(0.1)

    def check_sysv(self):
        """The test has removed its own, and the namespace has no others."""
        for kind in ('shm', 'sem', 'msg'):
            found = read_text(f'/proc/sysvipc/{kind}').splitlines()[1:]
            if found:
                raise Failed(f'System V objects ({kind}) left behind:\n    ' + '\n    '.join(found))

    def check_strangers(self, before, when):
        """Nothing but the tree may have been started by criu and live on."""
        deadline = time.monotonic() + 3
        strangers = all_pids()
        while True:
            # Descendants come and go between the two lists; a stranger is there each time.
            strangers &= all_pids() - set(tree_of(self.pid)) - before
            if not strangers:
                return
            if time.monotonic() > deadline:
                names = [f'{p} ({read_text(f"/proc/{p}/comm").strip()})' for p in strangers]
                raise Failed(f'{when}: left running: {" ".join(names)}')
            time.sleep(0.05)

    def check_reasons(self):
        """A refusal that is another than the one meant would prove nothing."""
        said = [x for x in self.criu.lines('dump', 'Error') if not re.match('the dump was refused for', x)]
        wanted = self.desc.texts('says')
        if not wanted and not os.path.exists(self.path + '.hook'):
            raise Failed("nothing is said of the reason ('says' in the description)")
        for text in wanted:
            if not any(re.search(text, x) for x in said):
                raise Failed(f'the dump was not refused for {text!r} but for\n    ' + '\n    '.join(said))
        for line in said:
            if wanted and not any(re.search(text, line) for text in wanted):
                raise Failed(f'the dump was also refused for\n    {line}')

    def check_warnings(self, action):
        for text in self.desc.texts('warns'):
            if not any(re.search(text, x) for x in self.criu.lines(action, 'Warn')):
                raise Failed(f'{action} has not warned of {text!r}')

    def dump(self):
        tree = tree_of(self.pid)
        criu = self.criu
        criu.next_dir(self.pid)
        options = ['--tree', str(self.pid)]
        if criu.parent and criu.has('mem_dirty_track'):
            options += ['--prev-images-dir', f'../{criu.parent}', '--track-mem']
        options += self.desc.options('dopts')
        options += ['--timeout', '10']
        if self.opts.stop:
            options += ['--leave-stopped']
        if self.opts.norst:
            options += ['--leave-running']

        before = settled_state(self.pid)
        others = all_pids() - set(tree)
        ret = criu.call('dump', options)

        if 'crfail' in self.desc.flags:
            if ret <= 0:
                raise Failed(f'dump must fail with an exit status, it returned {ret}')
            if not criu.said_error('dump'):
                raise Failed('dump failed without an Error line')
            self.check_reasons()
            self.check_same(before, 'by a dump that failed')
            return None
        if ret:
            raise Failed(f'criu dump returned {ret}')
        self.check_warnings('dump')
        check_stats(criu.dir)
        criu.parent = criu.count

        if self.opts.norst:
            self.check_same(before, 'by a dump with --leave-running')
            self.check_strangers(others, 'dump')
            return None
        if self.opts.stop:
            self.check_stopped('dump --leave-stopped')
            self.signal_tree(signal.SIGKILL)
        self.wait_gone(tree, GONE_SECONDS, 'dump')
        self.check_strangers(others, 'dump')
        return before

    def restore(self, before):
        criu = self.criu
        pidfile = self.path + '.pid'
        os.unlink(pidfile)
        others = all_pids()
        options = []
        if self.opts.sibling:
            options += ['--restore-sibling']
        options += self.desc.options('ropts')
        options += ['--pidfile', pidfile]
        if self.opts.stop:
            options += ['--leave-stopped']
        options += ['--restore-detached']

        ret = criu.call('restore', options)
        if ret:
            raise Failed(f'criu restore returned {ret}')
        criu.parent = None
        if read_text(pidfile).strip() != str(self.pid):
            raise Failed(f'restore wrote {read_text(pidfile)!r} to the pid file, the test was {self.pid}')
        if self.opts.stop:
            self.check_stopped('restore --leave-stopped')
            self.signal_tree(signal.SIGCONT)
        if self.opts.sibling:
            before[f'process {self.pid}']['PPid'] = str(os.getpid())
        self.check_same(before, 'by dump and restore')
        self.check_strangers(others, 'restore')

    def check_crfail_images(self):
        if os.path.exists(os.path.join(self.criu.dir, 'inventory.img')):
            raise Failed('a failed dump has left an inventory.img')

    def checkpoint(self, n):
        if n and self.opts.iter_pause:
            time.sleep(self.opts.iter_pause)
        if self.cls == 'transition':
            time.sleep(random.random())
        self.hook('--pre-dump')
        before = self.dump()
        if 'crfail' in self.desc.flags:
            self.check_leftovers('dump')
            self.check_crfail_images()
            return
        # A dump with --link-remap makes names that restore takes away.
        if '--link-remap' not in self.desc.options('dopts'):
            self.check_leftovers('dump')
        if self.opts.norst:
            return
        self.hook('--pre-restore')
        self.restore(before)
        self.check_leftovers('restore')
        self.hook('--post-restore')

    def idle(self):
        """In place of checkpoints: what would be compared must stand still by itself."""
        before = settled_state(self.pid)
        time.sleep(random.uniform(0.2, 0.6))
        self.check_same(before, 'without a dump')

    def run(self):
        self.check_runnable()
        self.start()
        if self.criu:
            for n in range(self.opts.iter_count):
                self.checkpoint(n)
        else:
            self.idle()
        self.finish()
        self.check_sysv()
        self.hook('--clean')

    def report_failure(self, reason):
        print(f'FAIL {self.name}: {reason}')
        for suffix in ('.out', '.out.inprogress'):
            if os.path.exists(self.path + suffix):
                print(f'--- {self.short}{suffix}')
                print(''.join('    ' + x + '\n' for x in read_text(self.path + suffix).splitlines()[-TAIL_LINES:]),
                      end='')
        if self.criu:
            self.criu.report(True)

    def clean(self, passed):
        if self.criu:
            keep = self.opts.keep_img
            if keep == 'never' or (keep == 'failed' and passed):
                self.criu.remove_images()
        if passed:
            self.make('cleanout')

    def execute(self):
        """Run the test to its end; a (verdict, reason) pair."""
        # Another runner may be at the same test; its files have the same names.
        lock = open(self.path + '.c')
        fcntl.flock(lock, fcntl.LOCK_EX)
        if self.criu:
            # Images of a former run would be taken for this one's.
            shutil.rmtree(self.criu.base, ignore_errors=True)
        try:
            self.run()
            verdict, reason = 'pass', ''
            if self.criu:
                self.criu.report(False)
        except Skipped as e:
            verdict, reason = 'skip', str(e)
        except Failed as e:
            verdict, reason = 'fail', str(e)
        except Exception as e:
            traceback.print_exc(file=sys.stdout)
            verdict, reason = 'fail', f'{type(e).__name__}: {e}'
        if verdict == 'fail':
            self.report_failure(reason)
        if verdict == 'skip' and self.pid:
            self.signal_tree(signal.SIGKILL)
            self.wait_gone([self.pid], GONE_SECONDS, 'skip')
        self.clean(verdict != 'fail')
        return verdict, reason
