/*
 * Small numbers for kernel objects that tasks share (address space, descriptor
 * table, fs, signal handlers, namespaces): equal where the object is the same.
 */
#ifndef CRIU_CHECKPOINT_IDS_H
#define CRIU_CHECKPOINT_IDS_H

#include "image/model.h"
#include "remote/process.h"
#include "util/refusals.h"

struct ids;

struct ids *ids_new(void);
void ids_free(struct ids *ids);

/** ids_of_self - the namespaces of this process: inventory.root_ids. */
int must_check ids_of_self(struct ids *ids, TaskKobjIdsEntry *ret);

/**
 * ids_of_process - by kcmp(2) against all processes asked about before
 * Refuses a namespace other than ours, and an address space or signal handlers
 * shared between processes. *ret_new_files: nobody before had this descriptor table.
 */
int must_check ids_of_process(struct ids *ids, const struct remote_process *process, TaskKobjIdsEntry *ret,
			      bool *ret_new_files, struct refusals *refusals);

/**
 * ids_semadj_owner - whose list of semaphore adjustments (SEM_UNDO) does a thread have?
 * *ret_owner: the thread asked about first that has the same list, perhaps @tid itself; 0: it has none
 *
 * To be called while we have a single thread.
 */
int must_check ids_semadj_owner(struct ids *ids, pid_t tid, pid_t *ret_owner);

#endif
