/*
 * Open file descriptions, told apart by kernel identity.
 *
 * Two descriptors are one description when kcmp(2) says so. It also orders
 * descriptions, so the ones of one inode form a search tree and a descriptor costs a
 * handful of comparisons even among thousands of its kind. Descriptors that a
 * child inherited are found by their number at once. Position and status
 * flags do not take part: a process outside the tree that shares the
 * description may change them between two looks at it. kcmp's order is a
 * scrambled address, as good as random, so the tree needs no balancing.
 */
#include <fcntl.h>
#include <inttypes.h>
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

void file_desc_free(struct file_desc *desc)
{
	close_fdp(&desc->fd);
	desc->fd = -1;
	proc_fdinfo_free(&desc->info);
	free(take_ptr(desc->link));
}

static struct desc_node *node_new(struct files_dump *ctx, const struct file_desc *desc)
{
	struct desc_node *node = arena_new_of(ctx->model->arena, struct desc_node);

	node->pid = desc->pid;
	node->target_fd = desc->target_fd;
	node->fd = fcntl(desc->fd, F_DUPFD_CLOEXEC, 0);
	if (node->fd >= 0)
		VEC_PUSH(&files_dump_state(ctx)->node_fds, node->fd);
	return node;
}

/*
 * 0 equal, 1 less, 2 greater: the order is of the descriptions, whoever has
 * them. Between two of our own descriptors the kernel has no access to check.
 */
static int compare(pid_t self, const struct file_desc *desc, const struct desc_node *node)
{
	int order = desc->fd >= 0 && node->fd >= 0
			    ? sys_kcmp(self, self, KCMP_FILE, desc->fd, node->fd)
			    : sys_kcmp(desc->pid, node->pid, KCMP_FILE, desc->target_fd, node->target_fd);

	if (order >= 0 && order <= 2)
		return order;
	return fail(order < 0 ? -order : EINVAL, "kcmp with descriptor %d of task %d", node->target_fd, node->pid);
}

/* The place in the tree below @root where the description is or belongs. */
static int find_place(const struct file_desc *desc, struct desc_node **root, struct desc_node ***ret)
{
	pid_t self = getpid();

	while (*root) {
		int order = compare(self, desc, *root);

		if (order < 0)
			return order;
		if (!order)
			break;
		root = order == 1 ? &(*root)->less : &(*root)->greater;
	}
	*ret = root;
	return 0;
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
	struct desc_node **place;
	int order;

	/* A child has most of its descriptors from its parent, under the same numbers. */
	*ret_new = false;
	if (twin) {
		order = compare(getpid(), desc, twin);
		if (order < 0)
			return order;
		if (!order) {
			*ret = twin;
			return 0;
		}
	}

	order = find_place(desc, &group_of(ctx, desc->st.st_dev, object_number(desc))->root, &place);
	if (order < 0)
		return order;
	if (!*place) {
		*place = node_new(ctx, desc);
		*ret_new = true;
	}
	*ret = *place;
	hash_put(&state->twins, key, desc->st.st_ino, *ret);
	return 0;
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

static int find_watched(const struct epoll_watch *watch, struct desc_node *node, struct desc_node **ret)
{
	while (node) {
		int order = compare_watched(watch, node);

		if (order < 0)
			return order;
		if (!order)
			break;
		node = order == 1 ? node->less : node->greater;
	}
	*ret = node;
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
		err = find_watched(watch, group->root, ret);
	/* An eventfd under a number that is another file's now; and overlayfs and btrfs show other inode numbers. */
	for (size_t i = 0; !err && !*ret && i < state->all_groups.n; i++)
		err = find_watched(watch, state->all_groups.data[i]->root, ret);
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
