/* The NUMA memory policy of a thread, and what setting any policy by a remote call takes. */
#ifndef CRIU_TASK_MEMPOLICY_H
#define CRIU_TASK_MEMPOLICY_H

#include "image/mempolicy.h"
#include "image/model.h"
#include "remote/batch.h"

#define MEMPOLICY_DATA_BYTES sizeof(uint64_t[NUMA_NODE_WORDS])

/* Arguments of set_mempolicy(2) and mbind(2). */
struct mempolicy_args {
	uint64_t mode;
	struct remote_addr nodes;
	uint64_t max_node;
};

/** mempolicy_queue_data - a checked policy (NULL: the default) into @batch, which has room for MEMPOLICY_DATA_BYTES. */
struct mempolicy_args mempolicy_queue_data(const MempolicyEntry *entry, struct batch *batch);

/**
 * mempolicy_queue - set_mempolicy() of the thread of @batch, default or not
 * @core: its image; the policy is one that can be set here (numa_drop_impossible())
 */
int must_check mempolicy_queue(const CoreEntry *core, struct batch *batch);

#endif
