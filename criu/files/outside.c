/* Who outside the tree has the other end of a pipe or socket, for messages. */
#include "files/files-internal.h"
#include "kernel/proc-owner.h"

char *outside_owner_text(struct files_dump *ctx, uint64_t ino, bool pipe)
{
	struct proc_owners *owners = &files_dump_state(ctx)->owners;
	struct hash tree = { 0 };

	for (size_t i = 0; !owners->listed && i < ctx->tree->n; i++)
		hash_put(&tree, ctx->tree->processes[i]->pid, 0, ctx->tree->processes[i]);
	proc_owners_list(owners, &tree);
	hash_free(&tree);
	return proc_owner_text(proc_owner_of(owners, ino, pipe));
}
