/* /proc/PID/stat and /proc/PID/status, and the same of single threads. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kernel/proc-scan.h"
#include "kernel/proc.h"
#include "util/log.h"

/* Field numbers as proc_pid_stat(5) counts them. */
enum stat_field {
	STAT_PPID = 4,
	STAT_PGRP = 5,
	STAT_SESSION = 6,
	STAT_TTY_NR = 7,
	STAT_TPGID = 8,
	STAT_FLAGS = 9,
	STAT_NICE = 19,
	STAT_STARTTIME = 22,
	STAT_STARTCODE = 26,
	STAT_ENDCODE = 27,
	STAT_STARTSTACK = 28,
	STAT_EXIT_SIGNAL = 38,
	STAT_START_DATA = 45,
	STAT_END_DATA = 46,
	STAT_START_BRK = 47,
	STAT_ARG_START = 48,
	STAT_ARG_END = 49,
	STAT_ENV_START = 50,
	STAT_ENV_END = 51,
	STAT_EXIT_CODE = 52,
	STAT_FIELDS,
};

/* Numbers from STAT_PPID on; negative ones keep their two's complement. */
static int scan_stat_fields(const char *p, uint64_t fields[STAT_FIELDS])
{
	for (int i = STAT_PPID; i < STAT_FIELDS; i++) {
		bool negative;

		p = scan_char(p, ' ');
		if (!p)
			return -EINVAL;
		negative = *p == '-';
		p = scan_number(negative ? p + 1 : p, 10, &fields[i]);
		if (!p)
			return -EINVAL;
		if (negative)
			fields[i] = -fields[i];
	}
	return *p == ' ' || *p == '\n' ? 0 : -EINVAL;
}

static void fill_stat(struct proc_stat *stat, const uint64_t fields[STAT_FIELDS])
{
	stat->ppid = (pid_t)fields[STAT_PPID];
	stat->pgid = (pid_t)fields[STAT_PGRP];
	stat->sid = (pid_t)fields[STAT_SESSION];
	stat->tty_nr = (int)fields[STAT_TTY_NR];
	stat->tty_pgrp = (int)fields[STAT_TPGID];
	stat->flags = (unsigned int)fields[STAT_FLAGS];
	stat->nice = (int)fields[STAT_NICE];
	stat->start_time = fields[STAT_STARTTIME];
	stat->start_code = fields[STAT_STARTCODE];
	stat->end_code = fields[STAT_ENDCODE];
	stat->start_stack = fields[STAT_STARTSTACK];
	stat->exit_signal = (int)fields[STAT_EXIT_SIGNAL];
	stat->start_data = fields[STAT_START_DATA];
	stat->end_data = fields[STAT_END_DATA];
	stat->start_brk = fields[STAT_START_BRK];
	stat->arg_start = fields[STAT_ARG_START];
	stat->arg_end = fields[STAT_ARG_END];
	stat->env_start = fields[STAT_ENV_START];
	stat->env_end = fields[STAT_ENV_END];
	stat->exit_code = (int)fields[STAT_EXIT_CODE];
}

int proc_parse_stat(const char *text, struct proc_stat *ret)
{
	uint64_t fields[STAT_FIELDS];
	struct proc_stat stat = { 0 };
	const char *comm, *close, *p;
	int pid;

	p = scan_char(scan_int(text, &pid), ' ');
	comm = scan_char(p, '(');
	/* The name may contain anything, ") R 1 (" and newlines included. */
	close = comm ? strrchr(comm, ')') : NULL;
	if (!close || close - comm >= (ptrdiff_t)sizeof(stat.comm))
		return fail(EINVAL, "malformed stat of a process: %.80s", text);
	p = scan_char(close + 1, ' ');
	if (!p || !*p || scan_stat_fields(p + 1, fields))
		return fail(EINVAL, "malformed stat of process %d: %.400s", pid, text);
	stat.pid = pid;
	memcpy(stat.comm, comm, close - comm);
	stat.state = *p;
	fill_stat(&stat, fields);
	*ret = stat;
	return 0;
}

