"""How criu is called for a test, and what its logs say."""

import os
import re
import shutil
import subprocess

from runner.descriptions import HERE, PATIENCE, Failed
from runner.visible import read_text

CRIU_SECONDS = 60 * PATIENCE
TAIL_LINES = 25


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

    def lines(self, action, level):
        """What its log says at a level, 'Error' or 'Warn', without level and place."""
        text = read_text(os.path.join(self.dir, f'{action}.log'))
        return re.findall(rf'^(?:\([\d.]+\) )?{level} +\([^)]*\): (.*)$', text, re.M)

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
