#ifndef ZDTM_FILEPROP_H
#define ZDTM_FILEPROP_H

/* What can be seen of a descriptor and of a directory. Include zdtmtst.h first. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* Everything that must be the same before and after. */
struct fd_state {
	struct stat st;
	off_t pos;
	int status_flags; /* F_GETFL, -1 when the descriptor has none */
	int fd_flags;
	char link[4096];
};

static inline int fd_state_get(int fd, struct fd_state *ret)
{
	char path[64];
	ssize_t len;

	memset(ret, 0, sizeof(*ret));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, ret->link, sizeof(ret->link) - 1);
	if (len < 0 || fstat(fd, &ret->st)) {
		pr_perror("fd %d", fd);
		return -1;
	}
	ret->pos = lseek(fd, 0, SEEK_CUR);
	ret->status_flags = fcntl(fd, F_GETFL);
	ret->fd_flags = fcntl(fd, F_GETFD);
	return 0;
}

enum fd_state_mode {
	FD_SAME_INODE,
	FD_NEW_INODE, /* a deleted file comes back as another inode of the same device */
};

/* 0 when the descriptor is still what it was; otherwise 1, and each difference is logged. */
static inline int fd_state_changed(int fd, const struct fd_state *was, enum fd_state_mode mode)
{
	static struct fd_state now;
	int bad = 0;

	if (fd_state_get(fd, &now))
		return 1;
#define FD_STATE_CMP(field, fmt)                                                                                       \
	do {                                                                                                           \
		if (now.field != was->field) {                                                                         \
			pr_err("fd %d: " #field " was " fmt ", is " fmt "\n", fd, was->field, now.field);              \
			bad = 1;                                                                                       \
		}                                                                                                      \
	} while (0)
	FD_STATE_CMP(pos, "%ld");
	FD_STATE_CMP(status_flags, "%#x");
	FD_STATE_CMP(fd_flags, "%#x");
	FD_STATE_CMP(st.st_dev, "%#lx");
	if (mode == FD_SAME_INODE)
		FD_STATE_CMP(st.st_ino, "%lu");
	FD_STATE_CMP(st.st_mode, "%#o");
	FD_STATE_CMP(st.st_nlink, "%lu");
	FD_STATE_CMP(st.st_uid, "%u");
	FD_STATE_CMP(st.st_gid, "%u");
	FD_STATE_CMP(st.st_rdev, "%#lx");
	FD_STATE_CMP(st.st_size, "%ld");
#undef FD_STATE_CMP
	if (strcmp(now.link, was->link)) {
		pr_err("fd %d: link was %s, is %s\n", fd, was->link, now.link);
		bad = 1;
	}
	return bad;
}

/* Whether two descriptors of the caller are one open file: moving one moves the other. 1, 0 or -1. */
static inline int fd_same_offset(int one, int two)
{
	off_t was = lseek(one, 0, SEEK_CUR), other = lseek(two, 0, SEEK_CUR), moved;

	if (was < 0 || other < 0 || lseek(one, other + 12345, SEEK_SET) < 0) {
		pr_perror("seek of %d or %d", one, two);
		return -1;
	}
	moved = lseek(two, 0, SEEK_CUR);
	if (lseek(one, was, SEEK_SET) < 0)
		return -1;
	return moved == other + 12345;
}

/* Number of entries of a directory besides . and .., each logged with complain; -1 on error. */
static inline int dir_entries(const char *path, int complain)
{
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	dir = opendir(path);
	if (!dir) {
		pr_perror("open directory %s", path);
		return -1;
	}
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (complain)
			pr_err("%s contains %s\n", path, entry->d_name);
		count++;
	}
	closedir(dir);
	return count;
}

/* Creates a file that must not exist yet; descriptor or -1. */
static inline int file_create(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags | O_CREAT | O_EXCL, mode);

	if (fd < 0)
		pr_perror("create %s", path);
	return fd;
}

#endif
