/*
 * Named pipes.
 *
 * A pipe whose inode has a path: the name, flags and owner are a regular-file
 * entry (regf_id), content and capacity are kept as for pipes, once per inode.
 * Restore first opens the fifo for reading and writing, so that no other open
 * blocks and what is written stays; that descriptor goes when all are made.
 */
#include <inttypes.h>
#include <sys/ioctl.h>

#include "files/files-internal.h"
#include "files/files-reg.h"
#include "files/pipe-data.h"

static bool fifo_match(const struct file_desc *desc)
{
	return S_ISFIFO(desc->st.st_mode) && desc->link[0] == '/';
}

static int fifo_plan(struct files_dump *ctx, struct file_desc *desc)
{
	FifoEntry *fifo = model_new(ctx->model, FifoEntry, fifo_entry__init);
	FileEntry *reg = model_add_file(ctx->model, FD_TYPES__REG);
	int ret;

	desc->entry->fifo = fifo;
	fifo->id = desc->entry->id;
	/* Inode numbers of two file systems may be equal; ours are not. */
	fifo->pipe_id = desc->inode->id;
	fifo->has_regf_id = true;
	fifo->regf_id = reg->id;
	ret = reg_add_desc(ctx, desc, reg);
	if (!ret)
		pipe_data_plan(ctx, desc, fifo->pipe_id, true);
	return ret;
}

static int fifo_dump(struct files_dump *ctx, struct file_desc *desc)
{
	return pipe_data_dump(ctx, desc, desc->entry->fifo->pipe_id, true);
}

/* --- restore ---------------------------------------------------------------- */

static int fifo_validate(const struct model *model, const FileEntry *entry)
{
	const FifoEntry *fifo = entry->fifo;
	const FileEntry *reg;

	if (!fifo || fifo->id != entry->id || !fifo->has_regf_id)
		return fail(EINVAL, "fifo without its entry");
	reg = model_file(model, fifo->regf_id);
	if (!reg || reg->type != FD_TYPES__REG || !reg->reg)
		return fail(EINVAL, "path of the fifo, file %" PRIu32 ", is not in files.img", fifo->regf_id);
	if ((reg->reg->flags & O_ACCMODE) == O_ACCMODE || (reg->reg->flags & O_PATH))
		return fail(EINVAL, "fifo flags %#" PRIx32 " name no end", reg->reg->flags);
	return 0;
}

static int hold_open(struct files_restore *ctx, const FifoEntry *fifo, const FileEntry *reg, struct made_pipe *pipe)
{
	bool inherited = false;
	int err = reg_open(ctx, reg, O_RDWR | O_NONBLOCK, &pipe->read_fd, &inherited);
	int queued;

	/* The content of an inherited one is its giver's, as it is with pipes. */
	if (err || inherited)
		return err;
	/* Somebody outside the tree still uses it: what is there now is what is true. */
	if (!ioctl(pipe->read_fd, FIONREAD, &queued) && queued) {
		pr_warn("fifo %s is in use and not empty; its content is left as it is", reg->reg->name);
		return 0;
	}
	return pipe_data_fill(ctx, fifo->pipe_id, true, pipe->read_fd);
}

static int fifo_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const FifoEntry *fifo = entry->fifo;
	const FileEntry *reg = model_file(ctx->model, fifo->regf_id);
	struct made_pipe *pipe = pipe_made(files_restore_state(ctx), fifo->pipe_id, true);

	if (pipe->read_fd < 0) {
		int err = hold_open(ctx, fifo, reg, pipe);

		if (err)
			return err;
	}
	return reg_open(ctx, reg, reg->reg->flags, &ret->fd, &ret->inherited);
}

const struct file_kind fifo_kind = {
	.type = FD_TYPES__FIFO,
	.name = "fifo",
	.match = fifo_match,
	.plan = fifo_plan,
	.dump = fifo_dump,
	.validate = fifo_validate,
	.make = fifo_make,
};
