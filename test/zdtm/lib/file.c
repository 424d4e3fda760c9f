#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "zdtmtst.h"

int set_nonblock(int fd, int on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return flags;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags);
}

int read_data(int fd, unsigned char *buf, int len)
{
	while (len > 0) {
		ssize_t n = read(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (!n)
				errno = EPIPE;
			return -1;
		}
		buf += n;
		len -= n;
	}
	return 0;
}

int write_data(int fd, const unsigned char *buf, int len)
{
	while (len > 0) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		buf += n;
		len -= n;
	}
	return 0;
}

int pipe_in2out(int infd, int outfd, uint8_t *buf, int len)
{
	for (;;) {
		ssize_t n = read(infd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n;
		if (write_data(outfd, buf, n))
			return -1;
	}
}

int write_value(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY);

	if (fd < 0) {
		pr_perror("open %s", path);
		return -1;
	}
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		pr_perror("write %s to %s", text, path);
		return -1;
	}
	return 0;
}

int read_value(const char *path, char *buf, int size)
{
	cleanup_close int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0) {
		pr_perror("open %s", path);
		return -1;
	}
	n = read(fd, buf, size - 1);
	if (n < 0) {
		pr_perror("read %s", path);
		return -1;
	}
	buf[n] = 0;
	return 0;
}

dev_t get_mapping_dev(void *addr)
{
	unsigned long start, end;
	unsigned maj, min;
	dev_t ret = -1;
	char *line = NULL;
	size_t size = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	if (!f)
		return ret;
	while (getline(&line, &size, f) > 0) {
		if (sscanf(line, "%lx-%lx %*s %*s %x:%x", &start, &end, &maj, &min) != 4)
			continue;
		if ((unsigned long)addr >= start && (unsigned long)addr < end) {
			ret = makedev(maj, min);
			break;
		}
	}
	free(line);
	fclose(f);
	return ret;
}
