#include <grp.h>
#include <signal.h>
#include <sched.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Zombies of other users than their parent, which wait() names, and with other exit signals";
const char *test_author = "The criu team";

#define ID 23451

static const int signals[] = { SIGCHLD, SIGUSR2, 0 };

static void __attribute__((noreturn)) die(void)
{
	static const gid_t groups[] = { ID + 2, ID + 3 };

	if (setgroups(ARRAY_SIZE(groups), groups) || setresgid(ID, ID + 1, ID) || setresuid(ID, ID + 1, ID))
		_exit(99);
	_exit(7);
}

int main(int argc, char **argv)
{
	pid_t pids[ARRAY_SIZE(signals)];
	siginfo_t info;
	sigset_t set;
	size_t i;

	test_init(argc, argv);
	/* Pending ones would be killed by; those of the zombies are taken before the dump. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return pr_perror("sigprocmask");
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		pids[i] = sys_clone_unified(signals[i], NULL, NULL, NULL, 0);
		if (pids[i] < 0)
			return pr_perror("clone");
		if (!pids[i])
			die();
		if (waitid(P_PID, pids[i], &info, WEXITED | WNOWAIT | __WALL))
			return pr_perror("waitid");
	}
	if (sigwaitinfo(&set, &info) != SIGUSR2)
		return pr_perror("sigwaitinfo");

	test_daemon();
	test_waitsig();

	if (sigpending(&set) || sigismember(&set, SIGUSR2))
		return fail("the end of a zombie is reported again");
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		memset(&info, 0, sizeof(info));
		if (waitid(P_PID, pids[i], &info, WEXITED | WNOHANG | (signals[i] == SIGCHLD ? 0 : __WCLONE)))
			return fail("wait for child %zu", i);
		if (info.si_pid != pids[i] || info.si_status != 7 || info.si_uid != ID)
			return fail("child %zu: pid %d status %d uid %d", i, info.si_pid, info.si_status, info.si_uid);
	}
	pass();
	return 0;
}
