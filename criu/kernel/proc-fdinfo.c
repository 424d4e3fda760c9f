/* /proc/PID/fdinfo/FD and /proc/PID/timers. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "kernel/proc-scan.h"
#include "kernel/proc.h"
#include "util/log.h"

/* --- descriptors ------------------------------------------------------------------ */

/* Which of the common lines have been seen; kinds may repeat their keys later. */
struct fdinfo_scan {
	bool pos, flags, mnt_id, ino;
};

static int scan_fdinfo_line(const char *p, struct fdinfo_scan *seen, struct proc_fdinfo *info)
{
	const char *value;
	uint64_t number;

	if (!seen->pos && (value = scan_key(p, "pos"))) {
		seen->pos = true;
		return scan_number(value, 10, &info->pos) ? 0 : -EINVAL;
	}
	if (!seen->flags && (value = scan_key(p, "flags"))) {
		seen->flags = true;
		if (!scan_number(value, 8, &number) || number > UINT_MAX)
			return -EINVAL;
		info->flags = (unsigned int)number;
		return 0;
	}
	if (!seen->mnt_id && (value = scan_key(p, "mnt_id"))) {
		seen->mnt_id = true;
		return scan_int(value, &info->mnt_id) ? 0 : -EINVAL;
	}
	if (!seen->ino && (value = scan_key(p, "ino"))) {
		seen->ino = true;
		return scan_number(value, 10, &info->ino) ? 0 : -EINVAL;
	}
	value = scan_key(p, "lock");
	return value ? proc_parse_lock(value, VEC_ADD(&info->locks)) : 0;
}

static int scan_fdinfo(const char *text, struct proc_fdinfo *info)
{
	struct fdinfo_scan seen = { 0 };
	const char *next;

	for (const char *p = text; *p; p = next) {
		next = next_line(p);
		if (!next || scan_fdinfo_line(p, &seen, info))
			return fail(EINVAL, "malformed fdinfo at: %.80s", p);
	}
	if (!seen.pos || !seen.flags)
		return fail(EINVAL, "fdinfo lacks pos or flags: %.80s", text);
	return 0;
}

int proc_parse_fdinfo(const char *text, struct proc_fdinfo *ret)
{
	struct proc_fdinfo info = { .mnt_id = -1 };
	int err = scan_fdinfo(text, &info);

	if (err) {
		proc_fdinfo_free(&info);
		return err;
	}
	info.text = xstrdup(text);
	*ret = info;
	return 0;
}

int proc_read_fdinfo(pid_t pid, int fd, struct proc_fdinfo *ret)
{
	auto_free char *text = NULL;
	char name[64];
	int err;

	snprintf(name, sizeof(name), "fdinfo/%d", fd);
	err = proc_read_file(pid, name, &text, NULL);
	return err ? err : proc_parse_fdinfo(text, ret);
}

void proc_fdinfo_free(struct proc_fdinfo *info)
{
	free(info->text);
	info->text = NULL;
	VEC_FREE(&info->locks);
}

/* --- timerfd --------------------------------------------------------------------- */

enum timerfd_line {
	TIMERFD_CLOCK = 1 << 0,
	TIMERFD_TICKS = 1 << 1,
	TIMERFD_FLAGS = 1 << 2,
	TIMERFD_VALUE = 1 << 3,
	TIMERFD_INTERVAL = 1 << 4,
	TIMERFD_ALL = (1 << 5) - 1,
};

/* "(3, 49406829)": seconds and nanoseconds. */
static const char *scan_timespec(const char *p, struct timespec *ret)
{
	uint64_t sec, nsec;

	p = scan_number(scan_char(p, '('), 10, &sec);
	p = scan_char(scan_char(p, ','), ' ');
	p = scan_char(scan_number(p, 10, &nsec), ')');
	if (!p || sec > INT64_MAX || nsec >= 1000000000)
		return NULL;
	ret->tv_sec = (time_t)sec;
	ret->tv_nsec = (long)nsec;
	return p;
}

/* Returns the kind of line, 0 for another one, -EINVAL for a malformed one. */
static int scan_timerfd_line(const char *p, struct proc_timerfd *timer)
{
	const char *value, *end;
	uint64_t flags = 0;
	int kind;

	if ((value = scan_key(p, "clockid"))) {
		kind = TIMERFD_CLOCK;
		end = scan_int(value, &timer->clock_id);
	} else if ((value = scan_key(p, "ticks"))) {
		kind = TIMERFD_TICKS;
		end = scan_number(value, 10, &timer->ticks);
	} else if ((value = scan_key(p, "settime flags"))) {
		kind = TIMERFD_FLAGS;
		end = scan_number(value, 8, &flags);
		timer->settime_flags = (unsigned int)flags;
	} else if ((value = scan_key(p, "it_value"))) {
		kind = TIMERFD_VALUE;
		end = scan_timespec(value, &timer->value);
	} else if ((value = scan_key(p, "it_interval"))) {
		kind = TIMERFD_INTERVAL;
		end = scan_timespec(value, &timer->interval);
	} else {
		return 0;
	}
	return end && *end == '\n' && flags <= UINT_MAX ? kind : -EINVAL;
}

