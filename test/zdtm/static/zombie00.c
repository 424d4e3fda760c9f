#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Zombies keep their exit status or the signal that killed them, and their pid";
const char *test_author = "The criu team";

static const struct {
	int code, status;
} deaths[] = {
	{ CLD_EXITED, 0 },	 { CLD_EXITED, 1 },	  { CLD_EXITED, 255 },	   { CLD_KILLED, SIGKILL },
	{ CLD_KILLED, SIGSEGV }, { CLD_KILLED, SIGTERM }, { CLD_KILLED, SIGUSR2 }, { CLD_KILLED, 40 },
	{ CLD_KILLED, SIGPIPE }, { CLD_KILLED, SIGHUP },
};

static void __attribute__((noreturn)) die(int code, int status)
{
	struct rlimit no_core = { 0, 0 };

	if (code == CLD_EXITED)
		_exit(status);
	setrlimit(RLIMIT_CORE, &no_core);
	if (status != SIGKILL)
		signal(status, SIG_DFL);
	raise(status);
	_exit(99);
}

int main(int argc, char **argv)
{
	pid_t pids[ARRAY_SIZE(deaths)];
	siginfo_t info;
	size_t i;

	test_init(argc, argv);
	for (i = 0; i < ARRAY_SIZE(deaths); i++) {
		pids[i] = test_fork();
		if (pids[i] < 0)
			return pr_perror("fork");
		if (!pids[i])
			die(deaths[i].code, deaths[i].status);
		/* WNOWAIT: wait until it is dead and leave it a zombie. */
		if (waitid(P_PID, pids[i], &info, WEXITED | WNOWAIT))
			return pr_perror("waitid");
	}

	test_daemon();
	test_waitsig();

	for (i = 0; i < ARRAY_SIZE(deaths); i++) {
		if (task_state(pids[i]) != 'Z')
			return fail("%d is no zombie", pids[i]);
		memset(&info, 0, sizeof(info));
		if (waitid(P_PID, pids[i], &info, WEXITED | WNOHANG))
			return fail("waitid for %d", pids[i]);
		if (info.si_code != deaths[i].code || info.si_status != deaths[i].status)
			return fail("%d: code %d status %d instead of %d, %d", pids[i], info.si_code, info.si_status,
				    deaths[i].code, deaths[i].status);
	}
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != -1 || errno != ECHILD)
		return fail("there are more children than before");
	pass();
	return 0;
}
