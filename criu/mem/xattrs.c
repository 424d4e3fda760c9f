#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "mem/xattrs.h"
#include "util/log.h"

#define LIST_MAX_BYTES	(64 * 1024) /* XATTR_LIST_MAX */
#define VALUE_MAX_BYTES (64 * 1024) /* XATTR_SIZE_MAX */

int xattrs_read(int fd, const char *path, struct arena *arena, ShmemFileXattr ***ret, size_t *ret_n)
{
	auto_free char *names = xalloc(LIST_MAX_BYTES);
	auto_free char *value = xalloc(VALUE_MAX_BYTES);
	VEC(ShmemFileXattr *) list = { 0 };
	char fd_path[32];
	ssize_t bytes;

	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", fd);
	bytes = listxattr(fd_path, names, LIST_MAX_BYTES);
	if (bytes < 0 && errno != EOPNOTSUPP)
		return fail_errno("%s: list extended attributes", path);
	for (ssize_t at = 0; at < bytes; at += strlen(names + at) + 1) {
		ShmemFileXattr *xattr = arena_new_of(arena, ShmemFileXattr);
		ssize_t n = getxattr(fd_path, names + at, value, VALUE_MAX_BYTES);

		/* Listed but not to be had: a label of a security module that is off, or kept from us. */
		if (n < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
			continue;
		if (n < 0) {
			int err = fail_errno("%s: extended attribute %s", path, names + at);

			VEC_FREE(&list);
			return err;
		}
		shmem_file_xattr__init(xattr);
		xattr->name = arena_strdup(arena, names + at);
		xattr->value.data = arena_memdup(arena, value, n);
		xattr->value.len = n;
		VEC_PUSH(&list, xattr);
	}
	*ret = arena_memdup(arena, list.data, list.n * sizeof(*list.data));
	*ret_n = list.n;
	VEC_FREE(&list);
	return 0;
}

int xattrs_apply(const char *fd_path, const char *path, ShmemFileXattr *const *xattrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const ShmemFileXattr *xattr = xattrs[i];

		if (!setxattr(fd_path, xattr->name, xattr->value.data, xattr->value.len, 0))
			continue;
		if (errno != EOPNOTSUPP && errno != EPERM)
			return fail_errno("%s: set extended attribute %s", path, xattr->name);
		pr_warn("%s: extended attribute %s is lost: %s", path, xattr->name, strerror(errno));
	}
	return 0;
}
