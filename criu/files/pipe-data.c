/*
 * Content of pipes.
 *
 * tee(2) doubles it into a pipe of ours without taking it out. A read ends
 * behind a packet (O_DIRECT), which is how packets show. Each is written back as a
 * packet of its own, and plain bytes between them as such. Where nothing is
 * recorded, the content is one packet if any end has O_DIRECT, else plain.
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

/* --- reading ----------------------------------------------------------------- */

struct pipe_ends {
	int read_fd, write_fd;
};

static void pipe_ends_close(struct pipe_ends *ends)
{
	close_fdp(&ends->read_fd);
	close_fdp(&ends->write_fd);
}

#define auto_pipe_ends cleanup_with(pipe_ends_close) struct pipe_ends

static int pipe_ends_open(uint32_t capacity_bytes, struct pipe_ends *ret)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return fail_errno("pipe2");
	*ret = (struct pipe_ends){ ends[0], ends[1] };
	if (fcntl(ends[1], F_GETPIPE_SZ) != (int)capacity_bytes && fcntl(ends[1], F_SETPIPE_SZ, capacity_bytes) < 0)
		return fail_errno("cannot make a pipe of %" PRIu32 " bytes", capacity_bytes);
	return 0;
}

/* A pipe of ours with the same content. */
static int copy_pipe(int fd, uint32_t capacity_bytes, struct pipe_ends *ret, size_t *ret_bytes)
{
	auto_fd int from = readable_end(fd);
	ssize_t bytes;
	int err;

	if (from < 0)
		return from;
	/* As many slots as theirs: a slot may hold a single byte. */
	err = pipe_ends_open(capacity_bytes, ret);
	if (err)
		return err;
	bytes = tee(from, ret->write_fd, INT_MAX, SPLICE_F_NONBLOCK);
	if (bytes < 0 && errno != EAGAIN)
		return fail_errno("cannot copy the content of the pipe: tee");
	*ret_bytes = bytes > 0 ? bytes : 0;
	return 0;
}

/*
 * Read the @bytes that @ends hold. A plain byte is put behind them: a read that
 * takes all of it met no packet, for it would have ended there. @buf has room for that byte.
 */
static bool read_plain(const struct pipe_ends *ends, char *buf, size_t bytes)
{
	return write(ends->write_fd, "", 1) == 1 && read(ends->read_fd, buf, bytes + 1) == (ssize_t)bytes + 1;
}

/* Slot by slot: a packet has one of its own. */
static int read_slots(const struct pipe_ends *from, size_t bytes, struct pipe_content *content)
{
	auto_pipe_ends one = { -1, -1 }, some = { -1, -1 };
	uint32_t plain = 0;
	int err = pipe_ends_open(PAGE_BYTES, &one);

	if (!err)
		err = pipe_ends_open(2 * PAGE_BYTES, &some);
	while (!err && content->n < bytes) {
		char *buf = (char *)content->bytes + content->n;
		ssize_t n = splice(from->read_fd, NULL, one.write_fd, NULL, INT_MAX, SPLICE_F_NONBLOCK);

		if (n <= 0 || n > (ssize_t)(bytes - content->n) ||
		    splice(one.read_fd, NULL, some.write_fd, NULL, n, SPLICE_F_NONBLOCK) != n)
			return fail(EIO, "cannot take the copy of the pipe apart");
		content->n += n;
		if (read_plain(&some, buf, n)) {
			plain += n;
			continue;
		}
		if (read(some.read_fd, &(char){ 0 }, 1) != 1)
			return fail(EIO, "cannot read a packet of the pipe");
		VEC_PUSH(&content->stretches, plain);
		VEC_PUSH(&content->stretches, n);
		plain = 0;
	}
	return err;
}

static int read_content(int fd, struct pipe_content *content)
{
	auto_pipe_ends copy = { -1, -1 }, again = { -1, -1 };
	size_t bytes;
	int err = copy_pipe(fd, content->capacity_bytes, &copy, &bytes);

	if (err || !bytes)
		return err;
	content->bytes = xalloc(bytes + 1);
	if (read_plain(&copy, content->bytes, bytes)) {
		content->n = bytes;
		return 0;
	}
	/* There are packets, or no room for one more byte. Somebody outside may have written or read meanwhile. */
	err = copy_pipe(fd, content->capacity_bytes, &again, &bytes);
	free(take_ptr(content->bytes));
	content->bytes = xalloc(bytes + 1);
	return err ? err : read_slots(&again, bytes, content);
}

int pipe_data_read(int fd, struct pipe_content *ret)
{
	struct pipe_content content = { 0 };
	int capacity = fcntl(fd, F_GETPIPE_SZ);
	int queued, err = 0;

	if (capacity < 0)
		return fail_errno("F_GETPIPE_SZ");
	if (ioctl(fd, FIONREAD, &queued))
		return fail_errno("cannot tell how much is in the pipe: FIONREAD");
	content.capacity_bytes = capacity;
	if (queued)
		err = read_content(fd, &content);
	if (err) {
		pipe_content_free(&content);
		return err;
	}
	*ret = content;
	return 0;
}

