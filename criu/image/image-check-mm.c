/* Address spaces: mappings in order, aligned, of a kind we can make, and leading to files that exist. */
#include <sys/mman.h>

#include "arch.h"
#include "image/image-check.h"
#include "image/mempolicy.h"
#include "image/vma-status.h"
#include "kernel/hugepages.h"
#include "util/log.h"

#define AUXV_MAX 512
#define PKEYS	 16

/* Kinds of which a mapping has exactly one. */
#define VMA_KINDS (VMA_FILE_PRIVATE | VMA_FILE_SHARED | VMA_ANON_SHARED | VMA_ANON_PRIVATE)

static const struct {
	uint32_t bit;
	const char *what;
} unsupported[] = {
	{ VMA_AREA_SOCKET, "a mapped packet socket" },
	{ VMA_AREA_SHSTK, "a shadow stack" },
	{ VMA_AREA_UPROBES, "a uprobes page" },
};

static int check_file(const struct model *model, const VmaEntry *vma)
{
	const FileEntry *file = vma->shmid <= UINT32_MAX ? model_file(model, vma->shmid) : NULL;
	FdTypes type = vma->status & VMA_AREA_MEMFD ? FD_TYPES__MEMFD : FD_TYPES__REG;

	if (!file || file->type != type)
		return fail(EINVAL, "mapped file %llu is not in files.img", (unsigned long long)vma->shmid);
	return 0;
}

static int check_segment(const struct model *model, const VmaEntry *vma)
{
	const SysvShmEntry *segment = model_sysv_shm(model, vma->shmid);
	uint64_t bytes = vma->end - vma->start, page_bytes = PAGE_BYTES;

	if (!segment)
		return fail(ENOTSUP,
			    "shows System V segment %llu, which sysv-shm.img does not have (IPC namespaces of their "
			    "own can't be restored by this program)",
			    (unsigned long long)vma->shmid);
	if (!(vma->status & VMA_ANON_SHARED))
		return fail(EINVAL, "is a System V segment, but not shared");
	if (segment->shm->hugetlb_flag)
		page_bytes = huge_flag_bytes(segment->shm->hugetlb_flag) ?: PAGE_BYTES;
	if (vma->pgoff + bytes > (segment->shm->size + page_bytes - 1) / page_bytes * page_bytes)
		return fail(EINVAL, "reaches beyond the %llu bytes of System V segment %u",
			    (unsigned long long)segment->shm->size, segment->shm->desc->id);
	return 0;
}

static int check_huge(const VmaEntry *vma)
{
	uint64_t page_bytes = huge_flag_bytes(vma->flags);

	if (!page_bytes || (vma->start | vma->end | vma->pgoff) % page_bytes)
		return fail(EINVAL, "ends at %#llx, offset %#llx: not made of huge pages of flags %#x",
			    (unsigned long long)vma->end, (unsigned long long)vma->pgoff, vma->flags);
	return 0;
}

#define AIO_RING_MAX (64UL << 20) /* two million requests */

static int check_aio(const MmEntry *mm, const VmaEntry *vma)
{
	for (size_t i = 0; i < mm->n_aios; i++)
		if (mm->aios[i]->id == vma->start)
			return vma->end - vma->start == mm->aios[i]->ring_len
				       ? 0
				       : fail(EINVAL, "AIO context of %u bytes in a mapping that ends at %#llx",
					      mm->aios[i]->ring_len, (unsigned long long)vma->end);
	return fail(EINVAL, "is the ring of an AIO context that mm-*.img does not have");
}

/* Each with a mapping of its own. */
static int check_aios(const MmEntry *mm)
{
	for (size_t i = 0; i < mm->n_aios; i++) {
		const AioRingEntry *aio = mm->aios[i];
		size_t n = 0;

		for (size_t j = 0; j < mm->n_vmas; j++)
			n += mm->vmas[j]->start == aio->id && mm->vmas[j]->status & VMA_AREA_AIORING;
		for (size_t j = 0; j < i; j++)
			n += mm->aios[j]->id == aio->id;
		if (n != 1 || !aio->ring_len || aio->ring_len % PAGE_BYTES || aio->ring_len > AIO_RING_MAX)
			return fail(EINVAL, "AIO context %#llx of %u bytes has no such mapping, or is there twice",
				    (unsigned long long)aio->id, aio->ring_len);
	}
	return 0;
}

