/* Devices that are nothing but their number: /dev/null and its kin. */
#ifndef CRIU_FILES_PLAIN_DEVICE_H
#define CRIU_FILES_PLAIN_DEVICE_H

#include "files/files-internal.h"

/** plain_device_match - is this such a device, opened with @flags so that its description has nothing but these? */
bool plain_device_match(const struct stat *st, unsigned int flags);

/** plain_device_path - where every system has it; NULL: it is none of them. */
const char *plain_device_path(const struct stat *st);

/** plain_device_at - does @path lead to the device @want? */
bool plain_device_at(const char *path, const struct stat *want);

/** plain_device_take - @reg's own path does not: take the usual one with --evasive-devices, or refuse. */
void plain_device_take(struct files_dump *ctx, const struct stat *want, RegFileEntry *reg);

#endif
