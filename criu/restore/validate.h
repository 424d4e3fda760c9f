/* Images that were read: could they be what a dump wrote? */
#ifndef CRIU_RESTORE_VALIDATE_H
#define CRIU_RESTORE_VALIDATE_H

#include "image/model.h"
#include "kernel/features.h"
#include "options.h"

/** restore_validate - values of tasks and files that image_read() has no opinion about; -EINVAL and the like, logged. */
int must_check restore_validate(struct model *model, const struct options *options,
				const struct kernel_features *features);

#endif
