/* What a dump takes at its commit, of whatever kind: one list for the guard, which calls the functions of each kind. */
#include <string.h>

#include "files/mqueue.h"
#include "files/tty.h"

/* In memory that is shared with the guard. */
struct files_notes {
	size_t n_ttys; /* the others are queues */
	struct guard_takings ttys, mqueues;
	_Alignas(max_align_t) char tty_notes[GUARD_NOTES_BYTES / 8 * 5];
	_Alignas(max_align_t) char mqueue_notes[GUARD_NOTES_BYTES / 4];
};

static int take(int dir_fd, const int *fds, size_t n, void *data)
{
	struct files_notes *notes = data;
	int err = 0;

	if (notes->n_ttys)
		err = notes->ttys.take(dir_fd, fds, notes->n_ttys, notes->tty_notes);
	if (!err && n > notes->n_ttys)
		err = notes->mqueues.take(dir_fd, fds + notes->n_ttys, n - notes->n_ttys, notes->mqueue_notes);
	return err;
}

static void give_back(const int *fds, size_t n, void *data)
{
	struct files_notes *notes = data;

	if (notes->n_ttys)
		notes->ttys.give_back(fds, notes->n_ttys, notes->tty_notes);
	if (n > notes->n_ttys)
		notes->mqueues.give_back(fds + notes->n_ttys, n - notes->n_ttys, notes->mqueue_notes);
}

void files_takings(struct files_dump *ctx, void *data, struct guard_takings *ret)
{
	struct files_notes *notes = data;
	int *fds;

	static_assert(sizeof(struct files_notes) <= GUARD_NOTES_BYTES, "the notes have room");
	*ret = (struct guard_takings){ .take = take, .give_back = give_back };
	if (!notes)
		return;
	ttys_takings(ctx, notes->tty_notes, sizeof(notes->tty_notes), &notes->ttys);
	mqueues_takings(ctx, notes->mqueue_notes, sizeof(notes->mqueue_notes), &notes->mqueues);
	notes->n_ttys = notes->ttys.n;
	ret->n = notes->ttys.n + notes->mqueues.n;
	ret->fds = fds = arena_array(ctx->model->arena, int, ret->n);
	if (notes->ttys.n)
		memcpy(fds, notes->ttys.fds, notes->ttys.n * sizeof(*fds));
	if (notes->mqueues.n)
		memcpy(fds + notes->ttys.n, notes->mqueues.fds, notes->mqueues.n * sizeof(*fds));
}
