/* The dump side of unix sockets: functions of the kind, see files.h. */
#ifndef CRIU_FILES_UNIX_DUMP_H
#define CRIU_FILES_UNIX_DUMP_H

#include "files/files-internal.h"

bool unix_match(const struct file_desc *desc);
int must_check unix_plan(struct files_dump *ctx, struct file_desc *desc);
int must_check unix_collect(struct files_dump *ctx, struct file_desc *desc);
int must_check unix_resolve(struct files_dump *ctx, struct file_desc *desc);
int must_check unix_dump(struct files_dump *ctx, struct file_desc *desc);

#endif
