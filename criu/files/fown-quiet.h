/* Nobody is told of what a dump itself does to a terminal. */
#ifndef CRIU_FILES_FOWN_QUIET_H
#define CRIU_FILES_FOWN_QUIET_H

#include "files/files.h"
#include "mem/guard.h"

struct file_desc;
struct files_dump_state;

/** fown_quiet_later - something is taken from the object of @desc at the commit, if need be put back: its @owner is not told */
int must_check fown_quiet_later(struct files_dump *ctx, const struct file_desc *desc, const FownEntry *owner);

/** fown_takings - the owners, as what is taken first and given back last; @notes: @bytes of the guard's; @ret: see ttys_takings() */
int must_check fown_takings(struct files_dump *ctx, void *notes, size_t bytes, struct guard_takings *ret);

/** fown_dump_free - what is kept for the commit. */
void fown_dump_free(struct files_dump_state *state);

#endif
