/* Dump: objects that are held outside the tree, too, see external.h. */
#include <stdio.h>
#include <string.h>

#include "mem/external-handle.h"
#include "mem/external.h"
#include "mem/holders.h"
#include "mem/huge.h"
#include "mem/shmem.h"
#include "util/log.h"

#define FH_WORDS 16 /* what mainline's readers expect */

static const char *kind_name(const struct inode *inode)
{
	switch (inode->kind) {
	case INODE_ANON_SHARED:
		return "anonymous shared memory";
	case INODE_MEMFD:
		return strcmp(inode->name, HUGE_ANON_NAME) ? "memfd" : "anonymous shared memory";
	case INODE_SYSV:
		return "System V segment";
	default:
		return "deleted file";
	}
}

static bool tree_may_write(const struct inode *inode)
{
	for (size_t i = 0; i < inode->holders.n; i++)
		if (inode->holders.data[i].write)
			return true;
	return false;
}

/* Could one side ever see what the other writes? Mapped at all: not just open on both sides. */
static bool is_shared_with_outsiders(const struct inode *inode, bool *ret_mapped)
{
	bool write = tree_may_write(inode);

	*ret_mapped = shmem_is_object(inode);
	for (size_t i = 0; i < inode->outsiders.n; i++) {
		*ret_mapped |= inode->outsiders.data[i].mapped_shared;
		write |= inode->outsiders.data[i].write;
	}
	return write;
}

static void judge_outsiders(struct inode *inode, const struct options *options, struct refusals *refusals)
{
	auto_free char *list = holders_text(inode->outsiders.data, inode->outsiders.n);
	auto_free char *inside = inode_first_holder(inode);
	long long size = inode->st.st_size;
	bool mapped, shared = is_shared_with_outsiders(inode, &mapped);

	if (inode->fs_magic == FS_MAGIC_MQUEUE) {
		refuse_object(refusals, inode->id,
			      "POSIX message queue %s, %s, has no name any more and is held outside the tree as well: "
			      "%s. "
			      "Dump them as well (a common ancestor as --tree), or close it before the dump",
			      inode->name, inside, list);
		return;
	}
	/* A copy has another id, even if nobody can write. */
	shared |= inode->kind == INODE_SYSV;
	if (shared && options->external_holders == EXTERNAL_ATTACH && S_ISREG(inode->st.st_mode)) {
		pr_info("%s %s (%lld bytes) stays with those outside the tree who hold it: %s", kind_name(inode),
			inode->name, size, list);
		inode->attached = true;
		return;
	}
	/*
	 * What nobody can write to any more (a replaced library or locale cache) can be two objects without anyone's
	 * noticing; and a file that is merely open on both sides is copied as mainline does.
	 */
	if (!shared || !mapped || options->external_holders == EXTERNAL_COPY) {
		pr_warn("%s %s (%lld bytes) is also held outside the tree, where it will be an object of its own: %s",
			kind_name(inode), inode->name, size, list);
		return;
	}
	refuse_object(
		refusals, inode->id,
		"%s %s (%lld bytes), %s, is shared with processes outside the tree: %s. Dump them as well (a common "
		"ancestor as --tree), or say --external-holders attach (restore gives the tree their object again, as "
		"long as one of them lives) or --external-holders copy (sharing ends)",
		kind_name(inode), inode->name, size, inside, list);
}

int external_plan(struct inodes *inodes, const struct remote_tree *tree, const struct options *options,
		  struct refusals *refusals)
{
	outside_holders found = { 0 };
	int err = holders_find_outside(inodes, tree, HOLDERS_OF_UNLINKED, &found);

	for (size_t i = 0; !err && i < found.n; i++)
		VEC_PUSH(&inodes->all.data[found.data[i].inode->id - 1]->outsiders, found.data[i]);
	VEC_FREE(&found);
	for (size_t i = 0; !err && i < inodes->all.n; i++)
		if (inodes->all.data[i]->outsiders.n)
			judge_outsiders(inodes->all.data[i], options, refusals);
	return err;
}

/* --- images ---------------------------------------------------------------------- */

static ExternalHolderEntry *new_holder(struct model *model, const struct outside_holder *holder)
{
	ExternalHolderEntry *entry = model_new(model, ExternalHolderEntry, external_holder_entry__init);

	entry->pid = holder->pid;
	entry->start_time = holder->start_time;
	entry->comm = arena_strdup(model->arena, holder->comm);
	entry->access = arena_strdup(model->arena, holder->access);
	entry->has_fd = holder->fd >= 0;
	if (entry->has_fd) {
		entry->fd = holder->fd;
		entry->has_tid = holder->tid;
		entry->tid = holder->tid;
	} else {
		entry->has_start = entry->has_end = true;
		entry->start = holder->start;
		entry->end = holder->end;
	}
	return entry;
}

static FhEntry *new_handle(struct model *model, const struct inode_handle *handle)
{
	FhEntry *entry = model_new(model, FhEntry, fh_entry__init);

	entry->bytes = handle->bytes;
	entry->type = handle->type;
	entry->n_handle = FH_WORDS;
	entry->handle = arena_array(model->arena, uint64_t, FH_WORDS);
	memcpy(entry->handle, handle->data, handle->bytes);
	entry->has_mnt_id = true;
	entry->mnt_id = handle->mount_id;
	return entry;
}

int external_add(const struct inode *inode, struct model *model)
{
	ExternalObjectEntry *entry = model_new(model, ExternalObjectEntry, external_object_entry__init);

	entry->id = inode->id;
	entry->kind = arena_strdup(model->arena, kind_name(inode));
	entry->name = arena_strdup(model->arena, inode->name);
	entry->size = inode->st.st_size;
	entry->saved = !inode->attached;
	entry->boot_id = arena_strdup(model->arena, boot_id());
	entry->dev = inode->st.st_dev;
	entry->ino = inode->st.st_ino;
	if (inode->handle.bytes)
		entry->handle = new_handle(model, &inode->handle);
	entry->holders = arena_array(model->arena, ExternalHolderEntry *, inode->outsiders.n);
	for (size_t i = 0; i < inode->outsiders.n; i++)
		entry->holders[entry->n_holders++] = new_holder(model, &inode->outsiders.data[i]);
	VEC_PUSH(&model->external_objects, entry);
	return 0;
}

/* --- after the kill ---------------------------------------------------------------- */

void external_probe(struct inodes *inodes)
{
	for (size_t i = 0; i < inodes->all.n; i++) {
		struct inode *inode = inodes->all.data[i];
		auto_fd int anchor = -1, fd = -1;

		if (!shmem_is_object(inode) || inode->outsiders.n || inode->attached || !inode->handle.bytes)
			continue;
		anchor = handle_anchor(inode->st.st_dev, inode->name);
		if (anchor < 0)
			continue;
		close_fdp(&inode->fd);
		inode->fd = -1;
		fd = handle_open(anchor, &inode->handle);
		if (fd >= 0)
			pr_warn("%s %s (%lld bytes) lives on: something that /proc does not show holds it (a "
				"descriptor "
				"on its way through a socket, io_uring, pinned memory) and no longer shares it with "
				"the "
				"tree",
				kind_name(inode), inode->name, (long long)inode->st.st_size);
	}
}
