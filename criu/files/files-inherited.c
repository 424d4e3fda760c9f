/*
 * Descriptors that a child has from its parent: of thousands, kcmp(2) with what has the same number in the parent
 * tells at once that nothing about the description is new. What remains is the table's own: close-on-exec, and
 * the POSIX locks its processes hold. fdinfo shows both, but at ten times the price.
 *
 * Whether there are POSIX locks on a file at all is asked once for a description, with F_GETLK, on file systems that
 * answer by themselves: others would ask a server, or a process of the tree. Close-on-exec is asked of the tasks by
 * remote calls (fcntl(F_GETFD)), when they run some anyway.
 *
 * A tree that runs on can't be asked, and changes meanwhile: there fdinfo is read of everything.
 */
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "files/files-internal.h"
#include "kernel/syscalls.h"
#include "mem/inode.h"
#include "remote/rounds.h"

#define KCMP_FILE 0

/* --- what a child has from its parent --------------------------------------------------- */

void inherited_note(struct files_dump *ctx, pid_t pid, int fd, struct desc_node *node)
{
	hash_put(&files_dump_state(ctx)->numbered, pid, fd, node);
}

/* Their locks are in this kernel's memory. */
static bool keeps_locks_here(uint32_t fs_magic)
{
	static const uint32_t magics[] = {
		FS_MAGIC_TMPFS,		 FS_MAGIC_OVERLAY,	  0xef53 /* ext4 */,
		0x58465342 /* xfs */,	 0x9123683e /* btrfs */,  0x858458f6 /* ramfs */,
		0x50495045 /* pipefs */, 0x534f434b /* sockfs */, 0x09041934 /* anon_inode */,
		0x1cd1 /* devpts */,
	};

	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (magics[i] == fs_magic)
			return true;
	return false;
}

/* Of nobody: the tree stands still, and what others take meanwhile is not the tree's. */
static bool has_no_posix_locks(struct desc_node *node)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct statfs fs;

	if (node->locks != LOCKS_UNKNOWN)
		return node->locks == LOCKS_NONE;
	node->locks = LOCKS_PERHAPS;
	if (node->fd >= 0 && !fstatfs(node->fd, &fs) && keeps_locks_here((uint32_t)fs.f_type) &&
	    !fcntl(node->fd, F_GETLK, &lock) && lock.l_type == F_UNLCK)
		node->locks = LOCKS_NONE;
	return node->locks == LOCKS_NONE;
}

struct desc_node *inherited_find(struct files_dump *ctx, const struct remote_process *process, int fd)
{
	struct desc_node *node = NULL;

	if (process->parent && !process->watched)
		node = hash_get(&files_dump_state(ctx)->numbered, process->parent->pid, fd);
	/* An error is one of the descriptor: whoever reads it says so. */
	if (!node || sys_kcmp(node->pid, process->pid, KCMP_FILE, node->target_fd, fd) || !has_no_posix_locks(node))
		return NULL;
	return node;
}

/* --- what is the table's own --------------------------------------------------------------- */

/* Entries of one table whose close-on-exec flag is not known yet. */
struct flag_asks {
	VEC(FdinfoEntry *) slots;
	size_t next;
	size_t first_asked; /* in the batch under way */
	int ops[BATCH_MAX_OPS];
};

void inherited_ask(struct files_dump *ctx, const struct remote_process *process, FdinfoEntry *slot)
{
	struct files_dump_state *state = files_dump_state(ctx);
	struct flag_asks *asks = hash_get(&state->asks, process->pid, 0);

	if (!asks) {
		asks = xalloc(sizeof(*asks));
		hash_put(&state->asks, process->pid, 0, asks);
		VEC_PUSH(&state->all_asks, asks);
	}
	VEC_PUSH(&asks->slots, slot);
}

static int asks_queue(void *arg, struct batch *batch, bool *ret_any)
{
	struct flag_asks *asks = arg;

	asks->first_asked = asks->next;
	for (; asks->next < asks->slots.n && asks->next - asks->first_asked < BATCH_MAX_OPS; asks->next++)
		asks->ops[asks->next - asks->first_asked] =
			batch_add(batch, SYS_fcntl, asks->slots.data[asks->next]->fd, F_GETFD);
	*ret_any = asks->next > asks->first_asked;
	return 0;
}

static int asks_collect(void *arg, struct batch *batch)
{
	struct flag_asks *asks = arg;

	for (size_t i = asks->first_asked; i < asks->next; i++) {
		FdinfoEntry *slot = asks->slots.data[i];
		long flags = batch_ret(batch, asks->ops[i - asks->first_asked]);

		if (flags < 0)
			return fail((int)-flags, "descriptor %u: fcntl(F_GETFD)", slot->fd);
		slot->flags = flags & FD_CLOEXEC;
	}
	return 0;
}

int files_ask(struct files_dump *ctx, struct remote_process **processes, size_t n)
{
	static const struct round_calls calls = { asks_queue, asks_collect };
	auto_free struct round_task *tasks = xalloc((n + 1) * sizeof(*tasks));
	size_t n_tasks = 0;

	for (size_t i = 0; i < n; i++) {
		struct flag_asks *asks = hash_get(&files_dump_state(ctx)->asks, processes[i]->pid, 0);

		if (asks)
			tasks[n_tasks++] = (struct round_task){ .process = processes[i], .arg = asks };
	}
	return rounds_run(tasks, n_tasks, &calls);
}

void inherited_free(struct files_dump_state *state)
{
	for (size_t i = 0; i < state->all_asks.n; i++) {
		VEC_FREE(&state->all_asks.data[i]->slots);
		free(state->all_asks.data[i]);
	}
	VEC_FREE(&state->all_asks);
	hash_free(&state->asks);
	hash_free(&state->numbered);
}
