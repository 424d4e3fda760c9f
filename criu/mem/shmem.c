/* What is shared memory, and what of it can be saved. */
#include <linux/stat.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "mem/external.h"
#include "mem/shmem.h"
#include "mem/sysvshm.h"
#include "util/log.h"

bool shmem_is_object(const struct inode *inode)
{
	switch (inode->kind) {
	case INODE_ANON_SHARED:
	case INODE_MEMFD:
	case INODE_SYSV:
		return true;
	case INODE_FILE:
		/* Huge pages are memory whoever holds them, and no file of another kind could take their place. */
		return inode->unlinked && S_ISREG(inode->st.st_mode) &&
		       (inode->mapped_shared || inode->shared_outside || inode->huge_bytes || inode->is_lower ||
			inode->was_lower);
	default:
		return false;
	}
}

static void refuse_kind(const struct inode *inode, struct refusals *refusals)
{
	auto_free char *where = inode_first_holder(inode);

	if (inode->fs_magic == FS_MAGIC_SECRETMEM)
		refuse_object(refusals, inode->id,
			      "%s (%lld bytes), %s: secret memory can't be read, so it can't be saved: unmap and close "
			      "it before the dump",
			      inode->name, (long long)inode->st.st_size, where);
}

static void refuse_dax(const struct inode *inode, struct refusals *refusals)
{
	auto_free char *where = inode_first_holder(inode);
	struct statx stx;

	if (!inode->unlinked || !inode->mapped_shared || inode->kind != INODE_FILE ||
	    statx(inode->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) || !(stx.stx_attributes & STATX_ATTR_DAX))
		return;
	refuse_object(refusals, inode->id,
		      "%s, %s: a deleted file in persistent memory (DAX), mapped shared: not supported; unmap it "
		      "before the "
		      "dump",
		      inode->name, where);
}

int shmem_plan(struct inodes *inodes, const struct remote_tree *tree, const struct options *options,
	       struct refusals *refusals)
{
	bool any = false;
	int err;

	for (size_t i = 0; i < inodes->all.n; i++) {
		refuse_kind(inodes->all.data[i], refusals);
		refuse_dax(inodes->all.data[i], refusals);
		any |= inodes->all.data[i]->unlinked && !inodes->all.data[i]->is_lower;
	}
	err = any ? external_plan(inodes, tree, options, refusals) : 0;
	for (size_t i = 0; !err && i < inodes->all.n; i++) {
		struct inode *inode = inodes->all.data[i];

		if (inode->kind == INODE_SYSV)
			sysvshm_plan(inode, options, refusals);
	}
	return err;
}
