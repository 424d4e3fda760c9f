/* Dump: objects that are held outside the tree, too, see external.h. */
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>

#include "kernel/syscalls.h"
#include "mem/external-handle.h"
#include "mem/external.h"
#include "mem/holders.h"
#include "mem/huge.h"
#include "mem/shmem.h"
#include "util/log.h"

#define FH_WORDS 16 /* what mainline's readers expect */

typedef VEC(const struct inode_holder *) descriptions;

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
		return S_ISFIFO(inode->st.st_mode) ? "deleted fifo" : "deleted file";
	}
}

/* What is written to a private mapping is a page of the task's own. */
static bool tree_may_write(const struct inode *inode)
{
	for (size_t i = 0; i < inode->holders.n; i++) {
		const struct inode_holder *holder = &inode->holders.data[i];

		if (holder->write && (holder->fd >= 0 || holder->access[3] == 's'))
			return true;
	}
	return false;
}

/* Could one side ever see what the other writes? */
static bool is_shared_with_outsiders(const struct inode *inode)
{
	bool write = tree_may_write(inode);

	if (!S_ISREG(inode->st.st_mode) && !S_ISFIFO(inode->st.st_mode))
		return false;
	for (size_t i = 0; i < inode->outsiders.n; i++)
		write |= inode->outsiders.data[i].write;
	/* A copy has another id, even if nobody can write. */
	return write || inode->kind == INODE_SYSV;
}

static void refuse_queue(const struct inode *inode, const char *inside, const char *list, struct refusals *refusals)
{
	refuse_object(refusals, inode->id,
		      "POSIX message queue %s, %s, has no name any more and is held outside the tree as well: %s. Dump "
		      "them as well (a common ancestor as --tree), or close it before the dump",
		      inode->name, inside, list);
}

static void refuse_fifo(const struct inode *inode, const char *inside, const char *list, struct refusals *refusals)
{
	refuse_object(refusals, inode->id,
		      "deleted fifo %s, %s, leads to processes outside the tree: %s. Dump them as well (a common "
		      "ancestor as --tree), or say --external-holders copy (the connection ends)",
		      inode->name, inside, list);
}

static void refuse_shared(const struct inode *inode, const char *inside, const char *list, struct refusals *refusals)
{
	refuse_object(refusals, inode->id,
		      "%s %s (%lld bytes), %s, is shared with processes outside the tree: %s. Dump them as well (a "
		      "common ancestor as --tree), or say --external-holders attach (restore gives the tree their "
		      "object again, as long as one of them lives) or --external-holders copy (sharing ends)",
		      kind_name(inode), inode->name, (long long)inode->st.st_size, inside, list);
}

