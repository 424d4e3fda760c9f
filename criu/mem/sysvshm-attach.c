/*
 * Only shmat(2) maps a segment so that the kernel counts it; it always maps the whole of it. Where all of it is still
 * in one place, one call puts it there. Else it is attached wherever there is room, what is still mapped is moved to
 * its place (the kernel counts that, too), and the rest is unmapped.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "image/vma-status.h"
#include "mem/sysvshm-attach.h"
#include "mem/sysvshm.h"
#include "util/log.h"

static bool attached_for_writing(const VmaEntry *vma)
{
	/* Mainline's images go by the protection. */
	return vma->has_fdflags ? (vma->fdflags & O_ACCMODE) != O_RDONLY : (vma->prot & PROT_WRITE) != 0;
}

static struct attachment *find(attachment_list *list, struct hash *known, const VmaEntry *vma)
{
	uint64_t base = vma->start - vma->pgoff, key = base | attached_for_writing(vma);
	size_t place = (uintptr_t)hash_get(known, key, vma->shmid);
	struct attachment *attachment;

	if (place)
		return &list->data[place - 1];
	attachment = VEC_ADD(list);
	attachment->base = base;
	attachment->shmid = vma->shmid;
	attachment->write = attached_for_writing(vma);
	hash_put(known, key, vma->shmid, (void *)(uintptr_t)list->n);
	return attachment;
}

void attachments_find(const MmEntry *mm, attachment_list *ret)
{
	struct hash known = { 0 };

	for (size_t i = 0; i < mm->n_vmas; i++)
		if (mm->vmas[i]->status & VMA_AREA_SYSVIPC)
			VEC_PUSH(&find(ret, &known, mm->vmas[i])->vmas, i);
	hash_free(&known);
}

void attachments_free(attachment_list *attachments)
{
	for (size_t i = 0; i < attachments->n; i++)
		VEC_FREE(&attachments->data[i].vmas);
	VEC_FREE(attachments);
}

bool attachment_is_whole(const struct attachment *attachment, const MmEntry *mm, uint64_t bytes)
{
	uint64_t at = attachment->base;

	for (size_t i = 0; i < attachment->vmas.n; i++) {
		const VmaEntry *vma = mm->vmas[attachment->vmas.data[i]];

		if (vma->start != at)
			return false;
		at = vma->end;
	}
	return at - attachment->base == bytes;
}

static bool is_kept(const struct attachment *attachment, const MmEntry *mm, const struct kept_range *kept)
{
	for (size_t i = 0; i < attachment->vmas.n; i++) {
		size_t index = attachment->vmas.data[i];
		const VmaEntry *vma = mm->vmas[index];

		if (kept[index].start != vma->start || kept[index].end != vma->end)
			return false;
	}
	return true;
}

void attachments_keep(const MmEntry *mm, struct kept_range *kept)
{
	attachment_list list = { 0 };

	attachments_find(mm, &list);
	for (size_t i = 0; i < list.n; i++) {
		if (is_kept(&list.data[i], mm, kept))
			continue;
		for (size_t v = 0; v < list.data[i].vmas.n; v++)
			kept[list.data[i].vmas.data[v]] = (struct kept_range){ 0, 0 };
	}
	attachments_free(&list);
}

/* --- in the puppet ------------------------------------------------------------------- */

static int queue_protect(const struct attachment *attachment, const MmEntry *mm, struct batch *batch)
{
	uint32_t attached = PROT_READ | (attachment->write ? PROT_WRITE : 0);
	int err = 0;

	for (size_t i = 0; i < attachment->vmas.n && !err; i++) {
		const VmaEntry *vma = mm->vmas[attachment->vmas.data[i]];

		if (vma->prot == attached)
			continue;
		err = batch_room(batch, 1, 0);
		if (!err)
			batch_must(batch, "protect a System V segment", SYS_mprotect, vma->start, vma->end - vma->start,
				   vma->prot);
	}
	return err;
}

/* So that the kernel does not attach it where parts of it have to go. */
static int queue_reserve(const struct attachment *attachment, const MmEntry *mm, struct batch *batch)
{
	for (size_t i = 0; i < attachment->vmas.n; i++) {
		const VmaEntry *vma = mm->vmas[attachment->vmas.data[i]];
		int err = batch_room(batch, 1, 0);

		if (err)
			return err;
		batch_must(batch, "keep room for a System V segment", SYS_mmap, vma->start, vma->end - vma->start,
			   PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	}
	return 0;
}

static int queue_move(const struct attachment *attachment, const MmEntry *mm, uint64_t from, uint64_t bytes,
		      struct batch *batch)
{
	int err;

	for (size_t i = 0; i < attachment->vmas.n; i++) {
		const VmaEntry *vma = mm->vmas[attachment->vmas.data[i]];
		uint64_t part = vma->end - vma->start;

		err = batch_room(batch, 1, 0);
		if (err)
			return err;
		batch_must(batch, "move a part of a System V segment", SYS_mremap, from + vma->pgoff, part, part,
			   MREMAP_MAYMOVE | MREMAP_FIXED, vma->start);
	}
	err = batch_room(batch, 1, 0);
	if (!err)
		batch_must(batch, "unmap the rest of a System V segment", SYS_munmap, from, bytes);
	return err;
}

static int make_from_parts(const struct attachment *attachment, const struct sysvshm *segment, const MmEntry *mm,
			   struct batch *batch)
{
	int attached, flags = attachment->write ? 0 : SHM_RDONLY;
	int err = queue_reserve(attachment, mm, batch) ?: batch_room(batch, 1, 0);

	if (err)
		return err;
	attached = batch_must(batch, "attach a System V segment", SYS_shmat, segment->id, 0, flags);
	err = batch_run(batch);
	return err ?: queue_move(attachment, mm, batch_ret(batch, attached), segment->bytes, batch);
}

int attachment_make(const struct attachment *attachment, const struct shmem_restore *shmem, const MmEntry *mm,
		    struct batch *batch)
{
	const struct sysvshm *segment = shmem_sysv(shmem, attachment->shmid);
	int err;

	if (!segment)
		return -ENOENT;
	if (!attachment_is_whole(attachment, mm, segment->bytes)) {
		err = make_from_parts(attachment, segment, mm, batch);
	} else {
		err = batch_room(batch, 1, 0);
		if (!err)
			batch_must(batch, "attach a System V segment", SYS_shmat, segment->id, attachment->base,
				   attachment->write ? 0 : SHM_RDONLY);
	}
	return err ?: queue_protect(attachment, mm, batch);
}
