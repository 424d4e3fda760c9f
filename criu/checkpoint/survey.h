/* What a dump would do, found out while the tasks run. */
#ifndef CRIU_CHECKPOINT_SURVEY_H
#define CRIU_CHECKPOINT_SURVEY_H

#include "checkpoint/dump-ctx.h"
#include "mem/holders.h"

struct survey {
	struct dump dump; /* as far as the plan has got */
	struct options options;
	outside_holders outsiders; /* of all shared objects */
};

/**
 * survey_tree - run the plan of a dump on the tree options->tree, which is neither stopped nor changed
 *
 * Everything is read through /proc, pidfd_getfd(2) and kcmp(2). What stands in the way of a dump is in
 * @ret->dump.refusals, an error that a dump would fail with included. Not examined: what only shows on stopped
 * threads (registers, see watch.h).
 * Return: 0, also if a dump would be refused; negative errno, logged, if the tree could not be looked at.
 * survey_free() in both cases.
 */
int must_check survey_tree(const struct options *options, const struct kernel_features *features, struct survey *ret);
void survey_free(struct survey *survey);

#endif
