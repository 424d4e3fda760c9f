#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "mem/guard-area.h"

/* --- the guard's side: only async-signal-safe calls ------------------------- */

bool guard_hold_seize(pid_t owner)
{
	return !ptrace(PTRACE_SEIZE, owner, 0, PTRACE_O_TRACEEXIT);
}

enum stop {
	STOP_NONE,
	STOP_LET_GO,
	STOP_EXIT, /* or it is gone already */
};

/* The next stop that means something; others are passed on. */
static enum stop next_stop(pid_t owner, int options)
{
	int status;

	for (;;) {
		pid_t pid = waitpid(owner, &status, __WALL | options);
		int event, signo;

		if (pid < 0 && errno == EINTR)
			continue;
		if (!pid)
			return STOP_NONE;
		if (pid < 0 || !WIFSTOPPED(status))
			return STOP_EXIT;
		event = status >> 16;
		signo = WSTOPSIG(status);
		if (event == PTRACE_EVENT_EXIT)
			return STOP_EXIT;
		if (!event && signo == SIGURG)
			return STOP_LET_GO;
		ptrace(PTRACE_CONT, owner, 0, event ? 0 : signo);
	}
}

bool guard_hold_wait(pid_t owner)
{
	return next_stop(owner, 0) == STOP_EXIT;
}

bool guard_hold_exits(pid_t owner)
{
	return next_stop(owner, WNOHANG) == STOP_EXIT;
}

/* A kill between a stop and its end moves it on, without being asked, to the stop of its exit. */
void guard_hold_release(pid_t owner)
{
	int status;

	while (ptrace(PTRACE_DETACH, owner, 0, 0)) {
		pid_t pid = waitpid(owner, &status, __WALL);

		if ((pid < 0 && errno != EINTR) || (pid > 0 && !WIFSTOPPED(status)))
			return;
	}
}

/* --- our side ---------------------------------------------------------------- */

int guard_hold(struct guard *guard)
{
	return guard ? guard_tell(guard, MSG_HOLD, NULL, 0) : 0;
}

/* The signal is ignored, if it is not the guard that gets to see it; blocked it would not be seen. */
void guard_let_go(struct guard *guard)
{
	sigset_t urgent, old;

	if (!guard)
		return;
	sigemptyset(&urgent);
	sigaddset(&urgent, SIGURG);
	sigprocmask(SIG_UNBLOCK, &urgent, &old);
	raise(SIGURG);
	sigprocmask(SIG_SETMASK, &old, NULL);
}
