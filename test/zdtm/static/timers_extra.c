#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "No timer ticks before its time: the time away does not count, and a restore adds no tick";
const char *test_author = "The criu team";

/* NAME.hook writes down when the tree was certainly not there: lines of two times in nanoseconds. */
char *filename;
TEST_OPTION(filename, string, "file name", 1);

/* Longer than dump and restore take, of which that file knows nothing: a tick too many is one too early by this much. */
#define TICK_NS	  1000000000LL
#define AFTER	  2 /* ticks that are waited for */
#define MAX_TICKS 64
#define AWAY_MAX  64

enum { INTERVAL, MONOTONIC, BOOTTIME, N_TIMERS };

static const char *const names[] = { "ITIMER_REAL", "CLOCK_MONOTONIC", "CLOCK_BOOTTIME" };

static struct {
	uint64_t start;
	volatile uint64_t at[MAX_TICKS];      /* when a tick was seen, which is not before it came */
	volatile int count, ticks[MAX_TICKS]; /* how many had come by then */
	volatile int sum;
} timers[N_TIMERS];

static struct {
	uint64_t begin, end;
} away[AWAY_MAX];

static void tick(int sig, siginfo_t *info, void *context)
{
	int i = sig == SIGALRM ? INTERVAL : info->si_value.sival_int;

	(void)context;
	if (i < 0 || i >= N_TIMERS)
		return;
	timers[i].sum += 1 + (sig == SIGALRM ? 0 : info->si_overrun);
	if (timers[i].count == MAX_TICKS)
		return;
	timers[i].at[timers[i].count] = now_ns(CLOCK_MONOTONIC);
	timers[i].ticks[timers[i].count] = timers[i].sum;
	timers[i].count++;
}

static int start(int i, clockid_t clock)
{
	struct itimerspec spec = { { TICK_NS / 1000000000, 0 }, { TICK_NS / 1000000000, 0 } };
	struct itimerval value = { { TICK_NS / 1000000000, 0 }, { TICK_NS / 1000000000, 0 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3 };
	timer_t timer;

	ev.sigev_value.sival_int = i;
	timers[i].start = now_ns(CLOCK_MONOTONIC);
	if (i == INTERVAL)
		return setitimer(ITIMER_REAL, &value, NULL);
	return timer_create(clock, &ev, &timer) || timer_settime(timer, 0, &spec, NULL);
}

static int read_away(void)
{
	FILE *file = fopen(filename, "r");
	int n = 0;

	while (file && n < AWAY_MAX && fscanf(file, "%lu %lu", &away[n].begin, &away[n].end) == 2)
		n++;
	if (file)
		fclose(file);
	return n;
}

/* The time in which timer @i may have run until @at. */
static uint64_t ran_until(int i, uint64_t at, int n_away)
{
	uint64_t ran = at - timers[i].start;

	for (int k = 0; k < n_away; k++)
		if (away[k].begin >= timers[i].start && away[k].end <= at)
			ran -= away[k].end - away[k].begin;
	return ran;
}

static int check(int i, int n_away)
{
	for (int k = 0; k < timers[i].count; k++) {
		uint64_t ran = ran_until(i, timers[i].at[k], n_away);

		if (ran < timers[i].ticks[k] * (uint64_t)TICK_NS)
			return fail("%s: %d ticks in %lu ms", names[i], timers[i].ticks[k], ran / 1000000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART };
	int i, tries, wanted[N_TIMERS], n_away;

	test_init(argc, argv);
	sigaddset(&sa.sa_mask, SIGALRM);
	sigaddset(&sa.sa_mask, SIGRTMIN + 3);
	if (sigaction(SIGRTMIN + 3, &sa, NULL) || sigaction(SIGALRM, &sa, NULL))
		return pr_perror("sigaction");
	if (start(INTERVAL, 0) || start(MONOTONIC, CLOCK_MONOTONIC) || start(BOOTTIME, CLOCK_BOOTTIME))
		return pr_perror("timers");

	test_daemon();
	test_waitsig();

	for (i = 0; i < N_TIMERS; i++)
		wanted[i] = timers[i].sum + AFTER;
	for (i = 0; i < N_TIMERS; i++)
		for (tries = 0; timers[i].sum < wanted[i]; tries++) {
			if (tries == 10000)
				return fail("%s: %d ticks, no more come", names[i], timers[i].sum);
			usleep(5000);
		}
	n_away = read_away();
	for (i = 0; i < N_TIMERS; i++)
		if (check(i, n_away))
			return 1;
	unlink(filename);
	pass();
	return 0;
}
