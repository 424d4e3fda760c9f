/* What a criu that was killed has left in a task: its scratch area. */
#ifndef CRIU_REMOTE_LEFTOVER_H
#define CRIU_REMOTE_LEFTOVER_H

#include "remote/process.h"

/**
 * remote_is_leftover - is this mapping of @process the scratch area of a criu that was killed?
 * remote_note_leftover - then leave it out of the dump, and have it unmapped
 * remote_drop_leftovers - unmap what was noted
 */
bool remote_is_leftover(struct remote_process *process, const struct proc_map *map);
void remote_note_leftover(struct remote_process *process, const struct proc_map *map);
int must_check remote_drop_leftovers(struct remote_process *process);

/** remote_is_returned_to - is an address in @range on the stack of a thread: will a handler return to there? */
bool remote_is_returned_to(struct remote_process *process, const struct remote_range *range);

#endif