enum status_kind {
	STATUS_INT,   /* decimal, 32 bits */
	STATUS_OCTAL, /* 32 bits */
	STATUS_HEX,   /* 64 bits */
	STATUS_BOOL,
	STATUS_IDS, /* four of them */
	STATUS_GROUPS,
	STATUS_COUNT, /* number of words */
	STATUS_KB,    /* decimal and "kB", 64 bits */
};

static const struct status_line {
	const char *key;
	enum status_kind kind;
	size_t offset;
	bool mandatory;
} status_lines[] = {
	{ "Umask", STATUS_OCTAL, offsetof(struct proc_status, umask), false },
	{ "Tgid", STATUS_INT, offsetof(struct proc_status, tgid), true },
	{ "PPid", STATUS_INT, offsetof(struct proc_status, ppid), true },
	{ "TracerPid", STATUS_INT, offsetof(struct proc_status, tracer_pid), true },
	{ "Uid", STATUS_IDS, offsetof(struct proc_status, uids), true },
	{ "Gid", STATUS_IDS, offsetof(struct proc_status, gids), true },
	{ "Groups", STATUS_GROUPS, 0, true },
	{ "NSpid", STATUS_COUNT, offsetof(struct proc_status, n_ns_pids), false },
	{ "Threads", STATUS_INT, offsetof(struct proc_status, n_threads), true },
	{ "SigPnd", STATUS_HEX, offsetof(struct proc_status, sig_pending), true },
	{ "ShdPnd", STATUS_HEX, offsetof(struct proc_status, shared_pending), true },
	{ "SigBlk", STATUS_HEX, offsetof(struct proc_status, sig_blocked), true },
	{ "SigIgn", STATUS_HEX, offsetof(struct proc_status, sig_ignored), true },
	{ "SigCgt", STATUS_HEX, offsetof(struct proc_status, sig_caught), true },
	{ "CapInh", STATUS_HEX, offsetof(struct proc_status, cap_inh), true },
	{ "CapPrm", STATUS_HEX, offsetof(struct proc_status, cap_prm), true },
	{ "CapEff", STATUS_HEX, offsetof(struct proc_status, cap_eff), true },
	{ "CapBnd", STATUS_HEX, offsetof(struct proc_status, cap_bnd), true },
	{ "CapAmb", STATUS_HEX, offsetof(struct proc_status, cap_amb), false },
	{ "NoNewPrivs", STATUS_BOOL, offsetof(struct proc_status, no_new_privs), false },
	{ "Seccomp", STATUS_INT, offsetof(struct proc_status, seccomp), false },
	{ "Seccomp_filters", STATUS_INT, offsetof(struct proc_status, seccomp_filters), false },
	{ "VmLck", STATUS_KB, offsetof(struct proc_status, locked_kb), false },
	{ "THP_enabled", STATUS_BOOL, offsetof(struct proc_status, thp_enabled), false },
};

_Static_assert(sizeof(mode_t) == 4 && sizeof(pid_t) == 4 && sizeof(uid_t) == 4 && sizeof(gid_t) == 4,
	       "the table stores 32-bit values");

static const char *scan_u32(const char *p, unsigned int base, uint32_t *ret)
{
	uint64_t value;

	p = scan_number(p, base, &value);
	if (!p || value > UINT32_MAX)
		return NULL;
	*ret = (uint32_t)value;
	return p;
}

static const char *scan_ids(const char *p, uint32_t ids[4])
{
	for (int i = 0; i < 4; i++)
		p = scan_u32(p ? skip_blanks(p) : NULL, 10, &ids[i]);
	return p;
}

static const char *scan_groups(const char *p, struct proc_status *status)
{
	VEC(gid_t) groups = { 0 };

	while (*p != '\n') {
		uint32_t gid;

		p = scan_u32(p, 10, &gid);
		if (!p) {
			VEC_FREE(&groups);
			return NULL;
		}
		VEC_PUSH(&groups, gid);
		p = skip_blanks(p);
	}
	free(status->groups);
	status->groups = groups.data;
	status->n_groups = groups.n;
	return p;
}

