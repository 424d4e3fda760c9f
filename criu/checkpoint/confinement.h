/* What confines the tasks of a dump from outside and does not come back with them. */
#ifndef CRIU_CHECKPOINT_CONFINEMENT_H
#define CRIU_CHECKPOINT_CONFINEMENT_H

#include "remote/process.h"
#include "util/refusals.h"

/**
 * confinement_plan - one warning for each cgroup and security profile that is not criu's own
 *
 * Frozen cgroups are reasons not to dump. The tree is stopped, or watched.
 */
int must_check confinement_plan(const struct remote_tree *tree, struct refusals *refusals);

#endif
