/* Extended attributes of a file, access control lists and security labels included. */
#ifndef CRIU_MEM_XATTRS_H
#define CRIU_MEM_XATTRS_H

#include "image/model.h"

/** xattrs_read - all attributes of @fd (O_PATH will do), into the arena; none where the file system has none. */
int must_check xattrs_read(int fd, const char *path, struct arena *arena, ShmemFileXattr ***ret, size_t *ret_n);

/**
 * xattrs_apply - set them on @fd_path, a link in /proc/self/fd; @path is for messages. One that this file system or our rights don't allow is a warning, for
 * nothing would be gained by giving up the whole tree
 */
int must_check xattrs_apply(const char *fd_path, const char *path, ShmemFileXattr *const *xattrs, size_t n);

#endif
