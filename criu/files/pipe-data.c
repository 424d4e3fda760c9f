/*
 * Content of pipes.
 *
 * tee(2) doubles it into a pipe of ours without taking it out. What a packet
 * pipe (O_DIRECT) holds comes out one packet a read, which is how boundaries
 * show; the image format has no place for them, so only a single packet can be saved.
 */
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "files/pipe-data.h"

static int duplicate(int fd)
{
	int ret = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return ret < 0 ? -errno : ret;
}

static int readable_end(int fd)
{
	int flags = fcntl(fd, F_GETFL), end;

	if (flags < 0)
		return fail_errno("F_GETFL");
	if ((flags & O_ACCMODE) == O_WRONLY)
		end = file_reopen(fd, O_RDONLY | O_NONBLOCK);
	else
		end = duplicate(fd);
	return end < 0 ? fail(-end, "cannot open the reading end of the pipe") : end;
}

static int drain(int fd, struct pipe_content *content, size_t bytes)
{
	content->bytes = xalloc(bytes);
	while (content->n < bytes) {
		ssize_t n = read(fd, (char *)content->bytes + content->n, bytes - content->n);

		if (n <= 0)
			return fail(n ? errno : EIO, "cannot read the copy of the pipe");
		content->n += n;
		content->n_packets++;
	}
	return 0;
}

static int copy_content(int fd, struct pipe_content *content)
{
	auto_fd int from = -1, copy_read = -1, copy_write = -1;
	int copy[2];
	ssize_t bytes;

	from = readable_end(fd);
	if (from < 0)
		return from;
	if (pipe2(copy, O_CLOEXEC | O_NONBLOCK))
		return fail_errno("pipe2");
	copy_read = copy[0];
	copy_write = copy[1];
	/* As many slots as theirs: a slot may hold a single byte. */
	if (fcntl(copy_write, F_SETPIPE_SZ, content->capacity_bytes) < 0)
		return fail_errno("cannot make a pipe of %" PRIu32 " bytes", content->capacity_bytes);
	bytes = tee(from, copy_write, INT_MAX, SPLICE_F_NONBLOCK);
	if (bytes < 0 && errno != EAGAIN)
		return fail_errno("cannot copy the content of the pipe: tee");
	return bytes > 0 ? drain(copy_read, content, bytes) : 0;
}

int pipe_data_read(int fd, struct pipe_content *ret)
{
	struct pipe_content content = { 0 };
	int capacity = fcntl(fd, F_GETPIPE_SZ);
	int queued, err;

	if (capacity < 0)
		return fail_errno("F_GETPIPE_SZ");
	if (ioctl(fd, FIONREAD, &queued))
		return fail_errno("cannot tell how much is in the pipe: FIONREAD");
	content.capacity_bytes = capacity;
	err = queued ? copy_content(fd, &content) : 0;
	if (err) {
		pipe_content_free(&content);
		return err;
	}
	*ret = content;
	return 0;
}

/* Which ends of a pipe the tree has. */
struct pipe_seen {
	unsigned int modes; /* 1 << O_RDONLY, O_WRONLY, O_RDWR */
};

/* poll(2) on one end tells whether anybody at all has the other. */
static void warn_of_outside_end(const struct pipe_seen *seen, const struct file_desc *desc)
{
	struct pollfd end = { .fd = desc->fd, .events = POLLIN | POLLOUT };
	short gone;

	if (seen->modes == 1 << O_WRONLY)
		gone = POLLERR;
	else if (seen->modes == 1 << O_RDONLY)
		gone = POLLHUP;
	else
		return;
	if (poll(&end, 1, 0) >= 0 && !(end.revents & gone))
		pr_warn("%s: its other end is outside the tree; restore with --inherit-fd fd[N]:%s or it will be "
			"closed",
			desc->link, desc->link);
}

