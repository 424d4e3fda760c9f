"""What can be seen of processes from outside, and how two such states differ."""

import contextlib
import errno
import os
import re
import stat
import time


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
