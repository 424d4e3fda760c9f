/* What a dump takes at its commit, of whatever kind: one list for the guard, which calls the functions of each kind. */
#include <string.h>

#include "files/fown-quiet.h"
#include "files/mqueue.h"
#include "files/tty.h"

/* In the order of taking; given back from the last one on. */
enum part { OWNERS, TTYS, MQUEUES, N_PARTS };

/* In memory that is shared with the guard. */
struct files_notes {
	struct guard_takings parts[N_PARTS];
	_Alignas(max_align_t) char owner_notes[GUARD_NOTES_BYTES / 16];
	_Alignas(max_align_t) char tty_notes[GUARD_NOTES_BYTES / 8 * 5];
	_Alignas(max_align_t) char mqueue_notes[GUARD_NOTES_BYTES / 4];
};

static void *notes_of(struct files_notes *notes, enum part part)
{
	return part == OWNERS ? notes->owner_notes : part == TTYS ? notes->tty_notes : notes->mqueue_notes;
}

static int take(int dir_fd, const int *fds, size_t n, void *data)
{
	struct files_notes *notes = data;
	int err = 0;

	for (enum part part = 0; part < N_PARTS && !err; part++) {
		const struct guard_takings *of = &notes->parts[part];

		if (of->n)
			err = of->take(dir_fd, fds, of->n, notes_of(notes, part));
		fds += of->n;
	}
	return err;
}

static void give_back(const int *fds, size_t n, void *data)
{
	struct files_notes *notes = data;

	fds += n;
	for (enum part part = N_PARTS; part-- > 0;) {
		const struct guard_takings *of = &notes->parts[part];

		fds -= of->n;
		if (of->n)
			of->give_back(fds, of->n, notes_of(notes, part));
	}
}

int files_takings(struct files_dump *ctx, void *data, struct guard_takings *ret)
{
	struct files_notes *notes = data;
	int *fds, err;

	static_assert(sizeof(struct files_notes) <= GUARD_NOTES_BYTES, "the notes have room");
	*ret = (struct guard_takings){ .take = take, .give_back = give_back };
	if (!notes)
		return 0;
	err = fown_takings(ctx, notes->owner_notes, sizeof(notes->owner_notes), &notes->parts[OWNERS]);
	if (err)
		return err;
	ttys_takings(ctx, notes->tty_notes, sizeof(notes->tty_notes), &notes->parts[TTYS]);
	mqueues_takings(ctx, notes->mqueue_notes, sizeof(notes->mqueue_notes), &notes->parts[MQUEUES]);
	for (enum part part = 0; part < N_PARTS; part++)
		ret->n += notes->parts[part].n;
	ret->fds = fds = arena_array(ctx->model->arena, int, ret->n);
	for (enum part part = 0; part < N_PARTS; part++) {
		const struct guard_takings *of = &notes->parts[part];

		if (of->n)
			memcpy(fds, of->fds, of->n * sizeof(*fds));
		fds += of->n;
	}
	return 0;
}
