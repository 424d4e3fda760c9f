#ifndef ZDTM_PIDFD_H
#define ZDTM_PIDFD_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than some C libraries. */
#define PIDFD_NONBLOCK_FLAG O_NONBLOCK
#define PIDFD_THREAD_FLAG   O_EXCL

static inline int pidfd_of(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static inline int pidfd_kill(int pidfd, int signo)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
}

/* Has its task ended? */
static inline int pidfd_ended(int pidfd)
{
	struct pollfd poller = { .fd = pidfd, .events = POLLIN };

	return poll(&poller, 1, 0) == 1;
}

#endif
