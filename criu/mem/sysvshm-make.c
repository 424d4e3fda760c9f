/*
 * What the kernel keeps of a segment: id, key, creator, owner, mode, size, whether it is locked or to be removed
 * with its last attachment, the pids of its maker and of who attached or detached it last, and three times.
 * pids and times can't be set. The id can be chosen through /proc/sys/kernel/shm_next_id.
 *
 * A segment marked for removal is marked again as soon as we have attached it ourselves: from
 * then on it can't outlive us and the tasks. The others are the guard's business until the restore has succeeded.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/hugepages.h"
#include "kernel/proc.h"
#include "kernel/sysvipc.h"
#include "mem/external.h"
#include "mem/sysvshm.h"
#include "util/log.h"

uint64_t sysvshm_page_bytes(const SysvShmEntry *entry)
{
	return entry->shm->hugetlb_flag ? huge_flag_bytes(entry->shm->hugetlb_flag) : PAGE_BYTES;
}

uint64_t sysvshm_bytes(const SysvShmEntry *entry)
{
	uint64_t page_bytes = sysvshm_page_bytes(entry) ?: PAGE_BYTES;

	return (entry->shm->size + page_bytes - 1) / page_bytes * page_bytes;
}

/* --- what is there ------------------------------------------------------------------ */

enum found {
	FOUND_NOTHING, /* the id is free */
	FOUND_SAME,
	FOUND_OTHER,
};

static bool is_same(const SysvShmEntry *entry, const struct shmid_ds *ds)
{
	const IpcDescEntry *desc = entry->shm->desc;
	const struct ipc_perm *perm = &ds->shm_perm;
	char boot_id[PROC_BOOT_ID_BYTES];

	if (!entry->boot_id || !proc_read_boot_id(boot_id) || strcmp(entry->boot_id, boot_id))
		return false;
	return (uint32_t)perm->__key == desc->key && perm->cuid == desc->cuid && perm->cgid == desc->cgid &&
	       !((perm->mode ^ desc->mode) & SHM_DEST) && ds->shm_segsz == entry->shm->size &&
	       ds->shm_cpid == entry->cpid && ds->shm_ctime == entry->ctime;
}

/* Whatever has the id, or its place in the kernel's table: *ret_id is then the id it has. */
static enum found look_up(const SysvShmEntry *entry, int *ret_id, struct shmid_ds *ret)
{
	*ret_id = shmctl((int)entry->shm->desc->id, SHM_STAT_ANY, ret);
	if (*ret_id < 0)
		return FOUND_NOTHING;
	return (uint32_t)*ret_id == entry->shm->desc->id && is_same(entry, ret) ? FOUND_SAME : FOUND_OTHER;
}

bool sysvshm_is_there(const SysvShmEntry *entry)
{
	struct shmid_ds ds;
	int id;

	return look_up(entry, &id, &ds) == FOUND_SAME;
}

static bool is_to_be_removed(const SysvShmEntry *entry)
{
	return entry->shm->desc->mode & SHM_DEST;
}

/* ENOENT is the one answer that means that nobody has the key. */
static int check_key(const IpcDescEntry *desc)
{
	int id;

	if (desc->key == IPC_PRIVATE)
		return 0;
	id = shmget((key_t)desc->key, 0, 0);
	if (id >= 0)
		return fail(EEXIST,
			    "its key %#x belongs to segment %d now; remove that one first, if nobody needs it (ipcrm "
			    "-m %d)",
			    desc->key, id, id);
	return errno == ENOENT ? 0 : fail_errno("its key %#x belongs to another segment", desc->key);
}

static int check_segment(const SysvShmEntry *entry)
{
	const IpcDescEntry *desc = entry->shm->desc;
	struct shmid_ds ds;
	int id;

	LOG_SCOPE("System V segment", desc->id);
	switch (look_up(entry, &id, &ds)) {
	case FOUND_SAME:
		if (!ds.shm_nattch)
			return 0;
		return fail(EBUSY,
			    "is attached %lu times, the last to do so was process %d: end those who use it first",
			    (unsigned long)ds.shm_nattch, ds.shm_lpid);
	case FOUND_OTHER:
		if (is_to_be_removed(entry))
			return 0;
		return fail(EEXIST,
			    "its place is taken by segment %d (key %#x, %zu bytes, made by process %d of user %u); "
			    "remove that "
			    "one first, if nobody needs it (ipcrm -m %d)",
			    id, (uint32_t)ds.shm_perm.__key, ds.shm_segsz, ds.shm_cpid, ds.shm_perm.cuid, id);
	case FOUND_NOTHING:
		break;
	}
	return check_key(desc);
}

