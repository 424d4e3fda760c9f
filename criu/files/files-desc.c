/*
 * Open file descriptions, told apart by kernel identity.
 *
 * Two descriptors are one description when kcmp(2) says so. It also orders
 * descriptions, so the ones of one inode form a search tree and a descriptor costs a
 * handful of comparisons even among thousands of its kind. Descriptors that a
 * child inherited are found by their number at once. Position and status
 * flags do not take part: a process outside the tree that shares the
 * description may change them between two looks at it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

#include "files/files-internal.h"
#include "kernel/path.h"
#include "kernel/proc-scan.h"
#include "kernel/syscalls.h"

#define KCMP_FILE      0
#define KCMP_EPOLL_TFD 7

/* struct kcmp_epoll_slot of linux/kcmp.h */
struct epoll_slot {
	uint32_t efd, tfd, toff;
};

int file_desc_read(struct remote_process *process, int fd, struct file_desc *ret)
{
	struct file_desc desc = { .fd = -1, .pid = process->pid, .target_fd = fd };
	int err;

	desc.fd = sys_pidfd_getfd(process->pidfd, fd);
	if (desc.fd == -EMFILE)
		return fail(EMFILE, "too many open files in the tree for criu; raise its limit (ulimit -n)");
	if (desc.fd < 0)
		return fail(-desc.fd, "cannot duplicate the descriptor");
	if (fstat(desc.fd, &desc.st)) {
		err = fail_errno("fstat");
		goto out;
	}
	err = proc_read_fdinfo(process->pid, fd, &desc.info);
	if (err)
		goto out;
	*ret = desc;
	return 0;
out:
	file_desc_free(&desc);
	return err;
}

int file_desc_read_link(struct file_desc *desc)
{
	char name[16];

	/* Of our duplicate: the same text, without asking for access to the task. */
	snprintf(name, sizeof(name), "fd/%d", desc->fd);
	return proc_read_link(getpid(), name, &desc->link);
}

void file_desc_free(struct file_desc *desc)
{
	close_fdp(&desc->fd);
	desc->fd = -1;
	proc_fdinfo_free(&desc->info);
	free(take_ptr(desc->link));
}

/*
 * 0 equal, 1 less, 2 greater: the order is of the descriptions, whoever has
 * them. Between two of our own descriptors the kernel has no access to check.
 */
static int compare(const struct desc_node *a, const struct desc_node *b)
{
	int order = a->fd >= 0 && b->fd >= 0 ? sys_kcmp(a->self, a->self, KCMP_FILE, a->fd, b->fd)
					     : sys_kcmp(a->pid, b->pid, KCMP_FILE, a->target_fd, b->target_fd);

	if (order >= 0 && order <= 2)
		return order;
	return fail(order < 0 ? -order : EINVAL, "kcmp with descriptor %d of task %d", b->target_fd, b->pid);
}

/* tsearch(3) hands nothing through to its comparison; -errno once a comparison has failed. */
static _Thread_local int tree_error;

static int tree_order(int order)
{
	if (order < 0)
		tree_error = order;
	return order <= 0 ? 0 : order == 1 ? -1 : 1;
}

static int tree_compare(const void *wanted, const void *node)
{
	return tree_order(tree_error ? tree_error : compare(wanted, node));
}

/* All eventfds have one inode; the kernel numbers them beside it. */
static uint64_t object_number(const struct file_desc *desc)
{
	uint64_t id;

	if (!S_ISREG(desc->st.st_mode) && fdinfo_number(desc->info.text, "eventfd-id", 10, &id))
		return desc->st.st_ino ^ (id + 1) << 32;
	return desc->st.st_ino;
}

static struct desc_group *group_of(struct files_dump *ctx, dev_t dev, uint64_t number)
{
	struct files_dump_state *state = files_dump_state(ctx);
	struct desc_group *group = hash_get(&state->groups, dev, number);

	if (group)
		return group;
	group = arena_new_of(ctx->model->arena, struct desc_group);
	VEC_PUSH(&state->all_groups, group);
	hash_put(&state->groups, dev, number, group);
	return group;
}

static uint64_t twin_key(dev_t dev, uint32_t number)
{
	return ((uint64_t)dev << 32) ^ number;
}