int proc_parse_timerfd(const char *text, struct proc_timerfd *ret)
{
	struct proc_timerfd timer = { 0 };
	int seen = 0, kind;

	for (const char *p = text; p && *p; p = next_line(p)) {
		kind = scan_timerfd_line(p, &timer);
		if (kind < 0 || (seen & kind))
			return fail(EINVAL, "malformed fdinfo of a timerfd at: %.80s", p);
		seen |= kind;
	}
	if (seen != TIMERFD_ALL)
		return fail(EINVAL, "fdinfo of a timerfd lacks lines: %.200s", text);
	*ret = timer;
	return 0;
}

/* --- pidfd ------------------------------------------------------------------------- */

int proc_parse_pidfd(const char *text, pid_t *ret)
{
	for (const char *p = text; p && *p; p = next_line(p)) {
		const char *value = scan_key(p, "Pid"), *end;
		int pid;

		if (!value)
			continue;
		end = scan_int(value, &pid);
		if (!end || *end != '\n' || pid < -1)
			break;
		*ret = pid;
		return 0;
	}
	return fail(EINVAL, "malformed fdinfo of a pidfd: %.200s", text);
}

/* --- POSIX timers ------------------------------------------------------------------ */

static const struct notify_name {
	const char *name;
	int notify;
} notify_names[] = {
	{ "signal", SIGEV_SIGNAL },
	{ "none", SIGEV_NONE },
	{ "thread", SIGEV_THREAD },
};

/* "signal/tid.2634": what happens, and to which thread or process. */
static const char *scan_notify(const char *p, struct proc_timer *timer)
{
	for (size_t i = 0; i < ARRAY_SIZE(notify_names); i++) {
		size_t bytes = strlen(notify_names[i].name);

		if (strncmp(p, notify_names[i].name, bytes) || p[bytes] != '/')
			continue;
		p += bytes + 1;
		if (strncmp(p, "tid.", 4) && strncmp(p, "pid.", 4))
			return NULL;
		timer->notify = notify_names[i].notify;
		timer->thread_id = *p == 't';
		return scan_int(p + 4, &timer->notify_tid);
	}
	return NULL;
}

enum timer_line {
	TIMER_ID = 1 << 0,
	TIMER_SIGNAL = 1 << 1,
	TIMER_NOTIFY = 1 << 2,
	TIMER_CLOCK = 1 << 3,
	TIMER_ALL = (1 << 4) - 1,
};

/* Returns the kind of line, 0 for an unknown one, -EINVAL for a malformed one. */
static int scan_timer_line(const char *p, struct proc_timer *timer)
{
	const char *value;

	if ((value = scan_key(p, "signal"))) {
		value = scan_char(scan_int(value, &timer->signo), '/');
		return scan_number(value, 16, &timer->sival) ? TIMER_SIGNAL : -EINVAL;
	}
	if ((value = scan_key(p, "notify")))
		return scan_notify(value, timer) ? TIMER_NOTIFY : -EINVAL;
	if ((value = scan_key(p, "ClockID")))
		return scan_int(value, &timer->clock_id) ? TIMER_CLOCK : -EINVAL;
	return 0;
}

static int parse_timer_lines(const char *text, proc_timers *timers)
{
	int seen = TIMER_ALL;
	const char *next;

	for (const char *p = text; *p; p = next) {
		const char *id = scan_key(p, "ID");
		int kind = 0;

		next = next_line(p);
		if (!next)
			return fail(EINVAL, "list of timers is cut off at: %.80s", p);
		if (id) {
			struct proc_timer *timer = VEC_ADD(timers);

			kind = seen == TIMER_ALL && scan_int(id, &timer->id) ? TIMER_ID : -EINVAL;
			seen = 0;
		} else if (timers->n) {
			kind = scan_timer_line(p, &timers->data[timers->n - 1]);
		}
		if (kind < 0)
			return fail(EINVAL, "malformed list of timers at: %.80s", p);
		seen |= kind;
	}
	if (seen != TIMER_ALL)
		return fail(EINVAL, "list of timers ends within timer %d", timers->data[timers->n - 1].id);
	return 0;
}

int proc_parse_timers(const char *text, proc_timers *ret)
{
	proc_timers timers = { 0 };
	int err = parse_timer_lines(text, &timers);

	if (err) {
		VEC_FREE(&timers);
		return err;
	}
	*ret = timers;
	return 0;
}

int proc_read_timers(pid_t pid, proc_timers *ret)
{
	auto_free char *text = NULL;
	int err = proc_read_file(pid, "timers", &text, NULL);

	return err ? err : proc_parse_timers(text, ret);
}
