#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Pending signals: of the process and of each thread, who sent them, how and with what value";
const char *test_author = "The criu team";

/* Where a signal is looked for: a thread sees its own before those of the process. */
static futex_t ready, go;
static pid_t child;

static int queue(int sig, int value)
{
	union sigval v = { .sival_int = value };

	return sigqueue(getpid(), sig, v) ? pr_perror("sigqueue %d", sig) : 0;
}

/* Queue to one thread, with a code of our own choice, as a library might. */
static int queue_thread(pid_t tid, int sig, int code, int value)
{
	siginfo_t info = { .si_signo = sig, .si_code = code };

	info.si_pid = 4321;
	info.si_uid = 8765;
	info.si_value.sival_int = value;
	return syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &info) ? pr_perror("rt_tgsigqueueinfo") : 0;
}

static int take(int sig, int code, pid_t pid, uid_t uid, int value)
{
	struct timespec zero = { 0 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	memset(&info, 0, sizeof(info));
	/* Not libc's, which shows SI_TKILL as SI_USER. */
	if (syscall(SYS_rt_sigtimedwait, &set, &info, &zero, sizeof(uint64_t)) != sig)
		return fail("signal %d is not pending", sig);
	if (info.si_signo != sig || info.si_code != code || info.si_pid != pid || info.si_uid != uid ||
	    (code != SI_USER && code != SI_TKILL && info.si_value.sival_int != value))
		return fail("signal %d: code %d pid %d uid %d value %d, not code %d pid %d uid %d value %d", sig,
			    info.si_code, info.si_pid, info.si_uid, info.si_value.sival_int, code, pid, uid, value);
	return 0;
}

static int none_left(const char *who)
{
	struct timespec zero = { 0 };
	sigset_t set;
	int sig;

	sigfillset(&set);
	sig = sigtimedwait(&set, NULL, &zero);
	return sig >= 0 ? fail("%s: signal %d pends too", who, sig) : 0;
}

static void *thread(void *arg)
{
	pid_t tid = gettid();

	(void)arg;
	if (queue_thread(tid, SIGUSR1, SI_QUEUE, 1001) || queue_thread(tid, SIGUSR2, -33, 1002) ||
	    syscall(SYS_tgkill, getpid(), tid, SIGHUP))
		return (void *)(long)pr_perror("queue");
	futex_set_and_wake(&ready, 1);
	futex_wait_while(&go, 0);

	if (take(SIGUSR1, SI_QUEUE, 4321, 8765, 1001) || take(SIGUSR2, -33, 4321, 8765, 1002) ||
	    take(SIGHUP, SI_TKILL, getpid(), getuid(), 0))
		return (void *)(long)fail("signals of the thread");
	return (void *)(long)none_left("thread");
}

static int send_user(void)
{
	return kill(getppid(), SIGQUIT) ? pr_perror("kill") : 0;
}

int main(int argc, char **argv)
{
	sigset_t set, old;
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	sigfillset(&set);
	sigdelset(&set, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &set, &old))
		return pr_perror("sigprocmask");

	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);
	child = child_start(send_user, NULL);
	if (child < 0 || queue(SIGUSR1, 2001) || queue(SIGRTMAX, 2002) ||
	    queue_thread(getpid(), SIGUSR1, SI_QUEUE, 2003))
		return 1;

	test_daemon();
	test_waitsig();

	/* The leader's own SIGUSR1 comes before that of the process. */
	if (take(SIGUSR1, SI_QUEUE, 4321, 8765, 2003) || take(SIGUSR1, SI_QUEUE, getpid(), getuid(), 2001) ||
	    take(SIGRTMAX, SI_QUEUE, getpid(), getuid(), 2002) || take(SIGQUIT, SI_USER, child, getuid(), 0))
		return 1;
	if (none_left("leader"))
		return 1;
	futex_set_and_wake(&go, 1);
	if (pthread_join(id, &bad) || bad)
		return 1;
	if (child_finish(child))
		return 1;
	pass();
	return 0;
}
