#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A ticking POSIX timer goes on after restore and reaches the thread it was made for";
const char *test_author = "The criu team";

#define TICK_NS 20000000

static futex_t ready;
static volatile int ticks, elsewhere, wrong_value;
static pid_t target;

static void tick(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (gettid() != target)
		elsewhere++;
	if (info->si_code != SI_TIMER || info->si_value.sival_int != 271828)
		wrong_value++;
	ticks++;
}

static int make_timer(void)
{
	struct itimerspec spec = { { 0, TICK_NS }, { 0, TICK_NS } };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 3 };
	timer_t timer;

	ev.sigev_value.sival_int = 271828;
	ev._sigev_un._tid = target;
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) || timer_settime(timer, 0, &spec, NULL))
		return pr_perror("timer");
	return 0;
}

static int enough_ticks(void)
{
	int i;

	ticks = 0;
	for (i = 0; i < 2000 && ticks < 5; i++)
		usleep(5000);
	return ticks >= 5;
}

static void *thread(void *arg)
{
	(void)arg;
	target = gettid();
	if (make_timer())
		return (void *)1L;
	futex_set_and_wake(&ready, 1);
	futex_wait_until(&ready, 2);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	if (sigaction(SIGRTMIN + 3, &sa, NULL))
		return pr_perror("sigaction");
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);
	if (!enough_ticks())
		return pr_err("no ticks before the dump\n");

	test_daemon();
	test_waitsig();

	if (!enough_ticks())
		return fail("%d ticks in 10 s", ticks);
	futex_set_and_wake(&ready, 2);
	if (pthread_join(id, &bad) || bad)
		return fail("the thread");
	if (elsewhere || wrong_value)
		return fail("%d ticks in another thread, %d with a wrong siginfo", elsewhere, wrong_value);
	pass();
	return 0;
}
