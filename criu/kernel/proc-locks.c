/* File locks: the lines of fdinfo, and /proc/locks, which also has those who wait. Who waits for what: /proc/PID/syscall. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kernel/proc-scan.h"
#include "kernel/proc.h"
#include "util/log.h"
#include "util/mem.h"

struct lock_word {
	const char *word;
	int value;
};

static const struct lock_word lock_kinds[] = {
	{ "POSIX", PROC_LOCK_POSIX }, { "FLOCK", PROC_LOCK_FLOCK }, { "OFDLCK", PROC_LOCK_OFD },
	{ "LEASE", PROC_LOCK_LEASE }, { NULL, PROC_LOCK_OTHER },
};

static const struct lock_word lock_types[] = {
	{ "READ", F_RDLCK },
	{ "WRITE", F_WRLCK },
	{ "UNLCK", F_UNLCK },
	{ NULL, -1 },
};

enum lock_mode { MODE_PLAIN, MODE_BREAKING, MODE_OTHER };

static const struct lock_word lock_modes[] = {
	{ "ADVISORY", MODE_PLAIN },    { "ACTIVE", MODE_PLAIN },
	{ "BREAKING", MODE_BREAKING }, { "BREAKER", MODE_PLAIN }, /* who waits for the end of a lease */
	{ NULL, MODE_OTHER },
};

/* One word and the blanks behind it; what is in no row has the value of the last one. */
static const char *scan_lock_word(const char *p, const struct lock_word *row, int *ret)
{
	size_t bytes = p ? strcspn(p, " \t\n") : 0;

	if (!bytes)
		return NULL;
	while (row->word && (strlen(row->word) != bytes || strncmp(p, row->word, bytes)))
		row++;
	*ret = row->value;
	return skip_blanks(p + bytes);
}

/* "00:13:11691" or "<none>:0" */
static const char *scan_lock_inode(const char *p, struct proc_lock *lock)
{
	uint64_t major, minor;

	if (!p)
		return NULL;
	if (!strncmp(p, "<none>:0 ", 9))
		return p + 9;
	p = scan_char(scan_number(p, 16, &major), ':');
	p = scan_char(scan_number(p, 16, &minor), ':');
	p = scan_char(scan_number(p, 10, &lock->ino), ' ');
	if (!p || major > UINT_MAX || minor > UINT_MAX)
		return NULL;
	lock->dev_major = (unsigned int)major;
	lock->dev_minor = (unsigned int)minor;
	return p;
}

/* "0 EOF", "100 199" */
static const char *scan_lock_range(const char *p, struct proc_lock *lock)
{
	p = scan_char(scan_number(p, 10, &lock->start), ' ');
	lock->end = INT64_MAX;
	if (p && !strncmp(p, "EOF", 3))
		p += 3;
	else
		p = scan_number(p, 10, &lock->end);
	return p && lock->start <= lock->end && lock->end <= INT64_MAX ? p : NULL;
}

/* What stands behind the number of the line. */
static const char *scan_lock(const char *p, struct proc_lock *lock)
{
	int kind, mode;

	p = scan_lock_word(scan_lock_word(p, lock_kinds, &kind), lock_modes, &mode);
	p = scan_int(scan_lock_word(p, lock_types, &lock->type), &lock->pid);
	p = scan_lock_range(scan_lock_inode(scan_char(p, ' '), lock), lock);
	if (!p)
		return NULL;
	lock->kind = lock->type < 0 || mode == MODE_OTHER ? PROC_LOCK_OTHER : (enum proc_lock_kind)kind;
	lock->breaking = mode == MODE_BREAKING;
	return p;
}

int proc_parse_lock(const char *text, struct proc_lock *ret)
{
	struct proc_lock lock = { 0 };
	uint64_t id;
	const char *end = scan_lock(scan_char(scan_char(scan_number(text, 10, &id), ':'), ' '), &lock);

	if (!end || (*end && *end != '\n'))
		return fail(EINVAL, "malformed file lock: %.80s", text);
	*ret = lock;
	return 0;
}

/* --- all of the machine -------------------------------------------------------------- */

