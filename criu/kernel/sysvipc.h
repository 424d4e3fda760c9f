/* What making an IPC object again takes, whether segment, semaphore set or message queue. */
#ifndef CRIU_KERNEL_SYSVIPC_H
#define CRIU_KERNEL_SYSVIPC_H

#include <sys/types.h>

#include "util/macros.h"

enum sysvipc_kind { SYSVIPC_SHM, SYSVIPC_SEM, SYSVIPC_MSG };

/**
 * sysvipc_next_id - choose the id of the object of this kind that is made next in our namespace, by anyone
 * @id: -1: none, after all
 * Return: 0 or -errno (needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN); logs nothing.
 */
int sysvipc_next_id(enum sysvipc_kind kind, int id);

/** sysvipc_next_id_path - the file that does it, for messages. */
const char *sysvipc_next_id_path(enum sysvipc_kind kind);

/**
 * sysvipc_make_as - run @make as a user who is then the object's creator for ever
 *
 * Where we may not become that user there is a warning, and we are the creator. Only to be called by a process of one
 * thread.
 * Return: what @make returns, an id or -errno (not logged); logged -errno if we could not become ourselves again.
 */
int sysvipc_make_as(uid_t uid, gid_t gid, int (*make)(const void *arg), const void *arg);

#endif