static const char *count_words(const char *p, unsigned int *ret)
{
	unsigned int n = 0;

	while (*p != '\n') {
		n++;
		while (*p != '\n' && *p != ' ' && *p != '\t')
			p++;
		p = skip_blanks(p);
	}
	*ret = n;
	return p;
}

static const char *scan_bool(const char *p, bool *ret)
{
	uint32_t value;

	p = scan_u32(p, 10, &value);
	if (p)
		*ret = value;
	return p;
}

static const char *scan_status_value(const char *p, const struct status_line *line, struct proc_status *status)
{
	void *field = (char *)status + line->offset;

	switch (line->kind) {
	case STATUS_INT:
		return scan_u32(p, 10, field);
	case STATUS_OCTAL:
		return scan_u32(p, 8, field);
	case STATUS_HEX:
		return scan_number(p, 16, field);
	case STATUS_BOOL:
		return scan_bool(p, field);
	case STATUS_IDS:
		return scan_ids(p, field);
	case STATUS_GROUPS:
		return scan_groups(p, status);
	case STATUS_COUNT:
		return count_words(p, field);
	case STATUS_KB:
		p = scan_number(p, 10, field);
		return scan_char(scan_char(scan_char(p, ' '), 'k'), 'B');
	}
	return NULL;
}

/* The index of the line's key in the table, or the table's length. */
static size_t find_status_line(const char *p, const char **ret_value)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(status_lines); i++) {
		*ret_value = scan_key(p, status_lines[i].key);
		if (*ret_value)
			break;
	}
	return i;
}

static int parse_status_lines(const char *text, struct proc_status *status, bool found[])
{
	const char *next;

	for (const char *p = text; *p; p = next) {
		const char *value, *end;
		size_t i = find_status_line(p, &value);

		next = next_line(p);
		if (!next)
			return fail(EINVAL, "status of a process is cut off at: %.80s", p);
		if (i == ARRAY_SIZE(status_lines))
			continue;
		end = scan_status_value(value, &status_lines[i], status);
		if (!end || skip_blanks(end) != next - 1)
			return fail(EINVAL, "malformed status of a process: %.*s", (int)min_u64(next - 1 - p, 200), p);
		found[i] = true;
	}
	return 0;
}

int proc_parse_status(const char *text, struct proc_status *ret)
{
	cleanup_with(proc_status_free) struct proc_status status = { .thp_enabled = true };
	bool found[ARRAY_SIZE(status_lines)] = { 0 };
	int err = parse_status_lines(text, &status, found);

	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(status_lines); i++)
		if (status_lines[i].mandatory && !found[i])
			return fail(EINVAL, "status of a process has no line %s", status_lines[i].key);
	*ret = status;
	status.groups = NULL;
	return 0;
}

void proc_status_free(struct proc_status *status)
{
	free(status->groups);
	status->groups = NULL;
	status->n_groups = 0;
}

/* The file of the process, or of its thread @tid. */
static int read_task_file(pid_t pid, pid_t tid, const char *name, char **ret)
{
	char path[64];

	if (!tid)
		return proc_read_file(pid, name, ret, NULL);
	snprintf(path, sizeof(path), "task/%d/%s", tid, name);
	return proc_read_file(pid, path, ret, NULL);
}

int proc_read_stat(pid_t pid, pid_t tid, struct proc_stat *ret)
{
	auto_free char *text = NULL;
	int err = read_task_file(pid, tid, "stat", &text);

	return err ? err : proc_parse_stat(text, ret);
}

int proc_read_status(pid_t pid, pid_t tid, struct proc_status *ret)
{
	auto_free char *text = NULL;
	int err = read_task_file(pid, tid, "status", &text);

	return err ? err : proc_parse_status(text, ret);
}
