#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc =
	"Signals that are pending without a place in a queue, because the limit of queued ones was reached";
const char *test_author = "The criu team";

static futex_t ready, go;

/* The kernel says of such a signal that a user sent it, nobody in particular. */
static int take(int sig)
{
	struct timespec zero = { 0 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	memset(&info, 0xff, sizeof(info));
	if (syscall(SYS_rt_sigtimedwait, &set, &info, &zero, sizeof(uint64_t)) != sig)
		return fail("signal %d is not pending", sig);
	if (info.si_signo != sig || info.si_code != SI_USER || info.si_pid || info.si_uid)
		return fail("signal %d: code %d pid %d uid %d", sig, info.si_code, info.si_pid, info.si_uid);
	return 0;
}

static int none_left(void)
{
	struct timespec zero = { 0 };
	sigset_t set;

	sigfillset(&set);
	return sigtimedwait(&set, NULL, &zero) < 0 ? 0 : fail("another signal is pending, too");
}

static int send(int sig)
{
	return syscall(SYS_tgkill, getpid(), gettid(), sig) ? pr_perror("tgkill") : 0;
}

static void *thread(void *arg)
{
	(void)arg;
	if (send(SIGUSR2) || send(SIGALRM))
		return (void *)1;
	futex_set_and_wake(&ready, 1);
	futex_wait_while(&go, 0);
	return (void *)(long)(take(SIGUSR2) || take(SIGALRM) || none_left());
}

int main(int argc, char **argv)
{
	union sigval value = { .sival_int = 1 };
	struct rlimit limit;
	sigset_t set;
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	sigfillset(&set);
	sigdelset(&set, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &set, NULL) || getrlimit(RLIMIT_SIGPENDING, &limit))
		return pr_perror("sigprocmask");
	limit.rlim_cur = 0;
	if (setrlimit(RLIMIT_SIGPENDING, &limit))
		return pr_perror("setrlimit");
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);
	if (sigqueue(getpid(), SIGUSR1, value) || send(SIGHUP))
		return pr_perror("sigqueue");
	if (!sigqueue(getpid(), SIGRTMIN, value) || errno != EAGAIN)
		return fail("the limit does not hold");

	test_daemon();
	test_waitsig();

	if (take(SIGUSR1) || take(SIGHUP) || none_left())
		return 1;
	futex_set_and_wake(&go, 1);
	if (pthread_join(id, &bad) || bad)
		return 1;
	pass();
	return 0;
}
