/* File systems by the numbers of statfs(2). */
#ifndef CRIU_COMMANDS_INSPECT_FS_H
#define CRIU_COMMANDS_INSPECT_FS_H

#include <stdbool.h>

#include "util/mem.h"

/** fs_name - "tmpfs", or the number in hexadecimal, which then is @arena's. */
const char *fs_name(uint64_t magic, struct arena *arena);

/** fs_is_local - does the kernel alone answer for it, at once, and are the pages of its inodes their own? */
bool fs_is_local(uint64_t magic);

#endif
