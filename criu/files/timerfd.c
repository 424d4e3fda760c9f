/*
 * timerfd_create(2).
 *
 * The kernel keeps: the clock, what the timer was last set to, what remains, and the
 * expirations that nobody has read. fdinfo shows them, but counts expirations of a
 * repeating timer only up to the first until somebody looks with timerfd_gettime(2),
 * which a task can't notice.
 *
 * A timer that was set to a length of time stands still between dump and
 * restore, as POSIX timers do. One that was set to a point in time
 * (TFD_TIMER_ABSTIME) keeps that, as if its task had been stopped; for
 * monotonic clocks only if that is no later than the remaining time says, for
 * they may begin anew. Timers are armed in settle: they must not run before
 * the tasks are there. Alarm clocks need CAP_WAKE_ALARM.
 *
 * Lost: that the clock was set (TFD_TIMER_CANCEL_ON_SET) and the reader not yet told of it.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#include "files/files-internal.h"
#include "files/fown.h"

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

#define SETTIME_FLAGS (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
#define NSEC_PER_SEC  1000000000ULL

/* It can't be told from one that is not armed, while its expiry is on the way to be counted. */
#define LOOKS_MAX 3

static uint64_t to_ns(uint64_t sec, uint64_t nsec)
{
	return sec < INT64_MAX / NSEC_PER_SEC ? sec * NSEC_PER_SEC + nsec : INT64_MAX;
}

static struct timespec from_ns(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC) };
}

/* The clock behind an alarm clock, which can be read on machines without one, too. */
static uint64_t clock_ns(int clock_id)
{
	struct timespec now;

	if (clock_id == CLOCK_REALTIME_ALARM)
		clock_id = CLOCK_REALTIME;
	else if (clock_id == CLOCK_BOOTTIME_ALARM)
		clock_id = CLOCK_BOOTTIME;
	if (clock_gettime(clock_id, &now))
		return 0;
	return to_ns((uint64_t)now.tv_sec, (uint64_t)now.tv_nsec);
}

static uint64_t later_ns(uint64_t ns, uint64_t by_ns)
{
	return by_ns > INT64_MAX - ns ? INT64_MAX : ns + by_ns;
}

/* --- dump ------------------------------------------------------------------------ */

static bool timerfd_match(const struct file_desc *desc)
{
	return !strcmp(desc->link, "anon_inode:[timerfd]");
}

static int look(int fd, struct proc_timerfd *ret)
{
	struct proc_fdinfo info;
	struct itimerspec spec;
	int err;

	/* Lets the kernel count what has expired. */
	if (timerfd_gettime(fd, &spec))
		return fail_errno("timerfd_gettime");
	err = proc_read_fdinfo(getpid(), fd, &info);
	if (err)
		return err;
	err = proc_parse_timerfd(info.text, ret);
	proc_fdinfo_free(&info);
	return err;
}

static bool is_zero(const struct timespec *time)
{
	return !time->tv_sec && !time->tv_nsec;
}

static int timerfd_plan(struct files_dump *ctx, struct file_desc *desc)
{
	TimerfdEntry *tfd = model_new(ctx->model, TimerfdEntry, timerfd_entry__init);
	struct proc_timerfd timer;
	int looks = 0, ret;

	do {
		ret = look(desc->fd, &timer);
		if (ret)
			return ret;
	} while (is_zero(&timer.value) && (!is_zero(&timer.interval) || !timer.ticks) && ++looks < LOOKS_MAX);
	/* Disarmed with an interval, or one that is too short for us. */
	if (is_zero(&timer.value) && timer.ticks)
		timer.value = timer.interval;

	desc->entry->tfd = tfd;
	tfd->id = desc->entry->id;
	tfd->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	tfd->clockid = (uint32_t)timer.clock_id;
	tfd->ticks = timer.ticks;
	tfd->settime_flags = timer.settime_flags;
	tfd->vsec = (uint64_t)timer.value.tv_sec;
	tfd->vnsec = (uint64_t)timer.value.tv_nsec;
	tfd->isec = (uint64_t)timer.interval.tv_sec;
	tfd->insec = (uint64_t)timer.interval.tv_nsec;
	if ((timer.settime_flags & TFD_TIMER_ABSTIME) && !is_zero(&timer.value)) {
		tfd->has_expiry_ns = true;
		tfd->expiry_ns = later_ns(clock_ns(timer.clock_id), to_ns(tfd->vsec, tfd->vnsec));
	}
	return fown_dump(ctx, desc, &tfd->fown);
}

