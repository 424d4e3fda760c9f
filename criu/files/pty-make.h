/* A pty that is made anew. Shared by pty-make.c and pty-open.c; nothing else includes it. */
#ifndef CRIU_FILES_PTY_MAKE_H
#define CRIU_FILES_PTY_MAKE_H

#include "files/tty-internal.h"

struct pty {
	uint32_t index;
	const TtyInfoEntry *master, *slave; /* one of them may be NULL */
	const char *ptmx;
	int master_flags;
	int master_fd, slave_fd; /* owned; -1 before they are made, and when they are closed */
	bool made;
	bool master_opened; /* its one description is made */
};

/**
 * pty_make - the pty that @info is an end of, made if it was not yet
 * @ret: owned by @ctx; its master is open until all descriptions are made, its slave, if it has one, until
 *       sessions have their terminals
 * Return: 0, or -errno, which is logged.
 */
int must_check pty_make(struct files_restore *ctx, const TtyInfoEntry *info, struct pty **ret);

#endif
