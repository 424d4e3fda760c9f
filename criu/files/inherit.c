#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "files/files-internal.h"
#include "files/inherit.h"

void inherit_key_file(char ret[INHERIT_KEY_BYTES], int mnt_id, uint64_t ino)
{
	snprintf(ret, INHERIT_KEY_BYTES, "file[%x:%" PRIx64 "]", mnt_id, ino);
}

void inherit_key_tty(char ret[INHERIT_KEY_BYTES], uint64_t rdev, uint64_t dev)
{
	snprintf(ret, INHERIT_KEY_BYTES, "tty[%" PRIx64 ":%" PRIx64 "]", rdev, dev);
}

void inherit_key_pipe(char ret[INHERIT_KEY_BYTES], uint32_t pipe_id)
{
	snprintf(ret, INHERIT_KEY_BYTES, "pipe:[%" PRIu32 "]", pipe_id);
}

void inherit_key_socket(char ret[INHERIT_KEY_BYTES], uint32_t ino)
{
	snprintf(ret, INHERIT_KEY_BYTES, "socket:[%" PRIu32 "]", ino);
}

bool inherit_external(const struct options *options, const char *key)
{
	for (size_t i = 0; i < options->externals.n; i++)
		if (!strcmp(options->externals.data[i], key))
			return true;
	return false;
}

int inherit_share(int fd, struct made_file *ret)
{
	ret->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (ret->fd < 0)
		return fail_errno("--inherit-fd: cannot duplicate descriptor %d", fd);
	ret->inherited = true;
	return 0;
}

int inherit_take(int fd, int flags, struct made_file *ret)
{
	const int modes = O_ACCMODE | O_NONBLOCK | O_DIRECT;
	int have = fcntl(fd, F_GETFL);

	if (have < 0)
		return fail_errno("--inherit-fd: descriptor %d is not open", fd);
	if ((have & modes) != (flags & modes))
		ret->fd = file_reopen(fd, flags);
	return ret->fd < 0 ? inherit_share(fd, ret) : 0;
}