int sysvshm_check(const struct model *model, const struct options *options)
{
	int err = 0;

	for (size_t i = 0; i < model->sysv_shms.n && !err; i++) {
		const SysvShmEntry *entry = model->sysv_shms.data[i];
		const ExternalObjectEntry *external = external_find(model, entry->shmid);
		bool attach;

		/* Attached to, or another one is made: no segment can be in the way. */
		err = external ? external_decide(external, options, &attach) : check_segment(entry);
	}
	return err;
}

/* --- a new one ------------------------------------------------------------------------ */

struct recipe {
	key_t key;
	const SysvShmEntry *entry;
};

/* Only CAP_IPC_LOCK makes segments of huge pages; a change of the user puts it aside. */
static int take_capabilities_up(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, caps))
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		caps[i].effective = caps[i].permitted;
	return syscall(SYS_capset, &header, caps) ? -errno : 0;
}

static int get(const void *arg)
{
	const struct recipe *recipe = arg;
	const IpcShmEntry *shm = recipe->entry->shm;
	int id;

	if (shm->hugetlb_flag && take_capabilities_up())
		pr_warn("make a segment of huge pages as its creator: take up capabilities: %m");
	id = shmget(recipe->key, shm->size,
		    IPC_CREAT | IPC_EXCL | (int)(shm->desc->mode & 0777) | (int)shm->hugetlb_flag);
	return id < 0 ? -errno : id;
}

static int get_as_creator(key_t key, const SysvShmEntry *entry)
{
	const IpcDescEntry *desc = entry->shm->desc;

	return sysvipc_make_as(desc->cuid, desc->cgid, get, &(struct recipe){ key, entry });
}

/* The key shows in /proc/PID/maps for ever, even after the segment has lost it. */
static int create(const SysvShmEntry *entry, bool copy)
{
	bool remove = is_to_be_removed(entry);
	int id = get_as_creator((key_t)(remove ? entry->made_key : entry->shm->desc->key), entry);

	if (id == -EEXIST && (remove || copy))
		id = get_as_creator(IPC_PRIVATE, entry);
	return id < 0 ? fail(-id, "make a segment of %llu bytes", (unsigned long long)entry->shm->size) : id;
}

static int check_id(const struct sysvshm *segment, int next_id_err)
{
	const SysvShmEntry *entry = segment->entry;
	int id = segment->id;

	if ((uint32_t)id == entry->shm->desc->id)
		return 0;
	if (segment->copy) {
		pr_warn("the tree's own copy has id %d; what its tasks do with the old id concerns the segment of "
			"those "
			"outside%s",
			id,
			is_to_be_removed(entry) ? ""
						: ", and the copy stays when they end, until it is removed (ipcrm -m)");
		return 0;
	}
	if (is_to_be_removed(entry)) {
		pr_warn("its id is %d now; it is marked for removal, so that only those who have it attached will need "
			"it",
			id);
		return 0;
	}
	if (next_id_err)
		return fail(-next_id_err, "cannot choose its id through %s (needs CAP_CHECKPOINT_RESTORE)",
			    sysvipc_next_id_path(SYSVIPC_SHM));
	return fail(EEXIST, "its id was taken by another process just now");
}

static int set_owner(const SysvShmEntry *entry, int id)
{
	const IpcDescEntry *desc = entry->shm->desc;
	struct shmid_ds ds;

	if (shmctl(id, IPC_STAT, &ds))
		return fail_errno("read its owner");
	if (ds.shm_perm.uid == desc->uid && ds.shm_perm.gid == desc->gid)
		return 0;
	ds.shm_perm.uid = desc->uid;
	ds.shm_perm.gid = desc->gid;
	return shmctl(id, IPC_SET, &ds) ? fail_errno("set its owner %u:%u", desc->uid, desc->gid) : 0;
}

static int attach_own(struct sysvshm *segment)
{
	void *own = shmat(segment->id, NULL, 0);

	if (own == (void *)-1)
		return fail_errno("attach it");
	segment->own = own;
	return 0;
}

static int make(struct sysvshm *segment, struct guard *guard)
{
	const SysvShmEntry *entry = segment->entry;
	int err, next_id_err, slot = guard_segment_add(guard);

	if (slot < 0)
		return slot;
	next_id_err = sysvipc_next_id(SYSVIPC_SHM, (int)entry->shm->desc->id);
	segment->id = create(entry, segment->copy);
	if (segment->id < 0) {
		if (!next_id_err && sysvipc_next_id(SYSVIPC_SHM, -1))
			pr_warn("the next segment that anybody makes will have id %u", entry->shm->desc->id);
		return segment->id;
	}
	guard_segment_made(guard, slot, segment->id);
	err = check_id(segment, next_id_err) ?: set_owner(entry, segment->id) ?: attach_own(segment);
	if (err) {
		shmctl(segment->id, IPC_RMID, NULL);
		return err;
	}
	if (!is_to_be_removed(entry))
		return 0;
	if (shmctl(segment->id, IPC_RMID, NULL))
		return fail_errno("mark it for removal");
	guard_name_drop(guard, slot);
	return 0;
}

