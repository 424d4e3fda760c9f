/*
 * dieat - preloaded into a program: SIGKILL before its n-th call that changes a directory or a file. n is in the
 * variable DIE_AT.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned int calls;

static void before_call(void)
{
	const char *at = getenv("DIE_AT");

	if (at && ++calls == (unsigned int)atoi(at))
		kill(getpid(), SIGKILL);
}

#define FORWARD(type, name, args, params)                                                                              \
	type name args;                                                                                                \
	type name args                                                                                                 \
	{                                                                                                              \
		type(*real) args = dlsym(RTLD_NEXT, #name);                                                            \
                                                                                                                       \
		before_call();                                                                                         \
		return real params;                                                                                    \
	}

FORWARD(int, unlinkat, (int dir_fd, const char *name, int flags), (dir_fd, name, flags))
FORWARD(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
FORWARD(int, fsync, (int fd), (fd))
FORWARD(int, syncfs, (int fd), (fd))

ssize_t write(int fd, const void *data, size_t bytes)
{
	if (fd > STDERR_FILENO)
		before_call();
	return syscall(SYS_write, fd, data, bytes);
}

int openat64(int dir_fd, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (flags & O_CREAT)
		before_call();
	return (int)syscall(SYS_openat, dir_fd, name, flags | O_LARGEFILE, mode);
}
