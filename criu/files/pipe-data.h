/* What is in a pipe: read without taking it out, and written back. Shared by pipes and fifos. */
#ifndef CRIU_FILES_PIPE_DATA_H
#define CRIU_FILES_PIPE_DATA_H

#include "files/files-internal.h"

struct pipe_content {
	void *bytes; /* owned */
	size_t n;
	uint32_t capacity_bytes;
	VEC(uint32_t) stretches; /* if there is a packet: see pipe-data.proto */
};

/**
 * pipe_data_read - copy of what the pipe holds
 * @fd: either end; borrowed. The pipe is left as it was.
 */
int must_check pipe_data_read(int fd, struct pipe_content *ret);

static inline void pipe_content_free(struct pipe_content *content)
{
	free(content->bytes);
	VEC_FREE(&content->stretches);
}

/** pipe_data_plan - keep one descriptor of each pipe for later. */
void pipe_data_plan(struct files_dump *ctx, struct file_desc *desc, uint32_t pipe_id, bool fifo);

/* The end of a pipe that only processes outside the tree have. */
enum pipe_outside { PIPE_OUTSIDE_NONE, PIPE_OUTSIDE_READER, PIPE_OUTSIDE_WRITER };

/**
 * pipe_data_outside - when all descriptors of the tree are known; not for fifos, which are found again by name
 * poll(2) on one end tells whether anybody at all has the other.
 */
enum pipe_outside pipe_data_outside(struct files_dump *ctx, const struct file_desc *desc, uint32_t pipe_id);

/** pipe_data_dump - read and add to the model. */
int must_check pipe_data_dump(struct files_dump *ctx, struct file_desc *desc, uint32_t pipe_id, bool fifo);

/** pipe_data_fill - capacity and content of @pipe_id into the pipe behind @fd (writable, with a reader open). */
int must_check pipe_data_fill(struct files_restore *ctx, uint32_t pipe_id, bool fifo, int fd);

/** pipe_made - what is known of the pipe that is being made; read_fd is -1 in a new one. */
struct made_pipe *pipe_made(struct files_restore_state *state, uint32_t pipe_id, bool fifo);

/** pipe_made_close - every description is made: close the ends that none of them is. */
void pipe_made_close(struct files_restore_state *state);

#endif
