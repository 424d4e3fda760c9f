#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "POSIX timers keep their numbers, gaps between them, clocks, ways of notification and intervals";
const char *test_author = "The criu team";

#define NR_TIMERS 6

static const struct {
	int clock, notify, signo;
	struct itimerspec spec;
} timers[NR_TIMERS] = {
	{ CLOCK_REALTIME, SIGEV_SIGNAL, 40, { { 3, 141592653 }, { 5000, 0 } } },
	{ CLOCK_MONOTONIC, SIGEV_NONE, 0, { { 0, 0 }, { 6000, 0 } } },
	{ CLOCK_MONOTONIC, SIGEV_SIGNAL, 41, { { 0, 0 }, { 0, 0 } } },
	{ CLOCK_BOOTTIME, SIGEV_THREAD_ID, 42, { { 1, 0 }, { 7000, 0 } } },
	{ CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, 43, { { 0, 1 }, { 8000, 0 } } },
	{ CLOCK_MONOTONIC, SIGEV_SIGNAL, 44, { { 9, 9 }, { 9000, 0 } } },
};

static futex_t ready;
static int ids[NR_TIMERS];
static char before[8192];

static void *thread(void *arg)
{
	*(pid_t *)arg = gettid();
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	return NULL;
}

static int make(int i, pid_t tid)
{
	struct sigevent ev = { .sigev_notify = timers[i].notify, .sigev_signo = timers[i].signo };

	ev.sigev_value.sival_ptr = (void *)(0x1234500000000UL + i);
	ev._sigev_un._tid = tid;
	if (syscall(SYS_timer_create, timers[i].clock, &ev, &ids[i]))
		return pr_perror("timer_create %d", i);
	if (syscall(SYS_timer_settime, ids[i], 0, &timers[i].spec, NULL))
		return pr_perror("timer_settime %d", i);
	return 0;
}

/* Timers that are deleted again leave gaps in the numbers. */
static int make_gap(int count)
{
	int id[8], i;

	for (i = 0; i < count; i++)
		if (syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id[i]))
			return pr_perror("timer_create");
	for (i = 0; i < count; i++)
		if (syscall(SYS_timer_delete, id[i]))
			return pr_perror("timer_delete");
	return 0;
}

static int check(int i, double elapsed)
{
	struct itimerspec now;
	double left, whole = timers[i].spec.it_value.tv_sec;

	if (syscall(SYS_timer_gettime, ids[i], &now))
		return fail("timer %d", ids[i]);
	left = now.it_value.tv_sec + now.it_value.tv_nsec / 1e9;
	if (now.it_interval.tv_sec != timers[i].spec.it_interval.tv_sec ||
	    now.it_interval.tv_nsec != timers[i].spec.it_interval.tv_nsec)
		return fail("timer %d: interval %ld.%09ld", ids[i], now.it_interval.tv_sec, now.it_interval.tv_nsec);
	if (left > whole + 0.05 || left < whole - elapsed)
		return fail("timer %d: %f s left of %f after %f", ids[i], left, whole, elapsed);
	return 0;
}

int main(int argc, char **argv)
{
	char after[sizeof(before)];
	uint64_t start;
	pthread_t id;
	pid_t tid;
	int i;

	test_init(argc, argv);
	errno = pthread_create(&id, NULL, thread, &tid);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);
	start = now_ns(CLOCK_BOOTTIME);
	for (i = 0; i < NR_TIMERS; i++)
		if (make_gap(i) || make(i, tid))
			return 1;
	if (read_value("/proc/self/timers", before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (read_value("/proc/self/timers", after, sizeof(after)))
		return 1;
	if (strcmp(before, after))
		return fail("the timers were\n%sthey are\n%s", before, after);
	for (i = 0; i < NR_TIMERS; i++)
		if (check(i, (now_ns(CLOCK_BOOTTIME) - start) / 1e9 + 0.05))
			return 1;
	pthread_join(id, NULL);
	pass();
	return 0;
}
