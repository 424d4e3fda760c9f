/* The dump side of internet sockets, for inet.c. */
#ifndef CRIU_FILES_INET_DUMP_H
#define CRIU_FILES_INET_DUMP_H

#include "files/files-internal.h"

bool inet_match(const struct file_desc *desc);
int must_check inet_plan(struct files_dump *ctx, struct file_desc *desc);

int must_check inet_resolve(struct files_dump *ctx, struct file_desc *desc);

int must_check inet_dump_queue(struct files_dump *ctx, struct file_desc *desc);

/** inet_dump_state - created on first use. */
struct inet_dump *inet_dump_state(struct files_dump *ctx);

#endif
