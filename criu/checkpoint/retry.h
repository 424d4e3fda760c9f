/*
 * What is in the way of a dump for a moment only, such as a connection that nobody has accepted yet: the tree runs on
 * for a little while, then everything is looked at again. A step of the dump asks for that with -ERESTART, if it has
 * found the tree changing under it; what is refused, with refuse_passing() (util/refusals.h).
 */
#ifndef CRIU_CHECKPOINT_RETRY_H
#define CRIU_CHECKPOINT_RETRY_H

#include <stdbool.h>

#include "util/macros.h"

/** retry_left - may another try follow after @tries? */
bool retry_left(unsigned int tries);

/**
 * retry_wait - let the tree run before the next try, the longer the more were in vain
 * Return: 0; -EINTR (logged) if criu is asked to end.
 */
int must_check retry_wait(unsigned int tries);

#endif
