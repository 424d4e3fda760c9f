/*
 * Who reads what waits in a terminal, and writes it again, makes it ready in the eyes of its owners (fcntl(2), O_ASYNC): the
 * kernel would send each a signal, which a task gets when it goes on. O_ASYNC itself can't be switched off for so long, for the
 * kernel keeps the number it was switched on by, and that could be given again only by a task of the tree. So the owner is
 * taken away, before anything else is, and comes back after everything else: with the user ids it had, as the
 * kernel remembers those of whoever sets it. The guard does both, for the same reason as in pty-take.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "files/files-internal.h"
#include "files/fown-quiet.h"
#include "files/fown.h"

/* Of one description; in memory that is shared with the guard. */
struct fown_note {
	uint32_t uid, euid, pid_type, pid;
};

struct fown_notes {
	size_t n_taken;
	struct fown_note of[];
};

struct fown_quiet {
	VEC(int) fds; /* owned */
	VEC(struct fown_note) notes;
};

int fown_quiet_later(struct files_dump *ctx, const struct file_desc *desc, const FownEntry *owner)
{
	struct files_dump_state *state = files_dump_state(ctx);
	int fd;

	if (!owner || !owner->pid || !(desc->info.flags & O_ASYNC))
		return 0;
	fd = fcntl(desc->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return fail_errno("cannot keep a description that has a signal owner");
	if (!state->quiet)
		state->quiet = arena_new_of(ctx->model->arena, struct fown_quiet);
	VEC_PUSH(&state->quiet->fds, fd);
	VEC_PUSH(&state->quiet->notes,
		 ((struct fown_note){ owner->uid, owner->euid, (uint32_t)owner->pid_type, owner->pid }));
	return 0;
}

static int take_owners(int dir_fd, const int *fds, size_t n, void *data)
{
	const struct f_owner_ex nobody = { .type = F_OWNER_PID };
	struct fown_notes *notes = data;

	for (size_t i = 0; i < n; i++) {
		if (fcntl(fds[i], F_SETOWN_EX, &nobody))
			return fail_errno("cannot take the signal owner of a terminal away");
		notes->n_taken = i + 1;
	}
	return 0;
}

static void give_owners_back(const int *fds, size_t n, void *data)
{
	struct fown_notes *notes = data;

	for (size_t i = 0; i < n; i++) {
		const struct fown_note *note = &notes->of[i];
		FownEntry owner = FOWN_ENTRY__INIT;

		owner.uid = note->uid;
		owner.euid = note->euid;
		owner.pid_type = note->pid_type;
		owner.pid = note->pid;
		/* Nobody is left to be told. */
		if (i < notes->n_taken && fown_set_owner(&owner, fds[i]))
			pr_warn("a terminal has lost its signal owner");
		close(fds[i]);
	}
}

int fown_takings(struct files_dump *ctx, void *notes, size_t bytes, struct guard_takings *ret)
{
	const struct fown_quiet *quiet = files_dump_state(ctx)->quiet;
	struct fown_notes *shared = notes;
	size_t room = (bytes - sizeof(*shared)) / sizeof(shared->of[0]);

	*ret = (struct guard_takings){ .take = take_owners, .give_back = give_owners_back };
	if (!quiet)
		return 0;
	if (quiet->fds.n > room)
		return fail(E2BIG,
			    "%zu descriptions of terminals have a signal owner, at most %zu can be dumped at once",
			    quiet->fds.n, room);
	ret->fds = quiet->fds.data;
	ret->n = quiet->fds.n;
	memcpy(shared->of, quiet->notes.data, ret->n * sizeof(shared->of[0]));
	return 0;
}

void fown_dump_free(struct files_dump_state *state)
{
	struct fown_quiet *quiet = state->quiet;

	if (!quiet)
		return;
	for (size_t i = 0; i < quiet->fds.n; i++)
		close(quiet->fds.data[i]);
	VEC_FREE(&quiet->fds);
	VEC_FREE(&quiet->notes);
}
