/*
 * What waits in a pty, in both directions, and how to put it there. Used by
 * restore, and by the guard while a dump commits: nothing here writes to the log.
 */
#ifndef CRIU_FILES_PTY_QUEUE_H
#define CRIU_FILES_PTY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/mem.h"

/* What one end has not read yet. */
struct pty_queue {
	VEC(uint8_t) bytes;
	bool canonical;	     /* the bytes are lines and then what is being edited; else just bytes */
	bool parted;	     /* the lines are known; if not, newlines make them */
	VEC(uint32_t) lines; /* lengths; one that does not end in a newline was ended by an end of file */
	bool stopped;	     /* this end's output is stopped, by ^S or tcflow(3) */
};

/* Both ends. */
struct pty_queues {
	struct pty_queue slave, master;
};

void pty_queues_free(struct pty_queues *queues);

/** pty_is_canonical - does the slave of the pty, whose either end is @fd, read lines? */
bool pty_is_canonical(int fd);

/**
 * pty_is_overfull - does more wait for @slave than its line discipline holds, and would be processed by reading it?
 * Of lines only those that are complete are seen, so that pty_take() may find out in the end.
 */
bool pty_is_overfull(int slave);

/**
 * pty_open_slave - a new description of the slave of @master, not blocking; also if it is locked. Return: descriptor or
 * -errno.
 */
int must_check pty_open_slave(int master, int flags);

/**
 * pty_take - empty both queues
 * @master: not in packet mode
 * @slave:  must not block
 * @ret:    what they held, also after an error
 * Return: 0; -EOVERFLOW: more waits for the slave than its line discipline holds, and would be processed on the
 * way.
 */
int must_check pty_take(int master, int slave, struct pty_queues *ret);

/**
 * pty_put - fill the queues, which are empty
 * @master: not in packet mode; blocking or not
 * Return: 0; -ENOSPC: not all of it fits; or -errno.
 */
int must_check pty_put(int master, int slave, const struct pty_queues *queues);

#endif
