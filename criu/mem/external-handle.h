#ifndef CRIU_MEM_EXTERNAL_HANDLE_H
#define CRIU_MEM_EXTERNAL_HANDLE_H

/* Opening an inode by its file handle, as long as anybody keeps it alive. */

#include "mem/inode.h"

/**
 * handle_anchor - a descriptor on the file system with number @dev, which handles are opened through
 * @path: of a file that lives or lived there; tried first
 * Return: owned by the caller; -ENOENT, not logged
 */
int must_check handle_anchor(dev_t dev, const char *path);

/** handle_open - descriptor (O_PATH) of the inode, owned by the caller; -ESTALE if it is gone; not logged. */
int must_check handle_open(int anchor, const struct inode_handle *handle);

/** boot_id - of the running kernel; static, "" if it can't be read. */
const char *boot_id(void);

#endif
