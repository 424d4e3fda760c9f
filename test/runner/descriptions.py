"""What tests there are, what their descriptions say, and how one can end."""

import ast
import glob
import os
import re
import shlex

# The directory test/, which holds zdtm/ and the runner.
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLASSES = ('static', 'transition')
# How much slower than usual this machine is, an emulated one for instance.
PATIENCE = float(os.environ.get('TEST_PATIENCE', '1'))

KNOWN_FLAGS = {'suid', 'nouser', 'noauto', 'excl', 'crfail', 'reqrst', 'samens', 'nolazy', 'noremotelazy',
               'pre-dump-notify', 'crlib', 'nostop', 'nostate'}
KNOWN_KEYS = {'flavor', 'flags', 'feature', 'opts', 'dopts', 'ropts', 'deps', 'arch', 'timeout', 'bind', 'hugepages',
              'says', 'warns'}


class Failed(Exception):
    """The test did not pass; the text says why."""


class Skipped(Exception):
    """The test can't be judged here; the text says why."""


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
    def hugepages(self):
        """{kB: how many}"""
        wanted = self.values.get('hugepages', {})
        return wanted if isinstance(wanted, dict) else {2048: wanted}

    def texts(self, which):
        """Regular expressions."""
        found = self.values.get(which, [])
        return [found] if isinstance(found, str) else found

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
