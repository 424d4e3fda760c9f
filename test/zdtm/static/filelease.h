#ifndef ZDTM_FILELEASE_H
#define ZDTM_FILELEASE_H

/* Leases, fcntl(2) F_SETLEASE, and the signals their holder gets. Include zdtmtst.h first. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#define LEASE_SIGNAL (SIGRTMIN + 3)

/* Take a lease whose break is told by LEASE_SIGNAL, which stays blocked: 0 or -1. */
static inline int lease_take(int fd, int type)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, LEASE_SIGNAL);
	return sigprocmask(SIG_BLOCK, &set, NULL) || fcntl(fd, F_SETSIG, LEASE_SIGNAL) || fcntl(fd, F_SETLEASE, type)
		       ? -1
		       : 0;
}

/* The descriptor that a break is reported for, within some seconds; -1: none is. */
static inline int lease_broken(int seconds)
{
	const struct timespec limit = { .tv_sec = seconds };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, LEASE_SIGNAL);
	return sigtimedwait(&set, &info, &limit) < 0 ? -1 : info.si_fd;
}

/* A stranger opens what is behind @fd: 0 it did, 1 the lease is in the way, 2 something else went wrong. */
static inline int lease_excludes(int fd, int flags)
{
	char path[64];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	pid = test_fork();
	if (!pid) {
		close(fd);
		_exit(open(path, flags | O_NONBLOCK) >= 0 ? 0 : errno == EWOULDBLOCK ? 1 : 2);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
		pr_perror("a child that tries to open");
		return 2;
	}
	return WEXITSTATUS(status);
}

#endif
