/*
 * Paths as the kernel prints them, in /proc and in images: absolute, free of symbolic links, and marked when
 * the directory entry is gone. A link found in one was put there since, and is not followed.
 */
#ifndef CRIU_KERNEL_PATH_H
#define CRIU_KERNEL_PATH_H

#include <sys/stat.h>

#include "util/macros.h"

#define PATH_DELETED_SUFFIX " (deleted)"

/**
 * path_bare_len - length of the path in the kernel's @text, without its mark of deletion
 * @st: of the file, to tell it from one that is really called "x (deleted)"; NULL: the mark is always taken for one
 */
size_t path_bare_len(const char *text, const struct stat *st);

/**
 * path_open - open(2) of @path without following symbolic links, close-on-exec
 * With O_PATH | O_NOFOLLOW the last component may be one. Return: descriptor, or -errno (-ELOOP: there
 * is a link in it); not logged. openat2(2), kernel 5.6.
 */
int must_check path_open(const char *path, int flags);

/**
 * path_open_parent - the directory of the absolute @path, likewise (O_PATH)
 * @ret_name: the last component, in @path
 */
int must_check path_open_parent(const char *path, const char **ret_name);

#endif
