#ifndef ZDTM_SYSVSHM_H
#define ZDTM_SYSVSHM_H

/* What the kernel says of System V segments. Include zdtmtst.h first. */

#include <sys/ipc.h>
#include <sys/shm.h>

#define NO_SEGMENT ((char *)-1)

/* 1, with a message, unless the segment is as it was but for its times and pids. */
static inline int segment_changed(int id, const struct shmid_ds *before)
{
	const struct ipc_perm *a = &before->shm_perm, *b;
	struct shmid_ds now;

	if (shmctl(id, IPC_STAT, &now))
		return pr_perror("segment %d is gone", id);
	b = &now.shm_perm;
	if (a->__key != b->__key || a->mode != b->mode)
		return pr_err("segment %d: key %x mode %o, was %x %o\n", id, b->__key, b->mode, a->__key, a->mode);
	if (a->uid != b->uid || a->gid != b->gid || a->cuid != b->cuid || a->cgid != b->cgid)
		return pr_err("segment %d: owner %u:%u made by %u:%u, was %u:%u %u:%u\n", id, b->uid, b->gid, b->cuid,
			      b->cgid, a->uid, a->gid, a->cuid, a->cgid);
	if (now.shm_segsz != before->shm_segsz || now.shm_nattch != before->shm_nattch)
		return pr_err("segment %d: %zu bytes, attached %lu times, was %zu %lu\n", id, now.shm_segsz,
			      now.shm_nattch, before->shm_segsz, before->shm_nattch);
	return 0;
}

/* A segment that goes with its last attachment; -1 with a message. */
static inline int segment_removed(size_t size, char **ret)
{
	int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);

	if (id < 0) {
		pr_perror("shmget");
		return -1;
	}
	*ret = shmat(id, NULL, 0);
	if (shmctl(id, IPC_RMID, NULL) || *ret == NO_SEGMENT) {
		pr_perror("shmat");
		return -1;
	}
	return id;
}

#endif
