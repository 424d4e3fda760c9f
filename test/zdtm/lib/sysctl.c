#include "sysctl.h"
#include "zdtmtst.h"

int sysctl_read_str(const char *path, char *buf, int size)
{
	errno = 0;
	return read_value(path, buf, size) ? -(errno ?: EIO) : 0;
}

int sysctl_write_str(const char *path, const char *text)
{
	errno = 0;
	return write_value(path, text) ? -(errno ?: EIO) : 0;
}

int sysctl_read_int(const char *path, int *ret)
{
	char buf[32], *end;
	int err = sysctl_read_str(path, buf, sizeof(buf));

	if (err)
		return err;
	*ret = strtol(buf, &end, 0);
	return end == buf ? -EINVAL : 0;
}

int sysctl_write_int(const char *path, int value)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%d\n", value);
	return sysctl_write_str(path, buf);
}