static int check_vma(const struct model *model, const VmaEntry *vma)
{
	uint32_t kinds = vma->status & VMA_KINDS;
	bool file = kinds & (VMA_FILE_PRIVATE | VMA_FILE_SHARED);
	uint64_t bytes = vma->end - vma->start;

	if (vma->start >= vma->end || (vma->start | vma->end | vma->pgoff) % PAGE_BYTES)
		return fail(EINVAL, "ends at %#llx, offset %#llx: empty or not made of pages",
			    (unsigned long long)vma->end, (unsigned long long)vma->pgoff);
	if (vma->status & VMA_AREA_VSYSCALL)
		return 0;
	if (vma->end > ARCH_TASK_SIZE)
		return fail(EINVAL, "ends at %#llx, beyond what a process has", (unsigned long long)vma->end);
	for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++)
		if (vma->status & unsupported[i].bit)
			return fail(ENOTSUP, "is %s, which this program cannot restore", unsupported[i].what);
	if (vma->status & (VMA_EXT_PLUGIN | VMA_UNSUPP))
		return fail(ENOTSUP, "needs a plugin");
	if (vma->status & VMA_AREA_GUARD)
		return 0;
	if (vma->prot & ~(uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC))
		return fail(EINVAL, "unknown protection %#x", vma->prot);
	/* The vdso and its data are private to whoever restores them. */
	if (!kinds && vma->status & (VMA_AREA_VDSO | VMA_AREA_VVAR))
		return 0;
	if (!kinds || kinds & (kinds - 1))
		return fail(EINVAL, "status %#x does not say what kind of mapping it is", vma->status);
	if (!!(vma->flags & MAP_SHARED) != !!(kinds & (VMA_FILE_SHARED | VMA_ANON_SHARED)))
		return fail(EINVAL, "flags %#x and status %#x disagree about sharing", vma->flags, vma->status);
	if (vma->pgoff > INT64_MAX - bytes)
		return fail(EINVAL, "offset %#llx is too large", (unsigned long long)vma->pgoff);
	if (vma->pkey >= PKEYS)
		return fail(EINVAL, "protection key %u", vma->pkey);
	if (vma->policy && mempolicy_check(vma->policy, "mapping"))
		return -EINVAL;
	if (vma->flags & MAP_HUGETLB && check_huge(vma))
		return -EINVAL;
	if (vma->status & VMA_AREA_SYSVIPC)
		return check_segment(model, vma);
	return file || vma->status & VMA_AREA_MEMFD ? check_file(model, vma) : 0;
}

int image_check_mm(const struct model *model, const struct task_image *task)
{
	const MmEntry *mm = task->mm;
	const FileEntry *exe = model_file(model, mm->exe_file_id);
	uint64_t end = 0;

	if (!exe || exe->type != FD_TYPES__REG)
		return fail(EINVAL, "mm-%u.img: program file %u is not in files.img", task->pstree->pid,
			    mm->exe_file_id);
	if (mm->n_mm_saved_auxv > AUXV_MAX)
		return fail(EINVAL, "mm-%u.img: %zu words of auxiliary vector", task->pstree->pid, mm->n_mm_saved_auxv);
	if (check_aios(mm))
		return -EINVAL;
	for (size_t i = 0; i < mm->n_vmas; i++) {
		const VmaEntry *vma = mm->vmas[i];
		int err;

		LOG_SCOPE_HEX("mapping", vma->start);
		err = check_vma(model, vma);
		if (!err && vma->status & VMA_AREA_AIORING)
			err = check_aio(mm, vma);
		if (err)
			return err;
		/* Guard regions lie inside mappings and follow them in the list. */
		if (vma->status & VMA_AREA_GUARD)
			continue;
		if (vma->start < end)
			return fail(EINVAL, "mm-%u.img: mapping %zu overlaps the one before it or is out of order",
				    task->pstree->pid, i);
		end = vma->end;
	}
	return 0;
}