/* "4: POSIX ...", "4:   -> POSIX ...": a lock, then those who wait for it or for each other, under its number. */
static const char *scan_listed_lock(const char *p, uint64_t *ret_id, struct proc_lock *lock)
{
	p = scan_char(scan_number(p, 10, ret_id), ':');
	if (!p || *p != ' ')
		return NULL;
	p = skip_blanks(p);
	lock->waits = !strncmp(p, "-> ", 3);
	return scan_lock(lock->waits ? p + 3 : p, lock);
}

static int scan_locks(const char *text, proc_locks *locks)
{
	struct proc_lock head = { 0 };
	uint64_t head_id = 0, id;
	const char *next;

	for (const char *p = text; *p; p = next) {
		struct proc_lock lock = { 0 };
		const char *end = scan_listed_lock(p, &id, &lock);

		next = next_line(p);
		if (!end || *end != '\n' || !next)
			return fail(EINVAL, "malformed list of locks at: %.80s", p);
		if (!lock.waits) {
			head = lock;
			head_id = id;
		} else if (!lock.ino && head_id == id) {
			/* Who waits for a lease has no file yet. */
			lock.dev_major = head.dev_major;
			lock.dev_minor = head.dev_minor;
			lock.ino = head.ino;
		}
		VEC_PUSH(locks, lock);
	}
	return 0;
}

int proc_parse_locks(const char *text, proc_locks *ret)
{
	proc_locks locks = { 0 };
	int err = scan_locks(text, &locks);

	if (err) {
		VEC_FREE(&locks);
		return err;
	}
	*ret = locks;
	return 0;
}

int proc_read_locks(proc_locks *ret)
{
	FILE *file = fopen("/proc/locks", "re");
	auto_free char *text = NULL;
	size_t cap = 0;
	bool bad;

	if (!file)
		return fail_errno("open /proc/locks");
	errno = 0;
	/* -1 where there is nothing, as well. */
	bad = getdelim(&text, &cap, '\0', file) < 0 && ferror(file);
	fclose(file);
	if (bad)
		return fail_errno("read /proc/locks");
	return proc_parse_locks(text ?: "", ret);
}

bool proc_locks_conflict(const struct proc_lock *a, const struct proc_lock *b)
{
	const bool ranges = a->kind == PROC_LOCK_POSIX || a->kind == PROC_LOCK_OFD;

	if (ranges ? b->kind != PROC_LOCK_POSIX && b->kind != PROC_LOCK_OFD : a->kind != b->kind)
		return false;
	if (!a->ino || a->ino != b->ino || a->dev_major != b->dev_major || a->dev_minor != b->dev_minor)
		return false;
	/* Beside a lease that somebody wants to be broken there is no other that is not in the way. */
	if (a->kind == PROC_LOCK_OTHER || a->kind == PROC_LOCK_LEASE)
		return a->kind == PROC_LOCK_LEASE;
	return (a->type == F_WRLCK || b->type == F_WRLCK) && a->start <= b->end && b->start <= a->end;
}

/* --- system calls --------------------------------------------------------------------- */

int proc_parse_syscall(const char *text, struct proc_syscall *ret)
{
	struct proc_syscall call = { .nr = -1 };
	const char *p = scan_int(text, &call.nr);

	/* "running", "-1 0x7ffd... 0x7f13...": in none. */
	if (!strcmp(text, "running\n") || (p && call.nr == -1 && *p == ' ')) {
		*ret = (struct proc_syscall){ .nr = -1 };
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(call.args); i++)
		p = scan_number(scan_char(scan_char(scan_char(p, ' '), '0'), 'x'), 16, &call.args[i]);
	if (!p || *p != ' ' || call.nr < 0)
		return fail(EINVAL, "malformed system call: %.80s", text);
	*ret = call;
	return 0;
}

bool proc_read_syscall(pid_t pid, pid_t tid, struct proc_syscall *ret)
{
	auto_fd int fd = -1;
	char name[64], text[512];
	ssize_t n;

	snprintf(name, sizeof(name), "task/%d/syscall", tid);
	fd = proc_open(pid, name, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return !proc_parse_syscall(text, ret);
}
