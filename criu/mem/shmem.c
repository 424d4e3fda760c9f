/*
 * What is shared memory, and what of it can be saved. The kernel keeps a mapping's object alive by the inode alone;
 * names, descriptors and mappings are only ways to it. A holder outside the tree would keep the old inode while
 * the tree gets a new one, and both sides would go on without an error and without each other: refused.
 */
#include <linux/stat.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "mem/holders.h"
#include "mem/shmem.h"
#include "util/log.h"

#define HOLDERS_NAMED 8

bool shmem_is_object(const struct inode *inode)
{
	switch (inode->kind) {
	case INODE_ANON_SHARED:
	case INODE_MEMFD:
		return true;
	case INODE_FILE:
		return inode->unlinked && inode->mapped_shared && S_ISREG(inode->st.st_mode);
	default:
		return false;
	}
}

static const char *kind_name(const struct inode *inode)
{
	switch (inode->kind) {
	case INODE_ANON_SHARED:
		return "anonymous shared memory";
	case INODE_MEMFD:
		return "memfd";
	default:
		return "deleted file";
	}
}

static char *holder_text(const struct inode_holder *holder)
{
	if (holder->fd >= 0)
		return xasprintf("task %d fd %d", holder->pid, holder->fd);
	return xasprintf("task %d at %llx-%llx", holder->pid, (unsigned long long)holder->start,
			 (unsigned long long)holder->end);
}

/* Where in the tree to look for an object, for messages. */
static char *first_holder(const struct inode *inode)
{
	return inode->holders.n ? holder_text(&inode->holders.data[0]) : xstrdup("the tree");
}

static void refuse_kind(const struct inode *inode, struct refusals *refusals)
{
	auto_free char *where = first_holder(inode);

	if (inode->kind == INODE_SYSV)
		refuse(refusals, "%s (%lld bytes), %s: System V shared memory is not supported by this version",
		       inode->name, (long long)inode->st.st_size, where);
	if (inode->kind == INODE_HUGETLB)
		refuse(refusals, "%s (%lld bytes), %s: huge page memory is not supported by this version", inode->name,
		       (long long)inode->st.st_size, where);
	if (inode->fs_magic == FS_MAGIC_SECRETMEM)
		refuse(refusals, "%s (%lld bytes), %s: secret memory can't be read, so it can't be saved", inode->name,
		       (long long)inode->st.st_size, where);
}

static void refuse_dax(const struct inode *inode, struct refusals *refusals)
{
	struct statx stx;

	if (!inode->unlinked || !inode->mapped_shared || inode->kind != INODE_FILE ||
	    statx(inode->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) || !(stx.stx_attributes & STATX_ATTR_DAX))
		return;
	refuse(refusals, "%s: a deleted file in persistent memory (DAX), mapped shared: not supported", inode->name);
}

static char *append(char *text, char *more)
{
	char *joined = text ? xasprintf("%s; %s", text, more) : xstrdup(more);

	free(text);
	free(more);
	return joined;
}

static char *outsider_text(const struct outside_holder *holder)
{
	if (holder->fd >= 0)
		return xasprintf("%d (%s) fd %d %s", holder->pid, holder->comm, holder->fd, holder->access);
	return xasprintf("%d (%s) %llx-%llx %s", holder->pid, holder->comm, (unsigned long long)holder->start,
			 (unsigned long long)holder->end, holder->access);
}

static bool tree_may_write(const struct inode *inode)
{
	for (size_t i = 0; i < inode->holders.n; i++)
		if (inode->holders.data[i].write)
			return true;
	return false;
}

static void judge_outsiders(const struct inode *inode, const outside_holders *outsiders, struct refusals *refusals)
{
	auto_free char *inside = NULL;
	auto_free char *list = NULL;
	bool shared = shmem_is_object(inode), write = tree_may_write(inode);
	size_t n = 0;

	for (size_t i = 0; i < outsiders->n; i++) {
		const struct outside_holder *holder = &outsiders->data[i];

		if (holder->inode != inode)
			continue;
		shared |= holder->mapped_shared;
		write |= holder->write;
		if (n++ < HOLDERS_NAMED)
			list = append(list, outsider_text(holder));
	}
	if (!n)
		return;
	if (n > HOLDERS_NAMED)
		list = append(list, xasprintf("and %zu more", n - HOLDERS_NAMED));
	/*
	 * What nobody can write to any more (a replaced library or locale cache) can be two objects without anyone's
	 * noticing; and a file that is merely open on both sides is copied as mainline does.
	 */
	if (!shared || !write) {
		pr_warn("%s %s (%lld bytes) is also held outside the tree, where it will be an object of its own: %s",
			kind_name(inode), inode->name, (long long)inode->st.st_size, list);
		return;
	}
	inside = first_holder(inode);
	refuse(refusals,
	       "%s %s (%lld bytes), %s, is shared with processes outside the tree: %s. Sharing with outsiders can't be "
	       "saved by this version: dump them as well (a common ancestor as --tree), or end them first",
	       kind_name(inode), inode->name, (long long)inode->st.st_size, inside, list);
}

int shmem_plan(struct inodes *inodes, const struct remote_tree *tree, struct refusals *refusals)
{
	outside_holders outsiders = { 0 };
	bool any = false;
	int err;

	for (size_t i = 0; i < inodes->all.n; i++) {
		refuse_kind(inodes->all.data[i], refusals);
		refuse_dax(inodes->all.data[i], refusals);
		any |= inodes->all.data[i]->unlinked;
	}
	if (!any)
		return 0;

	err = holders_find_outside(inodes, tree, &outsiders);
	/* Few objects have outsiders; the rest cost one pass over an empty list. */
	for (size_t i = 0; !err && outsiders.n && i < inodes->all.n; i++)
		if (inodes->all.data[i]->unlinked)
			judge_outsiders(inodes->all.data[i], &outsiders, refusals);
	VEC_FREE(&outsiders);
	return err;
}
