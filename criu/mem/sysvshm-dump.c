/*
 * Seen from outside, an attached segment is an inode of the kernel's own tmpfs whose number is the id and whose name
 * shows the key; everything else shmctl(2) tells who is in the same IPC namespace. Nothing is attached for the
 * dump, since the segment would remember it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/hugepages.h"
#include "kernel/proc.h"
#include "mem/sysvshm.h"
#include "util/log.h"

/* "/SYSV" and eight digits: the key, and so for ever. */
static uint32_t made_key(const struct inode *inode)
{
	return (uint32_t)strtoul(inode->name + strlen("/SYSV"), NULL, 16);
}

/* False: there is none, or one of the same id in another namespace. */
static bool is_described_by(const struct inode *inode, const struct shmid_ds *ds)
{
	bool key_is_gone = ds->shm_perm.mode & SHM_DEST;
	uint64_t size = ds->shm_segsz;

	if (inode->huge_bytes)
		size = (size + inode->huge_bytes - 1) / inode->huge_bytes * inode->huge_bytes;
	return size == (uint64_t)inode->st.st_size && (key_is_gone || (uint32_t)ds->shm_perm.__key == made_key(inode));
}

static size_t attachments_of_tree(const struct inode *inode)
{
	size_t n = 0;

	for (size_t i = 0; i < inode->holders.n; i++)
		n += inode->holders.data[i].fd < 0;
	return n;
}

/* Others have it attached whom nobody can see: they keep it, or nothing is known of how to tell them. */
static void judge_unseen(struct inode *inode, const struct shmid_ds *ds, size_t n, const struct options *options,
			 struct refusals *refusals)
{
	int id = (int)inode->st.st_ino;

	if (options->external_holders == EXTERNAL_ATTACH) {
		pr_info("System V segment %d (key %#x) stays with those who have attached it and whom /proc does not "
			"show",
			id, made_key(inode));
		inode->attached = true;
		return;
	}
	refuse_object(refusals, inode->id,
		      "System V segment %d (key %#x, %lld bytes), task %d: is attached %lu times, but by the tree only "
		      "%zu times: processes that /proc does not show share it. Dump them as well, or end them first, "
		      "or "
		      "say --external-holders attach",
		      id, made_key(inode), (long long)inode->st.st_size, inode->holders.data[0].pid,
		      (unsigned long)ds->shm_nattch, n);
}

void sysvshm_plan(struct inode *inode, const struct options *options, struct refusals *refusals)
{
	size_t n = attachments_of_tree(inode);
	int id = (int)inode->st.st_ino;
	struct shmid_ds ds;

	if (shmctl(id, IPC_STAT, &ds)) {
		refuse_object(refusals, inode->id, "System V segment %d (%s, %lld bytes), task %d: %s", id, inode->name,
			      (long long)inode->st.st_size, inode->holders.data[0].pid,
			      errno == EACCES ? "criu may not examine it: run it with CAP_IPC_OWNER"
					      : "belongs to another IPC namespace; run criu inside");
		return;
	}
	/* The kernel counts mappings, also of processes that we can't see. */
	if (!is_described_by(inode, &ds) || ds.shm_nattch < n)
		refuse_object(refusals, inode->id,
			      "System V segment %d (%s, %lld bytes), task %d: belongs to another IPC namespace; run "
			      "criu inside",
			      id, inode->name, (long long)inode->st.st_size, inode->holders.data[0].pid);
	else if (ds.shm_nattch > n && !inode->outsiders.n)
		judge_unseen(inode, &ds, n, options, refusals);
}

static IpcDescEntry *new_desc(const struct shmid_ds *ds, int id, struct model *model)
{
	IpcDescEntry *desc = model_new(model, IpcDescEntry, ipc_desc_entry__init);

	desc->key = (uint32_t)ds->shm_perm.__key;
	desc->uid = ds->shm_perm.uid;
	desc->gid = ds->shm_perm.gid;
	desc->cuid = ds->shm_perm.cuid;
	desc->cgid = ds->shm_perm.cgid;
	desc->mode = ds->shm_perm.mode;
	desc->id = (uint32_t)id;
	return desc;
}

int sysvshm_dump(const struct inode *inode, struct model *model)
{
	SysvShmEntry *entry = model_new(model, SysvShmEntry, sysv_shm_entry__init);
	char boot_id[PROC_BOOT_ID_BYTES];
	int id = (int)inode->st.st_ino;
	struct shmid_ds ds;

	if (shmctl(id, IPC_STAT, &ds))
		return fail_errno("System V segment %d: read what it is", id);
	entry->shm = model_new(model, IpcShmEntry, ipc_shm_entry__init);
	entry->shm->desc = new_desc(&ds, id, model);
	entry->shm->size = ds.shm_segsz;
	entry->shm->has_in_pagemaps = true;
	entry->shm->in_pagemaps = true;
	if (inode->huge_bytes) {
		entry->shm->has_hugetlb_flag = true;
		entry->shm->hugetlb_flag = SHM_HUGETLB | huge_size_flag(inode->huge_bytes);
	}
	entry->shmid = inode->id;
	entry->made_key = made_key(inode);
	entry->cpid = ds.shm_cpid;
	entry->ctime = ds.shm_ctime;
	if (proc_read_boot_id(boot_id))
		entry->boot_id = arena_strdup(model->arena, boot_id);
	VEC_PUSH(&model->sysv_shms, entry);
	return 0;
}
