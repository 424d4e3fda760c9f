#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Timers of CPU time, dumped while they tick: no tick comes before its time has been used";
const char *test_author = "The criu team";

#define TICK_NS 100000000LL
#define SLACK_NS                                                                                                       \
	(TICK_NS / 2) /* for each restore: less than a tick too many, more than goes unseen between two looks */
#define AFTER 5	      /* ticks that are waited for */

/* The clocks that ITIMER_PROF and ITIMER_VIRTUAL run on, of the own process: clock_getcpuclockid(3) has a third one. */
#define CLOCK_OF(which) ((clockid_t)(~0U << 3 | (which)))

enum { PROF, VIRTUAL, N_TIMERS };

static const char *const names[] = { "ITIMER_PROF", "ITIMER_VIRTUAL" };

static volatile int ticks[N_TIMERS];
/* Of the lives before this one, and what this one has used when it was last looked at. */
static uint64_t before[N_TIMERS], last[N_TIMERS];
static int restores;

static void tick(int sig)
{
	ticks[sig == SIGPROF ? PROF : VIRTUAL]++;
}

/* When this process was made: another number after each restore; 0: error. */
static unsigned long long life(void)
{
	unsigned long long start = 0;
	FILE *file = fopen("/proc/self/stat", "r");

	if (file &&
	    fscanf(file,
		   "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &start) != 1)
		start = 0;
	if (file)
		fclose(file);
	return start;
}

/* What was used between the last look and the dump is not known; SLACK_NS makes up for it. */
static int look(void)
{
	static unsigned long long now, then;
	uint64_t seen[N_TIMERS];

	for (int i = 0; i < N_TIMERS; i++)
		seen[i] = now_ns(CLOCK_OF(i));
	now = life();
	if (!now)
		return pr_err("/proc/self/stat\n");
	if (then && now != then) {
		restores++;
		for (int i = 0; i < N_TIMERS; i++) {
			before[i] += last[i];
			last[i] = 0;
		}
	} else {
		for (int i = 0; i < N_TIMERS; i++)
			last[i] = seen[i];
	}
	then = now;
	return 0;
}

static int check(void)
{
	for (int i = 0; i < N_TIMERS; i++) {
		/* Before the clock is read, so that none comes between. */
		int n = ticks[i];

		if (look())
			return 1;
		if (n * TICK_NS > (long long)(before[i] + last[i]) + restores * SLACK_NS)
			return fail("%s: %d ticks in %lu ms, with %d restores", names[i], n,
				    (before[i] + last[i]) / 1000000, restores);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct itimerval value = { { 0, TICK_NS / 1000 }, { 0, TICK_NS / 1000 } };
	int i, wanted[N_TIMERS];
	uint64_t end;

	test_init(argc, argv);
	if (signal(SIGVTALRM, tick) == SIG_ERR || signal(SIGPROF, tick) == SIG_ERR)
		return pr_perror("signal");
	if (setitimer(ITIMER_PROF, &value, NULL) || setitimer(ITIMER_VIRTUAL, &value, NULL))
		return pr_perror("setitimer");

	test_daemon();
	while (test_go())
		if (look())
			return 1;

	for (i = 0; i < N_TIMERS; i++)
		wanted[i] = ticks[i] + AFTER;
	end = now_ns(CLOCK_MONOTONIC) + 60ULL * 1000000000;
	while (ticks[PROF] < wanted[PROF] || ticks[VIRTUAL] < wanted[VIRTUAL]) {
		if (check())
			return 1;
		if (now_ns(CLOCK_MONOTONIC) > end)
			return fail("ticks in 60 s: prof %d virtual %d", ticks[PROF], ticks[VIRTUAL]);
	}
	pass();
	return 0;
}