int pipe_data_plan(struct files_dump *ctx, struct file_desc *desc, uint32_t pipe_id, bool fifo)
{
	struct hash *pipes = &files_dump_state(ctx)->pipes;
	cleanup_with(pipe_content_free) struct pipe_content content = { 0 };
	struct pipe_seen *seen = hash_get(pipes, pipe_id, fifo);
	int ret;

	if (seen) {
		seen->modes |= 1 << (desc->info.flags & O_ACCMODE);
		close(take_fd(&desc->fd));
		return 0;
	}
	seen = arena_new_of(ctx->model->arena, struct pipe_seen);
	seen->modes = 1 << (desc->info.flags & O_ACCMODE);
	hash_put(pipes, pipe_id, fifo, seen);

	ret = pipe_data_read(desc->fd, &content);
	if (ret)
		return ret;
	if (content.n_packets > 1)
		refuse(ctx->refusals,
		       "%s holds %zu packets (O_DIRECT): images can't keep the boundaries between packets; dump when "
		       "it has been read",
		       desc->link, content.n_packets);
	return 0;
}

int pipe_data_dump(struct files_dump *ctx, struct file_desc *desc, uint32_t pipe_id, bool fifo)
{
	cleanup_with(pipe_content_free) struct pipe_content content = { 0 };
	struct pipe_data_image *data;
	int ret;

	if (!fifo)
		warn_of_outside_end(hash_get(&ctx->state->pipes, pipe_id, fifo), desc);
	ret = pipe_data_read(desc->fd, &content);
	if (ret)
		return ret;
	if (content.n_packets > 1)
		return fail(ENOTSUP, "%s: packets were written to it during the dump", desc->link);

	data = VEC_ADD(&ctx->model->pipe_data);
	data->fifo = fifo;
	data->bytes = arena_memdup(ctx->model->arena, content.bytes, content.n);
	data->entry = model_new(ctx->model, PipeDataEntry, pipe_data_entry__init);
	data->entry->pipe_id = pipe_id;
	data->entry->bytes = content.n;
	data->entry->has_size = true;
	data->entry->size = content.capacity_bytes;
	return 0;
}

/* --- restore ---------------------------------------------------------------- */

static int write_content(int fd, const struct pipe_data_image *data, bool packets)
{
	const int direct = packets && data->entry->bytes <= PIPE_BUF ? O_DIRECT : 0;
	int flags = fcntl(fd, F_GETFL);
	ssize_t n;

	if (flags < 0 || fcntl(fd, F_SETFL, O_NONBLOCK | direct))
		return fail_errno("F_SETFL");
	n = write(fd, data->bytes, data->entry->bytes);
	if (n < 0)
		return fail_errno("cannot write %" PRIu32 " bytes into the pipe", data->entry->bytes);
	if ((size_t)n != data->entry->bytes)
		return fail(ENOSPC, "only %zd of %" PRIu32 " bytes fit into the pipe", n, data->entry->bytes);
	return fcntl(fd, F_SETFL, flags) ? fail_errno("F_SETFL") : 0;
}

int pipe_data_fill(struct files_restore *ctx, uint32_t pipe_id, bool fifo, int fd)
{
	bool packets = hash_get(&files_restore_state(ctx)->packet_pipes, pipe_id, fifo);
	const struct pipe_data_image *data = hash_get(&files_restore_state(ctx)->pipe_data, pipe_id, fifo);

	if (!data)
		return 0;
	if (data->entry->has_size && data->entry->size && fcntl(fd, F_GETPIPE_SZ) != (int)data->entry->size &&
	    fcntl(fd, F_SETPIPE_SZ, data->entry->size) < 0)
		return fail_errno("cannot give the pipe room for %" PRIu32 " bytes", data->entry->size);
	return data->entry->bytes ? write_content(fd, data, packets) : 0;
}

struct made_pipe *pipe_made(struct files_restore_state *state, uint32_t pipe_id, bool fifo)
{
	struct made_pipe *pipe = hash_get(&state->pipes, pipe_id, fifo);

	if (pipe)
		return pipe;
	pipe = xalloc(sizeof(*pipe));
	pipe->read_fd = -1;
	pipe->write_fd = -1;
	VEC_PUSH(&state->all_pipes, pipe);
	hash_put(&state->pipes, pipe_id, fifo, pipe);
	return pipe;
}

void pipe_made_close(struct files_restore_state *state)
{
	for (size_t i = 0; i < state->all_pipes.n; i++) {
		struct made_pipe *pipe = state->all_pipes.data[i];

		if (!pipe->read_taken)
			close_fdp(&pipe->read_fd);
		if (!pipe->write_taken)
			close_fdp(&pipe->write_fd);
		free(pipe);
	}
	VEC_FREE(&state->all_pipes);
	hash_free(&state->pipes);
}