/* --- restore --------------------------------------------------------------------- */

static bool is_clock(uint32_t clock_id)
{
	switch (clock_id) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return true;
	default:
		return false;
	}
}

static int timerfd_validate(const struct model *model, const FileEntry *entry)
{
	const TimerfdEntry *tfd = entry->tfd;

	if (!tfd || tfd->id != entry->id)
		return fail(EINVAL, "timerfd without its entry");
	if (!is_clock(tfd->clockid))
		return fail(EINVAL, "timerfd: clock %" PRIu32 " is none a timer can have", tfd->clockid);
	if (tfd->settime_flags & ~(uint32_t)SETTIME_FLAGS)
		return fail(EINVAL, "timerfd: it was set with unknown flags %#" PRIx32, tfd->settime_flags);
	if (tfd->vsec > INT64_MAX || tfd->isec > INT64_MAX || tfd->vnsec >= NSEC_PER_SEC ||
	    tfd->insec >= NSEC_PER_SEC || (tfd->has_expiry_ns && tfd->expiry_ns > INT64_MAX))
		return fail(EINVAL, "timerfd: time is out of range");
	return 0;
}

static int timerfd_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const TimerfdEntry *tfd = entry->tfd;
	auto_fd int fd = timerfd_create((int)tfd->clockid, TFD_CLOEXEC);

	if (fd < 0)
		return fail_errno("timerfd_create on clock %" PRIu32 "%s", tfd->clockid,
				  errno == EPERM ? ", which needs CAP_WAKE_ALARM" : "");
	if (fcntl(fd, F_SETFL, tfd->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("timerfd: F_SETFL");
	ret->fd = take_fd(&fd);
	return 0;
}

static struct timespec expiry(const TimerfdEntry *tfd)
{
	const bool wall_clock = tfd->clockid == CLOCK_REALTIME || tfd->clockid == CLOCK_REALTIME_ALARM;
	uint64_t ns = later_ns(clock_ns((int)tfd->clockid), to_ns(tfd->vsec, tfd->vnsec));

	if (tfd->has_expiry_ns && (wall_clock || tfd->expiry_ns < ns))
		ns = tfd->expiry_ns;
	return from_ns(ns ? ns : 1);
}

static int timerfd_settle(struct files_restore *ctx, const FileEntry *entry, int fd)
{
	const TimerfdEntry *tfd = entry->tfd;
	struct itimerspec spec = {
		.it_value = { (time_t)tfd->vsec, (long)tfd->vnsec },
		.it_interval = { (time_t)tfd->isec, (long)tfd->insec },
	};
	uint64_t ticks = tfd->ticks;

	if (!is_zero(&spec.it_value) && (tfd->settime_flags & TFD_TIMER_ABSTIME))
		spec.it_value = expiry(tfd);
	if (timerfd_settime(fd, (int)tfd->settime_flags, &spec, NULL))
		return fail_errno("timerfd: cannot set it on clock %" PRIu32 "%s", tfd->clockid,
				  errno == EPERM ? ", which needs CAP_WAKE_ALARM" : "");
	/* Setting clears them. Only a repeating timer is armed and has some: one more or less is a matter of delay. */
	if (ticks && ioctl(fd, TFD_IOC_SET_TICKS, &ticks))
		pr_warn("timerfd: %" PRIu64 " expirations that were not read are lost: %s", ticks, strerror(errno));
	return 0;
}

const struct file_kind timerfd_kind = {
	.type = FD_TYPES__TIMERFD,
	.name = "timerfd",
	.match = timerfd_match,
	.plan = timerfd_plan,
	.validate = timerfd_validate,
	.make = timerfd_make,
	.settle = timerfd_settle,
};
