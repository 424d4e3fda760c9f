"""For hooks of tests that are refused: before the dump of the test, one of ours, which must say why, and what helps."""
import os
import re
import subprocess
import sys
import tempfile

FIRST_FD = 100


def check(reasons):
    """Descriptor 100 and those behind it are refused for these reasons, those that are open; and nothing else is."""
    if '--pre-dump' not in sys.argv:
        return
    pid = os.environ['ZDTM_TEST_PID']
    fds = [int(fd) for fd in os.listdir(f'/proc/{pid}/fd') if int(fd) >= FIRST_FD]
    with tempfile.TemporaryDirectory() as work:
        command = [os.environ['ZDTM_CRIU'], 'dump', '--no-default-config', '-t', pid, '-D', work, '-o', 'dump.log', '-v4']
        if subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
            sys.exit('the dump was not refused')
        with open(f'{work}/dump.log') as log:
            text = log.read()
    refused = [line for line in text.splitlines() if 'Error' in line and 'the dump was refused' not in line]
    for fd in fds:
        lines = [line for line in refused if re.search(rf'\bfd {fd}: ', line)]
        if len(lines) != 1 or reasons[fd - FIRST_FD] not in lines[0] or not re.search('[Cc]lose it|--', lines[0]):
            sys.exit(f'fd {fd} ({reasons[fd - FIRST_FD]}) is not refused by name:\n' + text)
    if len(refused) != len(fds) or not fds:
        sys.exit(f'{len(fds)} descriptors, and refused:\n{text}')