int file_desc_intern(struct files_dump *ctx, const struct file_desc *desc, struct desc_node **ret, bool *ret_new)
{
	struct files_dump_state *state = files_dump_state(ctx);
	const uint64_t key = twin_key(desc->st.st_dev, desc->target_fd);
	struct desc_node *twin = hash_get(&state->twins, key, desc->st.st_ino);
	struct desc_node *node = arena_new_of(ctx->model->arena, struct desc_node), **found;
	int order;

	node->self = getpid();
	node->pid = desc->pid;
	node->target_fd = desc->target_fd;
	node->fd = desc->fd;

	/* A child has most of its descriptors from its parent, under the same numbers. */
	*ret_new = false;
	if (twin && !desc->in_flight) {
		order = compare(node, twin);
		if (order < 0)
			return order;
		if (!order) {
			*ret = twin;
			return 0;
		}
	}

	tree_error = 0;
	found = tsearch(node, &group_of(ctx, desc->st.st_dev, object_number(desc))->root, tree_compare);
	if (!found)
		return fail(ENOMEM, "no memory for a descriptor");
	if (tree_error)
		return tree_error;
	*ret = *found;
	if (*found == node) {
		*ret_new = true;
		node->flags = desc->info.flags;
		/* Whoever has it may be the one who took them. */
		node->locks = desc->info.locks.n ? LOCKS_PERHAPS : LOCKS_UNKNOWN;
		node->fd = fcntl(desc->fd, F_DUPFD_CLOEXEC, 0);
		if (node->fd >= 0)
			VEC_PUSH(&state->node_fds, node->fd);
	}
	if (!desc->in_flight) {
		hash_put(&state->twins, key, desc->st.st_ino, *ret);
		return 0;
	}
	if (node->fd < 0)
		return fail(EMFILE, "too many open files in the tree for criu; raise its limit (ulimit -n)");
	node->pid = node->self;
	node->target_fd = node->fd;
	return 0;
}

static void keep_node(void *node)
{
	(void)node;
}

void file_desc_groups_free(struct files_dump_state *state)
{
	for (size_t i = 0; i < state->all_groups.n; i++)
		tdestroy(state->all_groups.data[i]->root, keep_node);
	VEC_FREE(&state->all_groups);
}

/* 0 equal, 1 the watched one is less, 2 greater: the order is that of compare(). */
static int compare_watched(const struct epoll_watch *watch, const struct desc_node *node)
{
	const struct epoll_slot slot = { .efd = watch->epoll_fd, .tfd = watch->tfd, .toff = watch->nth };
	int order = sys_kcmp(node->pid, watch->pid, KCMP_EPOLL_TFD, node->target_fd, (uintptr_t)&slot);

	if (order >= 0 && order <= 2)
		return order ? 3 - order : 0;
	return fail(order < 0 ? -order : EINVAL, "kcmp of watched descriptor %u with descriptor %d of task %d",
		    watch->tfd, node->target_fd, node->pid);
}

static int tree_compare_watched(const void *watch, const void *node)
{
	return tree_order(tree_error ? tree_error : compare_watched(watch, node));
}

static int find_watched(const struct epoll_watch *watch, struct desc_group *group, struct desc_node **ret)
{
	struct desc_node **found;

	tree_error = 0;
	found = tfind(watch, &group->root, tree_compare_watched);
	if (tree_error)
		return tree_error;
	*ret = found ? *found : NULL;
	return 0;
}

/* The kernel walks through all that is watched to answer a question: ask few. */
int file_desc_watched(struct files_dump *ctx, const struct epoll_watch *watch, struct desc_node **ret)
{
	struct files_dump_state *state = files_dump_state(ctx);
	struct desc_node *twin = hash_get(&state->twins, twin_key(watch->dev, watch->tfd), watch->ino);
	struct desc_group *group = hash_get(&state->groups, watch->dev, watch->ino);
	int order = twin ? compare_watched(watch, twin) : 1, err = 0;

	*ret = NULL;
	if (order <= 0) {
		*ret = order ? NULL : twin;
		return order;
	}
	if (group)
		err = find_watched(watch, group, ret);
	/* An eventfd under a number that is another file's now; and overlayfs and btrfs show other inode numbers. */
	for (size_t i = 0; !err && !*ret && i < state->all_groups.n; i++)
		err = find_watched(watch, state->all_groups.data[i], ret);
	return err;
}

const char *file_path(struct arena *arena, const char *link, const struct stat *st)
{
	return arena_printf(arena, "%.*s", (int)path_bare_len(link, st), link);
}

bool fdinfo_number(const char *text, const char *key, unsigned int base, uint64_t *ret)
{
	for (const char *line = text; line && *line; line = next_line(line)) {
		const char *value = scan_key(line, key);
		const char *end;
		uint64_t number;

		if (!value)
			continue;
		end = scan_number(skip_blanks(value), base, &number);
		if (!end || (*end && *end != '\n'))
			return false;
		*ret = number;
		return true;
	}
	return false;
}
