/*
 * What the kernel remembers by the number of a descriptor: an epoll instance
 * knows a target as (description, number), and O_ASYNC puts the number
 * into the signal. The numbers are put on in a puppet whose table is still
 * empty, where every number is free, even one that its task has since
 * closed or given to another file. It has to be a puppet: polling a signalfd binds it to the
 * signals of whoever polls.
 */
#include "files/files-internal.h"
#include "files/fown.h"

#include <sys/syscall.h>

/* --- numbers ----------------------------------------------------------------- */

int files_numbers_end(const struct model *model)
{
	uint32_t last = 0;

	for (size_t t = 0; t < model->fdtables.n; t++)
		for (size_t i = 0; i < model->fdtables.data[t].n_fds; i++)
			last = max_u64(last, model->fdtables.data[t].fds[i]->fd);
	for (size_t i = 0; i < model->files.n; i++) {
		const EventpollFileEntry *epoll = model->files.data[i]->epfd;

		for (size_t k = 0; epoll && k < epoll->n_tfd; k++)
			last = max_u64(last, epoll->tfd[k]->tfd);
	}
	return last + 1;
}

bool files_is_named(const struct files_restore *ctx, uint32_t id)
{
	return hash_get(&ctx->state->named, id, 0);
}

static void index_slots(struct files_restore *ctx)
{
	struct files_restore_state *state = ctx->state;

	if (state->slots.n_used)
		return;
	for (size_t t = 0; t < ctx->model->fdtables.n; t++) {
		const struct fdtable_image *table = &ctx->model->fdtables.data[t];

		for (size_t i = 0; i < table->n_fds; i++) {
			FdinfoEntry *slot = table->fds[i];
			const FdinfoEntry *first = hash_get(&state->first_slots, table->files_id, slot->id);

			hash_put(&state->slots, table->files_id, slot->fd, slot);
			hash_put(&state->named, slot->id, 0, slot);
			if (!first || slot->fd < first->fd)
				hash_put(&state->first_slots, table->files_id, slot->id, slot);
		}
	}
	for (size_t i = 0; i < state->all_made.n; i++)
		if (!files_is_named(ctx, state->all_made.data[i]->entry->id))
			VEC_PUSH(&state->in_flight, state->all_made.data[i]);
}

const FdinfoEntry *files_slot(const struct files_restore *ctx, uint32_t files_id, uint32_t number)
{
	return hash_get(&ctx->state->slots, files_id, number);
}

const FdinfoEntry *files_first_slot(const struct files_restore *ctx, uint32_t files_id, uint32_t id)
{
	return hash_get(&ctx->state->first_slots, files_id, id);
}

/* --- lending ------------------------------------------------------------------- */

/* The table is empty: what is fetched becomes number 0. */
void attach_lend(const struct files_attach *at, int fd, int number)
{
	courier_lend(at->courier, at->batch, fd);
	if (!number)
		return;
	batch_must(at->batch, "place a descriptor (limit of open files?)", SYS_dup3, 0, number, O_CLOEXEC);
	batch_must(at->batch, "close a lent descriptor", SYS_close, 0);
}

void attach_return(const struct files_attach *at, int number)
{
	batch_must(at->batch, "close a lent descriptor", SYS_close, number);
}

/* Which of several numbers it was set under can't be seen: the first one is taken. */
static int attach_async(const struct files_attach *at, const struct made_file *made, int number)
{
	int flags = fcntl(made->fd, F_GETFL);
	int ret = batch_room(at->batch, ATTACH_LEND_OPS + 1, 0);

	if (ret)
		return ret;
	if (flags < 0)
		return fail_errno("F_GETFL");
	attach_lend(at, made->fd, number);
	batch_must(at->batch, "set O_ASYNC", SYS_fcntl, number, F_SETFL, flags | O_ASYNC);
	attach_return(at, number);
	return 0;
}

static int attach_made(struct files_restore *ctx, const struct files_attach *at, struct made_file *made, int number)
{
	LOG_SCOPE("file", made->entry->id);
	unsigned int flags = fown_flags(ctx->model, made->entry);
	int ret = 0;

	if (made->kind->attach)
		ret = made->kind->attach(ctx, made->entry, at);
	if (!ret && !made->attached && !made->inherited && (flags & O_ASYNC) && !(flags & O_PATH))
		ret = attach_async(at, made, number);
	made->attached = true;
	return ret;
}

static int attach_one(struct files_restore *ctx, const struct files_attach *at, const FdinfoEntry *slot)
{
	struct made_file *made = files_made(ctx, slot->id);

	/* files_table() complains about it. */
	if (!made || files_first_slot(ctx, at->files_id, slot->id) != slot)
		return 0;
	return attach_made(ctx, at, made, slot->fd);
}

/* Whoever receives them gets other numbers, which the kernel does not care about. */
static int attach_in_flight(struct files_restore *ctx, const struct files_attach *at)
{
	int ret = 0;

	for (size_t i = 0; i < ctx->state->in_flight.n && !ret; i++)
		ret = attach_made(ctx, at, ctx->state->in_flight.data[i], 0);
	return ret;
}

int files_attach(struct files_restore *ctx, uint32_t files_id, const struct courier *courier,
		 struct remote_process *process)
{
	const struct fdtable_image *table = model_fdtable(ctx->model, files_id);
	cleanup_with(batch_freep) struct batch *batch = NULL;
	struct files_attach at = { .files_id = files_id, .courier = courier };
	int ret = batch_new(process->driver, &batch);

	if (ret)
		return ret;
	at.batch = batch;
	index_slots(ctx);
	for (size_t i = 0; table && i < table->n_fds && !ret; i++)
		ret = attach_one(ctx, &at, table->fds[i]);
	if (!ret)
		ret = attach_in_flight(ctx, &at);
	return ret ? ret : batch_run(batch);
}
