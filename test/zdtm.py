#!/usr/bin/python3
"""Run the zdtm tests: start a test, dump it, restore it, ask it whether it noticed.

Every test runs in pid, mount and IPC namespaces of its own, so that the pids it had
are free at restore and nothing survives it. See zdtm/README.md.
"""
import argparse
import os
import subprocess
import sys
import tempfile

from runner.descriptions import HERE, Desc, all_tests, select_tests
from runner.suite import Run, TestDirs, build, closed_directory

# Mainline's runner has them; the modes behind them are not there yet.
REFUSED = {
    '--pre': 1, '--snaps': 0, '--page-server': 0, '--lazy-pages': 0, '--remote-lazy-pages': 0, '--lazy-migrate': 0,
    '--dedup': 0, '--noauto-dedup': 0, '--pre-dump-mode': 1, '--rpc': 0, '--criu-config': 0, '--fault': 1, '--sat': 0,
    '--freezecg': 1, '--user': 0, '--rootless': 0, '--join-ns': 0, '--empty-ns': 0, '--stream': 0, '--tls': 0,
    '--script': 1, '--preload-libfault': 0, '--mntns-compat-mode': 0, '--set': 1, '-F': 1, '--load-pinned-file': 1,
    '--show-stats': 0, '--dry-run': 0, '--mocked-cuda-checkpoint': 0, '--crit-bin': 1, '--pycriu-search-path': 1,
}


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
    run.add_argument('--ignore-state', action='store_true', help='only what the test checks, not the visible state')
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
