/* What confines the tasks of a dump from outside and does not come back with them. */
#ifndef CRIU_CHECKPOINT_CONFINEMENT_H
#define CRIU_CHECKPOINT_CONFINEMENT_H

#include "remote/process.h"

/** confinement_warn - one warning for each cgroup and security profile that is not criu's own; the tree is stopped. */
void confinement_warn(const struct remote_tree *tree);

#endif
