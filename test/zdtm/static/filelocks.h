#ifndef ZDTM_FILELOCKS_H
#define ZDTM_FILELOCKS_H

/* Does a lock exclude others? Asked by trying, in a process of its own. Include zdtmtst.h first. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/wait.h>

enum lock_how { BY_POSIX, BY_OFD, BY_FLOCK };

#define TO_EOF 0

/* Take the lock, or give it back with F_UNLCK, without waiting: 0 or -1. */
static inline int lock_set(int fd, enum lock_how how, short type, off_t start, off_t len)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	switch (how) {
	case BY_FLOCK:
		return flock(fd, LOCK_NB | (type == F_WRLCK ? LOCK_EX : type == F_RDLCK ? LOCK_SH : LOCK_UN));
	case BY_OFD:
		return fcntl(fd, F_OFD_SETLK, &lock);
	default:
		return fcntl(fd, F_SETLK, &lock);
	}
}

/* A new description of the file behind @fd, deleted or not. */
static inline int lock_open(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

/* In a stranger: 0 it got the lock, 1 it is not free, 2 something else went wrong. */
static inline int lock_try(int fd, enum lock_how how, short type, off_t start, off_t len)
{
	int other = lock_open(fd, O_RDWR);

	if (other < 0) {
		pr_perror("open descriptor %d anew", fd);
		return 2;
	}
	if (!lock_set(other, how, type, start, len))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return 1;
	pr_perror("lock descriptor %d", fd);
	return 2;
}

/* 1 when a stranger cannot lock what is behind @fd that way, 0 when it can, 2 when that can't be told. */
static inline int lock_excludes(int fd, enum lock_how how, short type, off_t start, off_t len)
{
	int status;
	pid_t pid = test_fork();

	if (!pid)
		_exit(lock_try(fd, how, type, start, len));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
		pr_perror("a child that tries to lock");
		return 2;
	}
	return WEXITSTATUS(status);
}

/* What a stranger finds. */
struct lock_seen {
	enum lock_how how;
	short type;
	off_t start, len;
	int excluded;
};

/* 0 when all is as listed; every difference is logged. */
static inline int lock_check(int fd, const struct lock_seen *seen, size_t n)
{
	int bad = 0;

	for (size_t i = 0; i < n; i++) {
		int found = lock_excludes(fd, seen[i].how, seen[i].type, seen[i].start, seen[i].len);

		if (found != seen[i].excluded)
			bad = pr_err("fd %d: lock %d, type %d, %ld bytes at %ld: excluded %d, was %d\n", fd,
				     seen[i].how, seen[i].type, (long)seen[i].len, (long)seen[i].start, found,
				     seen[i].excluded);
	}
	return bad;
}

/* Who holds what is in the way of a POSIX lock: a pid, -1 an open file, 0 nobody, -2 on error. */
static inline pid_t lock_holder(int fd, short type, off_t start, off_t len)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	if (fcntl(fd, F_GETLK, &lock)) {
		pr_perror("F_GETLK");
		return -2;
	}
	return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

#endif