static void judge_outsiders(struct inode *inode, const struct options *options, struct refusals *refusals)
{
	auto_free char *list = holders_text(inode->outsiders.data, inode->outsiders.n);
	auto_free char *inside = inode_first_holder(inode);
	const char *kind = kind_name(inode);
	long long size = inode->st.st_size;

	if (inode->fs_magic == FS_MAGIC_MQUEUE) {
		refuse_queue(inode, inside, list, refusals);
		return;
	}
	inode->shared_outside = is_shared_with_outsiders(inode);
	if (!inode->shared_outside) {
		/* A replaced library or locale cache, which can be two without anyone's noticing. */
		pr_warn("%s %s (%lld bytes) is also held outside the tree, where nobody can write to it, nor can the "
			"tree: it will be two objects: %s",
			kind, inode->name, size, list);
		return;
	}
	if (S_ISFIFO(inode->st.st_mode) && options->external_holders != EXTERNAL_COPY) {
		refuse_fifo(inode, inside, list, refusals);
		return;
	}
	switch (options->external_holders) {
	case EXTERNAL_ATTACH:
		pr_info("%s %s (%lld bytes) stays with those outside the tree who hold it: %s", kind, inode->name, size,
			list);
		inode->attached = true;
		break;
	case EXTERNAL_COPY:
		pr_warn("%s %s (%lld bytes): sharing ends, as --external-holders copy says: the tree gets a copy, and "
			"those outside keep the object: %s",
			kind, inode->name, size, list);
		break;
	default:
		refuse_shared(inode, inside, list, refusals);
	}
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

/* Each description of the tree once, whoever has it. */
static void list_descriptions(const struct inode *inode, descriptions *ret)
{
	struct hash seen = { 0 };

	for (size_t i = 0; i < inode->holders.n; i++) {
		const struct inode_holder *holder = &inode->holders.data[i];

		if (holder->file_id && !holder->in_flight && !hash_put(&seen, holder->file_id, 0, (void *)holder))
			VEC_PUSH(ret, holder);
	}
	hash_free(&seen);
}

/* Whoever got a descriptor by fork(2) or a message shares its position and flags, too. */
static void add_description(ExternalHolderEntry *entry, const descriptions *own)
{
	for (size_t i = 0; i < own->n && !entry->has_file_id; i++) {
		const struct inode_holder *holder = own->data[i];

		if (sys_kcmp(holder->pid, (pid_t)(entry->has_tid ? entry->tid : entry->pid), KCMP_FILE, holder->fd,
			     entry->fd))
			continue;
		entry->has_file_id = true;
		entry->file_id = holder->file_id;
	}
}

static ExternalHolderEntry *new_holder(struct model *model, const struct outside_holder *holder,
				       const descriptions *own)
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
		add_description(entry, own);
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
	descriptions own = { 0 };

	entry->id = inode->id;
	entry->kind = arena_strdup(model->arena, kind_name(inode));
	entry->name = arena_strdup(model->arena, inode->name);
	entry->size = inode->st.st_size;
	entry->saved = !inode->attached;
	entry->boot_id = arena_strdup(model->arena, boot_id());
	entry->dev = inode->st.st_dev;
	entry->ino = inode->st.st_ino;
	entry->has_fs_magic = true;
	entry->fs_magic = inode->fs_magic;
	entry->has_huge_page_bytes = inode->huge_bytes;
	entry->huge_page_bytes = inode->huge_bytes;
	if (inode->handle.bytes)
		entry->handle = new_handle(model, &inode->handle);
	entry->holders = arena_array(model->arena, ExternalHolderEntry *, inode->outsiders.n);
	list_descriptions(inode, &own);
	for (size_t i = 0; i < inode->outsiders.n; i++)
		entry->holders[entry->n_holders++] = new_holder(model, &inode->outsiders.data[i], &own);
	VEC_FREE(&own);
	VEC_PUSH(&model->external_objects, entry);
	return 0;
}

/* --- after the kill ---------------------------------------------------------------- */

/* Of a directory nobody was asked who works in it. */
static bool is_gone_with_tree(const struct inode *inode)
{
	return inode->unlinked && !inode->is_lower && inode->kind != INODE_OTHER && !inode->outsiders.n &&
	       !inode->attached && (S_ISREG(inode->st.st_mode) || S_ISFIFO(inode->st.st_mode));
}

static void probe(struct inode *inode)
{
	auto_fd int anchor = -1, fd = -1;

	if (inode->handle.bytes)
		anchor = handle_anchor(inode->st.st_dev, inode->name);
	if (anchor < 0) {
		pr_info("%s %s: its file system has no file handles, so whether something that /proc does not show "
			"holds it is not known",
			kind_name(inode), inode->name);
		return;
	}
	close_fdp(&inode->fd);
	inode->fd = -1;
	fd = handle_open(anchor, &inode->handle);
	if (fd >= 0)
		pr_warn("%s %s (%lld bytes) lives on: something that /proc does not show holds it (a descriptor on "
			"its way through a socket, io_uring, pinned memory) and no longer shares it with the tree",
			kind_name(inode), inode->name, (long long)inode->st.st_size);
}

void external_probe(struct inodes *inodes)
{
	for (size_t i = 0; i < inodes->all.n; i++)
		if (is_gone_with_tree(inodes->all.data[i]))
			probe(inodes->all.data[i]);
}
