/* What mlockall(2) has asked for mappings to come. */
#ifndef CRIU_MEM_MM_LOCK_H
#define CRIU_MEM_MM_LOCK_H

#include "image/model.h"
#include "remote/batch.h"

/** mm_lock_dump - MCL_FUTURE of @process into @mm; right after remote_open(), before any batch. */
int must_check mm_lock_dump(struct remote_process *process, MmEntry *mm);

/** mm_lock_settle - queue the call that sets it again; after the last mapping was made. */
int must_check mm_lock_settle(const MmEntry *mm, struct batch *batch);

#endif
