#!/usr/bin/python3
"""Run the zdtm tests: start a test, dump it, restore it, ask it whether it noticed.

Every test runs in pid, mount and IPC namespaces of its own, so that the pids it had
are free at restore and nothing survives it. See zdtm/README.md.
"""

import argparse
import ast
import collections
import contextlib
import ctypes
import errno
import fcntl
import glob
import json
import os
import platform
import random
import re
import shlex
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES = ('static', 'transition')
TEST_USER = {'ZDTM_UID': '18943', 'ZDTM_GID': '58467', 'ZDTM_GROUPS': '27495 48244'}
# How much slower than usual this machine is, an emulated one for instance.
PATIENCE = float(os.environ.get('TEST_PATIENCE', '1'))
CRIU_SECONDS = 60 * PATIENCE
GONE_SECONDS = 30 * PATIENCE
TAIL_LINES = 25

KNOWN_FLAGS = {'suid', 'nouser', 'noauto', 'excl', 'crfail', 'reqrst', 'samens', 'nolazy', 'noremotelazy',
               'pre-dump-notify', 'crlib', 'nostop', 'nostate'}
KNOWN_KEYS = {'flavor', 'flags', 'feature', 'opts', 'dopts', 'ropts', 'deps', 'arch', 'timeout', 'bind'}

# Mainline's runner has them; the modes behind them are not there yet.
REFUSED = {
    '--pre': 1, '--snaps': 0, '--page-server': 0, '--lazy-pages': 0, '--remote-lazy-pages': 0, '--lazy-migrate': 0,
    '--dedup': 0, '--noauto-dedup': 0, '--pre-dump-mode': 1, '--rpc': 0, '--criu-config': 0, '--fault': 1, '--sat': 0,
    '--freezecg': 1, '--user': 0, '--rootless': 0, '--join-ns': 0, '--empty-ns': 0, '--stream': 0, '--tls': 0,
    '--script': 1, '--preload-libfault': 0, '--mntns-compat-mode': 0, '--set': 1, '-F': 1, '--load-pinned-file': 1,
    '--show-stats': 0, '--dry-run': 0, '--mocked-cuda-checkpoint': 0, '--crit-bin': 1, '--pycriu-search-path': 1,
}


class Failed(Exception):
    """The test did not pass; the text says why."""


class Skipped(Exception):
    """The test can't be judged here; the text says why."""


# --- Descriptions of tests ---

class Desc:
    """The NAME.desc file of a test, with defaults."""

    def __init__(self, path):
        self.values = {}
        if os.path.exists(path):
            with open(path) as f:
                self.values = ast.literal_eval(f.read())
        unknown = set(self.values) - KNOWN_KEYS
        unknown |= self.flags - KNOWN_FLAGS
        if unknown:
            raise SystemExit(f'{path}: unknown: {" ".join(sorted(unknown))}')

    @property
    def flags(self):
        return set(self.values.get('flags', '').split())

    @property
    def flavors(self):
        return self.values.get('flavor', 'h').split()

    @property
    def features(self):
        return self.values.get('feature', '').split()

    @property
    def timeout(self):
        return int(self.values.get('timeout', 30)) * PATIENCE

    @property
    def arch(self):
        return self.values.get('arch')

    def options(self, which):
        return shlex.split(self.values.get('opts', '')) + shlex.split(self.values.get(which, ''))

    def alone(self):
        return 'excl' in self.flags or '--link-remap' in self.options('dopts')


def all_tests():
    names = []
    for cls in CLASSES:
        for path in glob.glob(os.path.join(HERE, 'zdtm', cls, '*.c')):
            names.append(f'zdtm/{cls}/{os.path.basename(path)[:-2]}')
    return sorted(names)


def select_tests(opts):
    known = all_tests()
    if opts.test:
        chosen = []
        for wanted in opts.test:
            found = [n for n in known if n == wanted or n.endswith('/' + wanted)]
            if len(found) != 1:
                raise SystemExit(f'{wanted}: {len(found)} tests have this name')
            chosen += found
    else:
        chosen = [n for n in known if opts.all or re.search(opts.tests, n)]
        chosen = [n for n in chosen if 'noauto' not in Desc(os.path.join(HERE, n + '.desc')).flags]
    return [n for n in chosen if not any(re.search(x, n) for x in opts.exclude)]


