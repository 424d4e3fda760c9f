/*
 * Locking of mappings to come: mlockall(MCL_FUTURE).
 *
 * What the kernel keeps: flags that every new mapping of the address space
 * gets. They can't be read, but the scratch area is such a mapping: if they are
 * set, the memory that the kernel accounts as locked has grown by it, and it
 * has been populated unless locking waits for the first access
 * (MCL_ONFAULT). A fork does not pass them on.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "mem/mm-lock.h"
#include "util/log.h"

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_SWAPPED (1ULL << 62)

/* The last page of a slot holds data of a long batch, so nothing has touched it yet. */
static int is_populated(struct remote_process *process, bool *ret)
{
	uint64_t last = process->scratch.v + process->scratch_bytes - PAGE_BYTES, entry;
	auto_fd int fd = proc_open(process->pid, "pagemap", O_RDONLY);

	if (fd < 0)
		return fail(-fd, "cannot open /proc/%d/pagemap", process->pid);
	if (pread(fd, &entry, sizeof(entry), (off_t)(last / PAGE_BYTES * sizeof(entry))) != sizeof(entry))
		return fail_errno("cannot read /proc/%d/pagemap", process->pid);
	*ret = entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED);
	return 0;
}

int mm_lock_dump(struct remote_process *process, MmEntry *mm)
{
	cleanup_with(proc_status_free) struct proc_status now = { 0 };
	bool populated = false;
	int err = proc_read_status(process->pid, 0, &now);

	if (err || now.locked_kb < process->status.locked_kb + process->scratch_bytes / 1024)
		return err;
	err = is_populated(process, &populated);
	if (err)
		return err;
	mm->has_lock_future = true;
	mm->lock_future = MCL_FUTURE | (populated ? 0 : MCL_ONFAULT);
	return 0;
}

int mm_lock_settle(const MmEntry *mm, struct batch *batch)
{
	int err = mm->lock_future ? batch_room(batch, 1, 0) : 0;

	if (!err && mm->lock_future)
		batch_must(batch, "have mappings to come locked", SYS_mlockall,
			   MCL_FUTURE | (mm->lock_future & MCL_ONFAULT));
	return err;
}
