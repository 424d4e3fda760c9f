/* How a restore goes: read, make objects, build the tree of puppets, settle, let go. */
#ifndef CRIU_RESTORE_RESTORE_H
#define CRIU_RESTORE_RESTORE_H

#include "image/image.h"
#include "kernel/features.h"
#include "options.h"

/**
 * restore_tree - bring back the tree saved in @dir
 * @ret_root: PID of the root task, running (or stopped, as asked)
 *
 * All or nothing: until every task is complete the death of this process ends all
 * of them and leaves no file. The root is a child of the caller, or its
 * sibling with --restore-sibling.
 */
int must_check restore_tree(const struct options *options, const struct kernel_features *features,
			    struct image_dir *dir, int work_fd, pid_t *ret_root);

#endif
