/* Terminals: telling them by their numbers, and which session each belongs to. */
#ifndef CRIU_FILES_TTY_H
#define CRIU_FILES_TTY_H

#include <sys/types.h>

#include "files/files.h"
#include "mem/guard.h"

/** tty_nr_decode - device number from the tty_nr field of /proc/PID/stat, or from TIOCGDEV. */
dev_t tty_nr_decode(int tty_nr);

/** tty_type_of - how images call a terminal with this device number; UNKNOWN for what is none. */
TtyType tty_type_of(dev_t rdev);

/** ttys_takings - what has to be taken at the commit; @notes: @bytes of the guard's; @ret: valid until files_dump_free() */
void ttys_takings(struct files_dump *ctx, void *notes, size_t bytes, struct guard_takings *ret);

/** tty_of_session - the controlling terminal that session @sid, whose leader is in the images, is given; or NULL */
const TtyInfoEntry *tty_of_session(const struct model *model, pid_t sid);

/** tty_session_fd - a descriptor of it, after files_make() and before files_settle(); borrowed; logged -errno. */
int must_check tty_session_fd(struct files_restore *ctx, const TtyInfoEntry *info);

/** ttys_complete - give slaves the session of their master: mainline knows it only of a slave that a member has open. */
void ttys_complete(struct model *model);

/** ttys_validate - check the images' terminals, and what waits in them. */
int must_check ttys_validate(const struct model *model);

/**
 * ttys_made - after the last description was made: what would have been in the way of making them
 * ttys_close - what only controlling terminals were made from
 */
int must_check ttys_made(struct files_restore *ctx);
void ttys_close(struct files_restore_state *state);

/** tty_dump_free - what is kept for the commit. */
void tty_dump_free(struct files_dump_state *state);

#endif