/* --- the one there was ------------------------------------------------------------------ */

/*
 * The tasks have the memory they had at the dump, so the segment must have it too: it may have changed since, if the
 * job went on then or was restored before. Nobody has it attached now.
 */
static int find_again(struct sysvshm *segment, const struct model *model, const struct shmid_ds *ds)
{
	int err;

	segment->id = (int)segment->entry->shm->desc->id;
	if (ds->shm_lpid && !model_task(model, (uint32_t)ds->shm_lpid))
		pr_warn("process %d, which is none of the tree's, had it attached since the dump; what it wrote is "
			"replaced by the content of the dump",
			ds->shm_lpid);
	err = attach_own(segment);
	if (!err && madvise(segment->own, segment->bytes, MADV_REMOVE))
		err = fail_errno("empty it");
	return err;
}

/* ------------------------------------------------------------------------------------------ */

/* The size is in bytes, but what lies behind it in the last page is memory like the rest. */
static int fill_tail(const struct sysvshm *segment, const struct shmem_content *content)
{
	const struct pagemap *pages = &content->pagemap;
	uint64_t size = segment->entry->shm->size, last = segment->bytes - PAGE_BYTES;
	size_t tail = segment->bytes - size;

	for (size_t i = 0; tail && i < pages->n_ranges; i++) {
		const struct page_range *range = &pages->ranges[i];
		uint64_t at = range->file_offset + (last - range->vaddr) + (PAGE_BYTES - tail);

		if (last < range->vaddr || last - range->vaddr >= range->nr_pages * PAGE_BYTES)
			continue;
		if (pread(pages->pages_fd, (char *)segment->own + size, tail, (off_t)at) != (ssize_t)tail)
			return fail_errno("read the end of the last page");
	}
	return 0;
}

static int fill(const struct sysvshm *segment, struct shmem_content *content)
{
	auto_fd int fd = shmem_open_mapping(segment->own, segment->bytes);

	if (fd < 0)
		return fd;
	if (segment->entry->shm->hugetlb_flag) {
		content->size = segment->bytes;
		return shmem_fill(fd, content);
	}
	content->size = segment->entry->shm->size;
	return shmem_fill(fd, content) ?: fill_tail(segment, content);
}

int sysvshm_make(struct sysvshm *ret, const struct model *model, struct shmem_content *content, struct guard *guard)
{
	const IpcDescEntry *desc = ret->entry->shm->desc;
	struct shmid_ds ds;
	int id, err;

	LOG_SCOPE("System V segment", desc->id);
	ret->bytes = sysvshm_bytes(ret->entry);
	err = !ret->copy && look_up(ret->entry, &id, &ds) == FOUND_SAME ? find_again(ret, model, &ds)
									: make(ret, guard);
	if (!err)
		err = fill(ret, content);
	if (!err && desc->mode & SHM_LOCKED && shmctl(ret->id, SHM_LOCK, NULL))
		err = fail_errno("lock it in memory");
	return err;
}

/* Its number is its id; of another namespace's segment with this id it is told by the handle. */
int sysvshm_attach(struct sysvshm *ret, int fd)
{
	struct inode_handle want, have;
	auto_fd int own_fd = -1;
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return fail_errno("fstat of a System V segment");
	LOG_SCOPE("System V segment", (long long)st.st_ino);
	if ((uint64_t)st.st_size != ret->entry->shm->size)
		return fail(ESTALE, "has %lld bytes instead of %llu", (long long)st.st_size,
			    (unsigned long long)ret->entry->shm->size);
	ret->id = (int)st.st_ino;
	ret->bytes = sysvshm_bytes(ret->entry);
	err = attach_own(ret);
	if (err)
		return err;
	own_fd = shmem_open_mapping(ret->own, ret->bytes);
	if (own_fd < 0)
		return own_fd;
	if (inode_read_handle(fd, &want) || inode_read_handle(own_fd, &have) || !inode_same_handle(&want, &have))
		return fail(ESTALE, "what has this id is another one");
	return 0;
}

void sysvshm_detach(struct sysvshm *segment)
{
	if (segment->own)
		shmdt(segment->own);
	segment->own = NULL;
}
