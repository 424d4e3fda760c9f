/* How a dump goes: seize, plan, write, commit, then kill or resume. */
#ifndef CRIU_CHECKPOINT_DUMP_H
#define CRIU_CHECKPOINT_DUMP_H

#include "image/image.h"
#include "kernel/features.h"
#include "options.h"

/**
 * checkpoint_dump - save the tree options->tree into @dir
 * @work_fd: the work directory, for the statistics; borrowed
 *
 * Until the commit point nothing has changed for the tasks, whatever fails;
 * after it they are gone (or run on, as the options say).
 * Return: 0, or negative errno after an error message.
 * -ECANCELED: a post-dump script failed.
 */
int must_check checkpoint_dump(const struct options *options, const struct kernel_features *features,
			       struct image_dir *dir, int work_fd);

#endif
