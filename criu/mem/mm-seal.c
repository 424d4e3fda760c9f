/*
 * Sealed mappings: mseal(2), since Linux 6.10.
 *
 * The kernel keeps a flag of the mapping, which smaps shows as "sl" and which nothing takes away; a fork passes it
 * on. Lost: nothing. It comes last, after the last child was made: puppets change what they inherit.
 */
#include <sys/syscall.h>

#include "mem/mm-seal.h"
#include "util/log.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

int mm_seal_settle(const MmEntry *mm, struct batch *batch)
{
	for (size_t i = 0; i < mm->n_vmas; i++) {
		const VmaEntry *vma = mm->vmas[i];
		int err = vma->sealed ? batch_room(batch, 1, 0) : 0;

		if (err)
			return err;
		if (vma->sealed)
			batch_must(batch, "seal memory (mseal, Linux 6.10)", SYS_mseal, vma->start,
				   vma->end - vma->start, 0);
	}
	return 0;
}
