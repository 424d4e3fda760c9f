/* What waits in the ptys of a tree is taken at the commit of its dump, by the guard. */
#ifndef CRIU_FILES_PTY_TAKE_H
#define CRIU_FILES_PTY_TAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/macros.h"

/* Of one master; in memory that is shared with the guard. */
struct pty_note {
	uint32_t master_id, slave_id; /* as tty-info.img calls them */
	uint32_t index;
	pid_t pid; /* who has the master, and where */
	uint32_t fd;
	bool never_opened; /* the slave: opening it changes what the master sees */
};

/* Known in the plan, or when it is taken: in canonical mode nobody can see how much it is. */
#define PTY_OVERFULL                                                                                                   \
	"more input waits for the slave than its line discipline holds, and would be processed by reading it: not "    \
	"supported; have it read before the dump"

struct pty_taken;

struct pty_notes {
	struct pty_taken *taken; /* the guard's own */
	struct pty_note of[];	 /* one for each master */
};

/** pty_take_all, pty_give_all_back - see struct guard_takings; @notes: struct pty_notes, @masters: in its order */
int must_check pty_take_all(int dir_fd, const int *masters, size_t n, void *notes);
void pty_give_all_back(const int *masters, size_t n, void *notes);

#endif
