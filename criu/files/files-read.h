#ifndef CRIU_FILES_FILES_READ_H
#define CRIU_FILES_FILES_READ_H

/* Reading what the kernel shows of a process's descriptors, ahead of whoever uses it. */

#include "files/files.h"

struct desc_reader;

/**
 * desc_reader_start - begin to read descriptors @fds of @process.
 * Of many, a thread reads in order while the caller is busy with the ones before; of the
 * root task their links, too.
 * @fds: borrowed until the end
 */
struct desc_reader *desc_reader_start(struct remote_process *process, const fd_list *fds);

/** desc_reader_take - descriptor number @i of the list as file_desc_read() fills it; owned by the caller. */
int must_check desc_reader_take(struct desc_reader *reader, size_t i, struct file_desc *ret);

/** desc_reader_end - wait for the thread; what was not taken is closed. */
void desc_reader_end(struct desc_reader *reader);

#endif