/* --- dump ------------------------------------------------------------------ */

/* Which ends of a pipe the tree has. */
struct pipe_seen {
	unsigned int modes; /* 1 << O_RDONLY, O_WRONLY, O_RDWR */
	bool packets;	    /* one of them has O_DIRECT */
};

enum pipe_outside pipe_data_outside(struct files_dump *ctx, const struct file_desc *desc, uint32_t pipe_id)
{
	const struct pipe_seen *seen = hash_get(&files_dump_state(ctx)->pipes, pipe_id, false);
	struct pollfd end = { .fd = desc->fd, .events = POLLIN | POLLOUT };

	if (!seen || poll(&end, 1, 0) < 0)
		return PIPE_OUTSIDE_NONE;
	if (seen->modes == 1 << O_WRONLY && !(end.revents & POLLERR))
		return PIPE_OUTSIDE_READER;
	if (seen->modes == 1 << O_RDONLY && !(end.revents & POLLHUP))
		return PIPE_OUTSIDE_WRITER;
	return PIPE_OUTSIDE_NONE;
}

void pipe_data_plan(struct files_dump *ctx, struct file_desc *desc, uint32_t pipe_id, bool fifo)
{
	struct hash *pipes = &files_dump_state(ctx)->pipes;
	struct pipe_seen *seen = hash_get(pipes, pipe_id, fifo);

	if (seen) {
		close(take_fd(&desc->fd));
	} else {
		seen = arena_new_of(ctx->model->arena, struct pipe_seen);
		hash_put(pipes, pipe_id, fifo, seen);
	}
	seen->modes |= 1 << (desc->info.flags & O_ACCMODE);
	seen->packets |= desc->info.flags & O_DIRECT;
}

/* What content that is not recorded as anything else is taken for. */
static bool is_one_packet(bool packets, size_t bytes)
{
	return packets && bytes <= PIPE_BUF;
}

static void add_stretches(struct files_dump *ctx, struct pipe_content *content, bool packets, PipeDataEntry *entry)
{
	const bool one = content->stretches.n == 2 && content->stretches.data[1] == content->n;
	const bool expected = is_one_packet(packets, content->n);

	if (!content->n || (one && expected) || (!content->stretches.n && !expected))
		return;
	if (!content->stretches.n) {
		VEC_PUSH(&content->stretches, content->n);
		VEC_PUSH(&content->stretches, 0);
	}
	entry->n_stretches = content->stretches.n;
	entry->stretches = arena_memdup(ctx->model->arena, content->stretches.data,
					content->stretches.n * sizeof(*content->stretches.data));
}

int pipe_data_dump(struct files_dump *ctx, struct file_desc *desc, uint32_t pipe_id, bool fifo)
{
	const struct pipe_seen *seen = hash_get(&ctx->state->pipes, pipe_id, fifo);
	cleanup_with(pipe_content_free) struct pipe_content content = { 0 };
	struct pipe_data_image *data;
	int ret;

	ret = pipe_data_read(desc->fd, &content);
	if (ret)
		return ret;
	data = VEC_ADD(&ctx->model->pipe_data);
	data->fifo = fifo;
	data->bytes = arena_memdup(ctx->model->arena, content.bytes, content.n);
	data->entry = model_new(ctx->model, PipeDataEntry, pipe_data_entry__init);
	data->entry->pipe_id = pipe_id;
	data->entry->bytes = content.n;
	data->entry->has_size = true;
	data->entry->size = content.capacity_bytes;
	add_stretches(ctx, &content, seen->packets, data->entry);
	return 0;
}

/* --- restore ---------------------------------------------------------------- */

static int write_stretch(int fd, const void *bytes, size_t n, bool packet)
{
	ssize_t written;

	if (!n)
		return 0;
	if (fcntl(fd, F_SETFL, O_NONBLOCK | (packet ? O_DIRECT : 0)))
		return fail_errno("F_SETFL");
	written = write(fd, bytes, n);
	if (written < 0)
		return fail_errno("cannot write %zu bytes into the pipe", n);
	return (size_t)written == n ? 0 : fail(ENOSPC, "only %zd of %zu bytes fit into the pipe", written, n);
}

static int write_content(int fd, const struct pipe_data_image *data, bool packets)
{
	const PipeDataEntry *entry = data->entry;
	const bool one_packet = !entry->n_stretches && is_one_packet(packets, entry->bytes);
	int flags = fcntl(fd, F_GETFL), ret = 0;
	size_t done = 0;

	if (flags < 0)
		return fail_errno("F_GETFL");
	for (size_t i = 0; !ret && i < entry->n_stretches; i++) {
		ret = write_stretch(fd, (const char *)data->bytes + done, entry->stretches[i], i % 2);
		done += entry->stretches[i];
	}
	if (!ret)
		ret = write_stretch(fd, (const char *)data->bytes + done, entry->bytes - done, one_packet);
	if (!ret && fcntl(fd, F_SETFL, flags))
		ret = fail_errno("F_SETFL");
	return ret;
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