# --- What is visible of a process ---

def read_text(path):
    try:
        with open(path, 'rb') as f:
            return f.read().decode(errors='backslashreplace')
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))


def read_link(path):
    try:
        return os.readlink(path)
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))


def remove_empty(top):
    for path, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(path)


def list_dir(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def children_of(pid):
    found = []
    for tid in list_dir(f'/proc/{pid}/task'):
        text = read_text(f'/proc/{pid}/task/{tid}/children')
        found += [int(p) for p in text.split() if p.isdigit()]
    return found


def tree_of(root):
    pids, todo = [], [root]
    while todo:
        pid = todo.pop()
        if os.path.exists(f'/proc/{pid}'):
            pids.append(pid)
            todo += children_of(pid)
    return sorted(pids)


def all_pids():
    return {int(p) for p in os.listdir('/proc') if p.isdigit()}


def status_fields(pid_dir):
    fields = {}
    for line in read_text(f'{pid_dir}/status').splitlines():
        key, _, value = line.partition(':')
        fields[key] = value.strip()
    return fields


STATUS_TASK = ('Name', 'Uid', 'Gid', 'Groups', 'SigBlk', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb',
               'NoNewPrivs', 'Seccomp', 'Seccomp_filters', 'Cpus_allowed_list', 'Mems_allowed_list', 'TracerPid')
STATUS_PROCESS = ('Umask', 'Tgid', 'PPid', 'NSpid', 'NSsid', 'NSpgid', 'Threads', 'SigIgn', 'SigCgt', 'THP_enabled')
# Numbers as in proc(5).
STAT_TASK = {'nice': 19, 'rt_priority': 40, 'policy': 41, 'exit_signal': 38}
STAT_PROCESS = {'pgrp': 5, 'session': 6, 'tty': 7, 'tpgid': 8, 'start_code': 26, 'end_code': 27, 'start_stack': 28,
                'start_data': 45, 'end_data': 46, 'start_brk': 47, 'arg_start': 48, 'arg_end': 49, 'env_start': 50,
                'env_end': 51, 'exit_code': 52}


# What the kernel still shows of a zombie although nothing can come of it any more.
ZOMBIE_LEFTOVERS = ('SigBlk', 'SigIgn', 'SigCgt', 'SigPnd', 'ShdPnd', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters',
                    'nice', 'rt_priority', 'policy', 'Cpus_allowed_list', 'Umask', 'limits', 'oom_score_adj',
                    'personality', 'timerslack_ns')


def without_leftovers(state):
    return {k: v for k, v in state.items() if k not in ZOMBIE_LEFTOVERS}


def stat_fields(pid_dir, wanted):
    after_comm = read_text(f'{pid_dir}/stat').rpartition(')')[2].split()
    return {name: after_comm[n - 3] for name, n in wanted.items() if len(after_comm) > n - 3}


def blocked_pending(fields, key):
    """A signal that isn't blocked is on its way and seen by chance only."""
    try:
        return f"{int(fields[key], 16) & int(fields['SigBlk'], 16):016x}"
    except KeyError:
        return ''


def task_state(pid_dir):
    fields = status_fields(pid_dir)
    state = {k: fields.get(k) for k in STATUS_TASK}
    state.update(stat_fields(pid_dir, STAT_TASK))
    letter = fields.get('State', '?')[:1]
    state['state'] = 'alive' if letter in 'RSDI' else letter
    state['SigPnd'] = blocked_pending(fields, 'SigPnd')
    return state


def lock_state(line):
    """Kind, mode, type and range; the process may be gone, and a deleted file is another inode."""
    _, kind, mode, how, _, _, *span = line.split()
    return ' '.join([kind, mode, how, *span])


def fd_state(pid):
    fds = {}
    for fd in list_dir(f'/proc/{pid}/fd'):
        path = f'/proc/{pid}/fd/{fd}'
        lines = [line.split(':', 1) for line in read_text(f'/proc/{pid}/fdinfo/{fd}').splitlines() if ':' in line]
        info = dict(lines)
        locks = sorted(lock_state(value) for key, value in lines if key == 'lock')
        # The numbers of kernel objects change: pipe:[123], anon_inode:..., socket:[123].
        what = re.sub(r':\[\d+\]$', ':[]', read_link(path))
        if what.endswith(' (deleted)'):
            what = '(deleted)'
        try:
            regular = stat.S_ISREG(os.stat(path).st_mode)
        except OSError:
            regular = False
        fds[int(fd)] = (what, info.get('flags', '').strip(), info.get('pos', '').strip() if regular else '', *locks)
    return fds


def maps_state(pid):
    """Mappings with range, permissions and name; neighbours that only differ in where they were split are merged."""
    areas = []
    for line in read_text(f'/proc/{pid}/maps').splitlines():
        if '-' not in line:
            continue
        span, perms, offset, _, _, *name = line.split(None, 5)
        start, end = (int(x, 16) for x in span.split('-'))
        offset = int(offset, 16)
        name = name[0] if name else ''
        is_file = name.startswith('/')
        if areas:
            last = areas[-1]
            follows = not is_file or offset == last[4] + start - last[0]
            if last[1] == start and last[2:4] == [perms, name] and follows:
                last[1] = end
                continue
        areas.append([start, end, perms, name, offset])
    return [f'{s:x}-{e:x} {p} {o if n.startswith("/") else 0:x} {n}' for s, e, p, n, o in areas]


def process_state(pid):
    base = f'/proc/{pid}'
    fields = status_fields(base)
    state = {k: fields.get(k) for k in STATUS_PROCESS}
    state.update(stat_fields(base, STAT_PROCESS))
    state['ShdPnd'] = blocked_pending(fields, 'ShdPnd')
    for link in ('cwd', 'root', 'exe'):
        state[link] = read_link(f'{base}/{link}')
    for name in ('cmdline', 'environ', 'auxv', 'limits', 'oom_score_adj', 'personality', 'coredump_filter',
                 'loginuid', 'cgroup'):
        state[name] = read_text(f'{base}/{name}')
    try:
        state['owner'] = os.stat(f'{base}/fd').st_uid
    except OSError:
        state['owner'] = None
    state['maps'] = maps_state(pid)
    state['fds'] = fd_state(pid)
    for tid in sorted(map(int, list_dir(f'{base}/task'))):
        thread = task_state(f'{base}/task/{tid}')
        thread['timerslack_ns'] = read_text(f'/proc/{tid}/timerslack_ns')
        if thread['state'] == 'Z':
            thread, state = without_leftovers(thread), without_leftovers(state)
        state[f'thread {tid}'] = thread
    return state


def visible_state(root):
    return {f'process {pid}': process_state(pid) for pid in tree_of(root)}


def settled_state(root):
    """The state once it has stopped changing: children may still be on their way to sleep."""
    before = visible_state(root)
    for _ in range(25):
        time.sleep(0.02)
        now = visible_state(root)
        if now == before:
            break
        before = now
    return before


def clip(value):
    text = repr(value)
    return text if len(text) <= 160 else text[:160] + '...'


def clip_pair(before, after):
    """Long texts from where they begin to differ."""
    if isinstance(before, str) and isinstance(after, str):
        same = len(os.path.commonprefix([before, after]))
        start = max(0, same - 20)
        before, after = before[start:], after[start:]
    return f'before {clip(before)} after {clip(after)}'


def differences(before, after, where=''):
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in sorted(set(before) | set(after), key=str):
            found += differences(before.get(key), after.get(key), f'{where}{key}: ')
        return found
    if isinstance(before, list) and isinstance(after, list):
        return [f'{where}lost {x}' for x in before if x not in after] + \
               [f'{where}new {x}' for x in after if x not in before] or [f'{where}other order']
    return [where + clip_pair(before, after)]


# --- The image directory ---

IMG_SERVICE_MAGIC = 0x55105940
STATS_MAGIC = 0x57093306
STATS_DUMP = 1
PAGES_WRITTEN = 7
SHPAGES_WRITTEN = 14


def protobuf_fields(data):
    """(number, value) of every field of one protobuf message."""
    pos = 0

    def varint():
        nonlocal pos
        value = shift = 0
        while True:
            byte = data[pos]
            pos += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while pos < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value = data[pos:pos + size]
            pos += size
        elif kind == 2:
            size = varint()
            value = data[pos:pos + size]
            pos += size
        else:
            raise Failed(f'stats-dump: bad wire type {kind}')
        yield key >> 3, value


def check_stats(imgdir):
    path = os.path.join(imgdir, 'stats-dump')
    if not os.access(path, os.R_OK):
        return
    with open(path, 'rb') as f:
        data = f.read()
    if len(data) < 12:
        raise Failed('stats-dump: too short')
    first, second, size = struct.unpack('<III', data[:12])
    if (first, second) != (IMG_SERVICE_MAGIC, STATS_MAGIC) or len(data) != 12 + size:
        raise Failed('stats-dump: bad header')
    entry = dict(protobuf_fields(dict(protobuf_fields(data[12:]))[STATS_DUMP]))
    counted = entry.get(PAGES_WRITTEN, 0) + entry.get(SHPAGES_WRITTEN, 0)
    written = sum(os.path.getsize(p) for p in glob.glob(os.path.join(imgdir, 'pages-*')))
    page = os.sysconf('SC_PAGESIZE')
    if written % page:
        raise Failed(f'pages-*.img: {written} bytes are no whole number of pages')
    if counted != written // page:
        raise Failed(f'stats-dump counts {counted} pages, the images have {written // page}')


def report_log(title, path, full_context):
    """Print what a log says of errors, and on failure its end."""
    try:
        with open(path, errors='replace') as f:
            lines = f.read().splitlines()
    except OSError as e:
        print(f'--- {title}: {e.strerror}')
        return
    shown = set()
    for i, line in enumerate(lines):
        if re.search(r'\bError\b', line) or (full_context and re.search(r'\bWarn\b', line)):
            shown.update(range(max(0, i - 5), i + 1))
            if line.endswith('>'):
                shown.add(i + 1)
    if full_context:
        shown.update(range(max(0, len(lines) - TAIL_LINES), len(lines)))
    if shown:
        print(f'--- {title} ({len(lines)} lines)')
    last = -1
    for i in sorted(s for s in shown if s < len(lines)):
        if i != last + 1:
            print('    ...')
        print('    ' + lines[i])
        last = i


# --- criu ---

class Criu:
    """Calls criu for one test; keeps the numbered image directories."""

    def __init__(self, opts, name):
        self.bin = os.path.join(HERE, opts.criu_bin)
        self.base = os.path.join('dump', name)
        self.dir = None
        self.count = 0
        self.parent = None
        self.env = dict(os.environ, CRIU_LIBS_DIR=os.path.join(HERE, 'plugins'))
        self.env.setdefault('ASAN_OPTIONS', 'log_path=asan.log:disable_coredump=0:detect_leaks=0')

    def next_dir(self, pid):
        self.count += 1
        self.dir = os.path.join(self.base, str(pid), str(self.count))
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o777)

    def call(self, action, options):
        """Run one action; its exit status, negative for a signal."""
        log = os.path.join(self.dir, f'{action}.log')
        cmd = [self.bin, action, '--no-default-config', '--log-file', f'{action}.log', '--images-dir', self.dir,
               '--verbosity=4'] + options
        with open(os.path.join(self.dir, f'{action}.out'), 'w') as out:
            print('=> ' + ' '.join(cmd[1:]), flush=True)
            child = subprocess.Popen(cmd, stdout=out, stderr=out, env=self.env, close_fds=False)
            try:
                ret = child.wait(CRIU_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                raise Failed(f'criu {action} took more than {CRIU_SECONDS:g} s')
        if not os.path.exists(log):
            raise Failed(f'criu {action} returned {ret} and left no {action}.log')
        return ret

    def said_error(self, action):
        return any('Error' in read_text(os.path.join(self.dir, f'{action}.{x}')) for x in ('log', 'out'))

    def has(self, feature):
        return subprocess.call([self.bin, 'check', '--no-default-config', '-verbosity=0', '--feature', feature],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0

    def report(self, full_context):
        for action in ('dump', 'restore'):
            log = os.path.join(self.dir or '', f'{action}.log')
            if self.dir and os.path.exists(log):
                report_log(log, log, full_context)
                text = read_text(os.path.join(self.dir, f'{action}.out')).strip()
                if text and full_context:
                    print(f'--- {action}, stdout and stderr\n{text}')

    def remove_images(self):
        shutil.rmtree(self.base, ignore_errors=True)


# --- One test ---

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

    # Starting and stopping

    def check_runnable(self):
        desc = self.desc
        if self.opts.flavor not in desc.flavors:
            raise Skipped(f'flavor {self.opts.flavor} not supported by the test')
        if desc.arch and desc.arch != platform.machine():
            raise Skipped(f'needs the architecture {desc.arch}')
        if 'reqrst' in desc.flags and self.opts.norst:
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
        if self.cls != 'static' or 'nostate' in self.desc.flags:
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

    def check_segments(self):
        """The test has removed its own, and the namespace has no others."""
        found = read_text('/proc/sysvipc/shm').splitlines()[1:]
        if found:
            raise Failed('System V segments left behind:\n    ' + '\n    '.join(found))

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
            self.check_same(before, 'by a dump that failed')
            return None
        if ret:
            raise Failed(f'criu dump returned {ret}')
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
        self.check_segments()
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
            import traceback
            traceback.print_exc(file=sys.stdout)
            verdict, reason = 'fail', f'{type(e).__name__}: {e}'
        if verdict == 'fail':
            self.report_failure(reason)
        if verdict == 'skip' and self.pid:
            self.signal_tree(signal.SIGKILL)
            self.wait_gone([self.pid], GONE_SECONDS, 'skip')
        self.clean(verdict != 'fail')
        return verdict, reason


# --- The private namespaces of a test ---

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWIPC = 0x08000000
MS_REC_PRIVATE = 0x4000 | 0x40000
MS_PROC = 0x2 | 0x4 | 0x8
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


def libc_call(name, *args):
    if getattr(libc, name)(*args):
        e = ctypes.get_errno()
        raise OSError(e, f'{name}: {os.strerror(e)}')


def run_init(work):
    """Process 1 of the namespace: reap whatever is orphaned until the worker ends."""
    libc_call('prctl', PR_SET_PDEATHSIG, signal.SIGKILL)
    libc_call('mount', b'none', b'/', None, MS_REC_PRIVATE, None)
    libc_call('mount', b'proc', b'/proc', b'proc', MS_PROC, None)
    worker = os.fork()
    if not worker:
        work()
        os._exit(0)
    while True:
        pid, status = os.wait()
        if pid == worker:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def in_namespaces(work):
    """Fork a child that runs @work in new namespaces and ends with its status; the pid of that child."""
    pid = os.fork()
    if pid:
        return pid
    try:
        libc_call('prctl', PR_SET_PDEATHSIG, signal.SIGKILL)
        libc_call('unshare', CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC)
        init = os.fork()
        if not init:
            run_init(work)
        # Ending the init ends everything in its namespace.
        signal.signal(signal.SIGTERM, lambda *_: os.kill(init, signal.SIGKILL))
        status = os.waitpid(init, 0)[1]
        os._exit(os.waitstatus_to_exitcode(status) & 0xff)
    except BaseException as e:
        print(f'{type(e).__name__}: {e}', flush=True)
        os._exit(1)


# --- The run ---

class Job:
    """A test under way: the process, where it prints, where its verdict will be."""

    def __init__(self, test, tmpdir):
        self.test = test
        self.output = os.path.join(tmpdir, test.name.replace('/', '_') + '.txt')
        self.result = self.output + '.result'
        iterations = 0 if test.opts.nocr else test.opts.iter_count
        self.deadline = time.monotonic() + 3 * test.desc.timeout + 2 * GONE_SECONDS + iterations * 2 * CRIU_SECONDS
        sys.stdout.flush()
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


def refuse_unimplemented(argv):
    for arg in argv:
        name = arg.split('=')[0]
        if name in REFUSED:
            raise SystemExit(f'zdtm.py: {name}: this mode is not implemented by this runner')


def parse_options(argv):
    parser = argparse.ArgumentParser(prog='zdtm.py', description='Checkpoint/restore regression tests')
    parser.add_argument('--debug', action='store_true', help=argparse.SUPPRESS)
    sub = parser.add_subparsers(dest='action', required=True)

    run = sub.add_parser('run', help='run tests', allow_abbrev=False)
    which = run.add_mutually_exclusive_group(required=True)
    which.add_argument('-a', '--all', action='store_true', help='all tests but those flagged noauto')
    which.add_argument('-t', '--test', action='append', metavar='NAME', help='this test; may be repeated')
    which.add_argument('-T', '--tests', metavar='REGEX', help='tests whose full name matches')
    run.add_argument('-x', '--exclude', action='append', default=[], metavar='REGEX', help='leave these out')
    run.add_argument('-f', '--flavor', default='h', help='only h: no namespaces but those of the runner')
    run.add_argument('--criu-bin', default='../criu/criu', metavar='FILE')
    run.add_argument('-p', '--parallel', type=int, default=1, metavar='N', help='tests at a time')
    run.add_argument('--iters', default='1', metavar='N[:SECONDS]', help='dump and restore N times')
    run.add_argument('--norst', action='store_true', help='dump with --leave-running, no restore')
    run.add_argument('--nocr', action='store_true', help='no criu at all: checks the tests')
    run.add_argument('--stop', action='store_true', help='leave the tree stopped and check that it is')
    run.add_argument('--sibling', action='store_true', help='restore as a sibling of criu')
    run.add_argument('-k', '--keep-img', choices=('always', 'never', 'failed'), default='failed')
    run.add_argument('--keep-going', action='store_true', help='go on after a failure')
    run.add_argument('--report', metavar='DIR', help='write a TAP file and the output of failed tests there')
    run.add_argument('--ignore-taint', action='store_true', help='accepted; a tainted kernel is not refused anyway')

    lst = sub.add_parser('list', help='print the names of all tests')
    lst.add_argument('-i', '--info', action='store_true', help='with their descriptions')
    return parser.parse_args(argv)


def check_options(opts):
    if opts.flavor not in ('h', 'best'):
        raise SystemExit(f'zdtm.py: -f {opts.flavor}: only the flavor h is implemented')
    opts.flavor = 'h'
    count, _, pause = opts.iters.partition(':')
    opts.iter_count, opts.iter_pause = int(count), float(pause or 0)
    if opts.stop and opts.norst:
        raise SystemExit('zdtm.py: --stop and --norst contradict each other')
    if os.geteuid():
        raise SystemExit('zdtm.py: must run as root')
    if not opts.nocr and not os.access(os.path.join(HERE, opts.criu_bin), os.X_OK):
        raise SystemExit(f'{opts.criu_bin}: no such program; build criu first or give --criu-bin')


def list_tests(opts):
    for name in all_tests():
        print(name)
        if opts.info:
            for key, value in Desc(os.path.join(HERE, name + '.desc')).values.items():
                print(f'    {key}: {value}')
    return 0


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


def run_tests(opts):
    if opts.report:
        opts.report = os.path.abspath(opts.report)
    check_options(opts)
    os.chdir(HERE)
    names = select_tests(opts)
    if not names:
        raise SystemExit('zdtm.py: no test was selected')
    build(names)
    os.umask(0o022)
    with TestDirs():
        return Run(opts, names).run()


def closed_directory():
    """One on the way here that the test user can not pass, or None."""
    path = HERE
    while path != '/':
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return path
        path = os.path.dirname(path)
    return None


def run_from_open_place():
    """From a clone in root's home, say: the same tree, mounted where everybody can pass."""
    place = tempfile.mkdtemp(prefix='zdtm-')
    os.chmod(place, 0o755)
    script = 'mount --bind "$1" "$2" && cd "$2/test" && shift 2 && exec "$@"'
    try:
        return subprocess.run(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh',
                               os.path.dirname(HERE), place, sys.executable, './zdtm.py', *sys.argv[1:]]).returncode
    finally:
        os.rmdir(place)


def main():
    refuse_unimplemented(sys.argv[1:])
    opts = parse_options(sys.argv[1:])
    if opts.action != 'list' and closed_directory():
        return run_from_open_place()
    return list_tests(opts) if opts.action == 'list' else run_tests(opts)


if __name__ == '__main__':
    sys.exit(main())
