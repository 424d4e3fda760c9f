/* Where a seized process keeps its stub: the unused tail of its vdso. */
#ifndef CRIU_REMOTE_PLACE_H
#define CRIU_REMOTE_PLACE_H

#include "remote/process.h"

/** remote_place_stub - choose process->stub; -ENOTSUP, logged, if there is no vdso or no room. */
int must_check remote_place_stub(struct remote_process *process);

/** remote_is_claimed - does a stub that a killed criu left in the vdso say that @range is its scratch area? */
bool remote_is_claimed(struct remote_process *process, const struct remote_range *range);

/** remote_write_stub - put @n bytes there. */
int must_check remote_write_stub(struct remote_process *process, const void *bytes, size_t n);

#endif
